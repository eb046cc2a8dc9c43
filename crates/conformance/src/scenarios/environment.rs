//! What a task and an executor find around them: environment variables, the sandbox, the user.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Target;
use crate::http::{self, Request};
use crate::scheduler::{Framework, Log, Scheduler};
use crate::sequence::without_ids;
use crate::tasks::{custom_task, launch, task};

pub(super) fn environment(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    scheduler.accept(&offer["id"], &[launch(&[task(&offer, "t", "env | sort; ls -a; id -un")])])?;
    scheduler.update(&["TASK_FINISHED"], 40);
    log_stdout(target, &scheduler.framework_id, log)?;
    scheduler.end()
}

pub(super) fn executor_environment(target: &Target, log: &Log) -> Result<()> {
    let framework = Framework::default().with("checkpoint", json!(true));
    let mut scheduler = Scheduler::subscribe(&target.master, &framework, log)?;
    let offer = scheduler.offer()?;
    let environment = json!({"variables": [{"name": "MINE", "value": "1"}]});
    let command = json!({"value": "env | sort; pwd; exit 1", "shell": true, "environment": environment});
    let task = custom_task(&offer, &scheduler.framework_id, "t", "e", &command);
    scheduler.accept(&offer["id"], &[launch(&[task])])?;
    scheduler.terminal();
    log_stdout(target, &scheduler.framework_id, log)?;
    scheduler.end()
}

/// Finds the sandbox of a framework's only executor by what the agent says, reads its stdout there, and logs it.
fn log_stdout(target: &Target, framework_id: &str, log: &Log) -> Result<()> {
    let lines: Vec<String> =
        sandbox_file(&target.agent, framework_id, "stdout")?.lines().map(Into::into).collect();
    log.push(json!({"type": "(stdout)", "lines": lines}));
    Ok(())
}

/// Reads a file of the sandbox of a framework's only executor over the agent's v0 endpoints.
pub fn sandbox_file(agent: &str, framework_id: &str, file: &str) -> Result<String> {
    let timeout = Duration::from_secs(40);
    let get = |path: &str| -> Result<Value> {
        let response = http::send(agent, &Request::get(path), timeout).with_context(|| path.to_owned())?;
        serde_json::from_slice(&response.body).with_context(|| format!("{path}: {}", response.text()))
    };
    let state = get("/state")?;
    let lists = |of: &Value, names: [&str; 2]| -> Vec<Value> {
        names.iter().flat_map(|name| of[*name].as_array().cloned().unwrap_or_default()).collect()
    };
    let directory = lists(&state, ["frameworks", "completed_frameworks"])
        .iter()
        .filter(|framework| framework["id"] == framework_id)
        .flat_map(|framework| lists(framework, ["executors", "completed_executors"]))
        .find_map(|executor| executor["directory"].as_str().map(str::to_owned))
        .context("the agent's state names no sandbox of the framework")?;
    let read = get(&format!("/files/read?path={directory}/{file}&offset=0&length=20000"))?;
    Ok(read["data"].as_str().context("no data")?.to_owned())
}

/// How the recorded output of the scenarios above differs from what was seen.
pub(super) fn differences(recorded: &[Value], seen: &[Value]) -> Vec<String> {
    let (Some(recorded), Some(seen)) = (stdout(recorded), stdout(seen)) else { return Vec::new() };
    let mut found = Vec::new();
    for (name, value) in &recorded.variables {
        match seen.variables.get(name) {
            None => found.push(format!("environment variable {name} is missing")),
            Some(other) if other != value => found.push(format!("{name} is '{other}', expected '{value}'")),
            Some(_) => {}
        }
    }
    if recorded.lines != seen.lines {
        found.push(format!("stdout has lines {:?}, expected {:?}", seen.lines, recorded.lines));
    }
    found
}

/// Output of `env` and what was printed after it.
struct Output {
    variables: BTreeMap<String, String>,
    lines: BTreeSet<String>,
}

fn stdout(log: &[Value]) -> Option<Output> {
    let entry = log.iter().find(|e| e["type"] == "(stdout)")?;
    let mut output = Output { variables: BTreeMap::new(), lines: BTreeSet::new() };
    for line in entry["lines"].as_array()?.iter().filter_map(Value::as_str) {
        match line.split_once('=') {
            Some((name, value)) => {
                output.variables.insert(name.to_owned(), neutral(value));
            }
            None => {
                output.lines.insert(neutral(line));
            }
        }
    }
    Some(output)
}

/// A value without what differs from run to run and from machine to machine: the work directory, ids, ports.
fn neutral(value: &str) -> String {
    let value = value.find("/slaves/").map_or(value, |at| &value[at..]);
    let value = without_ids(value);
    match value.split_once("127.0.0.1:") {
        Some((before, _port)) => format!("{before}127.0.0.1:#"),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_and_another_value_are_told() {
        let log = |lines: &[&str]| vec![json!({"type": "(stdout)", "lines": lines})];
        let recorded = log(&["A=1", "B=/x/slaves/1", "C=e@127.0.0.1:5", "root"]);
        assert!(
            differences(&recorded, &log(&["A=1", "B=/y/slaves/1", "C=e@127.0.0.1:6", "D=4", "root"]))
                .is_empty()
        );
        let found = differences(&recorded, &log(&["A=2", "B=/y/slaves/1", "root"]));
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(differences(&recorded, &log(&["A=1", "B=/slaves/1", "C=e@127.0.0.1:5"])).len(), 1);
    }
}

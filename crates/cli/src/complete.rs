//! Completions of the command line, those of what the cluster has included: ids of agents, frameworks and tasks, and roles. A
//! shell asks for them by running this program; what cannot be had at once is left out, and nothing is said about it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::future::Future;
use std::time::Duration;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use sdk::operator::form_escape;
use sdk::{Masters, Operator};
use serde_json::Value;

use crate::cluster::DEFAULT_MASTER;

/// How long somebody waits for a completion.
const PATIENCE: Duration = Duration::from_secs(1);

/// Most that are offered.
const MOST: usize = 200;

/// The command line with what the cluster has to offer for its arguments, which are known by their names.
pub(crate) fn extended(line: clap::Command) -> clap::Command {
    line.mut_args(|argument| {
        let complete: fn(&OsStr) -> Vec<CompletionCandidate> = match argument.get_id().as_str() {
            "agent" | "machines" => agents,
            "framework" => frameworks,
            "role" => roles,
            "task" => tasks,
            _ => return argument,
        };
        argument.add(ArgValueCompleter::new(complete))
    })
    .mut_subcommands(extended)
}

/// By host, and by the end of the id.
fn agents(typed: &OsStr) -> Vec<CompletionCandidate> {
    let of = |agent: &Value| {
        let (id, host) = (text(agent, "id"), text(agent, "hostname"));
        let end = id.rsplit('-').next().unwrap_or(&id).to_owned();
        vec![(host, text(agent, "state")), (end, text(agent, "hostname")), (id, text(agent, "hostname"))]
    };
    offered(typed, "/state-summary/agents", "agents", of)
}

/// By name, where that is one word, and by id.
fn frameworks(typed: &OsStr) -> Vec<CompletionCandidate> {
    let of = |framework: &Value| {
        vec![
            (text(framework, "name"), text(framework, "state")),
            (text(framework, "id"), text(framework, "name")),
        ]
    };
    offered(typed, "/state-summary/frameworks", "frameworks", of)
}

fn roles(typed: &OsStr) -> Vec<CompletionCandidate> {
    offered(typed, "/state-summary/roles", "roles", |role| vec![(text(role, "name"), String::new())])
}

fn tasks(typed: &OsStr) -> Vec<CompletionCandidate> {
    let of =
        |task: &Value| vec![(text(task, "id"), format!("{} {}", text(task, "name"), text(task, "state")))];
    offered(typed, "/tasks", "tasks", of)
}

fn text(of: &Value, name: &str) -> String {
    of[name].as_str().unwrap_or_default().to_owned()
}

/// What of a list begins as was typed: words, each with what helps to know it. A word that stands for several is none.
fn offered(
    typed: &OsStr,
    path: &str,
    list: &str,
    words: impl Fn(&Value) -> Vec<(String, String)>,
) -> Vec<CompletionCandidate> {
    let Some(typed) = typed.to_str() else { return Vec::new() };
    let masters = masters(std::env::args(), std::env::var("MESETA_MASTER").ok());
    let asked = async {
        let query = format!("{path}?limit={MOST}&search={}", form_escape(typed));
        Operator::new(Masters::parse(&masters).ok()?).get(&query).await.ok()
    };
    let Some(answer) = at_once(asked) else { return Vec::new() };
    let all = answer[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (word, help) in all.iter().flat_map(words) {
        if is_plain(&word) && word.starts_with(typed) {
            found.entry(word).or_default().push(help);
        }
    }
    let only = |(word, mut helps): (String, Vec<String>)| {
        let help = helps.pop().filter(|_| helps.is_empty())?;
        Some(CompletionCandidate::new(word).help((!help.is_empty()).then(|| help.into())))
    };
    found.into_iter().filter_map(only).collect()
}

/// Whether a shell takes it for one word and for nothing else: frameworks choose ids and names, and what somebody completes
/// must not run a command of theirs.
fn is_plain(word: &str) -> bool {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.:@%+=,/".contains(letter);
    !word.is_empty() && !word.starts_with('-') && word.chars().all(is_plain)
}

/// What was asked for, if it comes at once.
fn at_once<T>(asked: impl Future<Output = Option<T>>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, asked).await.ok().flatten() });
    // A name that is being looked up holds nobody up.
    runtime.shutdown_background();
    found
}

/// The masters that the words on the command line name, or the environment does.
fn masters(words: impl Iterator<Item = String>, environment: Option<String>) -> String {
    let mut words = words.skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        if let Some(value) = word.strip_prefix("--master=") {
            return value.to_owned();
        }
        if word == "--master"
            && let Some(value) = words.next()
        {
            return value;
        }
    }
    environment.filter(|masters| !masters.is_empty()).unwrap_or_else(|| DEFAULT_MASTER.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_masters_are_those_of_the_command_line_or_of_the_environment() {
        let of = |line: &str, environment: Option<&str>| {
            masters(line.split(' ').map(ToOwned::to_owned), environment.map(ToOwned::to_owned))
        };
        assert_eq!(of("meseta -- meseta task show --master a:1 x", Some("b:2")), "a:1");
        assert_eq!(of("meseta -- meseta task show --master=a:1", None), "a:1");
        assert_eq!(of("meseta -- meseta task show x", Some("b:2")), "b:2");
        assert_eq!(of("meseta -- meseta task show --master", Some("")), DEFAULT_MASTER);
    }

    #[test]
    fn words_that_a_shell_would_not_leave_alone_are_not_offered() {
        assert!(["web-1.task:2", "a/b", "größe", "x=1,y"].into_iter().all(is_plain));
        let others =
            ["", "two words", "$(reboot)", "a;b", "a`b`", "--all", "a'b", "a\nb", "~root", "a*", "a&b", "#a"];
        assert!(!others.into_iter().any(is_plain));
    }

    #[test]
    fn what_does_not_come_at_once_does_not_come() {
        assert_eq!(at_once(std::future::pending::<Option<()>>()), None);
        assert_eq!(at_once(async { Some(1) }), Some(1));
    }
}

//! The agents, each asked by itself: whether it can be reached from here, whether its clock is right, how full its disk is,
//! what it isolates, and whether it runs what the master does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proto::v1::agent::response::get_containers::Container;
use proto::v1::agent::{Call, call};
use proto::v1::master::response::get_agents::Agent;
use sdk::{Address, Operator, operator};
use serde_json::Value;

use super::clock::{Clock, skew};
use super::finding::{Finding, Severity};
use super::masters::chain;
use crate::cluster::agent_id;
use crate::flags;
use crate::inspect::agents::place;
use crate::view;

/// How long one has to answer each question.
const PATIENCE: Duration = Duration::from_secs(5);
/// A disk that is used so far fills up soon.
const FILLING: f64 = 0.85;
/// A sandbox that takes so much of its disk is about to be ended.
const NEARLY_ALL: f64 = 0.95;
/// So many processes that want to run for each processor.
const OVERLOADED: f64 = 4.0;

/// What one agent says of itself.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) name: String,
    pub(super) state: Result<State, String>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) clock: Option<Clock>,
    pub(super) metrics: BTreeMap<String, f64>,
    pub(super) flags: BTreeMap<String, String>,
    pub(super) containers: Vec<Container>,
}

/// Asks one agent.
pub(super) async fn ask(agent: Agent) -> Told {
    let name = format!("{} at {}", agent_id(&agent), place(&agent));
    let state = match agent.pid.as_deref().and_then(Address::from_pid) {
        Some(address) => state(&address).await,
        None => Err("it has told no address".to_owned()),
    };
    Told { name, state }
}

async fn state(address: &Address) -> Result<State, String> {
    let metrics = operator::probe(address, "/metrics/snapshot", PATIENCE).await.map_err(chain)?;
    let flags = operator::probe(address, "/flags", PATIENCE).await.map_err(chain)?;
    Ok(State {
        clock: Clock::of(&metrics),
        metrics: metrics.json().unwrap_or_default(),
        flags: flags.json().map(|told| flags_of(&told)).unwrap_or_default(),
        // One that does not tell may be too old for that.
        containers: containers(address).await.unwrap_or_default(),
    })
}

/// The flags in the answer of `/flags`.
fn flags_of(told: &Value) -> BTreeMap<String, String> {
    let flags = told.get("flags").and_then(Value::as_object);
    let flag = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    flags.into_iter().flatten().filter_map(flag).collect()
}

/// The containers of an agent, those of executors only.
async fn containers(address: &Address) -> Option<Vec<Container>> {
    let call = Call {
        r#type: Some(call::Type::GetContainers.into()),
        get_containers: Some(call::GetContainers::default()),
        ..Call::default()
    };
    let agent = Operator::agent(address.clone());
    let answer = tokio::time::timeout(PATIENCE, agent.call_agent(&call)).await.ok()?.ok()?;
    Some(answer.get_containers?.containers)
}

/// What is wrong with agents; `known` are the frameworks that the master knows to be there.
pub(super) fn findings(agents: &[Told], known: &BTreeSet<String>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut silent = Vec::new();
    let mut same = Same::default();
    for Told { name, state } in agents {
        match state {
            Ok(state) => {
                found.extend(state.clock.as_ref().and_then(|clock| skew(&format!("agent {name}"), clock)));
                found.extend(disk(name, state));
                one(name, state, known, &mut same);
            }
            Err(error) => silent.push(format!("{name}: {error}")),
        }
    }
    if !silent.is_empty() {
        let what = format!("agents that cannot be reached from here: {}", silent.len());
        found.push(Finding::new(Severity::Problem, "agent_unreachable", what).about(silent).advice(
            "see whether a firewall is between, or whether they tell an address that is not reachable (--advertise_ip of the \
             agent); logs and files of their tasks cannot be read from here",
        ));
    }
    found.extend(same.findings());
    found
}

/// What is alike for many agents and told once.
#[derive(Default)]
struct Same(BTreeMap<&'static str, Vec<String>>);

impl Same {
    fn add(&mut self, kind: &'static str, subject: String) {
        self.0.entry(kind).or_default().push(subject);
    }

    fn findings(self) -> Vec<Finding> {
        let told = |kind: &'static str| -> (Severity, &'static str, &'static str) {
            match kind {
                "not_registered" => (
                    Severity::Problem,
                    "agents are not registered with any master",
                    "see which master they were told (--master) and whether they reach it",
                ),
                "checkpoint_errors" => (
                    Severity::Problem,
                    "agents could not write down their state",
                    "see whether the disk of their --work_dir is full or failing",
                ),
                "unknown_containers" => (
                    Severity::Warning,
                    "containers run of frameworks that the master does not know",
                    "what has ended there should end by itself within minutes; if it does not, start the agent anew",
                ),
                "disk_limit" => (
                    Severity::Warning,
                    "sandboxes have nearly used up their disk, and will be ended",
                    "give their tasks more disk, or have them write less",
                ),
                "overloaded" => (
                    Severity::Note,
                    "machines have far more to do than processors",
                    "see with `meseta top` who uses them; --cgroups_enable_cfs of the agent makes limits of the shares",
                ),
                "not_isolated" => (
                    Severity::Note,
                    "agents do not hold tasks to their processors and memory",
                    "run the agent as root with --launcher=linux and --isolation=cgroups/cpu,cgroups/mem,namespaces/pid",
                ),
                _ => (Severity::Warning, "sandboxes could not be removed", "see the agent's log for why"),
            }
        };
        let finding = |(kind, subjects): (&'static str, Vec<String>)| {
            let (severity, what, advice) = told(kind);
            Finding::new(severity, kind, what).about(subjects).advice(advice)
        };
        self.0.into_iter().map(finding).collect()
    }
}

fn one(name: &str, state: &State, known: &BTreeSet<String>, same: &mut Same) {
    let metric = |name: &str| state.metrics.get(name).copied();
    if metric("slave/registered") == Some(0.0) {
        same.add("not_registered", name.to_owned());
    }
    for (kind, counted) in
        [("checkpoint_errors", "meseta/checkpoint_errors"), ("removals", "gc/path_removals_failed")]
    {
        if let Some(count) = metric(counted).filter(|count| *count > 0.0) {
            same.add(kind, format!("{name}: {count} times"));
        }
    }
    if let (Some(load), Some(cpus)) = (metric("system/load_15min"), metric("system/cpus_total"))
        && load > OVERLOADED * cpus
    {
        same.add("overloaded", format!("{name}: load {} on {cpus} processors", view::number(load)));
    }
    if let Some(isolation) = state.flags.get("isolation")
        && !["cgroups/cpu", "cgroups/mem", "cgroups/all"].iter().any(|part| isolation.contains(part))
    {
        same.add("not_isolated", format!("{name}: --isolation={isolation}"));
    }
    for container in &state.containers {
        let framework = container.framework_id.as_ref().map_or("", |id| &id.value);
        let executor = container.executor_id.as_ref().map_or("", |id| &id.value);
        if !framework.is_empty() && !known.contains(framework) {
            same.add("unknown_containers", format!("{name}: {executor} of framework {framework}"));
        }
        let statistics = container.resource_statistics.as_ref();
        let disk = statistics.and_then(|s| Some((s.disk_used_bytes?, s.disk_limit_bytes?)));
        if let Some((used, limit)) = disk.filter(|(used, limit)| *used as f64 >= NEARLY_ALL * *limit as f64) {
            let amounts = format!("{} of {}", view::bytes(used), view::bytes(limit));
            same.add("disk_limit", format!("{name}: {executor} of framework {framework} has {amounts}"));
        }
    }
}

/// How full the disk of an agent is. It tells how old it lets sandboxes become, which it shortens as the disk fills:
/// `gc_delay * (1 - gc_disk_headroom - usage)`.
fn disk_usage(state: &State) -> Option<f64> {
    let age = state.metrics.get("slave/executor_directory_max_allowed_age_secs")?;
    let delay = state.flags.get("gc_delay")?.parse::<flags::Duration>().ok()?.0.as_secs_f64();
    let headroom: f64 = state.flags.get("gc_disk_headroom")?.parse().ok()?;
    (delay > 0.0).then(|| 1.0 - headroom - age / delay)
}

fn disk(name: &str, state: &State) -> Option<Finding> {
    let usage = disk_usage(state).filter(|usage| *usage >= FILLING)?;
    let is_full = state.metrics.get("slave/executor_directory_max_allowed_age_secs") == Some(&0.0);
    let (severity, what) = match is_full {
        true => (Severity::Problem, format!("the disk of agent {name} is full, or as good as")),
        false => (Severity::Warning, format!("the disk of agent {name} is {} full", view::percent(usage))),
    };
    Some(Finding::new(severity, "disk", what).advice(
        "the agent removes old sandboxes sooner now; make room on the file system of its --work_dir, shorten --gc_delay, or \
         have tasks write less",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    fn recorded_agent() -> State {
        let reply: proto::v1::agent::Response = recorded::message("agent.v1.GET_CONTAINERS");
        State {
            clock: None,
            metrics: recorded::json("agent.get.metrics_snapshot"),
            flags: flags_of(&recorded::json("agent.get.flags")),
            containers: reply.get_containers.unwrap().containers,
        }
    }

    fn known() -> BTreeSet<String> {
        ["0000", "0001", "0002", "0003"]
            .map(|end| format!("82e1ebe4-4067-4374-be55-44b8107ea46b-{end}"))
            .into()
    }

    fn kinds(state: State) -> Vec<&'static str> {
        let told = Told { name: "S0 at a:5051".into(), state: Ok(state) };
        findings(&[told], &known()).iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn a_recorded_agent_is_well_but_for_its_load() {
        assert!(disk_usage(&recorded_agent()).unwrap().abs() < 1e-9, "nothing was used when it was recorded");
        assert_eq!(kinds(recorded_agent()), ["overloaded"], "load 13 on 2 processors");
    }

    #[test]
    fn full_disks_are_found() {
        let age = |seconds: f64| {
            let mut state = recorded_agent();
            state.metrics.insert("slave/executor_directory_max_allowed_age_secs".into(), seconds);
            disk("S0", &state).map(|finding| (finding.severity, finding.what))
        };
        assert_eq!(age(100_000.0), None);
        assert_eq!(age(604.8), Some((Severity::Warning, "the disk of agent S0 is 89.9% full".into())));
        assert_eq!(age(0.0).unwrap().0, Severity::Problem);
    }

    #[test]
    fn what_is_wrong_with_an_agent_is_found() {
        let mut state = recorded_agent();
        state.metrics.extend([
            ("slave/registered".to_owned(), 0.0),
            ("gc/path_removals_failed".to_owned(), 2.0),
            ("system/load_15min".to_owned(), 0.1),
            ("meseta/checkpoint_errors".to_owned(), 1.0),
        ]);
        state.flags.insert("isolation".into(), "posix/cpu,posix/mem".into());
        state.containers[0].framework_id = Some("unheard-of-0000".into());
        if let Some(statistics) = &mut state.containers[1].resource_statistics {
            (statistics.disk_used_bytes, statistics.disk_limit_bytes) = (Some(99), Some(100));
        }
        let mut found = kinds(state);
        found.sort_unstable();
        assert_eq!(
            found,
            [
                "checkpoint_errors",
                "disk_limit",
                "not_isolated",
                "not_registered",
                "removals",
                "unknown_containers"
            ]
        );
        let silent = Told { name: "S1".into(), state: Err("refused".into()) };
        assert_eq!(findings(&[silent], &known())[0].kind, "agent_unreachable");
    }
}

//! Agents that are killed and come back, as schedulers of Mesos saw it: `data/restarts` was recorded with the same
//! launcher and isolators.

use conformance::cluster::Cluster;
use conformance::recording;
use conformance::scheduler::{Framework, Log, Scheduler};
use conformance::sequence::{self, Order};
use conformance::tasks::{launch, task};
use serde_json::{Value, json};

/// The recorded agent's launcher and isolators; and a loss of the agent that is noticed within seconds.
const AGENT: &[&str] = &[
    "--launcher=linux",
    "--isolation=cgroups/cpu,cgroups/mem,namespaces/pid,filesystem/linux",
    "--registration_backoff_factor=100ms",
];
const MASTER: &[&str] = &["--agent_ping_timeout=1secs", "--max_agent_ping_timeouts=2"];

/// A cluster, and a framework on it whose task `t` runs.
fn running(checkpoint: bool, command: &str) -> (Cluster, Scheduler, Log) {
    let cluster = Cluster::with_flags(1, MASTER, AGENT).unwrap();
    let log = Log::default();
    let framework = Framework::default().with("checkpoint", json!(checkpoint));
    let mut scheduler = Scheduler::subscribe(&cluster.master.address, &framework, &log).unwrap();
    let offer = scheduler.offer().unwrap();
    scheduler.accept(&offer["id"], &[launch(&[task(&offer, "t", command)])]).unwrap();
    scheduler.running().unwrap();
    (cluster, scheduler, log)
}

/// Updates come at least once. An acknowledgement that was not answered within a tenth of a second, on a machine that is busy with
/// other tests, may be lost with the agent, and a status comes again then. How often an end comes is no chance: an agent that is back
/// repeats what is not acknowledged yet to the master, and again to each framework that is told to it. If one comes while the
/// framework ends, its acknowledgement is refused.
fn counted(log: &[Value]) -> Vec<Value> {
    let mut seen: Vec<Value> = Vec::new();
    let mut kept = log.to_vec();
    kept.retain(|entry| {
        if entry["call"] == "ACKNOWLEDGE" && entry["body"] == "Framework cannot be found" {
            return false;
        }
        let status = &entry["update"]["status"];
        let goes_on = matches!(status["state"].as_str(), Some("TASK_STARTING" | "TASK_RUNNING"));
        let again = goes_on && !status["uuid"].is_null() && seen.contains(&status["uuid"]);
        seen.push(status["uuid"].clone());
        !again
    });
    kept
}

fn assert_agrees(recorded: &str, log: &Log, change: impl FnOnce(&mut Vec<Value>)) {
    let mut recorded = recording::lines(recorded).unwrap();
    change(&mut recorded);
    let (expected, seen) = (sequence::steps(&counted(&recorded)), sequence::steps(&counted(&log.entries())));
    let differences = sequence::differences(&expected, &seen, Order::Total);
    assert_eq!(differences, Vec::<String>::new(), "{:#?}", log.entries());
}

#[test]
fn agent_restart_checkpoint() {
    let (mut cluster, mut scheduler, log) = running(true, "sleep 3");
    cluster.agents[0].restart().unwrap();
    scheduler.terminal().unwrap();
    scheduler.end().unwrap();
    assert_agrees(include_str!("../data/restarts/agent_restart_checkpoint.jsonl"), &log, |_| {});
    assert_eq!(cluster.leftovers(), []);
}

/// MESOS-7911: the task goes as soon as the agent does, and nothing of it is left when the agent is back.
#[test]
fn agent_restart_no_checkpoint() {
    let (mut cluster, mut scheduler, log) = running(false, "sleep 100");
    cluster.agents[0].restart().unwrap();
    scheduler.terminal().unwrap();
    cluster.wait_for_agents(1).unwrap();
    scheduler.end().unwrap();
    assert_agrees(include_str!("../data/restarts/agent_restart_no_checkpoint.jsonl"), &log, |_| {});
    assert_eq!(cluster.leftovers(), []);
}

#[test]
fn task_ends_while_agent_down() {
    let (mut cluster, mut scheduler, log) = running(true, "sleep 1; exit 4");
    cluster.agents[0].kill();
    scheduler.terminal().unwrap();
    scheduler.wait("FAILURE", 40).unwrap();
    cluster.agents[0].restart().unwrap();
    // The master says that the agent is back with the task, and the agent says how it ended: to the master that has taken it in
    // again, and when it is told of the framework.
    for _ in 0..3 {
        scheduler.update(&["TASK_FAILED"], 40).unwrap();
    }
    scheduler.end().unwrap();
    assert_agrees(include_str!("../data/restarts/task_ends_while_agent_down.jsonl"), &log, |recorded| {
        // Ours also says how its command ended. What the master repeats, Mesos' takes from the newest status that has it, ours
        // from the last one, which says nothing of the container.
        for entry in recorded.iter_mut() {
            let status = &mut entry["update"]["status"];
            if status["message"] == "Executor terminated" {
                status["message"] = json!("Executor terminated while the agent was away: exit status: 4");
            } else if status["reason"] == "REASON_AGENT_REREGISTERED" {
                status.as_object_mut().unwrap().remove("container_status");
            }
        }
    });
    assert_eq!(cluster.leftovers(), []);
}

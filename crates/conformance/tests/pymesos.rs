//! `pymesos` as it is released, against one master and two agents: a client that was not written for Meseta.

#[path = "../../store/tests/services/mod.rs"]
mod services;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use conformance::cluster::{Cluster, Server, agent, kill_all_in};
use conformance::ports;
use conformance::python::{interpreter, scripts};
use serde_json::Value;
use services::zookeeper::ZooKeeper;
use tempfile::TempDir;

fn run(script: &str, cluster: &Cluster, tasks: usize) -> Value {
    run_at(&cluster.master.address, script, cluster, tasks)
}

fn run_at(master: &str, script: &str, cluster: &Cluster, tasks: usize) -> Value {
    let Output { status, stdout, stderr } = Command::new(interpreter("pymesos").unwrap())
        .arg(scripts("pymesos").join(script))
        .args([master, &tasks.to_string()])
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{script}: {status}\n{stdout}\n{stderr}\nmaster:\n{}", cluster.master.log());
    serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{script} printed {stdout}"))
}

fn counts(report: &Value, field: &str) -> BTreeMap<String, u64> {
    serde_json::from_value(report[field].clone()).unwrap()
}

#[test]
fn a_pymesos_scheduler_runs_a_thousand_command_tasks_on_two_agents() {
    let cluster = Cluster::start(2).unwrap();
    let report = run("scheduler.py", &cluster, 1000);
    assert_eq!(counts(&report, "states"), BTreeMap::from([("TASK_FINISHED".to_owned(), 1000)]));
    let agents = counts(&report, "agents");
    assert!(agents.len() == 2 && agents.values().all(|&tasks| tasks >= 100), "unbalanced: {agents:?}");
    assert_eq!(cluster.leftovers(), []);
}

/// It looks for `json.info_*` nodes, as clients of Mesos do.
#[test]
fn a_pymesos_scheduler_finds_the_master_in_zookeeper() {
    let zookeeper = ZooKeeper::start();
    let url = format!("zk://{}/mesos", zookeeper.address());
    let cluster = Cluster::with_flags(1, &[&format!("--zk={url}")], &[]).unwrap();
    let report = run_at(&url, "scheduler.py", &cluster, 20);
    assert_eq!(counts(&report, "states"), BTreeMap::from([("TASK_FINISHED".to_owned(), 20)]));
    assert_eq!(cluster.leftovers(), []);
}

/// Its leader is killed: the next one takes the framework back, with its tasks, and new ones run.
#[test]
fn a_pymesos_scheduler_goes_on_under_the_next_leader() {
    const TASKS: u64 = 10;
    let zookeeper = ZooKeeper::start();
    let url = format!("zk://{}/mesos", zookeeper.address());
    let mut pair = Pair::start(&url);
    // It must not outlive a test that fails.
    let mut client = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", &interpreter("pymesos").unwrap()])
        .arg(scripts("pymesos").join("failover.py"))
        .args([&url, &TASKS.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let first = lines.next().map(Result::unwrap);
    assert_eq!(first.as_deref(), Some("running"), "{}", pair.leader.log());
    pair.leader.kill();
    let report = lines.map(Result::unwrap).find(|line| line != "running").unwrap_or_default();
    assert!(client.wait().unwrap().success(), "{report}\n{}", pair.standby.log());
    let report: Value = serde_json::from_str(&report).unwrap();
    let expected = [("TASK_FINISHED", TASKS), ("TASK_RUNNING", TASKS)];
    let expected = expected.map(|(state, count)| (state.to_owned(), count));
    assert_eq!(counts(&report, "states"), BTreeMap::from(expected), "{report}");
    assert_eq!(report["error"], Value::Null);
}

/// Two masters, of which the first leads, and an agent that finds the leader in ZooKeeper.
struct Pair {
    leader: Server,
    standby: Server,
    agent: Server,
    directory: TempDir,
}

impl Pair {
    fn start(url: &str) -> Self {
        let directory = TempDir::with_prefix("meseta-pymesos-").unwrap();
        let flags = [format!("--zk={url}"), "--zk_session_timeout=2secs".to_owned()];
        let master = |name: &str| {
            let log = directory.path().join(format!("{name}.log"));
            Server::start("master", ports::free(), &flags, log).unwrap()
        };
        let mut leader = master("first");
        leader.wait_until("the leading master", |master| master.get("/state").is_ok()).unwrap();
        let mut standby = master("second");
        standby.wait_until_healthy().unwrap();
        let agent = agent(url, directory.path(), 0, &["--registration_backoff_factor=100ms"]).unwrap();
        leader
            .wait_until("joined by its agent", |master| {
                master.get("/slaves").is_ok_and(|answer| answer["slaves"][0]["active"] == true)
            })
            .unwrap();
        Self { leader, standby, agent, directory }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.agent.kill();
        kill_all_in(self.directory.path());
    }
}

#[test]
fn a_pymesos_executor_runs_tasks() {
    let cluster = Cluster::start(2).unwrap();
    let report = run("executor_framework.py", &cluster, 40);
    assert_eq!(counts(&report, "states"), BTreeMap::from([("TASK_FINISHED".to_owned(), 40)]));
    let results = counts(&report, "results");
    assert_eq!(results.len(), 40);
    assert!((0..40_u64).all(|n| results[&format!("task-{n}")] == n + 1), "{results:?}");
    assert_eq!(cluster.leftovers(), [], "executors left behind");
}

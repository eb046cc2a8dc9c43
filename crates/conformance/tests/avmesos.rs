//! `mesos`, the command line of Apache Mesos as it is released on PyPI (`avmesos-cli`), against a master and its agents: what it
//! lists is what there is. It pages, ends paths with a slash and reads fields in its own way.

#[path = "../../store/tests/services/mod.rs"]
mod services;

use std::fs;
use std::process::{Command, Output};

use conformance::cluster::{Cluster, Server};
use conformance::python::interpreter;
use conformance::scheduler::{Framework, Log, Scheduler};
use conformance::tasks::{launch, task};
use serde_json::{Value, json};
use services::zookeeper::ZooKeeper;

/// The command line, told by its configuration file where the master is.
struct Mesos {
    interpreter: String,
    config: std::path::PathBuf,
}

impl Mesos {
    fn new(cluster: &Cluster, master: &str) -> Self {
        let config = cluster.directory().join("mesos-cli.toml");
        fs::write(&config, format!("[master]\n{master}\n")).unwrap();
        Self { interpreter: interpreter("avmesos").unwrap(), config }
    }

    fn at(cluster: &Cluster) -> Self {
        Self::new(cluster, &format!("address = \"{}\"", cluster.master.address))
    }

    fn output(&self, words: &str) -> Output {
        let mut command = Command::new(&self.interpreter);
        command.args(["-m", "avmesos.cli.mesos-cli"]).args(words.split(' '));
        command.env("MESOS_CLI_CONFIG", &self.config).output().unwrap()
    }

    /// What a command prints; it has to go well.
    fn said(&self, words: &str) -> String {
        let Output { status, stdout, stderr } = self.output(words);
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success() && stderr.is_empty(), "{words}: {status}\n{stdout}\n{stderr}");
        stdout.into_owned()
    }

    /// A list: the words of each row, the heading first, in order.
    fn list(&self, words: &str) -> Vec<Vec<String>> {
        let said = self.said(words);
        let row = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        let mut rows: Vec<Vec<String>> = said.lines().map(row).collect();
        rows[1..].sort();
        rows
    }

    fn json(&self, words: &str) -> Value {
        let said = self.said(words);
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{words}: {said}"))
    }
}

fn rows<const N: usize>(rows: &[[&str; N]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.iter().map(|&cell| cell.to_owned()).collect()).collect()
}

/// A framework with one task that runs and one that has failed.
fn busy(cluster: &mut Cluster) -> Scheduler {
    let framework = Framework::default()
        .with("name", json!("busy"))
        .with("hostname", json!("scheduler-host"))
        .with("failover_timeout", json!(1000.0));
    let mut scheduler = Scheduler::subscribe(&cluster.master.address, &framework, &Log::default()).unwrap();
    let offer = scheduler.offer().unwrap();
    let tasks = [task(&offer, "runs", "sleep 1000"), task(&offer, "fails", "exit 3")];
    scheduler.accept(&offer["id"], &[launch(&tasks)]).unwrap();
    let failed = scheduler.terminal().expect("the end of a task");
    assert_eq!(failed["state"], "TASK_FAILED", "{failed}");
    let runs = |master: &Server| {
        master.get("/tasks?state=TASK_RUNNING").is_ok_and(|answer| answer["tasks"][0]["id"] == "runs")
    };
    cluster.master.wait_until("running a task", runs).unwrap();
    scheduler
}

#[test]
fn mesos_command_line_lists_agents_and_tasks() {
    let mut cluster = Cluster::start(2).unwrap();
    let mesos = Mesos::at(&cluster);
    assert_eq!(mesos.said("task list"), "There are no tasks running in the cluster.\n");
    let agents = cluster.master.get("/slaves").unwrap()["slaves"].as_array().cloned().unwrap();
    let mut expected = rows(&[["Agent", "ID", "Hostname", "Active"]]);
    let mut ids: Vec<&str> = agents.iter().map(|agent| agent["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    for id in ids {
        expected.extend(rows(&[[id, "127.0.0.1", "True"]]));
    }
    assert_eq!(mesos.list("agent list"), expected);

    let scheduler = busy(&mut cluster);
    let framework = scheduler.framework_id.as_str();
    let head = ["ID", "State", "Framework", "ID", "Executor", "ID"].map(str::to_owned).to_vec();
    let running = rows(&[["runs", "TASK_RUNNING", framework]]);
    assert_eq!(mesos.list("task list"), [vec![head.clone()], running.clone()].concat());
    let failed = rows(&[["fails", "TASK_FAILED", framework]]);
    assert_eq!(mesos.list("task list --all"), [vec![head], failed, running].concat());
    let shown = mesos.json("task inspect runs");
    assert_eq!((&shown["state"], &shown["framework_id"]), (&json!("TASK_RUNNING"), &json!(framework)));
    // What it needs to find the container of a task.
    assert!(shown["statuses"][0]["container_status"]["container_id"]["value"].is_string(), "{shown}");
    drop(scheduler);
}

#[test]
fn mesos_command_line_lists_frameworks() {
    let mut cluster = Cluster::start(1).unwrap();
    let mesos = Mesos::at(&cluster);
    let head = rows(&[["ID", "Active", "Hostname", "Name"]]);
    assert_eq!(mesos.list("framework list --all"), head, "there is none yet");
    let scheduler = busy(&mut cluster);
    let framework = scheduler.framework_id.clone();
    let active = [head.clone(), rows(&[[framework.as_str(), "True", "scheduler-host", "busy"]])].concat();
    assert_eq!(mesos.list("framework list"), active);
    let shown = mesos.json(&format!("framework inspect {framework}"));
    assert_eq!((&shown["id"], &shown["name"]), (&json!(framework), &json!("busy")));

    // Its scheduler goes away: it is not active any more, and stays until its failover timeout is over.
    drop(scheduler);
    let gone = |master: &Server| {
        master.get("/frameworks").is_ok_and(|answer| answer["frameworks"][0]["active"] == false)
    };
    cluster.master.wait_until("without its scheduler", gone).unwrap();
    assert_eq!(mesos.list("framework list"), head);
    let inactive = [head, rows(&[[framework.as_str(), "False", "scheduler-host", "busy"]])].concat();
    assert_eq!(mesos.list("framework list --all"), inactive);
}

/// It looks for `json.info_*` nodes and takes the leader's address from them.
#[test]
fn mesos_command_line_finds_the_master_in_zookeeper() {
    let zookeeper = ZooKeeper::start();
    let flag = format!("--zk=zk://{}/mesos", zookeeper.address());
    let cluster = Cluster::with_flags(1, &[&flag], &[]).unwrap();
    let place = format!("zookeeper = {{ addresses = [\"{}\"], path = \"/mesos\" }}", zookeeper.address());
    let agents = Mesos::new(&cluster, &place).list("agent list");
    assert_eq!((agents.len(), agents[1][2].as_str()), (2, "True"), "{agents:?}");
}

#[test]
fn mesos_command_line_says_what_is_wrong() {
    let cluster = Cluster::start(0).unwrap();
    let mesos = Mesos::at(&cluster);
    assert_eq!(mesos.said("agent list"), "The cluster does not have any agents.\n");
    let attach = mesos.output("task attach nothing");
    let said = [attach.stdout, attach.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("Unable to find running task 'nothing'"), "{said}");
}

//! A cluster in which something of everything is to be seen: agents in each state, tasks in each state, a framework that keeps
//! all offers to itself, machines that are maintained, roles with quotas, weights and reservations.

mod frameworks;
mod servers;

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use frameworks::{Batch, Hoarder, Services};
use servers::Servers;

use crate::support::{meseta, text, wait_until};

/// What a user might call a task.
pub(crate) const NAME: &str = "<script>window.pwned = 1</script>";

/// Its agents, by what becomes of them.
pub(crate) const HOSTS: [&str; 6] = [
    "web-1.rack-7.example.com",
    "web-2.rack-7.example.com",
    "batch-1.rack-8.example.com",
    "batch-2.rack-8.example.com",
    "lost-1.rack-9.example.com",
    "old-1.rack-9.example.com",
];

/// The cluster, until this is dropped.
pub(crate) struct Scene {
    pub(crate) master: String,
    _frameworks: (Services, Hoarder),
    _servers: Servers,
    /// What a task fetches from without ever getting an answer.
    _silent: TcpListener,
    _runtime: Runtime,
    _directory: TempDir,
}

impl Scene {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let runtime = Runtime::new().unwrap();
        let mut servers = Servers::start(directory.path(), &HOSTS);
        let master = servers.master.clone();
        let fetched = format!("http://{}/never", silent.local_addr().unwrap());
        let services = runtime.block_on(Services::start(&master, &HOSTS, &fetched));
        // It is away before its agent is lost, and may come back.
        runtime.block_on(Batch::run_and_leave(&master, HOSTS[4]));
        let scene = Commands { master: &master };
        scene.ends("nightly-report", "exit 3", 3);
        scene.ends("backup", "exit 0", 0);
        servers.kill(4);
        scene.operators_do_their_work();
        let hoarder = runtime.block_on(Hoarder::start(&master));
        scene.wait_until_all_is_there();
        Self {
            master,
            _frameworks: (services, hoarder),
            _servers: servers,
            _silent: silent,
            _runtime: runtime,
            _directory: directory,
        }
    }
}

/// What is done by commands.
struct Commands<'a> {
    master: &'a str,
}

impl Commands<'_> {
    fn run(&self, words: &[&str], code: i32) {
        let output = meseta().env("MESETA_MASTER", self.master).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&output.stderr));
    }

    fn done(&self, words: &[&str]) {
        self.run(words, 0);
    }

    /// A framework that comes, runs a command to its end and is over.
    fn ends(&self, name: &str, command: &str, code: i32) {
        self.run(&["run", "--name", name, "--role", "reports", command], code);
    }

    fn operators_do_their_work(&self) {
        self.done(&["weight", "set", "web/frontend=2.5", "analytics=0.5"]);
        self.done(&[
            "quota",
            "set",
            "analytics",
            "--guarantee",
            "cpus:2;mem:2048",
            "--limit",
            "cpus:24;mem:65536",
        ]);
        self.done(&["quota", "set", "web/frontend", "--limit", "cpus:6"]);
        self.done(&["reserve", HOSTS[0], "cpus:1;mem:512", "--role", "web/frontend", "--principal", "ops"]);
        self.done(&["agent", "drain", HOSTS[2]]);
        self.done(&["agent", "deactivate", HOSTS[3]]);
        self.done(&["agent", "gone", HOSTS[5], "--yes"]);
        self.done(&["maintenance", "schedule", HOSTS[1], "--start", "+1hrs", "--duration", "2hrs"]);
        let others = ["db-1.rack-9.example.com/10.0.9.1", "db-2.rack-9.example.com/10.0.9.2"];
        self.done(&["maintenance", "schedule", others[0], others[1], "--start", "+3days"]);
        self.done(&["maintenance", "start", "10.0.9.1"]);
    }

    fn wait_until_all_is_there(&self) {
        for (what, path, list) in [
            ("an agent that is active", "/state-summary/agents?state=active", "agents"),
            ("an agent that is draining", "/state-summary/agents?state=draining", "agents"),
            ("an agent that is deactivated", "/state-summary/agents?state=deactivated", "agents"),
            ("an agent that is unreachable", "/state-summary/agents?state=unreachable", "agents"),
            ("an agent that is gone", "/state-summary/agents?state=gone", "agents"),
            (
                "a framework that is disconnected",
                "/state-summary/frameworks?state=disconnected",
                "frameworks",
            ),
            ("a framework that is completed", "/state-summary/frameworks?state=completed", "frameworks"),
            ("a task that is TASK_STAGING", "/tasks?state=TASK_STAGING", "tasks"),
            ("a task that is TASK_RUNNING", "/tasks?state=TASK_RUNNING", "tasks"),
            ("a task that is TASK_KILLING", "/tasks?state=TASK_KILLING", "tasks"),
            ("a task that is TASK_FINISHED", "/tasks?state=TASK_FINISHED", "tasks"),
            ("a task that is TASK_FAILED", "/tasks?state=TASK_FAILED", "tasks"),
            ("a task that is TASK_KILLED", "/tasks?state=TASK_KILLED", "tasks"),
            ("a task that is TASK_LOST", "/tasks?state=TASK_LOST", "tasks"),
            ("a task that is TASK_UNREACHABLE", "/tasks?state=TASK_UNREACHABLE", "tasks"),
            ("a task that is TASK_GONE_BY_OPERATOR", "/tasks?state=TASK_GONE_BY_OPERATOR", "tasks"),
            ("an offer that is held", "/offers?search=hoarder", "offers"),
            ("an inverse offer without an answer", "/inverse-offers", "inverse_offers"),
        ] {
            self.wait_for(what, path, |answer| answer[list].as_array().is_some_and(|all| !all.is_empty()));
        }
        self.wait_for("an answer to an inverse offer", "/maintenance/status", |status| {
            status["draining_machines"].to_string().contains("ACCEPT")
        });
    }

    fn wait_for(&self, what: &str, path: &str, holds: impl Fn(&Value) -> bool) {
        wait_until(what, || servers::json(self.master, path).is_some_and(|answer| holds(&answer)));
    }
}

/// A directory of its own.
fn directory(at: &Path, name: &str) -> String {
    at.join(name).display().to_string()
}

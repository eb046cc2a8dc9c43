//! How fast dead agents are given up and when they are forgotten: the master's flags for that, as its process obeys them.
//!
//! No test measures how long something took on a loaded machine: it may always be longer, but never shorter.

use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::string;
use crate::support::{Process, get, meseta, start, wait_until};

/// A master with flags of the test, and agents that are registered.
struct Servers {
    address: String,
    agents: Vec<(Process, TempDir)>,
    /// In no order.
    ids: Vec<String>,
    _master: Process,
}

impl Servers {
    fn start(flags: &[&str], agents: usize) -> Self {
        let (master, address) = start(meseta().args(["master", "--ip=127.0.0.1", "--port=0"]).args(flags));
        let agents: Vec<_> = (0..agents).map(|_| agent(&address)).collect();
        let mut ids = Vec::new();
        wait_until("all agents are registered", || {
            ids = admitted(&address);
            ids.len() == agents.len()
        });
        Self { address, agents, ids, _master: master }
    }

    fn mark_gone(&self, id: &str) {
        let words = ["agent", "gone", id, "--yes", "--master", &self.address];
        let output = meseta().args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Whether the registry has this agent, be it as gone.
    fn remembers(&self, id: &str) -> bool {
        get(&self.address, "/registrar(1)/registry").to_string().contains(id)
    }

    /// Waits until a gone agent is forgotten; a moment after which that happened.
    fn last_remembered(&self, id: &str, mut after: Instant) -> Instant {
        wait_until("the agent is forgotten", || {
            let asked = Instant::now();
            let remembered = self.remembers(id);
            if remembered {
                after = asked;
            }
            !remembered
        });
        after
    }
}

fn agent(master: &str) -> (Process, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let (agent, _) = start(
        meseta()
            .args(["agent", "--ip=127.0.0.1", "--port=0", "--resources=cpus:1;mem:100;disk:1"])
            .args(["--launcher=posix", "--no-switch_user", "--master", master])
            .arg(format!("--work_dir={}", directory.path().display())),
    );
    (agent, directory)
}

/// The ids of the agents that the registry has as registered.
fn admitted(master: &str) -> Vec<String> {
    let registry = get(master, "/registrar(1)/registry");
    let agents = registry["slaves"]["slaves"].as_array().cloned().unwrap_or_default();
    agents.iter().map(|agent| string(&agent["info"]["id"]["value"])).collect()
}

#[test]
fn a_gone_agent_is_remembered_as_long_as_registry_max_agent_age_says() {
    let flags = ["--registry_max_agent_age=4secs", "--registry_gc_interval=50ms"];
    let servers = Servers::start(&flags, 1);
    let marked = Instant::now();
    servers.mark_gone(&servers.ids[0]);
    assert!(servers.remembers(&servers.ids[0]) || marked.elapsed() > Duration::from_secs(4));
    servers.last_remembered(&servers.ids[0], marked);
    assert!(marked.elapsed() >= Duration::from_secs(4), "after {:?}", marked.elapsed());
}

#[test]
fn gone_agents_are_forgotten_as_often_as_registry_gc_interval_says() {
    let flags = ["--registry_max_agent_age=1ms", "--registry_gc_interval=4secs"];
    let servers = Servers::start(&flags, 2);
    let [first, second] = &servers.ids[..] else { panic!("two agents") };
    let marked = Instant::now();
    servers.mark_gone(first);
    // It is forgotten in one turn, and what is gone by then waits for the next.
    let before_the_turn = servers.last_remembered(first, marked);
    servers.mark_gone(second);
    servers.last_remembered(second, marked);
    assert!(before_the_turn.elapsed() >= Duration::from_secs(4), "after {:?}", before_the_turn.elapsed());
}

#[test]
fn dead_agents_are_given_up_as_fast_as_agent_removal_rate_limit_says() {
    let pings = ["--agent_ping_timeout=2secs", "--max_agent_ping_timeouts=3"];
    // One in four seconds.
    let servers = Servers::start(&[pings[0], pings[1], "--agent_removal_rate_limit=2/8secs"], 3);
    let metric = |name: &str| -> f64 {
        let metrics: Value = get(&servers.address, "/metrics/snapshot");
        metrics[name].as_f64().unwrap_or_else(|| panic!("no {name} in {metrics}"))
    };
    assert!(metric("master/slave_unreachable_completed") < 0.5, "they are alive");
    let mut none = Instant::now();
    for (agent, _) in &servers.agents {
        agent.signal(rustix::process::Signal::KILL);
    }
    wait_until("all are unreachable", || {
        let asked = Instant::now();
        let marked = metric("master/slave_unreachable_completed");
        if marked < 0.5 {
            none = asked;
        }
        marked > 2.5
    });
    assert!(none.elapsed() >= Duration::from_secs(8), "the third {:?} after the first", none.elapsed());
    assert!(metric("master/slave_unreachable_scheduled") > 2.5);
}

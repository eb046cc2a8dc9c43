//! A master and agents with hosts of their own names, as processes.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use super::directory;
use crate::services::process::{Process, ask_within, free_port};
use crate::support::{PATIENCE, wait_until};

/// The processes, until this is dropped.
pub(super) struct Servers {
    pub(super) master: String,
    agents: Vec<Process>,
    _master: Process,
}

impl Servers {
    /// Starts a master that soon misses an agent, and waits until all agents are registered.
    pub(super) fn start(at: &Path, hosts: &[&str]) -> Self {
        let master = format!("127.0.0.1:{}", free_port());
        let port = format!("--port={}", master.rsplit(':').next().unwrap());
        let work_dir = format!("--work_dir={}", directory(at, "master"));
        let pings = ["--agent_ping_timeout=2secs", "--max_agent_ping_timeouts=4"];
        let mut process = process(
            at,
            "master",
            &[&["master", "--ip=127.0.0.1", "--cluster=Production", &port, &work_dir][..], &pings].concat(),
        );
        process.start();
        wait_until("the master answers", || json(&master, "/version").is_some());
        let agents = hosts.iter().enumerate().map(|(n, host)| agent(at, &master, n, host)).collect();
        wait_until("all agents are registered", || {
            let all = json(&master, "/slaves").and_then(|all| Some(all["slaves"].as_array()?.len()));
            all == Some(hosts.len())
        });
        Self { master, agents, _master: process }
    }

    /// As by a cut of the power.
    pub(super) fn kill(&mut self, agent: usize) {
        self.agents[agent].kill();
    }
}

fn process(at: &Path, name: &str, words: &[&str]) -> Process {
    let words = std::iter::once(env!("CARGO_BIN_EXE_meseta")).chain(words.iter().copied());
    Process::new(words.map(str::to_owned).collect(), &at.join(format!("{name}.log")))
}

fn agent(at: &Path, master: &str, number: usize, host: &str) -> Process {
    let name = format!("agent-{number}");
    let attributes = format!("--attributes=rack:r{};zone:{}", 7 + number / 2, ["a", "b"][number % 2]);
    let flags = [
        format!("--master={master}"),
        format!("--port={}", free_port()),
        format!("--hostname={host}"),
        format!("--work_dir={}", directory(at, &name)),
        format!("--fetcher_cache_dir={}", directory(at, &format!("{name}-cache"))),
        "--resources=cpus:8;cpus(db):2;mem:14336;mem(db):2048;disk:200000;ports:[31000-32000]".to_owned(),
        attributes,
    ];
    let fixed = ["agent", "--ip=127.0.0.1", "--launcher=posix", "--no-switch_user"];
    let words: Vec<&str> = fixed.into_iter().chain(flags.iter().map(String::as_str)).collect();
    let mut process = process(at, &name, &words);
    process.start();
    process
}

/// The JSON that a server answers with, if it answers so.
pub(super) fn json(address: &str, path: &str) -> Option<Value> {
    let address: SocketAddr = address.parse().unwrap();
    let question = format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n");
    let answer = ask_within(PATIENCE, address, question.as_bytes()).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    (head.split(' ').nth(1) == Some("200")).then_some(())?;
    serde_json::from_str(body).ok()
}

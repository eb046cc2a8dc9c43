//! The real binary as a cluster of processes on free loopback ports, in a directory of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::groups;
use crate::http::{self, Request};
use crate::scenarios::Target;
use crate::{ports, processes};

/// How long a server may take to be there, on a loaded machine.
const START: Duration = Duration::from_secs(60);

/// One server process. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens, as `ip:port`.
    pub address: String,
    command: Command,
    child: Child,
    log: PathBuf,
    /// The root of its containers' control groups, which goes with it.
    groups: Option<String>,
}

impl Server {
    /// Starts the binary with a subcommand and flags; what it prints goes to `log`.
    pub fn start(subcommand: &str, port: u16, flags: &[String], log: PathBuf) -> Result<Self> {
        let output = File::create(&log)?;
        let mut command = Command::new(binary()?);
        command.arg(subcommand).args(["--ip=127.0.0.1", &format!("--port={port}")]).args(flags);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = spawn(&mut command)?;
        Ok(Self { address: format!("127.0.0.1:{port}"), command, child, log, groups: None })
    }

    /// Ends it as `kill -9` does and starts it again as it was.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.child = spawn(&mut self.command)?;
        Ok(())
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it answers `/health`.
    pub fn wait_until_healthy(&mut self) -> Result<()> {
        self.wait_until("healthy", |server| {
            http::send(&server.address, &Request::get("/health"), Duration::from_secs(1))
                .is_ok_and(|response| response.head.status == 200)
        })
    }

    /// Waits until `done`; an error that shows the log when the process ends or the time is over before.
    pub fn wait_until(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + START;
        while !done(self) {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended ({status}) before it was {what}:\n{}", self.log());
            }
            if Instant::now() > deadline {
                bail!("the server was not {what} after {START:?}:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub fn wait_until_ended(&mut self) -> Result<()> {
        let deadline = Instant::now() + START;
        while self.is_running() {
            if Instant::now() > deadline {
                bail!("the server still runs after {START:?}:\n{}", self.log());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The end of what it printed.
    #[must_use]
    pub fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) {
        // Ended by itself already, or killed before: as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A `GET` of JSON.
    pub fn get(&self, path: &str) -> Result<Value> {
        let response = http::send(&self.address, &Request::get(path), Duration::from_secs(10))?;
        serde_json::from_slice(&response.body).with_context(|| format!("{path}: {}", response.text()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if let Some(root) = &self.groups {
            groups::remove(root);
        }
    }
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.spawn().with_context(|| format!("{} could not be started", command.get_program().display()))
}

/// A master and agents. Dropped, it ends all its processes, tasks included.
#[derive(Debug)]
pub struct Cluster {
    /// The master.
    pub master: Server,
    /// The agents, in the order of their start.
    pub agents: Vec<Server>,
    directory: TempDir,
    agents_started: usize,
}

impl Cluster {
    /// One master and so many agents, registered.
    pub fn start(agents: usize) -> Result<Self> {
        Self::with_flags(agents, &[], &[])
    }

    /// As [`start`](Self::start), with further flags for the master and for each agent.
    pub fn with_flags(agents: usize, master_flags: &[&str], agent_flags: &[&str]) -> Result<Self> {
        let directory = TempDir::with_prefix("meseta-conformance-")?;
        let mut flags = vec![format!("--work_dir={}", directory.path().join("master").display())];
        flags.extend(master_flags.iter().map(|f| (*f).to_owned()));
        let mut master = Server::start("master", ports::free(), &flags, directory.path().join("master.log"))?;
        master.wait_until_healthy()?;
        let mut cluster = Self { master, agents: Vec::new(), directory, agents_started: 0 };
        for _ in 0..agents {
            cluster.start_agent(agent_flags)?;
        }
        cluster.wait_for_agents(agents)?;
        Ok(cluster)
    }

    /// Starts one more agent, with the resources and attributes of the recordings' agent, without waiting for it.
    pub fn start_agent(&mut self, flags: &[&str]) -> Result<()> {
        let agent = agent(&self.master.address, self.directory.path(), self.agents_started, flags)?;
        self.agents_started += 1;
        self.agents.push(agent);
        Ok(())
    }

    /// Waits until the master counts so many active agents.
    pub fn wait_for_agents(&mut self, count: usize) -> Result<()> {
        self.master.wait_until(&format!("joined by {count} agents"), |master| {
            let Ok(answer) = master.get("/slaves") else { return false };
            let agents = answer["slaves"].as_array().cloned().unwrap_or_default();
            agents.iter().filter(|agent| agent["active"] == true).count() == count
        })
    }

    /// The master and its first agent, as scenarios want them.
    #[must_use]
    pub fn target(&self) -> Target {
        let agent = self.agents.first().map_or_else(String::new, |agent| agent.address.clone());
        Target { master: self.master.address.clone(), agent }
    }

    /// The directory that holds all of the cluster.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Waits until no task and no executor runs, and returns what still does after half a minute.
    #[must_use]
    pub fn leftovers(&self) -> Vec<processes::Process> {
        let own: Vec<u32> = self.agents.iter().chain([&self.master]).map(Server::pid).collect();
        let mut left = processes::wait_until_nothing_lives_in(self.directory(), Duration::from_secs(30));
        left.retain(|process| !own.contains(&process.pid));
        left
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for agent in &mut self.agents {
            agent.kill();
        }
        self.master.kill();
        kill_all_in(self.directory.path());
    }
}

/// Starts an agent in `directory`, the `number`th there, without waiting for it.
pub fn agent(master: &str, directory: &Path, number: usize, flags: &[&str]) -> Result<Server> {
    let work_dir = directory.join(format!("agent-{number}"));
    let root = groups::root(directory, number);
    let mut all = vec![
        format!("--master={master}"),
        format!("--work_dir={}", work_dir.display()),
        "--resources=cpus:8;mem:8192;disk:20480;ports:[31000-32000]".to_owned(),
        "--attributes=rack:r1;zone:a".to_owned(),
        // An agent takes what is below its root for left behind, and so would end the tasks of another that is away.
        format!("--cgroups_root={root}"),
    ];
    all.extend(flags.iter().map(|f| (*f).to_owned()));
    let log = directory.join(format!("agent-{number}.log"));
    let mut agent = Server::start("agent", ports::free(), &all, log)?;
    agent.groups = Some(root);
    Ok(agent)
}

/// Ends what a test that failed has left in its sandboxes: an agent that was killed can no longer do it.
pub fn kill_all_in(directory: &Path) {
    for process in processes::living_in(directory) {
        if let Some(pid) = i32::try_from(process.pid).ok().and_then(rustix::process::Pid::from_raw) {
            // Gone meanwhile: as good.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// The `meseta` that was built with this program: in `MESETA_BIN`, or beside it.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("MESETA_BIN") {
        return Ok(path.into());
    }
    let this = std::env::current_exe()?;
    let found = this.ancestors().skip(1).take(3).map(|d| d.join("meseta")).find(|p| p.is_file());
    found.with_context(|| {
        format!("no `meseta` beside {}: build it first (cargo build -p cli)", this.display())
    })
}

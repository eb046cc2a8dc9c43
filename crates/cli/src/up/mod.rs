//! `meseta up`: a cluster on this machine.
//!
//! Master and agents are processes of their own, children of this one and in its process group: an agent adopts the
//! orphans of its tasks, which only a process without other children may do; a crash or a `kill -9` of one leaves the
//! others working, as on separate machines; and what is tried here behaves as it will there. Each costs a few
//! milliseconds at the start. The kernel ends them when this process ends, however it ends.

mod child;
mod layout;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use sdk::{Masters, Operator};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::demo;
use crate::failure::tell;
use crate::hangup::Hangup;
use crate::view::{self, Output};
use child::Child;
use layout::Layout;

/// How long agents may take to register.
const REGISTER_PATIENCE: Duration = Duration::from_secs(30);

/// Arguments of `meseta up`.
#[derive(Args)]
#[command(after_help = "Ctrl-C ends the cluster with everything that runs on it.

Examples:
  meseta up                       one master, three agents
  meseta up --demo                the same, and some hundred jobs run over it
  meseta up --agents 1 --port 0   on free ports; the addresses are printed")]
pub(crate) struct Options {
    /// How many agents
    #[arg(short = 'n', long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    agents: u16,
    /// Address that all listen on
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    ip: std::net::IpAddr,
    /// Port of the master; the agents take the next ones; 0 takes free ones
    #[arg(long, default_value_t = 5050)]
    port: u16,
    /// Where sandboxes and logs are; without this a new directory, removed at the end
    #[arg(long, value_name = "DIRECTORY")]
    work_dir: Option<std::path::PathBuf>,
    /// What each agent offers; without this all cores, and an equal part of the memory
    #[arg(long)]
    resources: Option<String>,
    /// What holds for containers, as with `meseta agent`; without this, control groups for processors and memory, and their
    /// own processes and mounts, where that is to be had
    #[arg(long, value_name = "ISOLATORS")]
    isolation: Option<String>,
    /// Run the demo once the cluster is there
    #[arg(long)]
    demo: bool,
    /// End when the demo has ended, with 0 when all went as it should
    #[arg(long, requires = "demo")]
    exit_after_demo: bool,
    /// How many jobs the demo runs
    #[arg(long, default_value_t = demo::DEFAULT_JOBS, requires = "demo", value_parser = demo::job_count)]
    jobs: usize,
    /// The form in which the addresses are printed
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// A cluster that runs.
struct Cluster {
    layout: Layout,
    master: Child,
    agents: Vec<Child>,
}

/// The signals that end it.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Hangup,
}

impl Signals {
    fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: Hangup::listen()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = self.hangup.next() => {}
        }
    }
}

/// Starts a cluster and keeps it until a signal comes; the number is the exit code.
pub(crate) async fn run(options: Options) -> Result<u8> {
    let mut signals = Signals::listen()?;
    let layout = Layout::new(&options)?;
    let mut cluster = tokio::select! {
        started = Cluster::start(&options, layout) => started?,
        () = signals.next() => return Ok(0),
    };
    let outcome = cluster.serve(&options, &mut signals).await;
    cluster.end(&mut signals).await;
    outcome
}

impl Cluster {
    async fn start(options: &Options, layout: Layout) -> Result<Self> {
        let master = Child::start(&layout, "master", layout.master_flags()).await?;
        let mut cluster = Self { layout, master, agents: Vec::new() };
        for number in 1..=usize::from(options.agents) {
            let flags = cluster.layout.agent_flags(number, &cluster.master.address);
            let agent = Child::start(&cluster.layout, &format!("agent-{number}"), flags).await;
            cluster.agents.push(agent?);
        }
        tokio::time::timeout(REGISTER_PATIENCE, cluster.wait_for_agents()).await.with_context(|| {
            format!("the agents did not register; see {}", cluster.layout.logs().display())
        })??;
        Ok(cluster)
    }

    fn masters(&self) -> Result<Masters> {
        Ok(Masters::parse(&self.master.address)?)
    }

    async fn wait_for_agents(&mut self) -> Result<()> {
        let operator = Operator::new(self.masters()?);
        loop {
            let agents = operator.agents().await?.agents;
            if agents.iter().filter(|agent| agent.active).count() >= self.agents.len() {
                return Ok(());
            }
            for child in std::iter::once(&mut self.master).chain(&mut self.agents) {
                if let Some(status) = child.ended()? {
                    bail!("{} ended ({status}):\n{}", child.name, child.last_words());
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Does what was asked for, then waits for the signal to end.
    async fn serve(&mut self, options: &Options, signals: &mut Signals) -> Result<u8> {
        if !options.demo {
            self.present(options)?;
        } else {
            tell(format_args!("one master and {} agents are up; the demo begins", self.agents.len()));
            let run = demo::run(self.masters()?, options.jobs, options.output);
            let code = tokio::select! {
                code = run => code?,
                () = signals.next() => return Ok(0),
            };
            if options.exit_after_demo {
                return Ok(code);
            }
            self.present(options)?;
        }
        self.watch(signals).await
    }

    /// Says where everything is.
    fn present(&self, options: &Options) -> Result<()> {
        let master = &self.master.address;
        let agents: Vec<&str> = self.agents.iter().map(|agent| agent.address.as_str()).collect();
        let directory = self.layout.directory().display();
        if options.output == Output::Json {
            let line = json!({
                "master": master,
                "agents": agents,
                "work_dir": directory.to_string(),
                "pids": {
                    "master": self.master.pid,
                    "agents": self.agents.iter().map(|agent| agent.pid).collect::<Vec<_>>(),
                },
            });
            return view::print(&format!("{line}\n"));
        }
        let other = if master == crate::cluster::DEFAULT_MASTER {
            String::new()
        } else {
            format!(" --master {master}")
        };
        view::print(&format!(
            "master  http://{master}\nagents  {}\nfiles   {directory}\n\nTry: meseta run 'echo hello'{other}\nCtrl-C ends the cluster.\n",
            agents.iter().map(|agent| format!("http://{agent}")).collect::<Vec<_>>().join(" "),
        ))
    }

    /// Waits for a signal. The end of an agent is told; that of the master is the end of all.
    async fn watch(&mut self, signals: &mut Signals) -> Result<u8> {
        let mut gone = vec![false; self.agents.len()];
        loop {
            tokio::select! {
                () = signals.next() => return Ok(0),
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
            if let Some(status) = self.master.ended()? {
                bail!("the master ended ({status}):\n{}", self.master.last_words());
            }
            for (agent, gone) in self.agents.iter_mut().zip(&mut gone) {
                if let (false, Some(status)) = (*gone, agent.ended()?) {
                    *gone = true;
                    tell(format_args!("{} ended ({status}); the others go on", agent.name));
                }
            }
        }
    }

    /// Ends all processes, at once when somebody insists.
    async fn end(mut self, signals: &mut Signals) {
        let insisted = tokio::select! {
            () = self.end_in_order() => false,
            () = signals.next() => true,
        };
        if insisted {
            tell(format_args!("killing what still runs"));
            for child in std::iter::once(&mut self.master).chain(&mut self.agents) {
                child.kill().await;
            }
        }
        // An agent that was killed could not end its tasks.
        for sandbox in containerizer::PosixLauncher::kill_leftovers(self.layout.directory()) {
            tracing::debug!(sandbox, "killed what an agent left behind");
        }
    }

    /// Ends the agents first, so that the master hears of it.
    async fn end_in_order(&mut self) {
        for agent in &self.agents {
            agent.ask_to_end();
        }
        for agent in &mut self.agents {
            agent.wait_or_kill().await;
        }
        self.master.ask_to_end();
        self.master.wait_or_kill().await;
    }
}

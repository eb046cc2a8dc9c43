//! How long a new master takes to have all agents back, with their tasks. After Mesos' `MasterFailover` benchmark: the clock
//! runs from when all agents begin to ask until the last has its `SlaveReregisteredMessage`.
//!
//! Twice for each workload. *In process*: the messages are bytes in memory, as many threads as there are
//! cores decode and check them, as the server's connections do, one has the core, writes are taken for done at once, and answers are encoded. *Over sockets*: a real
//! master as a process of its own, with its registry on the disk, and emulated agents.

mod inside;

use std::net::SocketAddr;

use anyhow::{Context, Result};
use clap::Args;
use conformance::cluster::Server;
use conformance::ports;

use crate::crowd::Crowd;
use crate::report::{self, cores, figure, seconds};
use crate::returning::Shape;

#[derive(Args)]
pub(crate) struct Options {
    /// Agents, frameworks, running and completed tasks of each framework on each agent, such as 2000,5,10,10. Those of Mesos'
    /// benchmark, and 40,000 agents with 400,000 tasks, without any.
    #[arg(value_name = "A,F,T,C", value_parser = parse)]
    workloads: Vec<Shape>,
    /// Only in process.
    #[arg(long)]
    inside: bool,
    /// Only over sockets.
    #[arg(long, conflicts_with = "inside")]
    sockets: bool,
}

/// Those of Mesos' benchmark, and the largest that figures are published for.
const WORKLOADS: [Shape; 4] = [
    Shape { agents: 2_000, frameworks: 5, tasks: 10, completed: 10, ended: 0 },
    Shape { agents: 2_000, frameworks: 5, tasks: 20, completed: 0, ended: 0 },
    Shape { agents: 20_000, frameworks: 1, tasks: 5, completed: 0, ended: 0 },
    Shape { agents: 40_000, frameworks: 5, tasks: 2, completed: 0, ended: 0 },
];

fn parse(text: &str) -> Result<Shape, String> {
    let numbers: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
    match numbers.as_deref() {
        Ok(&[agents, frameworks, tasks, completed]) => {
            Ok(Shape { agents, frameworks, tasks, completed, ended: 0 })
        }
        _ => Err("expected four numbers: agents, frameworks, tasks, completed tasks".to_owned()),
    }
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    figure("cores", cores());
    figure("load before", report::load());
    let workloads = if options.workloads.is_empty() { &WORKLOADS[..] } else { &options.workloads };
    for shape in workloads.iter().copied() {
        let (running, completed) = shape.tasks();
        println!(
            "\n{} agents x {} frameworks: {running} running tasks, {completed} completed",
            shape.agents, shape.frameworks
        );
        if !options.sockets {
            tokio::task::block_in_place(|| inside::run(shape))?;
        }
        if !options.inside {
            over_sockets(shape).await?;
        }
    }
    figure("load after", report::load());
    Ok(())
}

async fn over_sockets(shape: Shape) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let flags = [format!("--work_dir={}", directory.path().join("master").display())];
    let mut master = Server::start("master", ports::free(), &flags, directory.path().join("master.log"))?;
    tokio::task::block_in_place(|| master.wait_until_healthy())?;
    let address: SocketAddr = master.address.parse()?;
    let own_before = report::processor_time(std::process::id());
    let (crowd, began) = Crowd::start(shape, address).await?;
    let back = crowd.wait().await;
    back.with_context(|| format!("the master's log ends with:\n{}", master.log()))?;
    figure("over sockets: all back after", seconds(began.elapsed()));
    figure("  connections", crowd.connections());
    figure("  agents that had to ask again", crowd.asked_again());
    figure("  processor time of the master", seconds(report::processor_time(master.pid())));
    figure("  of the agents", seconds(report::processor_time(std::process::id()) - own_before));
    report::memory("the master", master.pid());
    Ok(())
}

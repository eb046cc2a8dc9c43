//! `meseta-bench`: how fast the real servers and the allocator are, and what they use. Prints the workload with the figures.
//!
//! The servers are the `meseta` beside this program, started as processes of their own on loopback; the allocator is
//! called. See `docs/performance.md`.

mod allocator;
mod containers;
mod crowd;
mod emulated;
mod failover;
mod full_cluster;
mod latency;
mod metrics;
mod pages;
mod registrar;
mod report;
mod reregister;
mod returning;
#[path = "../../store/tests/services/mod.rs"]
mod services;
mod state;
mod stopwatch;
mod throughput;
mod whole_agent;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "How fast a cluster is, and what it uses")]
struct Options {
    #[command(subcommand)]
    benchmark: Benchmark,
}

#[derive(Subcommand)]
enum Benchmark {
    /// Tasks per second from accept to acknowledged TASK_FINISHED: a real master, emulated agents, one scheduler.
    Throughput(throughput::Options),
    /// Accept to TASK_RUNNING, one task at a time on a real agent; memory of master and agent.
    Latency(latency::Options),
    /// The allocator by itself, on the workloads of Mesos' own allocator benchmarks and on ours.
    Allocator(allocator::Options),
    /// Containers: many at once by themselves and as tasks on a whole agent, one after the other, and their memory; beside
    /// other runtimes that this machine has. Needs root.
    Containers(containers::Options),
    /// How long a master takes to show everything, and whether that holds schedulers up.
    State(state::Options),
    /// How long a master takes to tell the metrics of thousands of frameworks.
    Metrics(metrics::Options),
    /// How long the web pages of a large cluster take.
    Pages(pages::Options),
    /// How long a new master takes to have all agents back with their tasks, in process and over sockets.
    Reregister(reregister::Options),
    /// The registry on each of its stores: agents admitted, marked, recovered, removed.
    Registrar(registrar::Options),
    /// From `kill -9` of the leading master to the first offer of the next, on a coordination service that runs already.
    Failover(failover::Options),
}

/// As in `meseta`, for what runs in this process.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        match options.benchmark {
            Benchmark::Throughput(options) => throughput::run(&options).await,
            Benchmark::Latency(options) => latency::run(&options).await,
            Benchmark::Allocator(options) => {
                allocator::run(&options);
                Ok(())
            }
            Benchmark::Containers(options) => containers::run(&options).await,
            Benchmark::State(options) => state::run(&options).await,
            Benchmark::Metrics(options) => metrics::run(&options).await,
            Benchmark::Pages(options) => pages::run(&options).await,
            Benchmark::Reregister(options) => reregister::run(&options).await,
            Benchmark::Registrar(options) => registrar::run(&options).await,
            Benchmark::Failover(options) => failover::run(&options).await,
        }
    })
}

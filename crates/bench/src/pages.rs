//! How long the web pages of a large cluster take, and the endpoints that they are drawn from.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use conformance::cluster::Server;
use conformance::ports;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::crowd::Crowd;
use crate::report::{self, cores, figure, times};
use crate::returning::Shape;

#[derive(Args)]
pub(crate) struct Options {
    /// Emulated agents.
    #[arg(long, default_value_t = 50_000)]
    agents: u32,
    /// Frameworks, each with tasks on each agent.
    #[arg(long, default_value_t = 5)]
    frameworks: u32,
    /// Running tasks of each framework on each agent; as many are completed.
    #[arg(long, default_value_t = 2)]
    tasks: u32,
    /// How often each page is asked for.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Keep the cluster for so many seconds afterwards, for a look at it in a browser.
    #[arg(long, default_value_t = 0)]
    stay: u64,
}

/// The pages, and the worst that can be asked of them.
const PAGES: [&str; 14] = [
    "/",
    "/ui/agents",
    "/ui/agents?sort=used_cpus&order=des",
    "/ui/agents?search=999",
    "/ui/agents?offset=49950",
    "/ui/frameworks",
    "/ui/roles",
    "/ui/tasks",
    "/ui/tasks?state=TASK_RUNNING&sort=name",
    "/ui/tasks?search=nothing-has-this-name",
    "/ui/tasks?offset=400000",
    "/ui/offers",
    "/ui/maintenance",
    "/events",
];

pub(crate) async fn run(options: &Options) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let flags = [
        format!("--work_dir={}", directory.path().join("master").display()),
        format!(
            "--max_completed_tasks_per_framework={}",
            u64::from(options.agents) * u64::from(options.tasks)
        ),
    ];
    let mut master = Server::start("master", ports::free()?, &flags, directory.path().join("master.log"))?;
    tokio::task::block_in_place(|| master.wait_until_healthy())?;
    let address: SocketAddr = master.address.parse()?;
    let shape = Shape {
        agents: options.agents,
        frameworks: options.frameworks,
        tasks: options.tasks,
        completed: options.tasks,
    };
    let of_each = u64::from(options.agents) * u64::from(options.frameworks) * u64::from(options.tasks);
    println!(
        "{} agents x {} frameworks x {} tasks: {of_each} running, as many completed; {} cores",
        options.agents,
        options.frameworks,
        options.tasks,
        cores()
    );
    let (crowd, began) = Crowd::start(shape, address).await?;
    crowd.wait().await?;
    figure("all agents were taken back after", report::millis(began.elapsed()));
    figure("load", report::load());
    for path in PAGES {
        let mut all = Vec::new();
        let mut length = 0;
        for _ in 0..options.rounds {
            let (took, got) = ask(address, path).await.with_context(|| path.to_owned())?;
            all.push(took);
            length = got;
        }
        times(&format!("{path} ({} KiB)", length >> 10), &mut all);
    }
    report::memory("the master", master.pid());
    if options.stay > 0 {
        println!("the cluster stays at http://{address} for {} s", options.stay);
        tokio::time::sleep(Duration::from_secs(options.stay)).await;
    }
    Ok(())
}

/// Asks and reads to the last byte; how long that took, and how many bytes came.
async fn ask(address: SocketAddr, path: &str) -> Result<(Duration, usize)> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "it was refused: {}",
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default()
    );
    Ok((began.elapsed(), answer.len()))
}

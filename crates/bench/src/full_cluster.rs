//! A real master to which many emulated agents have come back with their tasks, and how long it takes to show what it knows.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use conformance::cluster::Server;
use conformance::ports;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::crowd::Crowd;
use crate::report::{self, cores, figure, times};
use crate::returning::Shape;

/// The cluster, until this is dropped: first the agents go, then their master, then its files.
pub(crate) struct FullCluster {
    pub(crate) crowd: Crowd,
    master: Server,
    pub(crate) address: SocketAddr,
    _directory: TempDir,
}

impl FullCluster {
    /// Starts it, and prints what it is and how long the agents took.
    pub(crate) async fn start(shape: Shape) -> Result<Self> {
        Self::with_flags(shape, &[]).await
    }

    /// As [`start`](Self::start), with further flags for the master.
    pub(crate) async fn with_flags(shape: Shape, further: &[String]) -> Result<Self> {
        let Shape { agents, frameworks, tasks, completed, ended } = shape;
        let directory = tempfile::tempdir()?;
        let mut flags = vec![
            format!("--work_dir={}", directory.path().join("master").display()),
            format!("--max_completed_tasks_per_framework={}", u64::from(agents) * u64::from(completed)),
        ];
        flags.extend_from_slice(further);
        let mut master = Server::start("master", ports::free(), &flags, directory.path().join("master.log"))?;
        tokio::task::block_in_place(|| master.wait_until_healthy())?;
        let address: SocketAddr = master.address.parse()?;
        let (running, over) = shape.tasks();
        println!(
            "{agents} agents x {frameworks} frameworks x {tasks} tasks: {running} running, {over} completed; \
             {ended} frameworks ended; {} cores",
            cores()
        );
        let (crowd, began) = Crowd::start(shape, address).await?;
        crowd.wait().await?;
        figure("all agents were taken back after", report::millis(began.elapsed()));
        figure("  over", crowd.connections());
        figure("load", report::load());
        Ok(Self { crowd, master, address, _directory: directory })
    }

    /// Asks for the same once, and then so many times more. Prints how long it took, and how many KiB came.
    pub(crate) async fn measure(&self, name: &str, request: &[u8], rounds: usize) -> Result<()> {
        let (first, mut length) = ask(self.address, request).await.with_context(|| name.to_owned())?;
        let mut then = Vec::new();
        for _ in 0..rounds {
            let (took, got) = ask(self.address, request).await.with_context(|| name.to_owned())?;
            then.push(took);
            length = got;
        }
        figure(name, format!("{} KiB, the first time {}", length >> 10, report::millis(first)));
        times("  then", &mut then);
        Ok(())
    }

    /// Prints how much memory the master has, and had at most.
    pub(crate) fn report_memory(&self) {
        report::memory("the master", self.master.pid());
    }
}

/// A request that reads, on a connection of its own.
pub(crate) fn get(address: SocketAddr, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").into_bytes()
}

/// A call of the operator API in JSON, on a connection of its own.
pub(crate) fn post(address: SocketAddr, call: &str, accept: &str) -> Vec<u8> {
    format!(
        "POST /api/v1 HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Accept: {accept}\r\nContent-Length: {}\r\n\r\n{call}",
        call.len()
    )
    .into_bytes()
}

/// Asks and reads to the last byte; how long that took, and how many bytes came.
pub(crate) async fn ask(address: SocketAddr, request: &[u8]) -> Result<(Duration, usize)> {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        ensure!(
            length > 0 || buffer.starts_with(b"HTTP/1.1 200"),
            "it was refused: {}",
            String::from_utf8_lossy(&buffer[..read]).lines().next().unwrap_or_default()
        );
        length += read;
    }
    Ok((began.elapsed(), length))
}

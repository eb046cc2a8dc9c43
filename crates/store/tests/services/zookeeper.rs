//! ZooKeeper servers: one, or an ensemble.

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, ask, free_port};

/// A server, which keeps its port and its data when it is killed and started again.
#[derive(Debug)]
pub(crate) struct ZooKeeper {
    pub(crate) process: Process,
    port: u16,
    _directory: TempDir,
}

impl ZooKeeper {
    /// A server alone, ready.
    pub(crate) fn start() -> Self {
        let mut server = Self::new(free_port(), 1, "");
        server.restart();
        server
    }

    /// Servers that form an ensemble; none of them is started.
    pub(crate) fn ensemble(size: usize) -> Vec<Self> {
        let ports: Vec<[u16; 3]> = (0..size).map(|_| [free_port(), free_port(), free_port()]).collect();
        let members: String = ports
            .iter()
            .enumerate()
            .map(|(n, [_, peers, election])| format!("server.{}=127.0.0.1:{peers}:{election}\n", n + 1))
            .collect();
        let server = |(n, [port, ..]): (usize, &[u16; 3])| Self::new(*port, n + 1, &members);
        ports.iter().enumerate().map(server).collect()
    }

    fn new(port: u16, id: usize, members: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let configuration = format!(
            "tickTime=200\ninitLimit=50\nsyncLimit=25\ndataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\n\
             admin.enableServer=false\nminSessionTimeout=400\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n\
             4lw.commands.whitelist=*\nextendedTypesEnabled=true\n{members}",
            path.display()
        );
        std::fs::write(path.join("zoo.cfg"), configuration).expect("written");
        std::fs::write(path.join("myid"), id.to_string()).expect("written");
        let process = Process::new(command(path), &path.join("log"));
        Self { process, port, _directory: directory }
    }

    /// Starts it without waiting for anything.
    pub(crate) fn begin(&mut self) {
        self.process.start();
    }

    /// Starts it, again if need be, and waits until it serves.
    pub(crate) fn restart(&mut self) {
        self.begin();
        self.ready();
    }

    /// Waits until it serves.
    pub(crate) fn ready(&mut self) {
        let address = self.address();
        self.process.ready(move || Ok(ask(address, b"srvr")?.contains("Mode:")));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// What it knows of its sessions and watches, for people and for tests.
    pub(crate) fn says(&self, word: &str) -> String {
        ask(self.address(), word.as_bytes()).expect("an answer")
    }
}

fn command(directory: &Path) -> Vec<String> {
    let jars = ["zookeeper", "slf4j-nop"].map(|jar| format!("/usr/share/java/{jar}.jar")).join(":");
    let configuration = directory.join("zoo.cfg").display().to_string();
    // A small machine that starts quickly: the tests have few processors.
    [
        "java",
        "-Xmx192m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Xshare:auto",
        "-cp",
        &jars,
        "org.apache.zookeeper.server.quorum.QuorumPeerMain",
        &configuration,
    ]
    .map(str::to_owned)
    .to_vec()
}

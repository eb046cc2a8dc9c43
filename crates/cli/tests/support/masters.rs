//! Two masters of a cluster without agents, the first of which leads; the other one stands by.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use tempfile::TempDir;

use crate::services::etcd::Etcd;
use crate::services::process::{Process, free_port};
use crate::support::wait_until;

/// They elect in a real etcd, until this is dropped.
pub(crate) struct Masters {
    pub(crate) leader: String,
    pub(crate) standby: String,
    _processes: [Process; 2],
    _service: Etcd,
    _directory: TempDir,
}

impl Masters {
    pub(crate) fn start() -> Self {
        let service = Etcd::start();
        let directory = tempfile::tempdir().unwrap();
        let url = format!("--zk=etcd://{}/meseta", service.address());
        let (leader, first) = master("first", &url, directory.path());
        wait_until("the first master leads", || status(&leader).as_deref() == Some("200"));
        let (standby, second) = master("second", &url, directory.path());
        wait_until("the second master knows who leads", || status(&standby).as_deref() == Some("307"));
        Self { leader, standby, _processes: [first, second], _service: service, _directory: directory }
    }
}

fn master(name: &str, url: &str, directory: &Path) -> (String, Process) {
    let port = free_port();
    let work_dir = format!("--work_dir={}", directory.join(name).display());
    let port_flag = format!("--port={port}");
    let words =
        [env!("CARGO_BIN_EXE_meseta"), "master", "--ip=127.0.0.1", "--quorum=1", &port_flag, url, &work_dir];
    let words = words.iter().map(|word| (*word).to_owned()).collect();
    let mut process = Process::new(words, &directory.join(format!("{name}.log")));
    process.start();
    (format!("127.0.0.1:{port}"), process)
}

/// The status with which it answers what only a leader can, if it answers.
fn status(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(format!("GET /slaves HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.split(' ').nth(1).map(str::to_owned)
}

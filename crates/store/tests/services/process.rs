//! A server as a process that a test kills, stops and starts again.

#[path = "ports.rs"]
mod ports;

use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[allow(unused_imports, reason = "each test uses its part")]
pub(crate) use ports::free_port;

/// A program that is started, killed and started again. It dies with the test.
#[derive(Debug)]
pub(crate) struct Process {
    arguments: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    /// Not started yet. What it says goes into `log`.
    pub(crate) fn new(arguments: Vec<String>, log: &Path) -> Self {
        Self { arguments, log: log.to_owned(), child: None }
    }

    pub(crate) fn start(&mut self) {
        self.kill();
        let log = || File::options().create(true).append(true).open(&self.log).expect("a log");
        // It must not outlive a test that is killed.
        let started = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(log())
            .stderr(log())
            .spawn();
        self.child = Some(started.unwrap_or_else(|error| panic!("setpriv {:?}: {error}", self.arguments)));
    }

    /// As by `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("waited for");
        }
    }

    /// As by a supervisor: it is asked to end, and ends.
    pub(crate) fn end(&mut self) {
        self.signal("TERM");
        let deadline = Instant::now() + Duration::from_secs(60);
        let child = self.child.as_mut().expect("a running process");
        while child.try_wait().expect("a status").is_none() {
            assert!(Instant::now() < deadline, "{:?} does not end: {}", self.arguments, self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child = None;
    }

    /// Stands still, as in a long pause of its machine, until it is told to go on.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("a running process").id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("a kill");
        assert!(sent.success());
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until `asked` says that it is ready; fails with the log if it ends before.
    pub(crate) fn ready(&mut self, asked: impl Fn() -> io::Result<bool>) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !asked().unwrap_or(false) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().expect("a status"));
            if ended.is_some() || Instant::now() > deadline {
                panic!("{:?} is not ready ({ended:?}): {}", self.arguments, self.said());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a server answers to this on a connection of its own.
pub(crate) fn ask(address: SocketAddr, question: &[u8]) -> io::Result<String> {
    ask_within(Duration::from_secs(2), address, question)
}

/// The same; the server may be silent for so long.
pub(crate) fn ask_within(silence: Duration, address: SocketAddr, question: &[u8]) -> io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(silence))?;
    stream.write_all(question)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The whole answer to a GET.
pub(crate) async fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let question = format!("GET {path} HTTP/1.0\r\nHost: x\r\n\r\n");
    let asked = tokio::task::spawn_blocking(move || ask(address, question.as_bytes()));
    let answer = asked.await.expect("no panic")?;
    if answer.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(answer) }
}

/// A header of an answer.
pub(crate) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (head, _) = answer.split_once("\r\n\r\n")?;
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

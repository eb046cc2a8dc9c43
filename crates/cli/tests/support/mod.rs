//! A local cluster of the real binary, started by `meseta up`, and commands run against it.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long anything may take on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, with an environment that says nothing to it.
pub(crate) fn meseta() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meseta"));
    for (name, _) in std::env::vars() {
        if ["MESETA_", "MESOS_", "SSL_CERT_"].iter().any(|prefix| name.starts_with(prefix))
            || name == "RUST_LOG"
        {
            command.env_remove(name);
        }
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sends a signal to a process that a test has started.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Waits for a state; the description is for the failure.
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process is there, other than as a zombie.
pub(crate) fn is_alive(pid: i64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
    !state.is_empty() && !state.starts_with('Z')
}

/// The process that has this command line, as the whole machine knows it: in its container its number is another one.
fn find(command_line: &[u8]) -> Option<i64> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.find(|id| std::fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|found| found == command_line))
}

/// A process that a test has started; killed when the test ends.
pub(crate) struct Process {
    pub(crate) child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self { child: command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap() }
    }

    pub(crate) fn signal(&self, which: Signal) {
        signal(self.child.id(), which);
    }

    /// Reads standard output up to the end of a line.
    pub(crate) fn line(&mut self) -> String {
        let mut line = Vec::new();
        let stdout = self.child.stdout.as_mut().unwrap();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        text(&line)
    }

    /// Waits for the end; gives the status and what was not read yet.
    pub(crate) fn end(mut self) -> (ExitStatus, String, String) {
        let mut status = None;
        wait_until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let mut out = String::new();
        let mut err = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        (status.unwrap(), out, err)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It has mostly ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server that says where it serves; this process is its parent.
pub(crate) fn start(command: &mut Command) -> (Process, String) {
    command.arg(format!("--child-of={}", std::process::id()));
    let mut process =
        Process { child: command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap() };
    let mut line = String::new();
    BufReader::new(process.child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let Ok(announcement) = serde_json::from_str::<Value>(&line) else { panic!("{}", process.end().2) };
    let address = announcement["address"].as_str().unwrap().to_owned();
    (process, address)
}

/// The JSON object that a server answers.
pub(crate) fn get(address: &str, path: &str) -> Value {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let question = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let json = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
    serde_json::from_str(json).unwrap()
}

/// The flags that a server says it has.
pub(crate) fn flags(address: &str) -> Value {
    get(address, "/flags")["flags"].clone()
}

/// A cluster on free ports.
pub(crate) struct Cluster {
    up: Child,
    pub(crate) addresses: Value,
}

impl Cluster {
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_in(&[], flags)
    }

    /// The same with something in the environment of its servers.
    pub(crate) fn start_in(environment: &[(&str, &str)], flags: &[&str]) -> Self {
        let mut command = meseta();
        command.args(["up", "--port", "0", "--output", "json"]).args(flags);
        command.envs(environment.iter().copied());
        let mut up = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(up.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let addresses = serde_json::from_str(&line).unwrap_or_else(|_| panic!("up said {line:?}"));
        Self { up, addresses }
    }

    pub(crate) fn master(&self) -> String {
        self.addresses["master"].as_str().unwrap().to_owned()
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.addresses["work_dir"].as_str().unwrap().into()
    }

    /// The process ids of the master and the agents.
    pub(crate) fn pids(&self) -> Vec<i64> {
        let pids = &self.addresses["pids"];
        let agents = pids["agents"].as_array().unwrap();
        std::iter::once(&pids["master"]).chain(agents).map(|pid| pid.as_i64().unwrap()).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.up.id()
    }

    /// A command that talks to this cluster.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = meseta();
        command.env("MESETA_MASTER", self.master()).args(words);
        command
    }

    /// Runs a command that sleeps until it is killed, with the id of its process.
    pub(crate) fn sleeper(&self) -> (Process, i64) {
        // The master's port tells the clusters of one moment apart.
        let seconds = format!("1000.{}", self.master().rsplit(':').next().unwrap());
        let mut run =
            Process::start(&mut self.command(&["run", &format!("echo begun; exec sleep {seconds}")]));
        assert_eq!(run.line(), "begun");
        let mut pid = None;
        wait_until("the command sleeps", || {
            pid = find(format!("sleep\0{seconds}\0").as_bytes());
            pid.is_some()
        });
        (run, pid.unwrap())
    }

    /// Runs a command to its end.
    pub(crate) fn meseta(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs a command and reads the JSON that it prints.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let output = self.meseta(words);
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stdout)))
    }

    /// Ends it by a signal and waits; its exit status.
    pub(crate) fn end(&mut self, which: Signal) -> ExitStatus {
        signal(self.up.id(), which);
        let mut status = None;
        wait_until("the cluster ends", || {
            status = self.up.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Ok(None) = self.up.try_wait() {
            self.end(Signal::TERM);
        }
    }
}

//! A server as a child process.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::layout::Layout;
use crate::failure::tell;
use crate::server::Announcement;

/// How long a server may take to serve.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long a server may take to end; an agent's tasks have a grace period of some seconds.
const END_PATIENCE: Duration = Duration::from_secs(12);
/// How much of a log is shown when a server has failed.
const LAST_LINES: usize = 10;

pub(super) struct Child {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) pid: i32,
    log: PathBuf,
    process: tokio::process::Child,
}

impl Child {
    /// Starts this program again, with other arguments, and waits until it serves.
    pub(super) async fn start(layout: &Layout, name: &str, flags: Vec<String>) -> Result<Self> {
        let log = layout.log(name);
        let file =
            std::fs::File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let this = std::env::current_exe().context("this program cannot be found")?;
        let mut command = Command::new(this);
        command.args(flags).arg(format!("--child-of={}", std::process::id()));
        // The servers of a local cluster are described by its own options alone.
        for (variable, _) in std::env::vars() {
            if variable.starts_with("MESETA_") || variable.starts_with("MESOS_") {
                command.env_remove(variable);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(file).kill_on_drop(true);
        let mut process = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        let pid =
            process.id().and_then(|pid| i32::try_from(pid).ok()).context("a child without a process id")?;
        let stdout = process.stdout.take().context("a child without standard output")?;
        let mut child = Self { name: name.to_owned(), address: String::new(), pid, log, process };
        let mut line = String::new();
        let mut reader = BufReader::new(stdout);
        match tokio::time::timeout(START_PATIENCE, reader.read_line(&mut line)).await {
            Ok(Ok(length)) if length > 0 => {}
            Ok(_) => bail!("{name} could not start:\n{}", child.last_words()),
            Err(_) => {
                bail!("{name} did not start within {} s:\n{}", START_PATIENCE.as_secs(), child.last_words())
            }
        }
        let announcement: Announcement =
            serde_json::from_str(&line).with_context(|| format!("{name} announced itself by `{line}`"))?;
        child.address = announcement.address;
        Ok(child)
    }

    /// Its exit status, if it has ended.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// Sends SIGTERM.
    pub(super) fn ask_to_end(&self) {
        // A child that was waited for has no id any more, so that this never meets another process.
        if self.process.id().is_some()
            && let Some(pid) = Pid::from_raw(self.pid)
        {
            // It may have ended this moment.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Waits for its end, and brings it about when that takes too long.
    pub(super) async fn wait_or_kill(&mut self) {
        if tokio::time::timeout(END_PATIENCE, self.process.wait()).await.is_err() {
            tell(format_args!("{} does not end; it is killed", self.name));
            self.kill().await;
        }
    }

    /// Ends it by force.
    pub(super) async fn kill(&mut self) {
        // It may have ended this moment.
        let _ = self.process.kill().await;
    }
}

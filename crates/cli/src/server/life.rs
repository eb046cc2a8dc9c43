//! What the servers' processes have in common: their log, their first and their last moments.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use clap::Args;
use master::LogFiles;
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::{BoxMakeWriter, MakeWriterExt};

use super::log_file::LogFile;
use crate::hangup::Hangup;

/// Flags of every server's process.
#[derive(Args, Debug)]
#[command(next_help_heading = "Logging")]
pub(crate) struct ProcessFlags {
    /// What is logged at least: INFO, WARNING or ERROR; `RUST_LOG` says it in more detail
    #[arg(long, value_name = "LEVEL", default_value = "INFO", ignore_case = true)]
    #[arg(value_parser = ["INFO", "WARNING", "ERROR"])]
    pub(crate) logging_level: String,

    /// Log only errors
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true")]
    #[arg(value_parser = clap::builder::ValueParser::bool(), hide_possible_values = true, value_name = "BOOL")]
    pub(crate) quiet: bool,

    /// Where the log is written to a file as well, whose name says which server it is of; operators can read it
    #[arg(long, value_name = "DIR")]
    pub(crate) log_dir: Option<PathBuf>,

    /// A file to which somebody else writes the log, such as a supervisor; operators can read it
    #[arg(long, value_name = "FILE")]
    pub(crate) external_log_file: Option<PathBuf>,

    /// Ends with the process that started this one, and tells it on standard output when it serves
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) child_of: Option<i32>,
}

/// What a server tells the process that started it, as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Announcement {
    /// Where it serves, as `ip:port`.
    pub(crate) address: String,
}

impl ProcessFlags {
    /// In which files the log is.
    pub(crate) fn log_files(&self) -> LogFiles {
        LogFiles { dir: self.log_dir.clone(), external: self.external_log_file.clone() }
    }

    /// Sets up the log of a server, and the tie to the parent.
    pub(crate) fn begin(&self, server: &str) -> Result<()> {
        let file = self.log_files().own(server).map(|path| {
            LogFile::open(&path).with_context(|| format!("cannot write the log to {}", path.display()))
        });
        let file = file.transpose()?;
        let level = match (self.quiet, self.logging_level.as_str()) {
            (true, _) | (_, "ERROR") => "error",
            (_, "WARNING") => "warn",
            _ => "info",
        };
        let usual = move || EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
        // Not in a file.
        let colours = file.is_none() && crate::view::colours(&io::stderr());
        let writer = match file {
            Some(file) => BoxMakeWriter::new(io::stderr.and(Arc::new(file))),
            None => BoxMakeWriter::new(io::stderr),
        };
        let log = tracing_subscriber::fmt()
            .with_writer(writer)
            // It would tell of a broken standard error on standard error, and panic.
            .log_internal_errors(false)
            .with_ansi(colours)
            .with_env_filter(usual())
            .with_filter_reloading();
        let filter = log.reload_handle();
        log.init();
        let set = move |level| {
            // Fails only when the log is gone.
            let _ = filter.reload(if level == 0 { usual() } else { EnvFilter::new("debug") });
        };
        // A process begins once.
        let _ = SET_LEVEL.set(Box::new(set));
        match self.child_of {
            Some(parent) => die_with(parent),
            None => Ok(()),
        }
    }

    /// The flags that Mesos' servers have too, as `/flags` shows them.
    pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
        vec![
            ("initialize_driver_logging", "true".to_owned()),
            ("logging_level", self.logging_level.to_ascii_uppercase()),
            ("quiet", self.quiet.to_string()),
        ]
    }

    /// Whether another process of this program has started this one, and ends it.
    pub(crate) fn is_child(&self) -> bool {
        self.child_of.is_some()
    }

    /// Says where the server serves.
    pub(crate) fn announce(&self, address: String) -> Result<()> {
        if self.is_child() {
            let line = serde_json::to_string(&Announcement { address })?;
            let mut out = std::io::stdout().lock();
            writeln!(out, "{line}").and_then(|()| out.flush()).context("the parent does not listen")?;
        }
        Ok(())
    }
}

/// Has the kernel end this process when its parent does, however the parent ends.
fn die_with(parent: i32) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    // The parent may have ended before the kernel was asked.
    let now = rustix::process::getppid().map_or(0, rustix::process::Pid::as_raw_pid);
    anyhow::ensure!(now == parent, "the process that started this one is gone");
    Ok(())
}

/// The signals to end: from the terminal, by its end, or from a supervisor. `SIGUSR1` is how operators of Mesos tell an
/// agent to unregister and to end.
pub(crate) struct EndSignals {
    interrupt: Signal,
    terminate: Signal,
    unregister: Signal,
    hangup: Hangup,
}

impl EndSignals {
    /// From here on none of them ends the process by itself. To be called before anything is started that has to be ended in
    /// order.
    pub(crate) fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            unregister: signal(SignalKind::user_defined1())?,
            hangup: Hangup::listen()?,
        })
    }

    /// Waits for one; its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        let name = tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.unregister.recv() => "SIGUSR1",
            () = self.hangup.next() => "SIGHUP",
        };
        tracing::info!("ending: {name}");
        name
    }
}

/// Changes what is logged: level 0 is what the flags say, any other adds the details.
static SET_LEVEL: OnceLock<Box<dyn Fn(u32) + Send + Sync>> = OnceLock::new();

/// Follows `SET_LOGGING_LEVEL`.
pub(crate) fn set_logging_level(level: u32) {
    if let Some(set) = SET_LEVEL.get() {
        set(level);
    }
}

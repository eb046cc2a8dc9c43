//! `meseta run`: a command on the cluster as if it ran here.

mod outcome;
mod printer;
mod session;
mod spec;

use std::time::Duration;

use anyhow::Result;
use clap::{ArgAction, Args};
use sdk::build::Quantities;

use crate::cluster::Connection;
use crate::failure::NOT_RUN;
use crate::flags;
use crate::view::Output;

/// Exit code when the command did not end within `--timeout`.
const TIMED_OUT: u8 = 124;

/// Arguments of `meseta run`.
#[derive(Args, Debug)]
#[command(
    after_help = "Exit codes: that of the command; 128+N when signal N ended it; 124 after --timeout; 125 when it
could not be run; 130 after Ctrl-C, 143 after SIGTERM, when the task has been killed. With several
instances, that of the first which failed.

Examples:
  meseta run 'make -j4' --cpus 4 --mem 2048 --uri https://example.com/src.tar.gz
  meseta run 'echo $N' --env N=7 --instances 3
  meseta run --no-shell -- /bin/ls -l /
  meseta run 'sleep 1000' --timeout 10s"
)]
pub(crate) struct Options {
    /// The command line for /bin/sh, or with --no-shell the program and its arguments
    #[arg(required = true)]
    command: Vec<String>,
    /// Cores for each instance
    #[arg(long, default_value_t = 0.1, value_parser = amount)]
    cpus: f64,
    /// Megabytes of memory for each instance
    #[arg(long, default_value_t = 64.0, value_parser = amount)]
    mem: f64,
    /// Megabytes of disk for each instance
    #[arg(long, default_value_t = 0.0, value_parser = amount)]
    disk: f64,
    /// GPUs for each instance
    #[arg(long, default_value_t = 0)]
    gpus: u32,
    /// The role whose share is used
    #[arg(long, default_value = "*")]
    role: String,
    /// A variable of the command; without a value, the one that it has here
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Something to fetch into the sandbox, a URL or a path on the agent; archives are unpacked
    #[arg(long)]
    uri: Vec<String>,
    /// A name for people; the program's without this
    #[arg(long)]
    name: Option<String>,
    /// How many times to run it, side by side
    #[arg(short = 'n', long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    instances: u32,
    /// Who runs it; yourself without this
    #[arg(long)]
    user: Option<String>,
    /// Give the command to /bin/sh (the default)
    #[arg(long, overrides_with = "no_shell")]
    shell: bool,
    /// Run the program itself, without a shell
    #[arg(long, action = ArgAction::SetTrue)]
    no_shell: bool,
    /// Kill it after so long, as in 90s or 2mins
    #[arg(long, value_name = "DURATION")]
    timeout: Option<flags::Duration>,
    /// Tell on standard error where it runs and how it ends
    #[arg(short, long)]
    verbose: bool,
    /// table: what the command prints; json: one event a line
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

fn amount(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("expected a number that is not negative".to_owned()),
    }
}

impl Options {
    fn quantities(&self) -> Quantities {
        Quantities { cpus: self.cpus, mem: self.mem, disk: self.disk, gpus: f64::from(self.gpus) }
    }

    fn timeout(&self) -> Option<Duration> {
        self.timeout.map(|timeout| timeout.0)
    }
}

/// Runs the command; the number is the exit code.
pub(crate) async fn run(options: Options) -> Result<u8> {
    let spec = spec::Spec::new(&options)?;
    session::Session::start(options, spec)?.run().await
}

//! The demo: a framework that runs some hundred small real jobs over a cluster and shows how it went.

mod framework;
mod jobs;
mod progress;
mod summary;

use anyhow::Result;
use clap::Args;
use sdk::Masters;

use crate::cluster::Connection;
use crate::view::Output;

/// How many jobs are run when nothing is said.
pub(crate) const DEFAULT_JOBS: usize = 300;
const MAX_JOBS: usize = 100_000;

/// Arguments of `meseta demo`.
#[derive(Args)]
#[command(after_help = "Exit code 0 when every job ended as it should, those that fail on purpose included.

Example:\n  meseta demo --jobs 1000")]
pub(crate) struct Options {
    /// How many jobs
    #[arg(long, default_value_t = DEFAULT_JOBS, value_parser = job_count)]
    jobs: usize,
    /// The form of the summary
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// Reads a number of jobs.
pub(crate) fn job_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..=MAX_JOBS) => Ok(count),
        _ => Err(format!("expected a number from 1 to {MAX_JOBS}")),
    }
}

/// Runs the demo on a cluster that is there.
pub(crate) async fn run_on(options: Options) -> Result<u8> {
    run(options.connection.master, options.jobs, options.output).await
}

/// Runs the demo; the number is the exit code.
pub(crate) async fn run(masters: Masters, jobs: usize, output: Output) -> Result<u8> {
    let summary = framework::run(masters, jobs::mixture(jobs)).await?;
    summary.show(output)?;
    Ok(u8::from(!summary.surprises.is_empty()))
}

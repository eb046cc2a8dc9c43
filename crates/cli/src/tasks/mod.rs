//! `meseta task list|show|logs|files|kill|explain`.

mod explain;
mod files;
mod show;

use anyhow::Result;
use clap::Subcommand;

use crate::{inspect, kill, logs};

/// What can be done with tasks.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the tasks
    #[command(alias = "ls")]
    List(inspect::TaskOptions),
    /// Tell all about a task, with the states that it was in
    #[command(alias = "inspect")]
    Show(show::Options),
    /// Show what a task has printed
    Logs(logs::Options),
    /// List the files in a task's sandbox
    Files(files::Options),
    /// Kill a task
    Kill(kill::Options),
    /// Say why a task is in the state that it is in, and what to do about it
    Explain(explain::Options),
}

/// Does it.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::List(options) => inspect::tasks(options).await,
        Command::Show(options) => show::run(options).await,
        Command::Logs(options) => logs::run(options).await,
        Command::Files(options) => files::run(options).await,
        Command::Kill(options) => kill::run(options).await,
        Command::Explain(options) => explain::run(options).await,
    }
}

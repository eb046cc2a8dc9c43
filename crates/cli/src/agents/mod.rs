//! `meseta agent list|show|drain|gone|activate|deactivate`: the agents of a cluster. With flags instead of one of these words,
//! `meseta agent` starts an agent (see [`crate::server`]).

mod change;
mod known;
mod show;

#[cfg(test)]
pub(crate) use show::resource_text;

use anyhow::Result;
use clap::Subcommand;

use crate::inspect;

/// What can be done with agents.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the agents and what they have
    #[command(alias = "ls")]
    List(inspect::AgentOptions),
    /// Tell all about an agent
    Show(show::Options),
    /// Have an agent's tasks end, and offer nothing of it any more
    Drain(change::Drain),
    /// Say that an agent will never come back; this cannot be taken back
    Gone(change::Gone),
    /// Take back that an agent is deactivated or drained
    #[command(alias = "reactivate")]
    Activate(change::Change),
    /// Offer nothing of an agent any more; what runs goes on
    Deactivate(change::Change),
}

/// Does it.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::List(options) => inspect::agents(options).await,
        Command::Show(options) => show::run(options).await,
        Command::Drain(options) => change::drain(options).await,
        Command::Gone(options) => change::gone(options).await,
        Command::Activate(options) => change::activate(options).await,
        Command::Deactivate(options) => change::deactivate(options).await,
    }
}

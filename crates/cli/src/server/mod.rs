//! `meseta master` and `meseta agent`: flags to options, then a server until it is told to end.

mod agent_flags;
mod container_flags;
mod life;
mod log_file;
mod master_flags;
mod sandbox_flags;

use clap::{Args, Command};

pub(crate) use agent_flags::{AgentFlags, run as run_agent};
pub(crate) use life::Announcement;
pub(crate) use master_flags::{MasterFlags, run as run_master};

/// The flags of the master as clap knows them.
pub(crate) fn master_command() -> Command {
    MasterFlags::augment_args(Command::new("master"))
}

/// The flags of the agent as clap knows them.
pub(crate) fn agent_command() -> Command {
    AgentFlags::augment_args(Command::new("agent"))
}

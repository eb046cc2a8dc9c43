//! `meseta maintenance status|schedule|start|stop`: when machines are not there, and frameworks are to know it.

mod machines;
mod schedule;
mod status;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::cluster::Connection;
use crate::failure::tell;

/// What can be done about maintenance.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show which machines are about to be maintained or are down, and what frameworks have said
    Status(status::Options),
    /// Show or change when which machines are to be maintained
    Schedule(schedule::Options),
    /// Take machines down: their agents are told to shut down, and are not let in
    Start(Machines),
    /// Let machines come back; they are not on the schedule any more
    Stop(Machines),
}

/// Arguments of `meseta maintenance start` and `stop`.
#[derive(Args)]
#[command(after_help = "Machines are taken down only once they are on the schedule.

Examples:
  meseta maintenance start host7 host8/10.0.0.8
  meseta maintenance stop host7 host8/10.0.0.8")]
pub(crate) struct Machines {
    /// HOST, IP or HOST/IP as on the schedule, or an agent's id, or the end of one (S0)
    #[arg(required = true, value_name = "MACHINE")]
    machines: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Does it.
pub(crate) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Status(options) => status::run(options).await,
        Command::Schedule(options) => schedule::run(options).await,
        Command::Start(options) => start(options).await,
        Command::Stop(options) => stop(options).await,
    }
}

async fn start(options: Machines) -> Result<()> {
    let operator = options.connection.operator();
    let machines = machines::find(&operator, &options.machines).await?;
    operator.start_maintenance(machines.clone()).await?;
    tell(format_args!("{} down", are(&machines)));
    Ok(())
}

async fn stop(options: Machines) -> Result<()> {
    let operator = options.connection.operator();
    let machines = machines::find(&operator, &options.machines).await?;
    operator.stop_maintenance(machines.clone()).await?;
    tell(format_args!("{} up again", are(&machines)));
    Ok(())
}

/// `a, b are`.
fn are(list: &[proto::v1::MachineId]) -> String {
    let names: Vec<String> = list.iter().map(machines::name).collect();
    format!("{} {}", names.join(", "), if names.len() == 1 { "is" } else { "are" })
}

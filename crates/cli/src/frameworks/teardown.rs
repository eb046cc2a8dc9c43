//! `meseta framework teardown`.

use anyhow::{Result, bail};
use clap::Args;

use crate::cluster::{Connection, framework_id};
use crate::failure::tell;
use crate::inspect::tasks::of_framework;
use crate::view::{self, confirm};

/// Arguments of `meseta framework teardown`.
#[derive(Args)]
#[command(after_help = "Its tasks are killed, its scheduler is told, and its id is never let in again.

Example:
  meseta framework teardown 0003 --yes")]
pub(crate) struct Options {
    /// The id of the framework, the end of it, or its name
    framework: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Ends a framework.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let (framework, state) = super::find(&operator, &options.framework).await?;
    let info = &framework.framework_info;
    let id = framework_id(info);
    if state == "completed" {
        bail!("framework {id} has ended already");
    }
    if !options.yes {
        let tasks = of_framework(&operator, id).await?.len();
        let tasks = view::count(tasks, "task");
        confirm(&format!("Framework {id} ({}) will be ended, with {tasks}.", info.name), false)?;
    }
    operator.teardown(id.into()).await?;
    tell(format_args!("framework {id} ({}) has been torn down", info.name));
    Ok(())
}

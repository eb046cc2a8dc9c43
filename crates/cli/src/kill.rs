//! `meseta kill`.

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use proto::v1::Task;
use sdk::Operator;

use crate::cluster::{Connection, is_terminal, state_name};
use crate::failure::tell;
use crate::flags;
use crate::lookup::{find_task, state_now};

/// Where operators ask a master to kill a task. Mesos has no such endpoint: there, only a task's framework may.
const PATH: &str = "/tasks/kill";
/// How often is looked whether the task has ended.
const TICK: Duration = Duration::from_millis(100);

/// Arguments of `meseta kill`.
#[derive(Args)]
#[command(after_help = "The task gets SIGTERM, and SIGKILL when it has not ended after its grace period.

Example:\n  meseta kill web-1")]
pub(crate) struct Options {
    /// The id of the task, or as much of it as is needed
    task: String,
    /// Do not wait until it has ended
    #[arg(long)]
    no_wait: bool,
    /// How long to wait
    #[arg(long, default_value = "60s", value_name = "DURATION")]
    timeout: flags::Duration,
    #[command(flatten)]
    connection: Connection,
}

/// Kills a task and waits for its end.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let task = find_task(&operator, &options.task).await?;
    let id = &task.task_id.value;
    if is_terminal(task.state()) {
        bail!("{id} has ended already: it is {}", state_name(task.state()));
    }
    operator.post_form(PATH, &[("frameworkId", &task.framework_id.value), ("taskId", id)]).await?;
    if options.no_wait {
        tell(format_args!("{id} is being killed"));
        return Ok(());
    }
    match tokio::time::timeout(options.timeout.0, end_of(&operator, &task)).await {
        Ok(state) => {
            tell(format_args!("{id} is {}", state?));
            Ok(())
        }
        Err(_) => bail!("{id} has not ended after {} s; it may need more time", options.timeout.0.as_secs()),
    }
}

/// Waits until a task has ended; its state.
async fn end_of(operator: &Operator, task: &Task) -> Result<&'static str> {
    loop {
        match state_now(operator, task).await? {
            None => return Ok("gone"),
            Some(state) if is_terminal(state) => return Ok(state_name(state)),
            Some(_) => tokio::time::sleep(TICK).await,
        }
    }
}

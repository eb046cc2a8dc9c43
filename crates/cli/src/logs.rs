//! `meseta logs`.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use proto::v1::Task;
use sdk::Operator;
use sdk::operator::sandbox_path;
use tokio::sync::watch;

use crate::cluster::{Connection, agent_address, is_terminal};
use crate::lookup::{find_task, state_now};
use crate::tail::Tail;

/// How often is looked whether a followed task has ended.
const ENDED_TICK: Duration = Duration::from_millis(500);

/// Arguments of `meseta logs`.
#[derive(Args)]
#[command(after_help = "Examples:\n  meseta logs web-1\n  meseta logs -f web --stderr")]
pub(crate) struct Options {
    /// The id of the task, or as much of it as is needed
    task: String,
    /// Go on until the task ends
    #[arg(short, long)]
    follow: bool,
    /// What it wrote to standard error instead of standard output
    #[arg(long, conflicts_with = "file")]
    stderr: bool,
    /// Another file of its sandbox
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
    /// Only the last so many bytes
    #[arg(long, value_name = "BYTES")]
    tail: Option<u64>,
    #[command(flatten)]
    connection: Connection,
}

/// Shows a file of a task's sandbox.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let task = find_task(&operator, &options.task).await?;
    let address = agent_address(&operator, &task.agent_id)
        .await
        .with_context(|| format!("the output of {} cannot be read", task.task_id.value))?;
    let stream = if options.stderr { "stderr" } else { "stdout" };
    let file = options.file.as_deref().unwrap_or(stream);
    let mut tail = Tail::new(Operator::agent(address), path(&task, file));
    if let Some(count) = options.tail {
        tail.skip_to_last(count).await?;
    }
    let mut out = std::io::stdout().lock();
    let mut sink = |data: &[u8]| -> Result<()> {
        use std::io::Write;
        out.write_all(data)?;
        Ok(out.flush()?)
    };
    if options.follow && !is_terminal(task.state()) {
        let (ended, seen) = watch::channel(false);
        tokio::select! {
            read = tail.follow(seen, sink) => return read,
            watched = watch_end(&operator, &task, &ended) => watched?,
        }
        return Ok(());
    }
    loop {
        let data = tail.read().await?;
        if data.is_empty() {
            return Ok(());
        }
        sink(&data)?;
    }
}

/// The path of a file in the sandbox of a task. A task of a group has a sandbox of its own below that of the executor.
pub(crate) fn path(task: &Task, file: &str) -> String {
    let executor =
        task.executor_id.as_ref().map(|executor| executor.value.as_str()).filter(|id| !id.is_empty());
    let mut containers =
        task.statuses.iter().filter_map(|status| status.container_status.as_ref()?.container_id.as_ref());
    let nested = containers.rfind(|container| container.parent.is_some());
    let file = match nested {
        Some(container) => format!("containers/{}/{file}", container.value),
        None => file.to_owned(),
    };
    sandbox_path(&task.framework_id.value, executor.unwrap_or(&task.task_id.value), &file)
}

/// Sets `ended` when the task is over; returns only when the master cannot be asked any more.
async fn watch_end(operator: &Operator, task: &Task, ended: &watch::Sender<bool>) -> Result<()> {
    loop {
        tokio::time::sleep(ENDED_TICK).await;
        if state_now(operator, task).await?.is_none_or(is_terminal) {
            ended.send_replace(true);
            std::future::pending::<()>().await;
        }
    }
}

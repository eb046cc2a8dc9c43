//! An executor: an agent starts it for a framework, and it runs the framework's tasks inside its own process.
//!
//! Each task's data is a number as text. The executor sends the framework the number's square as a message, and reports
//! the task finished; what is no number makes the task fail. A task can be killed while it works.
//!
//! A framework starts it with a [`TaskInfo`](sdk::proto::v1::TaskInfo) whose `executor.command` is this program; see
//! [`sdk::build::executor`]. Started by hand it only says that it has no agent.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::Duration;

use sdk::Executor;
use sdk::executor::{Event, Updates};
use sdk::proto::v1::{TaskId, TaskInfo, TaskState};
use tokio::task::AbortHandle;

/// How long the agent may take to acknowledge the last updates.
const GOODBYE: Duration = Duration::from_secs(5);

/// The tasks at work, by id.
#[derive(Default)]
struct Squares {
    running: HashMap<String, AbortHandle>,
}

impl Squares {
    /// Starts a task beside the others.
    fn launch(&mut self, task: TaskInfo, updates: Updates) {
        self.running.retain(|_, handle| !handle.is_finished());
        let id = task.task_id.value.clone();
        updates.update(&task.task_id, TaskState::TaskRunning, None);
        let work = tokio::spawn(async move {
            match square(&task).await {
                Ok(square) => {
                    updates.message(format!("{} {square}", task.task_id.value));
                    updates.update(&task.task_id, TaskState::TaskFinished, None);
                }
                Err(reason) => updates.update(&task.task_id, TaskState::TaskFailed, Some(&reason)),
            }
        });
        self.running.insert(id, work.abort_handle());
    }

    /// Ends a task, unless it has ended by itself.
    fn kill(&mut self, task_id: &TaskId, updates: &Updates) {
        if let Some(handle) = self.running.remove(&task_id.value)
            && !handle.is_finished()
        {
            handle.abort();
            updates.update(task_id, TaskState::TaskKilled, Some("killed as asked"));
        }
    }

    /// Ends all tasks.
    fn kill_all(&mut self, updates: &Updates) {
        let ids: Vec<_> = self.running.keys().cloned().collect();
        for id in ids {
            self.kill(&id.into(), updates);
        }
    }
}

/// The work of a task. Larger numbers take longer: a millisecond each.
async fn square(task: &TaskInfo) -> Result<u64, String> {
    let text = String::from_utf8_lossy(task.data.as_deref().unwrap_or_default()).into_owned();
    let number: u64 = text.trim().parse().map_err(|_| format!("`{text}` is no number"))?;
    tokio::time::sleep(Duration::from_millis(number)).await;
    number.checked_mul(number).ok_or_else(|| format!("{number} is too large to be squared"))
}

async fn run(mut executor: Executor) -> Result<(), String> {
    let updates = executor.updates();
    let mut squares = Squares::default();
    let mut outcome = Ok(());
    while let Some(event) = executor.next_event().await {
        match event {
            Event::Subscribed(subscribed) => {
                // Goes to the `stderr` of the sandbox.
                eprintln!("subscribed at {}", subscribed.agent_info.hostname);
            }
            Event::Launch(task) => squares.launch(task, executor.updates()),
            Event::LaunchGroup(group) => {
                for task in group.tasks {
                    squares.launch(task, executor.updates());
                }
            }
            Event::Kill { task_id, .. } => squares.kill(&task_id, &updates),
            Event::Message(data) => eprintln!("the framework says: {}", String::from_utf8_lossy(&data)),
            // The tasks go on; their updates wait for the agent.
            Event::Disconnected { reason } => eprintln!("looking for the agent: {reason}"),
            Event::Shutdown => squares.kill_all(&updates),
            Event::Error(message) => outcome = Err(message),
        }
    }
    // The last event has come. The agent may be gone, so that this need not succeed.
    executor.finish(GOODBYE).await;
    outcome
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let executor = match Executor::from_env() {
        Ok(executor) => executor,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    match run(executor).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

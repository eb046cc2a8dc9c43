//! An executor of a framework's own: this test binary, started by the agent as a container. It leaves a mark for each
//! task that it is given, and ends when all have ended and the agent knows.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::v1::{Environment, ExecutorInfo, TaskState, environment::Variable};
use sdk::Executor;
use sdk::executor::Event;

/// How long a task takes.
const WORK: Duration = Duration::from_millis(30);

/// How it is started.
pub fn command() -> String {
    let program = std::env::current_exe().expect("this test");
    format!("exec {} --ignored --exact scene::executor::process --nocapture", program.display())
}

/// Tells it where marks go, and to come back quickly to an agent that was away.
pub fn set_up(executor: &mut ExecutorInfo, marks: &Path) {
    let variable = |name: &str, value: String| Variable {
        name: name.to_owned(),
        value: Some(value),
        ..Variable::default()
    };
    let command = executor.command.as_mut().expect("it has one");
    command.environment = Some(Environment {
        variables: vec![
            variable("TEST_MARKS", marks.display().to_string()),
            variable("MESOS_SUBSCRIPTION_BACKOFF_MAX", "50ms".to_owned()),
        ],
    });
}

/// The body of its process.
#[test]
#[ignore = "it is a process of other tests"]
fn process() {
    let marks = PathBuf::from(std::env::var("TEST_MARKS").expect("started by a test"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut executor = Executor::from_env().expect("an agent has started us");
        while let Some(event) = executor.next_event().await {
            match event {
                Event::Launch(task) => {
                    let path = marks.join(&task.task_id.value);
                    let mut mark =
                        std::fs::File::options().append(true).create(true).open(path).expect("ours");
                    mark.write_all(b"x\n").expect("ours");
                    executor.update(&task.task_id, TaskState::TaskRunning, None);
                    tokio::time::sleep(WORK).await;
                    executor.update(&task.task_id, TaskState::TaskFinished, None);
                    break;
                }
                Event::Shutdown => return,
                _ => {}
            }
        }
        assert!(executor.finish(Duration::from_secs(600)).await, "the agent takes every update");
    });
}

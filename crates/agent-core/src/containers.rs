//! Events of containers, to whom they belong.

use base::{ContainerId, FrameworkId};
use tracing::debug;

use crate::core::{AgentCore, Step};
use crate::input::{ContainerEvent, Limitation};
use crate::{Output, TaskState, builtin, executors};

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Without a sandbox: its tasks have not reached an executor, and are in this state, for this reason.
    NoSandbox(TaskState, String),
    /// Without having run, and why.
    LaunchFailed(String),
    /// After having run, or having been destroyed before.
    Exited { status: Option<i32>, limitation: Option<Limitation> },
}

/// Something happened to a container. Of one that nobody owns any more, nothing is of interest.
pub(crate) fn event(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    container: &ContainerId,
    event: ContainerEvent,
) {
    let Some(owner) = core.containers.get(container).cloned() else {
        debug!(%container, ?event, "ignoring an event of a container that is not ours any more");
        return;
    };
    let end = match event {
        ContainerEvent::Launched { pid } => {
            return match &owner.task_id {
                Some(task) => builtin::launched(core, step, &owner, task, pid),
                None => executors::launched(core, step, &owner, pid),
            };
        }
        ContainerEvent::NoSandbox { message } => End::NoSandbox(dropped(core, &owner.framework_id), message),
        ContainerEvent::LaunchFailed { message } => End::LaunchFailed(message),
        ContainerEvent::Exited { status, limitation } => End::Exited { status, limitation },
    };
    core.containers.remove(container);
    match &owner.task_id {
        Some(task) => builtin::ended(core, step, &owner, task, end),
        None => executors::ended(core, step, &owner, &end),
    }
    step.out.push(Output::ForgetContainer(container.clone()));
}

/// What a task is that was never given to an executor, as its framework understands it.
fn dropped(core: &AgentCore, framework: &FrameworkId) -> TaskState {
    let aware = core.frameworks.get(framework).is_some_and(|framework| framework.info.partition_aware);
    if aware { TaskState::Dropped } else { TaskState::Lost }
}

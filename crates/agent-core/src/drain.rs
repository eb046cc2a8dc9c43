//! Draining: every task ends, and no new one is taken, so that the machine can be maintained.

use std::time::Duration;

use base::{FrameworkId, TaskId};
use tracing::info;

use crate::checkpoint::{DrainRecord, Write};
use crate::core::{AgentCore, Step};
use crate::types::{Drain, Reason, TaskState, TaskStatus};
use crate::{Output, kill};

/// Kills everything.
pub(crate) fn drain(core: &mut AgentCore, step: &mut Step<'_>, max_grace: Option<Duration>, mark_gone: bool) {
    info!(?max_grace, mark_gone, "draining");
    core.drain = Some(Drain { max_grace, mark_gone, since: step.now });
    step.out.push(Output::checkpoint(Write::Drain(Some(DrainRecord { max_grace, mark_gone }))));
    let tasks: Vec<(FrameworkId, TaskId)> = core
        .frameworks
        .iter()
        .flat_map(|(id, framework)| framework.tasks.keys().map(move |task| (id.clone(), task.clone())))
        .collect();
    for (framework, task) in tasks {
        if still_known(core, &framework, &task) {
            let grace = max_grace
                .map(|longest| own_grace(core, &framework, &task).map_or(longest, |own| own.min(longest)));
            kill::kill_task(core, step, &framework, &task, grace);
        }
    }
    finish(core, step);
}

fn own_grace(core: &mut AgentCore, framework: &FrameworkId, task: &TaskId) -> Option<Duration> {
    core.frameworks.get_mut(framework)?.entry(task)?.task.info.kill_grace
}

/// Killing one task of a group may have ended the others.
fn still_known(core: &AgentCore, framework: &FrameworkId, task: &TaskId) -> bool {
    core.frameworks.get(framework).is_some_and(|framework| framework.tasks.contains_key(task))
}

/// A kill that the drain caused says so.
pub(crate) fn mark(drain: &Drain, partition_aware: bool, status: &mut TaskStatus) {
    if matches!(status.state, TaskState::Killing | TaskState::Killed) {
        status.reason = Some(Reason::AgentDraining);
        // Only the end becomes another end: Mesos would turn TASK_KILLING into one too, and lose the true end.
        if drain.mark_gone && partition_aware && status.state == TaskState::Killed {
            status.state = TaskState::GoneByOperator;
        }
    }
}

/// The drain is over when nothing is left; the master keeps the agent without offers.
pub(crate) fn finish(core: &mut AgentCore, step: &mut Step<'_>) {
    if core.frameworks.is_empty() && core.operations.is_empty() && core.drain.take().is_some() {
        step.out.push(Output::checkpoint(Write::Drain(None)));
        info!("drained");
    }
}

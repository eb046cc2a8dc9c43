//! Statuses that the agent and its built-in executors make, and the path of every status into the task's history.

use std::sync::Arc;

use base::{ExecutorId, FrameworkId, Payload, TaskId};
use resources::Resources;
use tracing::{debug, info};

use crate::core::{AgentCore, Step};
use crate::state::TaskEntry;
use crate::types::{Reason, StatusSource, TaskState, TaskStatus};
use crate::{allowance, drain, updates};

/// A status as of now, with an id of its own and nothing optional in it.
pub(crate) fn new(
    core: &mut AgentCore,
    step: &Step<'_>,
    task_id: TaskId,
    executor_id: Option<ExecutorId>,
    state: TaskState,
    source: StatusSource,
) -> TaskStatus {
    TaskStatus {
        task_id,
        state,
        message: None,
        source,
        reason: None,
        agent_id: core.agent_id(),
        executor_id,
        timestamp: step.now,
        uuid: core.rng.uuid(),
        container_status: None,
        healthy: None,
        check_status: None,
        limitation: Resources::default(),
        body: Payload::default(),
    }
}

/// How a task ended, in the agent's own words.
pub(crate) struct Ending<'a> {
    pub(crate) state: TaskState,
    pub(crate) reason: Reason,
    pub(crate) message: &'a str,
    /// What it went beyond, if that is why.
    pub(crate) limitation: Option<&'a Resources>,
}

/// The agent says, in its own name, that a task has ended.
pub(crate) fn report_by_agent(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    task_id: &TaskId,
    executor_id: &ExecutorId,
    end: Ending<'_>,
) {
    let executor_id = Some(executor_id.clone());
    let mut status = new(core, step, task_id.clone(), executor_id, end.state, StatusSource::Agent);
    status.reason = Some(end.reason);
    status.message = Some(end.message.into());
    status.limitation = end.limitation.cloned().unwrap_or_default();
    report(core, step, framework_id, status);
}

/// Takes a status into the task's history and on its way to the master.
///
/// What comes after a task's end is dropped. A framework that is being shut down keeps its history and hears nothing.
pub(crate) fn report(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    mut status: TaskStatus,
) {
    let Some(framework) = core.frameworks.get_mut(framework_id) else {
        info!(framework = %framework_id, task = %status.task_id, "ignoring a status of an unknown framework");
        return;
    };
    if let Some(drain) = &core.drain {
        drain::mark(drain, framework.info.partition_aware, &mut status);
    }
    let terminating = framework.terminating;
    let status = Arc::new(status);
    if let Some(entry) = framework.entry(&status.task_id)
        && !record(entry, &status)
    {
        info!(task = %status.task_id, state = ?status.state, "ignoring a status of a task that has ended");
        return;
    }
    debug!(framework = %framework_id, task = %status.task_id, state = ?status.state, "status");
    let ended = status.executor_id.clone().filter(|_| status.state.is_terminal());
    if let Some(executor_id) = ended {
        allowance::adjust(core, step, framework_id, &executor_id);
    }
    if terminating {
        core.counts.invalid_status_updates += 1;
    } else {
        updates::add(core, step, framework_id, status);
    }
}

/// Whether the status belongs into the history, which then has it.
fn record(entry: &mut TaskEntry, status: &Arc<TaskStatus>) -> bool {
    if entry.task.state.is_terminal() {
        return false;
    }
    let task = Arc::make_mut(&mut entry.task);
    task.state = status.state;
    if task.statuses.last().is_some_and(|last| last.state == status.state) {
        task.statuses.pop();
    }
    task.statuses.push(status.clone());
    true
}

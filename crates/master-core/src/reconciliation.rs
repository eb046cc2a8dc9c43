//! RECONCILE: how tasks stand, as far as the master knows.

use std::sync::Arc;

use base::{AgentId, FrameworkId, TaskId, Time};

use crate::core::{MasterCore, send};
use crate::output::{Output, SchedulerEvent};
use crate::registry::held;
use crate::tasks::master_status;
use crate::types::{Framework, Reason, Source, Task, TaskState, TaskStatus};

pub(crate) fn reconcile(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    tasks: Vec<(TaskId, Option<AgentId>)>,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_reconcile_tasks += 1;
    let Some(framework) = core.frameworks.get(id) else { return };
    if tasks.is_empty() {
        for task in framework.tasks.values() {
            send(framework, SchedulerEvent::Update(Arc::new(latest(core, framework, task, now))), out);
        }
    }
    for (task_id, agent_id) in tasks {
        let status = match framework.tasks.get(&task_id) {
            Some(task) => Some(latest(core, framework, task, now)),
            None => unknown(core, framework, now, task_id, agent_id),
        };
        if let Some(status) = status {
            send(framework, SchedulerEvent::Update(Arc::new(status)), out);
        }
    }
}

/// What the scheduler has been told last, or would have been.
fn latest(core: &MasterCore, framework: &Framework, task: &Task, now: Time) -> TaskStatus {
    let held = held(core, &task.agent_id).filter(|_| framework.info.capabilities.partition_aware);
    if let Some(since) = held.filter(|_| !task.state.is_terminal()) {
        let message = "Reconciliation: Task is unreachable".to_owned();
        let mut status = master_status(task, now, TaskState::Unreachable, message, Reason::RECONCILIATION);
        status.unreachable_time = Some(since);
        return status;
    }
    let state = task.status_update_state.unwrap_or(task.state);
    let message = "Reconciliation: Latest task state".to_owned();
    let mut status = master_status(task, now, state, message, Reason::RECONCILIATION);
    status.repeats = task.statuses.last().cloned();
    status
}

/// The master does not know the task; what it knows of the agent still says something. Nothing is said while the task may
/// be on an agent that this master waits for: the scheduler has to ask again.
fn unknown(
    core: &MasterCore,
    framework: &Framework,
    now: Time,
    task_id: TaskId,
    agent_id: Option<AgentId>,
) -> Option<TaskStatus> {
    let agent = agent_id.as_ref();
    let partition_aware = framework.info.capabilities.partition_aware;
    let held = agent.filter(|_| partition_aware).and_then(|id| held(core, id));
    let awaited = match agent {
        Some(id) => core.agents.recovered.contains_key(id),
        None => !core.agents.recovered.is_empty(),
    };
    if awaited && held.is_none() {
        return None;
    }
    let unreachable_time = agent.and_then(|id| core.agents.unreachable.get(id)).copied().or(held);
    let (state, message) = if agent.is_some_and(|id| core.agents.registered.contains_key(id)) {
        (TaskState::Gone, "Reconciliation: Task is unknown to the agent")
    } else if unreachable_time.is_some() {
        (TaskState::Unreachable, "Reconciliation: Task is unreachable")
    } else if agent.is_some_and(|id| core.agents.gone.contains_key(id)) {
        (TaskState::GoneByOperator, "Reconciliation: Task is gone")
    } else {
        (TaskState::Unknown, "Reconciliation: Task is unknown")
    };
    Some(TaskStatus {
        task_id,
        agent_id,
        executor_id: None,
        state: if partition_aware { state } else { TaskState::Lost },
        source: Some(Source::Master),
        reason: Some(Reason::RECONCILIATION),
        message: Some(message.to_owned()),
        uuid: None,
        timestamp: now,
        healthy: None,
        unreachable_time,
        body: None,
        repeats: None,
    })
}

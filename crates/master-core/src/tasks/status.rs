//! Statuses of tasks: passed on to the scheduler, and remembered.

use std::sync::Arc;

use base::{AgentId, FrameworkId, TaskId, Time};

use super::acknowledge::pass_on;
use super::books::{holds_resources, subtract_used};
use crate::core::{MasterCore, send};
use crate::output::{Observation, Output, SchedulerEvent};
use crate::types::{Reason, Source, StatusUpdate, Task, TaskState, TaskStatus};

/// How many statuses of a task are kept. A task passes through a handful of states; only one that goes to and fro for
/// ever comes to this.
const MAX_STATUSES: usize = 32;

/// A status of a known task that the master makes.
pub(crate) fn master_status(
    task: &Task,
    now: Time,
    state: TaskState,
    message: String,
    reason: Reason,
) -> TaskStatus {
    TaskStatus {
        task_id: task.task_id.clone(),
        agent_id: Some(task.agent_id.clone()),
        executor_id: task.executor_id.clone(),
        state,
        source: Some(Source::Master),
        reason: Some(reason),
        message: Some(message),
        uuid: None,
        timestamp: now,
        healthy: None,
        unreachable_time: None,
        body: None,
        repeats: None,
    }
}

/// `StatusUpdateMessage`: goes to the scheduler as it is, doubled ones too, for the scheduler acknowledges each; unless it has
/// done so, and the agent came back without knowing.
pub(crate) fn status_update(core: &mut MasterCore, now: Time, update: StatusUpdate, out: &mut Vec<Output>) {
    core.metrics.messages_status_update += 1;
    let StatusUpdate { framework_id, status, latest_state } = update;
    let Some(agent_id) = status.agent_id.clone().filter(|id| core.agents.get(id).is_some()) else {
        core.metrics.invalid_status_updates += 1;
        core.drop("StatusUpdateMessage", &framework_id, "its agent is not registered", out);
        return;
    };
    let Some(framework) = core.frameworks.get(&framework_id) else {
        core.metrics.invalid_status_updates += 1;
        core.drop("StatusUpdateMessage", &framework_id, "the framework is unknown", out);
        return;
    };
    let acknowledged =
        status.uuid.filter(|uuid| core.agents.has_acknowledged(&agent_id, &framework_id, *uuid));
    let delivered = acknowledged.is_some() || framework.connected();
    if delivered && acknowledged.is_none() {
        send(framework, SchedulerEvent::Update(Arc::clone(&status)), out);
    }
    note(core, &framework_id, &agent_id, &status, (latest_state, delivered), out);
    if let Some(uuid) = acknowledged {
        pass_on(core, now, &framework_id, agent_id, status.task_id.clone(), uuid, out);
    }
}

/// Takes note of what an agent has sent, and counts it.
fn note(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    agent_id: &AgentId,
    status: &Arc<TaskStatus>,
    (latest_state, delivered): (Option<TaskState>, bool),
    out: &mut Vec<Output>,
) {
    let tasks = core.frameworks.get_mut(framework_id).map(|framework| &mut framework.tasks);
    let task = tasks.and_then(|tasks| tasks.get_mut(&status.task_id));
    let Some(task) = task.filter(|task| task.agent_id == *agent_id) else {
        core.metrics.invalid_status_updates += 1;
        return;
    };
    if delivered && status.uuid.is_some() {
        let task = Arc::make_mut(task);
        task.status_update_state = Some(status.state);
        task.status_update_uuid = status.uuid;
    }
    // One that an agent cannot know of goes to the scheduler, because what follows it waits for its acknowledgement; but
    // its task goes on to hold what it uses.
    let believed = status.state.is_for_agents();
    if believed {
        let latest_state = latest_state.filter(|state| state.is_for_agents());
        update_task(core, framework_id, &status.task_id, status, latest_state, out);
    }
    if delivered && believed {
        core.metrics.valid_status_updates += 1;
    } else {
        core.metrics.invalid_status_updates += 1;
    }
}

/// Takes note of a task's status. A task that ends, or becomes unreachable, gives its resources back.
pub(crate) fn update_task(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    task_id: &TaskId,
    status: &Arc<TaskStatus>,
    latest_state: Option<TaskState>,
    out: &mut Vec<Output>,
) {
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    let Some(task) = framework.tasks.get_mut(task_id).map(Arc::make_mut) else { return };
    let state = latest_state.unwrap_or(status.state);
    let released = holds_resources(task.state) && !holds_resources(state);
    // What was given back is not taken again: it may be another's by now.
    if holds_resources(task.state) || (state.is_terminal() && !task.state.is_terminal()) {
        task.state = state;
    }
    let repeated = task.statuses.last().is_some_and(|last| last.state == status.state);
    if repeated {
        task.statuses.pop();
    }
    if task.statuses.len() >= MAX_STATUSES {
        task.statuses.remove(0);
    }
    task.statuses.push(Arc::clone(status));
    let newest = task.state;
    if released {
        if let Some(agent) = core.agents.get_mut(&task.agent_id) {
            subtract_used(agent, framework_id, &task.resources);
        }
        core.allocation.recover(framework_id, &task.agent_id, &task.resources);
        core.metrics.task_ended(status.state, status.source, status.reason);
        core.frameworks.count(framework_id, |counts| counts.task_is(newest));
    }
    if !repeated || status.reason.is_some_and(Reason::is_check) {
        core.observe(out, || Observation::TaskUpdated {
            framework_id: framework_id.clone(),
            state: newest,
            status: Arc::clone(status),
        });
    }
}

/// An unreachable task has ended, for a framework that knows the finer states: in that state, for that reason, and in words.
/// For others it is lost.
pub(crate) fn unreachable_task_ends(
    core: &mut MasterCore,
    now: Time,
    framework_id: &FrameworkId,
    task_id: &TaskId,
    (state, reason, message): (TaskState, Reason, &str),
    out: &mut Vec<Output>,
) {
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    let Some(mut task) = framework.unreachable_tasks.remove(task_id) else { return };
    framework.unreachable_order.retain(|kept| kept != task_id);
    let (state, reason) = match reason {
        _ if framework.info.capabilities.partition_aware => (state, reason),
        Reason::AGENT_REMOVED_BY_OPERATOR => (TaskState::Lost, Reason::AGENT_REMOVED),
        _ => (TaskState::Lost, reason),
    };
    let status = Arc::new(master_status(&task, now, state, message.to_owned(), reason));
    let ended = Arc::make_mut(&mut task);
    ended.state = state;
    ended.statuses.push(Arc::clone(&status));
    framework.completed_tasks.push(task);
    send(framework, SchedulerEvent::Update(Arc::clone(&status)), out);
    core.frameworks.count(framework_id, |counts| counts.task_is(state));
    core.observe(out, || Observation::TaskUpdated { framework_id: framework_id.clone(), state, status });
}

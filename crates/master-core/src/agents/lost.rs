//! Agents that go: their connection breaks, they do not answer, they leave, or an operator declares them gone.

use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, TaskId, Time};

use crate::core::{Answered, MasterCore, send, send_agent};
use crate::input::Timer;
use crate::output::{Observation, Output, SchedulerEvent, ToAgent};
use crate::registry::{self, Effect, Leaving, Why};
use crate::types::{
    AgentRecord, OperationState, OperatorError, Pid, Reason, RegistryOperation, RequestId, TaskState,
    TaskStatus,
};
use crate::{maintenance, offers, operations, tasks};

/// Why the tasks of an agent that goes are lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Loss {
    /// The agent does not answer; it may come back.
    Unreachable,
    /// An operator declared it gone.
    Gone,
    /// It left, or another came to its address.
    Removed,
}

impl Loss {
    /// What the schedulers of the agent's operations are told.
    fn of_operations(self) -> Option<(OperationState, &'static str)> {
        match self {
            Self::Unreachable => Some((OperationState::Unreachable, "Agent was marked unreachable")),
            Self::Gone => Some((OperationState::GoneByOperator, "Agent has been marked gone")),
            Self::Removed => None,
        }
    }
}

/// The connection to an agent broke. Tasks of frameworks with checkpoints may still run; others die with the agent.
pub(crate) fn disconnected(core: &mut MasterCore, now: Time, pid: &Pid, out: &mut Vec<Output>) {
    let Some(id) = core.agents.by_pid.get(pid).cloned() else { return };
    let Some(agent) = core.agents.get_mut(&id) else { return };
    if !agent.connected {
        return;
    }
    agent.connected = false;
    agent.state_time = now;
    offers::deactivate_agent(core, &id, out);

    let Some(agent) = core.agents.get(&id) else { return };
    let frameworks: Vec<FrameworkId> = agent
        .tasks
        .keys()
        .chain(agent.executors.keys())
        .filter(|framework| core.frameworks.get(framework).is_some_and(|f| !f.info.checkpoint))
        .cloned()
        .collect();
    for framework in frameworks {
        remove_framework(core, now, &id, &framework, out);
    }
    let generation = core.agents.next_generation();
    core.agents.reregistration.insert(id.clone(), generation);
    let at = now + core.options.agent_reregister_timeout;
    out.push(Output::SetTimer { at, timer: Timer::Reregister(id, generation) });
}

fn remove_framework(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    framework_id: &FrameworkId,
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get(id) else { return };
    let message = format!("Agent {} disconnected", agent.info.hostname);
    for task_id in agent.tasks.get(framework_id).into_iter().flatten().cloned().collect::<Vec<_>>() {
        let loss = TaskLoss {
            state: TaskState::Lost,
            reason: Reason::AGENT_DISCONNECTED,
            message: &message,
            unreachable_since: None,
            keep: false,
        };
        lose_task(core, now, framework_id, &task_id, &loss, out);
    }
    remove_executors(core, id, framework_id);
}

pub(crate) fn reregistration_due(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    generation: u64,
    out: &mut Vec<Output>,
) {
    if core.agents.reregistration.get(id) != Some(&generation) {
        return;
    }
    registry::unreachable_due(core, now, id, Why::Disconnected, out);
}

/// The registry holds that the agent does not answer. It may come back with its tasks.
pub(crate) fn marked_unreachable(
    core: &mut MasterCore,
    id: &AgentId,
    since: Time,
    message: &str,
    out: &mut Vec<Output>,
) {
    core.registry.leaving.remove(id);
    core.metrics.agent_removals_unhealthy += 1;
    core.agents.unreachable.insert(id.clone(), since);
    if core.agents.recovered.remove(id).is_some() {
        core.metrics.agent_removals += 1;
        core.metrics.recovery_agent_removals += 1;
        tell_lost(core, id, out);
    } else {
        take_out(core, since, id, message, Loss::Unreachable, out);
    }
}

/// Declares an agent gone for ever, on an operator's word. Its tasks are gone with it.
pub(crate) fn mark_gone(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    request: Option<RequestId>,
    out: &mut Vec<Output>,
) -> Result<Answered, OperatorError> {
    if core.agents.gone.contains_key(id) {
        return Ok(Answered::Now);
    }
    if let Some(leaving) = core.registry.leaving.get(id) {
        let what = match leaving {
            Leaving::Gone => "is already being transitioned to gone",
            Leaving::Removed => "is being transitioned to removed",
            Leaving::Unreachable => "is being transitioned to unreachable",
        };
        return Err(OperatorError::Unavailable(format!("Agent '{id}' {what}")));
    }
    if !core.agents.is_known(id) {
        return Err(OperatorError::NotFound(format!("Agent '{id}' not found")));
    }
    core.registry.leaving.insert(id.clone(), Leaving::Gone);
    let hostname = core.registry.agent(id).map(AgentRecord::hostname).unwrap_or_default();
    let record = AgentRecord::Gone { since: now, hostname };
    let operations = vec![RegistryOperation::Agent(id.clone(), Some(record))];
    registry::write(core, operations, Effect::Gone { id: id.clone(), since: now, request }, out);
    Ok(Answered::Later)
}

/// The registry holds that the agent is gone.
pub(crate) fn marked_gone(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    since: Time,
    out: &mut Vec<Output>,
) {
    const MESSAGE: &str = "Agent has been marked gone";
    core.registry.leaving.remove(id);
    core.agents.gone.insert(id.clone(), since);
    core.agents.recovered.remove(id);
    if let Some(agent) = core.agents.get(id) {
        send_agent(agent, ToAgent::Shutdown(MESSAGE.to_owned()), out);
        take_out(core, now, id, MESSAGE, Loss::Gone, out);
    }
    core.agents.draining.remove(id);
    core.agents.deactivated.remove(id);
    core.agents.unreachable.remove(id);
    core.agents.acknowledged.remove(id);
    let Some(lost) = core.agents.unreachable_tasks.remove(id) else { return };
    for (framework_id, task_ids) in lost {
        for task_id in task_ids {
            let end = (TaskState::GoneByOperator, Reason::AGENT_REMOVED_BY_OPERATOR, MESSAGE);
            tasks::unreachable_task_ends(core, now, &framework_id, &task_id, end, out);
        }
    }
}

pub(crate) fn unregister(core: &mut MasterCore, from: &Pid, id: &AgentId, out: &mut Vec<Output>) {
    core.metrics.messages_unregister_agent += 1;
    if core.agents.get(id).is_none_or(|agent| agent.pid != *from) {
        core.drop("UnregisterSlaveMessage", from, format!("it is not the agent {id}"), out);
        return;
    }
    match core.registry.leaving.get(id) {
        Some(leaving) => core.drop("UnregisterSlaveMessage", from, leaving.as_str(), out),
        None => {
            let operations = displace(core, id).into_iter().collect();
            registry::write(core, operations, Effect::Remove(id.clone()), out);
        }
    }
}

/// The registry has forgotten an agent that left.
pub(crate) fn unregistered(core: &mut MasterCore, now: Time, id: &AgentId, out: &mut Vec<Output>) {
    // Another may have come to its address meanwhile.
    if core.registry.leaving.get(id) == Some(&Leaving::Removed) {
        core.metrics.agent_removals_unregistered += 1;
        remove(core, now, id, "the agent unregistered", out);
    }
}

/// The registry has forgotten an agent whose machine is down.
pub(crate) fn machine_down(core: &mut MasterCore, now: Time, id: &AgentId, out: &mut Vec<Output>) {
    if core.registry.leaving.get(id) == Some(&Leaving::Removed) {
        remove(core, now, id, maintenance::DOWN, out);
    }
}

/// An agent is to be removed, and will not come back under its id: what is to be written for that, if it is not being
/// taken out anyway.
pub(crate) fn displace(core: &mut MasterCore, id: &AgentId) -> Option<RegistryOperation> {
    if core.registry.leaving.contains_key(id) {
        return None;
    }
    core.registry.leaving.insert(id.clone(), Leaving::Removed);
    Some(RegistryOperation::Agent(id.clone(), None))
}

/// Whether whoever is at an address, beside the agent `id`, is still in the registry or about to be marked there; then the
/// agent `id` waits for what is to be written.
pub(super) fn must_go_first(
    core: &mut MasterCore,
    pid: &Pid,
    id: &AgentId,
) -> Option<Vec<RegistryOperation>> {
    let other = core.agents.by_pid.get(pid).filter(|other| *other != id)?.clone();
    match core.registry.leaving.get(&other) {
        Some(Leaving::Removed) => None,
        Some(Leaving::Gone | Leaving::Unreachable) => Some(Vec::new()),
        None => Some(displace(core, &other).into_iter().collect()),
    }
}

/// Whoever was at an agent's address before is not there any more.
pub(super) fn clear_address(
    core: &mut MasterCore,
    now: Time,
    pid: &Pid,
    id: &AgentId,
    out: &mut Vec<Output>,
) {
    let Some(other) = core.agents.by_pid.get(pid).filter(|other| *other != id).cloned() else { return };
    core.metrics.agent_removals_registered += 1;
    remove(core, now, &other, "a new agent registered at the same address", out);
}

/// Removes an agent that will not come back under its id, and that the registry has forgotten.
fn remove(core: &mut MasterCore, now: Time, id: &AgentId, cause: &str, out: &mut Vec<Output>) {
    core.registry.leaving.remove(id);
    let Some(agent) = core.agents.get(id) else { return };
    let message = format!("Agent {} removed: {cause}", agent.info.hostname);
    take_out(core, now, id, &message, Loss::Removed, out);
    core.agents.draining.remove(id);
    core.agents.deactivated.remove(id);
}

/// Takes an agent out of the cluster: its tasks are lost, its offers are withdrawn, every scheduler hears of it.
fn take_out(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    message: &str,
    loss: Loss,
    out: &mut Vec<Output>,
) {
    core.metrics.agent_removals += 1;
    offers::deactivate_agent(core, id, out);
    let Some(agent) = core.agents.get(id) else { return };
    let lost: Vec<(FrameworkId, Vec<TaskId>)> = agent
        .tasks
        .iter()
        .map(|(framework, tasks)| (framework.clone(), tasks.iter().cloned().collect()))
        .collect();
    let with_executors: Vec<FrameworkId> = agent.executors.keys().cloned().collect();
    for (framework_id, task_ids) in lost {
        let partition_aware =
            core.frameworks.get(&framework_id).is_some_and(|f| f.info.capabilities.partition_aware);
        let task_loss = TaskLoss::of(loss, partition_aware, message, now);
        for task_id in task_ids {
            if lose_task(core, now, &framework_id, &task_id, &task_loss, out) && task_loss.keep {
                let lost = core.agents.unreachable_tasks.entry(id.clone()).or_default();
                lost.entry(framework_id.clone()).or_default().push(task_id);
            }
        }
    }
    for framework_id in with_executors {
        remove_executors(core, id, &framework_id);
    }
    operations::lose_all(core, id, loss.of_operations(), out);
    core.allocation.remove_agent(id);
    maintenance::agent_removed(core, id);
    core.agents.observers.remove(id);
    core.agents.reregistration.remove(id);
    // An unreachable agent may come back with statuses that were acknowledged.
    if !matches!(loss, Loss::Unreachable) {
        core.agents.acknowledged.remove(id);
    }
    let Some(agent) = core.agents.registered.remove(id) else { return };
    core.agents.by_pid.remove(&agent.pid);
    out.push(Output::Unlink(agent.pid.clone()));
    core.removals.forget(id);
    tell_lost(core, id, out);
    core.observe(out, || Observation::AgentRemoved { id: id.clone(), hostname: agent.info.hostname.clone() });
}

/// Tells every scheduler that an agent is lost.
fn tell_lost(core: &MasterCore, id: &AgentId, out: &mut Vec<Output>) {
    for framework in core.frameworks.registered.values() {
        let event = SchedulerEvent::Failure { agent_id: id.clone(), executor_id: None, status: None };
        send(framework, event, out);
    }
}

/// What happens to a task of an agent that goes.
struct TaskLoss<'a> {
    state: TaskState,
    reason: Reason,
    message: &'a str,
    unreachable_since: Option<Time>,
    /// Whether the task may come back, and so is kept among the unreachable ones.
    keep: bool,
}

impl<'a> TaskLoss<'a> {
    /// Frameworks that are not partition-aware know only `TASK_LOST`.
    fn of(loss: Loss, partition_aware: bool, message: &'a str, now: Time) -> Self {
        let removed = Reason::AGENT_REMOVED;
        let (state, reason, keep) = match loss {
            Loss::Removed => (TaskState::Lost, removed, false),
            Loss::Unreachable if partition_aware => (TaskState::Unreachable, removed, true),
            Loss::Gone if partition_aware => {
                (TaskState::GoneByOperator, Reason::AGENT_REMOVED_BY_OPERATOR, false)
            }
            Loss::Unreachable => (TaskState::Lost, removed, true),
            Loss::Gone => (TaskState::Lost, removed, false),
        };
        let unreachable_since = (loss == Loss::Unreachable).then_some(now);
        Self { state, reason, message, unreachable_since, keep }
    }
}

/// Takes a task off its agent; returns whether it was lost by that. A task that has ended already stays as it ended: its
/// scheduler was told so, or is now.
fn lose_task(
    core: &mut MasterCore,
    now: Time,
    framework_id: &FrameworkId,
    task_id: &TaskId,
    loss: &TaskLoss<'_>,
    out: &mut Vec<Output>,
) -> bool {
    let Some(task) = core.frameworks.get(framework_id).and_then(|f| f.tasks.get(task_id)) else {
        return false;
    };
    if task.state.is_terminal() {
        // What the agent would have told next, or again: what was sent to the scheduler may be lost with its stream.
        let message = loss.message.to_owned();
        let status = Arc::new(tasks::master_status(task, now, task.state, message, loss.reason));
        tell_end(core, framework_id, status, out);
        tasks::remove_task(core, framework_id, task_id, false);
        return false;
    }
    let mut status = tasks::master_status(task, now, loss.state, loss.message.to_owned(), loss.reason);
    status.unreachable_time = loss.unreachable_since;
    let status = Arc::new(status);
    tasks::update_task(core, framework_id, task_id, &status, None, out);
    tasks::remove_task(core, framework_id, task_id, loss.keep);
    if let Some(framework) = core.frameworks.get(framework_id) {
        send(framework, SchedulerEvent::Update(status), out);
    }
    true
}

/// Tells a scheduler and those who watch how a task has ended of which only the master still knows.
pub(super) fn tell_end(
    core: &MasterCore,
    framework_id: &FrameworkId,
    status: Arc<TaskStatus>,
    out: &mut Vec<Output>,
) {
    if let Some(framework) = core.frameworks.get(framework_id) {
        send(framework, SchedulerEvent::Update(Arc::clone(&status)), out);
    }
    let (framework_id, state) = (framework_id.clone(), status.state);
    core.observe(out, || Observation::TaskUpdated { framework_id, state, status });
}

fn remove_executors(core: &mut MasterCore, id: &AgentId, framework_id: &FrameworkId) {
    let Some(agent) = core.agents.get(id) else { return };
    let executors: Vec<ExecutorId> =
        agent.executors.get(framework_id).into_iter().flat_map(|e| e.keys().cloned()).collect();
    for executor_id in executors {
        tasks::remove_executor(core, id, framework_id, &executor_id);
    }
}

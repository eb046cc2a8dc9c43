//! Statuses of operations: passed on to the scheduler, remembered, and acknowledged.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, FrameworkId, OperationId, Time, Uuid};

use super::{books, unconfirmed};
use crate::agents;
use crate::core::{MasterCore, send, send_agent};
use crate::output::{Output, SchedulerEvent, ToAgent};
use crate::types::{Agent, OperationState, OperationStatus, Pid, UpdateOperation};

/// How long the master leaves it to a framework that it does not know to come and acknowledge its operations
/// (Mesos' `MIN_WAIT_BEFORE_ORPHAN_OPERATION_ADOPTION`). It may be on its way, after a failover of the master.
const ADOPTED_AFTER: Duration = Duration::from_secs(10 * 60);

/// How many statuses of an operation are kept. One has a single status as yet.
const MAX_STATUSES: usize = 32;

/// `UpdateOperationStatusMessage`.
pub(crate) fn status_update(
    core: &mut MasterCore,
    now: Time,
    from: &Pid,
    mut update: UpdateOperation,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_operation_status_update += 1;
    let Some(uuid) = update.operation_uuid else {
        // The answer to a framework's question that the master had passed on.
        pass_on(core, update.framework_id.as_ref(), Arc::new(update.status), out);
        return;
    };
    let Some(agent) = core.agents.by_pid.get(from).and_then(|id| core.agents.get(id)) else {
        core.metrics.invalid_operation_status_updates += 1;
        core.drop("UpdateOperationStatusMessage", from, "the agent is not registered", out);
        return;
    };
    let agent_id = agent.id.clone();
    let Some(operation) = agent.operations.get(&uuid) else {
        unknown(core, now, &agent_id, uuid, update, out);
        return;
    };
    core.metrics.valid_operation_status_updates += 1;
    if let Some(id) = &operation.id {
        // Agents leave the id out where they know nothing of the operation.
        [Some(&mut update.status), update.latest_status.as_mut()]
            .into_iter()
            .flatten()
            .for_each(|status| name(status, id));
    }
    let status = Arc::new(update.status);
    let latest = update.latest_status.map_or_else(|| Arc::clone(&status), Arc::new);
    take_note(core, &agent_id, uuid, &status, latest, out);
    answer(core, now, &agent_id, uuid, status, out);
}

fn name(status: &mut OperationStatus, id: &OperationId) {
    if status.operation_id.as_ref() != Some(id) {
        status.operation_id = Some(id.clone());
        status.body = None;
    }
}

/// Sends a status to its framework; returns whether that could be done.
fn pass_on(
    core: &MasterCore,
    framework_id: Option<&FrameworkId>,
    status: Arc<OperationStatus>,
    out: &mut Vec<Output>,
) -> bool {
    match framework_id.and_then(|id| core.frameworks.get(id)).filter(|framework| framework.connected()) {
        Some(framework) => {
            send(framework, SchedulerEvent::UpdateOperationStatus(status), out);
            true
        }
        None => false,
    }
}

fn acknowledge_to(agent: &Agent, status: &OperationStatus, operation_uuid: Uuid, out: &mut Vec<Output>) {
    if let Some(status_uuid) = status.uuid {
        send_agent(agent, ToAgent::AcknowledgeOperation { status_uuid, operation_uuid }, out);
    }
}

/// A status of an operation that was struck off, or that nobody has told of. Its framework may want to hear of it
/// nevertheless; and the agent must not repeat it for ever, because an acknowledgement by the framework would not find
/// its way to the agent.
fn unknown(
    core: &mut MasterCore,
    now: Time,
    agent_id: &AgentId,
    uuid: Uuid,
    update: UpdateOperation,
    out: &mut Vec<Output>,
) {
    let status = Arc::new(update.status);
    // Dropped operations are told of without their framework, in answer to the master's own question.
    if update.framework_id.is_some() {
        core.metrics.invalid_operation_status_updates += 1;
    }
    let will_not_come = |id: &FrameworkId| {
        let absent = core.frameworks.get(id).is_none();
        core.frameworks.is_completed(id) || absent && is_adopted(core, now, agent_id)
    };
    let told = status.operation_id.is_none()
        || pass_on(core, update.framework_id.as_ref(), Arc::clone(&status), out)
        || update.framework_id.as_ref().is_none_or(will_not_come);
    if let Some(agent) = core.agents.get(agent_id).filter(|_| told) {
        acknowledge_to(agent, &status, uuid, out);
    }
}

/// Whether an agent is back for so long that frameworks of which nobody has heard are not waited for any more.
fn is_adopted(core: &MasterCore, now: Time, agent_id: &AgentId) -> bool {
    let since = |agent: &Arc<Agent>| agent.reregistered_time.unwrap_or(agent.registered_time);
    core.agents.get(agent_id).is_some_and(|agent| now >= since(agent) + ADOPTED_AFTER)
}

/// Remembers a status.
fn take_note(
    core: &mut MasterCore,
    agent_id: &AgentId,
    uuid: Uuid,
    status: &Arc<OperationStatus>,
    latest: Arc<OperationStatus>,
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get_mut(agent_id) else { return };
    let Some(operation) = agent.operations.get_mut(&uuid).map(Arc::make_mut) else { return };
    let (before, after) = (operation.latest_status.state, latest.state);
    if !before.is_terminal() {
        core.metrics.operations.transition(operation.info.kind(), before, after);
        operation.latest_status = latest;
    }
    if operation.statuses.last() != Some(status) {
        if operation.statuses.len() >= MAX_STATUSES {
            operation.statuses.remove(0);
        }
        operation.statuses.push(Arc::clone(status));
    }
    if !before.is_terminal() && after.is_terminal() {
        unconfirmed::ended(core, agent_id, uuid, after == OperationState::Finished, out);
    }
}

/// Passes a status on to its framework, or acknowledges it in the place of one that never will.
fn answer(
    core: &mut MasterCore,
    now: Time,
    agent_id: &AgentId,
    uuid: Uuid,
    status: Arc<OperationStatus>,
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get(agent_id) else { return };
    let Some(operation) = agent.operations.get(&uuid) else { return };
    let ended = operation.latest_status.state.is_terminal();
    let framework_id = operation.framework_id.as_ref().filter(|_| operation.id.is_some());
    let repeated = status.uuid.is_some();
    match framework_id {
        Some(id) if core.frameworks.get(id).is_some() => {
            pass_on(core, framework_id, status, out);
            // It is acknowledged by the framework, if the agent wants to hear of that.
            if repeated {
                return;
            }
        }
        Some(id) if !core.frameworks.is_completed(id) && repeated => {
            if !is_adopted(core, now, agent_id) {
                return;
            }
            acknowledge_to(agent, &status, uuid, out);
        }
        _ => acknowledge_to(agent, &status, uuid, out),
    }
    if ended {
        books::remove(core, agent_id, uuid);
        agents::check_drained(core, now, agent_id, out);
    }
}

/// ACKNOWLEDGE_OPERATION_STATUS.
pub(crate) fn acknowledge(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    operation_id: &OperationId,
    agent_id: Option<AgentId>,
    status_uuid: Uuid,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_operation_status_update_acknowledgement += 1;
    let (agent_id, uuid, state) = match acknowledged(core, id, operation_id, agent_id, status_uuid) {
        Ok(found) => found,
        Err(why) => {
            core.metrics.invalid_operation_status_update_acknowledgements += 1;
            core.drop("ACKNOWLEDGE_OPERATION_STATUS", id, why, out);
            return;
        }
    };
    if state.is_terminal() {
        books::remove(core, &agent_id, uuid);
        // The agent may just be telling that it waits for this.
        core.agents.acknowledged(&agent_id, id.clone(), uuid);
    }
    if let Some(agent) = core.agents.get(&agent_id) {
        send_agent(agent, ToAgent::AcknowledgeOperation { status_uuid, operation_uuid: uuid }, out);
    }
    core.metrics.valid_operation_status_update_acknowledgements += 1;
    agents::check_drained(core, now, &agent_id, out);
}

/// Which operation is meant, on which agent, and the acknowledged state.
fn acknowledged(
    core: &MasterCore,
    id: &FrameworkId,
    operation_id: &OperationId,
    agent_id: Option<AgentId>,
    status_uuid: Uuid,
) -> Result<(AgentId, Uuid, OperationState), String> {
    let framework = core.frameworks.get(id).ok_or("the framework is unknown")?;
    let known = framework.operation_ids.get(operation_id).copied();
    let on = known.and_then(|uuid| framework.operations.get(&uuid)).cloned();
    let agent_id = agent_id.or_else(|| on.clone()).ok_or("the agent is not said")?;
    let agent = core.agents.get(&agent_id).ok_or("the agent is not registered")?;
    if !agent.connected {
        return Err("the agent is disconnected".to_owned());
    }
    if !agent.capabilities.agent_operation_feedback {
        return Err("the agent does not tell how operations stand".to_owned());
    }
    let operation = known.and_then(|uuid| agent.operations.get(&uuid));
    let operation = operation.ok_or_else(|| format!("operation {operation_id} is unknown"))?;
    let status = operation.statuses.iter().find(|status| status.uuid == Some(status_uuid));
    let status = status.ok_or_else(|| format!("operation {operation_id} has no such status"))?;
    Ok((agent_id, operation.uuid, status.state))
}

//! Operations on resources. None is carried out here, so each is refused, and whoever asks about one hears that nobody
//! knows of it.

use std::sync::Arc;

use base::{AgentId, FrameworkId, OperationId};

use crate::core::{MasterCore, send, send_agent};
use crate::output::{Observation, Output, SchedulerEvent, ToAgent};
use crate::types::{OperationState, OperationStatus, Pid, UpdateOperation};

/// Refuses an operation. Its scheduler hears of it if it gave the operation an id; the log and the metrics always do.
pub(crate) fn refuse(
    core: &mut MasterCore,
    id: &FrameworkId,
    operation_id: Option<OperationId>,
    message: String,
    out: &mut Vec<Output>,
) {
    core.metrics.operations_error += 1;
    if let (Some(framework), Some(operation_id)) = (core.frameworks.get(id), operation_id.clone()) {
        let status = status(operation_id, OperationState::Error, Some(message.clone()), None);
        send(framework, SchedulerEvent::UpdateOperationStatus(Arc::new(status)), out);
    }
    out.push(Output::Observed(Observation::OperationRefused {
        framework_id: id.clone(),
        operation_id,
        message,
    }));
}

fn status(
    operation_id: OperationId,
    state: OperationState,
    message: Option<String>,
    agent_id: Option<AgentId>,
) -> OperationStatus {
    OperationStatus { operation_id: Some(operation_id), state, message, uuid: None, agent_id, body: None }
}

/// RECONCILE_OPERATIONS.
pub(crate) fn reconcile(
    core: &mut MasterCore,
    id: &FrameworkId,
    operations: Vec<(OperationId, Option<AgentId>)>,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_reconcile_operations += 1;
    let Some(framework) = core.frameworks.get(id) else { return };
    for (operation_id, agent_id) in operations {
        let (state, message) = match &agent_id {
            Some(agent) if core.agents.gone.contains_key(agent) => {
                (OperationState::GoneByOperator, "Reconciliation: Agent marked gone by operator")
            }
            Some(agent) if core.agents.unreachable.contains_key(agent) => {
                (OperationState::Unreachable, "Reconciliation: Agent is unreachable")
            }
            Some(agent) if core.agents.registered.contains_key(agent) => {
                (OperationState::Unknown, "Reconciliation: Operation is unknown")
            }
            Some(_) => (OperationState::Unknown, "Reconciliation: Both operation and agent are unknown"),
            None => (
                OperationState::Unknown,
                "Reconciliation: Operation is unknown and no 'agent_id' was provided",
            ),
        };
        let status = status(operation_id, state, Some(message.to_owned()), agent_id);
        send(framework, SchedulerEvent::UpdateOperationStatus(Arc::new(status)), out);
    }
}

/// ACKNOWLEDGE_OPERATION_STATUS: no status that is to be acknowledged was ever sent.
pub(crate) fn acknowledge(
    core: &mut MasterCore,
    id: &FrameworkId,
    operation_id: &OperationId,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_operation_status_update_acknowledgement += 1;
    core.metrics.invalid_operation_status_update_acknowledgements += 1;
    core.drop("ACKNOWLEDGE_OPERATION_STATUS", id, format!("operation {operation_id} is unknown"), out);
}

/// `UpdateOperationStatusMessage`: about an operation that another master began. Its scheduler may want to hear of it, and
/// the agent must not repeat it for ever.
pub(crate) fn status_update(
    core: &mut MasterCore,
    from: &Pid,
    update: UpdateOperation,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_operation_status_update += 1;
    core.metrics.invalid_operation_status_updates += 1;
    let Some(agent) = core.agents.by_pid.get(from).and_then(|id| core.agents.get(id)) else {
        core.drop("UpdateOperationStatusMessage", from, "the agent is not registered", out);
        return;
    };
    if let (Some(status_uuid), Some(operation_uuid)) = (update.status.uuid, update.operation_uuid) {
        send_agent(agent, ToAgent::AcknowledgeOperation { status_uuid, operation_uuid }, out);
    }
    let framework = update.framework_id.and_then(|id| core.frameworks.get(&id));
    if let Some(framework) = framework.filter(|_| update.status.operation_id.is_some()) {
        send(framework, SchedulerEvent::UpdateOperationStatus(Arc::new(update.status)), out);
    }
}

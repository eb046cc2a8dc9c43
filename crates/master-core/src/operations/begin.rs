//! The beginning of an operation that may be carried out: the master counts its changes as made, and tells the agent.

use std::sync::Arc;

use base::{AgentId, FrameworkId, OperationId, never};
use resources::{Operation as Info, Resource};

use super::{books, unconfirmed};
use crate::core::{MasterCore, send_agent};
use crate::output::{Output, ToAgent};
use crate::types::{Agent, Operation, OperationState, OperationStatus};

/// How many operations may be under way to an agent.
const MAX_UNDER_WAY: usize = 1024;

/// How many operations of an agent are remembered, with those whose end is not acknowledged.
const MAX_REMEMBERED: usize = 16_384;

/// Whether an agent can be sent one more operation. Who never acknowledges any has to stop.
pub(super) fn has_room(agent: &Agent) -> Result<(), String> {
    if agent.unconfirmed.len() < MAX_UNDER_WAY && agent.operations.len() < MAX_REMEMBERED {
        return Ok(());
    }
    Err(format!("Too many operations on agent {} are under way or not acknowledged", agent.id))
}

/// Begins an operation. The allocator counts its changes already.
pub(super) fn begin(
    core: &mut MasterCore,
    framework_id: Option<&FrameworkId>,
    agent_id: &AgentId,
    id: Option<OperationId>,
    info: Info,
    out: &mut Vec<Output>,
) {
    let uuid = core.operations.rng.uuid();
    let Some(agent) = core.agents.get_mut(agent_id) else { return };
    let unallocated = info.clone().unallocated();
    let applied = agent.total.apply(&unallocated);
    if never!(applied.is_err(), "{agent_id} does not have what was offered of it: {applied:?}") {
        return;
    }
    if let Some(id) = framework_id {
        core.frameworks.count(id, |counts| counts.operation(info.kind().as_str()));
    }
    let version = agent.resource_version.filter(|_| agent.capabilities.resource_provider);
    let Some(resource_version) = version else {
        // It does not tell how that went.
        agent.confirmed = agent.total.non_revocable();
        checkpoint(agent, out);
        return;
    };
    unconfirmed::sent(agent, uuid, unallocated);
    let info = Arc::new(info);
    let status = OperationStatus {
        operation_id: id.clone(),
        state: OperationState::Pending,
        message: None,
        uuid: None,
        agent_id: Some(agent_id.clone()),
        body: None,
    };
    let message = ToAgent::ApplyOperation {
        framework_id: framework_id.cloned(),
        id: id.clone(),
        operation: Arc::clone(&info),
        uuid,
        resource_version,
    };
    send_agent(agent, message, out);
    let operation = Operation {
        uuid,
        id,
        framework_id: framework_id.cloned(),
        agent_id: agent_id.clone(),
        info,
        latest_status: Arc::new(status),
        statuses: Vec::new(),
    };
    books::add(core, operation);
}

/// Tells an agent that takes no operations all of its reservations and volumes. One that knows no refined reservations
/// is told nothing if it would have some: they cannot be written in its words.
pub(crate) fn checkpoint(agent: &Agent, out: &mut Vec<Output>) {
    let checkpointed = agent.total.checkpointed();
    let refined = checkpointed.iter().any(Resource::has_refined_reservations);
    if agent.capabilities.reservation_refinement || !refined {
        send_agent(agent, ToAgent::CheckpointResources(checkpointed), out);
    }
}

//! Operations on agents that go.

use std::sync::Arc;

use base::{AgentId, Uuid};

use super::books;
use crate::core::{MasterCore, send};
use crate::output::{Output, SchedulerEvent};
use crate::types::{OperationState, OperationStatus};

/// An agent goes: its operations are forgotten, and their schedulers are told if there is something to tell. That is
/// for their convenience; who misses it learns of it by reconciliation.
pub(crate) fn lose_all(
    core: &mut MasterCore,
    agent_id: &AgentId,
    told: Option<(OperationState, &str)>,
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get(agent_id) else { return };
    let operations: Vec<Uuid> = agent.operations.keys().copied().collect();
    for uuid in operations {
        if let Some((state, message)) = told {
            tell(core, agent_id, uuid, state, message, out);
        }
        books::remove(core, agent_id, uuid);
    }
}

fn tell(
    core: &mut MasterCore,
    agent_id: &AgentId,
    uuid: Uuid,
    state: OperationState,
    message: &str,
    out: &mut Vec<Output>,
) {
    let operation = core.agents.get(agent_id).and_then(|agent| agent.operations.get(&uuid));
    let Some(operation) = operation.cloned() else { return };
    core.metrics.operations.add(operation.info.kind(), state);
    let framework = operation.framework_id.as_ref().and_then(|id| core.frameworks.get(id));
    let (Some(framework), Some(id)) = (framework, &operation.id) else { return };
    let status = OperationStatus {
        operation_id: Some(id.clone()),
        state,
        message: Some(message.to_owned()),
        uuid: None,
        agent_id: Some(agent_id.clone()),
        body: None,
    };
    send(framework, SchedulerEvent::UpdateOperationStatus(Arc::new(status)), out);
}

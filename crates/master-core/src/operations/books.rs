//! Which operations there are: they are entered and struck off here, and nowhere else.

use std::sync::Arc;

use base::{AgentId, FrameworkId, Uuid};

use crate::core::MasterCore;
use crate::types::{Framework, Operation};

/// Enters an operation at its agent, which is registered, and at its framework if that is known.
pub(super) fn add(core: &mut MasterCore, operation: Operation) {
    let Some(agent) = core.agents.get_mut(&operation.agent_id) else { return };
    core.metrics.operations.add(operation.info.kind(), operation.latest_status.state);
    if let Some(framework) = operation.framework_id.as_ref().and_then(|id| core.frameworks.get_mut(id)) {
        enter(framework, &operation);
    }
    agent.operations.insert(operation.uuid, Arc::new(operation));
}

fn enter(framework: &mut Framework, operation: &Operation) {
    framework.operations.insert(operation.uuid, operation.agent_id.clone());
    if let Some(id) = &operation.id {
        framework.operation_ids.insert(id.clone(), operation.uuid);
    }
}

/// Strikes an operation off.
pub(super) fn remove(core: &mut MasterCore, agent_id: &AgentId, uuid: Uuid) {
    let Some(agent) = core.agents.get_mut(agent_id) else { return };
    let Some(operation) = agent.operations.remove(&uuid) else { return };
    // Those that have ended are counted for ever.
    let state = operation.latest_status.state;
    if !state.is_terminal() {
        core.metrics.operations.remove(operation.info.kind(), state);
    }
    let Some(framework) = operation.framework_id.as_ref().and_then(|id| core.frameworks.get_mut(id)) else {
        return;
    };
    framework.operations.remove(&uuid);
    if let Some(id) = &operation.id
        && framework.operation_ids.get(id) == Some(&uuid)
    {
        framework.operation_ids.remove(id);
    }
}

/// A framework has come to be known: agents may have told of its operations before.
pub(crate) fn adopt(core: &mut MasterCore, id: &FrameworkId) {
    let Some(framework) = core.frameworks.registered.get_mut(id).map(Arc::make_mut) else { return };
    let operations = core.agents.registered.values().flat_map(|agent| agent.operations.values());
    for operation in operations.filter(|operation| operation.framework_id.as_ref() == Some(id)) {
        enter(framework, operation);
    }
}

/// A framework has ended. Its operations go on at their agents, and the master takes note of their end in its place.
pub(crate) fn disown(framework: &mut Framework) {
    framework.operations.clear();
    framework.operation_ids.clear();
}

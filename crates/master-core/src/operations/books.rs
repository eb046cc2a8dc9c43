//! Which operations there are: they are entered and struck off here, and nowhere else.

use std::sync::Arc;

use base::{AgentId, FrameworkId, Uuid};

use crate::core::MasterCore;
use crate::types::{Framework, Operation};

/// Enters an operation at its agent, which is registered, and at its framework, or for it if it is not back yet.
pub(super) fn add(core: &mut MasterCore, operation: Operation) {
    let Some(agent) = core.agents.get_mut(&operation.agent_id) else { return };
    core.metrics.operations.add(operation.info.kind(), operation.latest_status.state);
    if let Some(id) = &operation.framework_id {
        if let Some(framework) = core.frameworks.get_mut(id) {
            enter(framework, &operation);
        } else if !core.frameworks.is_completed(id) {
            let orphans = core.operations.orphans.entry(id.clone()).or_default();
            orphans.insert(operation.uuid, operation.agent_id.clone());
        }
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
    let Some(framework_id) = &operation.framework_id else { return };
    if let Some(orphans) = core.operations.orphans.get_mut(framework_id) {
        orphans.remove(&uuid);
        if orphans.is_empty() {
            core.operations.orphans.remove(framework_id);
        }
    }
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    framework.operations.remove(&uuid);
    if let Some(id) = &operation.id
        && framework.operation_ids.get(id) == Some(&uuid)
    {
        framework.operation_ids.remove(id);
    }
}

/// An agent takes no acknowledgements any more: what has ended there and waits for one is over.
pub(crate) fn forget_unacknowledged(core: &mut MasterCore, agent_id: &AgentId) {
    let Some(agent) = core.agents.get(agent_id) else { return };
    let waiting =
        |operation: &Operation| operation.id.is_some() && operation.latest_status.state.is_terminal();
    let over: Vec<Uuid> = agent
        .operations
        .values()
        .filter(|operation| waiting(operation))
        .map(|operation| operation.uuid)
        .collect();
    for uuid in over {
        remove(core, agent_id, uuid);
    }
}

/// A framework has come to be known: agents may have told of its operations before.
pub(crate) fn adopt(core: &mut MasterCore, id: &FrameworkId) {
    let Some(orphans) = core.operations.orphans.remove(id) else { return };
    let Some(framework) = core.frameworks.registered.get_mut(id).map(Arc::make_mut) else { return };
    for (uuid, agent_id) in orphans {
        if let Some(operation) = core.agents.get(&agent_id).and_then(|agent| agent.operations.get(&uuid)) {
            enter(framework, operation);
        }
    }
}

/// A framework has ended. Its operations go on at their agents, and the master takes note of their end in its place.
pub(crate) fn disown(framework: &mut Framework) {
    framework.operations.clear();
    framework.operation_ids.clear();
}

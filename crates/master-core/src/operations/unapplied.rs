//! Operations whose changes are not in the agent's total as the master counts it.
//!
//! The master counts changes as made when it sends an operation. An agent that reregisters tells what it has, and that
//! counts from then on; operations that were on their way to it meanwhile may be missing in it. They are found here, and
//! their changes are made when the agent tells that they are finished. Those that never arrived are dropped by the agent
//! when it is asked about them.

use std::sync::Arc;

use base::{AgentId, Uuid};
use resources::Resources;

use crate::core::MasterCore;
use crate::offers;
use crate::output::Output;
use crate::types::{Agent, Operation, OperationState};

/// An agent has told what it has: `former` is what the master had counted. Agents handle operations in their order, so
/// what the agent has is what the master counted without the last so many of them.
pub(crate) fn find(agent: &mut Agent, former: &Resources) {
    let mut pending: Vec<Arc<Operation>> = agent
        .operations
        .values()
        .filter(|operation| !operation.latest_status.state.is_terminal())
        .cloned()
        .collect();
    pending.sort_by_key(|operation| operation.number);
    let mut wanted = former.non_revocable();
    for operation in pending.iter().filter(|operation| agent.unapplied.contains(&operation.uuid)) {
        // One that cannot be applied will not be finished either.
        drop(wanted.apply(&unallocated(operation)));
    }
    let total = agent.total.non_revocable();
    let missing = (0..=pending.len()).find(|applied| {
        let mut total = total.clone();
        pending[*applied..].iter().all(|operation| total.apply(&unallocated(operation)).is_ok())
            && total == wanted
    });
    agent.unapplied =
        missing.map_or_else(Default::default, |applied| pending[applied..].iter().map(|o| o.uuid).collect());
}

fn unallocated(operation: &Operation) -> resources::Operation {
    resources::Operation::clone(&operation.info).unallocated()
}

/// An operation has ended. If its changes were not counted as made, they are now.
pub(super) fn ended(core: &mut MasterCore, agent_id: &AgentId, uuid: Uuid, out: &mut Vec<Output>) {
    let Some(agent) = core.agents.get_mut(agent_id) else { return };
    if !agent.unapplied.remove(&uuid) {
        return;
    }
    let Some(operation) = agent.operations.get(&uuid).cloned() else { return };
    if operation.latest_status.state != OperationState::Finished {
        return;
    }
    if let Err(error) = agent.total.apply(&unallocated(&operation)) {
        core.drop(
            "UpdateOperationStatusMessage",
            agent_id,
            format!("what was done is not known: {error}"),
            out,
        );
        return;
    }
    offers::rescind_of_agent(core, agent_id, out);
    if let Some(agent) = core.agents.get(agent_id) {
        core.allocation.update_agent(agent);
    }
}

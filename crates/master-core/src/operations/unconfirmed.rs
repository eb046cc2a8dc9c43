//! Operations whose changes the master counts as made before their agent has said so.
//!
//! What an agent has for certain is what it told when it registered, and what it said to have made of it since. What the
//! master counts with is that and the changes of the operations that are under way. One that fails, or was dropped on its
//! way, leaves no trace.

use std::sync::Arc;

use base::{AgentId, Uuid};
use resources::{Conversion, Operation, Resources};

use crate::core::MasterCore;
use crate::offers;
use crate::output::Output;
use crate::types::{Agent, Unconfirmed};

/// An operation was sent, and its changes are in the total.
pub(super) fn sent(agent: &mut Agent, uuid: Uuid, info: Operation) {
    agent.unconfirmed.push(Unconfirmed { uuid, info: Arc::new(info), finished: false });
}

/// What an agent has when the operations have been carried out on what it has for certain; what is impossible is left out.
pub(crate) fn with_unconfirmed(confirmed: &Resources, unconfirmed: &[Unconfirmed]) -> Resources {
    let mut total = confirmed.clone();
    for operation in unconfirmed {
        // One that cannot be carried out here was not carried out there either.
        drop(total.apply(&operation.info));
    }
    total
}

/// An agent that comes back has told what it has. Operations that were meant for another version of that are dropped when
/// they arrive. Others may still be on their way: agents handle operations in their order, so if what it has is what the
/// master counted with but for the last so many operations, it is these. If it is anything else, it counts as it is.
pub(crate) fn told(agent: &mut Agent, former_version: Option<Uuid>, told: Resources) {
    agent.confirmed = told.non_revocable();
    let restarted = agent.resource_version != former_version;
    // What it has said to have made is in what it has.
    agent.unconfirmed.retain(|operation| !operation.finished && !restarted);
    let counted = agent.total.non_revocable();
    let arrived = arrived(&counted, &agent.confirmed, &agent.unconfirmed);
    agent.unconfirmed.drain(..arrived.unwrap_or(agent.unconfirmed.len()));
    agent.total = told;
    if !agent.unconfirmed.is_empty() {
        let revocable = agent.total.revocable();
        agent.total = counted;
        agent.total += revocable;
    }
}

/// How many of the operations an agent that has `confirmed` has carried out, if the others make of it what is counted: the
/// last ones are taken back, one after the other, until what it has is left.
fn arrived(counted: &Resources, confirmed: &Resources, unconfirmed: &[Unconfirmed]) -> Option<usize> {
    let mut before = counted.clone();
    for (at, operation) in unconfirmed.iter().enumerate().rev() {
        if before == *confirmed {
            return Some(at + 1);
        }
        let made = operation.info.conversions().ok()?;
        let back: Vec<Conversion> = made
            .iter()
            .rev()
            .map(|made| Conversion::new(made.converted().clone(), made.consumed().clone()))
            .collect();
        before.convert(&back).ok()?;
    }
    (before == *confirmed).then_some(0)
}

/// An operation has ended, well or not.
pub(super) fn ended(
    core: &mut MasterCore,
    agent_id: &AgentId,
    uuid: Uuid,
    finished: bool,
    out: &mut Vec<Output>,
) {
    let Some(agent) = core.agents.get_mut(agent_id) else { return };
    let Some(at) = agent.unconfirmed.iter().position(|operation| operation.uuid == uuid) else { return };
    if finished {
        agent.unconfirmed[at].finished = true;
    } else {
        agent.unconfirmed.remove(at);
    }
    // One that builds on another whose end is not known yet waits for that.
    let confirmed = agent.unconfirmed.iter().take_while(|operation| operation.finished).count();
    agent.confirmed = with_unconfirmed(&agent.confirmed, &agent.unconfirmed[..confirmed]);
    agent.unconfirmed.drain(..confirmed);
    if finished {
        return;
    }
    let total = with_unconfirmed(&agent.confirmed, &agent.unconfirmed);
    if total == agent.total.non_revocable() {
        return;
    }
    let revocable = agent.total.revocable();
    agent.total = total;
    agent.total += revocable;
    offers::rescind_of_agent(core, agent_id, out);
    if let Some(agent) = core.agents.get(agent_id) {
        core.allocation.update_agent(agent);
    }
}

//! What an operator does with an agent: draining, deactivation, reactivation.

use base::{AgentId, Time};

use super::lost;
use crate::core::{MasterCore, send_agent};
use crate::offers;
use crate::output::{Output, ToAgent};
use crate::types::{Drain, DrainConfig, DrainState, OperatorError};

fn known(core: &MasterCore, id: &AgentId) -> Result<(), OperatorError> {
    if core.agents.is_known(id) {
        return Ok(());
    }
    Err(OperatorError::BadRequest("Unknown agent".to_owned()))
}

/// Ends the agent's tasks and offers nothing of it.
pub(crate) fn drain(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    config: DrainConfig,
    out: &mut Vec<Output>,
) -> Result<(), OperatorError> {
    known(core, id)?;
    core.agents.draining.insert(id.clone(), Drain { state: DrainState::Draining, config });
    deactivate_known(core, id, out);
    if let Some(agent) = core.agents.get(id) {
        send_agent(agent, ToAgent::Drain(config), out);
        check_drained(core, now, id, out);
    }
    Ok(())
}

/// Offers nothing of the agent.
pub(crate) fn deactivate(
    core: &mut MasterCore,
    id: &AgentId,
    out: &mut Vec<Output>,
) -> Result<(), OperatorError> {
    known(core, id)?;
    deactivate_known(core, id, out);
    Ok(())
}

fn deactivate_known(core: &mut MasterCore, id: &AgentId, out: &mut Vec<Output>) {
    core.agents.deactivated.insert(id.clone());
    core.agents.show_drain(id);
    offers::deactivate_agent(core, id, out);
}

/// Ends draining and deactivation.
pub(crate) fn reactivate(core: &mut MasterCore, id: &AgentId) -> Result<(), OperatorError> {
    if !core.agents.deactivated.contains(id) {
        return Err(OperatorError::BadRequest("Agent is not deactivated".to_owned()));
    }
    if core.agents.draining.get(id).is_some_and(|drain| drain.state == DrainState::Draining) {
        return Err(OperatorError::BadRequest("Agent is still in the DRAINING state".to_owned()));
    }
    core.agents.draining.remove(id);
    core.agents.deactivated.remove(id);
    core.agents.show_drain(id);
    let Some(agent) = core.agents.get_mut(id) else {
        return Err(OperatorError::Conflict("Agent removed while processing the call".to_owned()));
    };
    // One that is away is offered again when it comes back.
    if agent.connected {
        agent.active = true;
        core.allocation.activate_agent(id);
    }
    Ok(())
}

/// An agent that came back while it is drained has to go on with it.
pub(super) fn resume_drain(core: &mut MasterCore, now: Time, id: &AgentId, out: &mut Vec<Output>) {
    let (Some(drain), Some(agent)) = (core.agents.draining.get(id), core.agents.get(id)) else { return };
    send_agent(agent, ToAgent::Drain(drain.config), out);
    // One that carries out operations has yet to tell which ones it knows.
    if !agent.capabilities.resource_provider {
        check_drained(core, now, id, out);
    }
}

/// Looks whether the last task and the last operation of an agent that is drained are gone.
pub(crate) fn check_drained(core: &mut MasterCore, now: Time, id: &AgentId, out: &mut Vec<Output>) {
    let Some(drain) = core.agents.draining.get_mut(id) else { return };
    if drain.state == DrainState::Drained
        || core
            .agents
            .registered
            .get(id)
            .is_none_or(|agent| !agent.tasks.is_empty() || !agent.operations.is_empty())
    {
        return;
    }
    if drain.config.mark_gone {
        lost::mark_gone(core, now, id, out);
    } else {
        drain.state = DrainState::Drained;
        core.agents.show_drain(id);
    }
}

/// The same for all agents that are drained, after a framework ended.
pub(crate) fn check_drained_of(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    let draining: Vec<AgentId> = core.agents.draining.keys().cloned().collect();
    for id in draining {
        check_drained(core, now, &id, out);
    }
}

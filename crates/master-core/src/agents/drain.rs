//! What an operator does with an agent: draining, deactivation, reactivation.

use base::{AgentId, Time};

use super::lost;
use crate::core::{Answered, MasterCore, send_agent};
use crate::maintenance;
use crate::offers;
use crate::output::{Output, ToAgent};
use crate::registry::{Effect, write};
use crate::types::{
    AgentRecord, Drain, DrainConfig, DrainState, OperatorError, RegistryOperation, RequestId,
};

/// What is to be written so that an agent is treated otherwise.
fn treated(
    core: &MasterCore,
    id: &AgentId,
    change: impl FnOnce(&mut Option<Drain>, &mut bool),
) -> Result<Vec<RegistryOperation>, OperatorError> {
    match core.registry.agent(id) {
        Some(record @ (AgentRecord::Admitted { .. } | AgentRecord::Unreachable { .. })) => {
            let (mut drain, mut deactivated) = record.treatment();
            change(&mut drain, &mut deactivated);
            let record = record.clone().treated(drain, deactivated);
            Ok(vec![RegistryOperation::Agent(id.clone(), Some(record))])
        }
        Some(AgentRecord::Gone { .. }) if core.agents.is_known(id) => {
            Err(OperatorError::Conflict("Agent is currently being marked gone".to_owned()))
        }
        _ => Err(OperatorError::BadRequest("Unknown agent".to_owned())),
    }
}

/// Ends the agent's tasks and offers nothing of it.
pub(crate) fn drain(
    core: &mut MasterCore,
    id: &AgentId,
    config: DrainConfig,
    request: RequestId,
    out: &mut Vec<Output>,
) -> Result<Answered, OperatorError> {
    let operations = treated(core, id, |drain, deactivated| {
        *drain = Some(Drain { state: DrainState::Draining, config });
        *deactivated = true;
    })?;
    maintenance::drainable(core, id)?;
    // What one that is away can do is not known before it is back.
    if core.agents.get(id).is_some_and(|agent| !agent.capabilities.agent_draining) {
        return Err(OperatorError::BadRequest(format!("Agent {id} is not capable of draining")));
    }
    write(core, operations, Effect::Drain { id: id.clone(), config, request }, out);
    Ok(Answered::Later)
}

/// The registry holds that the agent is to be drained.
pub(crate) fn draining(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    config: DrainConfig,
    out: &mut Vec<Output>,
) {
    if !core.agents.is_known(id) {
        return; // removed meanwhile
    }
    core.agents.draining.insert(id.clone(), Drain { state: DrainState::Draining, config });
    deactivated(core, now, id, out);
    if let Some(agent) = core.agents.get_mut(id) {
        agent.drain_start = Some(now);
        send_agent(agent, ToAgent::Drain(config), out);
        check_drained(core, now, id, out);
    }
}

/// Offers nothing of the agent.
pub(crate) fn deactivate(
    core: &mut MasterCore,
    id: &AgentId,
    request: RequestId,
    out: &mut Vec<Output>,
) -> Result<Answered, OperatorError> {
    let operations = treated(core, id, |_, deactivated| *deactivated = true)?;
    write(core, operations, Effect::Deactivate(id.clone(), request), out);
    Ok(Answered::Later)
}

/// The registry holds that nothing is to be offered of the agent.
pub(crate) fn deactivated(core: &mut MasterCore, now: Time, id: &AgentId, out: &mut Vec<Output>) {
    if core.agents.is_known(id) {
        core.agents.deactivated.insert(id.clone());
        core.agents.show_drain(id);
        core.agents.changed(now, id);
        offers::deactivate_agent(core, id, out);
    }
}

/// Ends draining and deactivation.
pub(crate) fn reactivate(
    core: &mut MasterCore,
    id: &AgentId,
    request: RequestId,
    out: &mut Vec<Output>,
) -> Result<Answered, OperatorError> {
    let (drain, deactivated) = core.registry.agent(id).map(AgentRecord::treatment).unwrap_or_default();
    if !deactivated {
        return Err(OperatorError::BadRequest("Agent is not deactivated".to_owned()));
    }
    if drain.is_some_and(|drain| drain.state == DrainState::Draining) {
        return Err(OperatorError::BadRequest("Agent is still in the DRAINING state".to_owned()));
    }
    let operations = treated(core, id, |drain, deactivated| (*drain, *deactivated) = (None, false))?;
    write(core, operations, Effect::Reactivate(id.clone(), request), out);
    Ok(Answered::Later)
}

/// The registry holds that the agent may be offered again.
pub(crate) fn reactivated(core: &mut MasterCore, now: Time, id: &AgentId) -> Result<(), OperatorError> {
    core.agents.treat(id, None, false);
    core.agents.changed(now, id);
    let Some(agent) = core.agents.get_mut(id) else {
        return Err(OperatorError::Conflict("Agent removed while processing the call".to_owned()));
    };
    agent.drain_start = None;
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
    let Some(drain) = core.agents.draining.get(id).copied() else { return };
    let written = core.registry.agent(id).and_then(|record| record.treatment().0);
    // If something else is being written, such as another way to drain it, that is looked at when it is.
    if written != Some(drain)
        || drain.state == DrainState::Drained
        || core.registry.leaving.contains_key(id)
        || core
            .agents
            .registered
            .get(id)
            .is_none_or(|agent| !agent.tasks.is_empty() || !agent.operations.is_empty())
    {
        return;
    }
    if drain.config.mark_gone {
        // Nobody waits for an answer, and that it is known has just been seen.
        drop(lost::mark_gone(core, now, id, None, out));
        return;
    }
    let done = Drain { state: DrainState::Drained, ..drain };
    if let Ok(operations) = treated(core, id, |drain, _| *drain = Some(done)) {
        write(core, operations, Effect::Drained(id.clone()), out);
    }
}

/// The registry holds that the agent has been drained.
pub(crate) fn drained(core: &mut MasterCore, now: Time, id: &AgentId) {
    // It may have been removed meanwhile.
    if let Some(drain) = core.agents.draining.get_mut(id) {
        drain.state = DrainState::Drained;
        core.agents.show_drain(id);
        core.agents.changed(now, id);
    }
}

/// The same for all agents that are drained, after a framework ended.
pub(crate) fn check_drained_of(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    let draining: Vec<AgentId> = core.agents.draining.keys().cloned().collect();
    for id in draining {
        check_drained(core, now, &id, out);
    }
}

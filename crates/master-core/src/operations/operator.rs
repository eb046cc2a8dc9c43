//! Operations that an operator wants: on what nobody uses.

use std::sync::Arc;

use base::{AgentId, FrameworkId, OfferId, never};
use resources::{Conversion, Operation, OperationKind, Requester, Resources};

use super::apply::{describe, on_agent};
use super::begin::{begin, has_room};
use crate::core::MasterCore;
use crate::offers;
use crate::output::Output;
use crate::types::OperatorError;

/// Carries out an operation on what is free on an agent, and on what is offered of it if need be.
pub(crate) fn apply_for_operator(
    core: &mut MasterCore,
    agent_id: &AgentId,
    operation: Operation,
    principal: Option<&Arc<str>>,
    out: &mut Vec<Output>,
) -> Result<(), OperatorError> {
    let Some(agent) = core.agents.get(agent_id) else {
        return Err(OperatorError::BadRequest("No agent found with specified ID".to_owned()));
    };
    let kind = operation.kind();
    let requester = Requester::Operator { principal: principal.map(AsRef::as_ref) };
    operation.validate(requester, on_agent(agent)).map_err(|error| {
        let on = match kind {
            OperationKind::Unreserve | OperationKind::Destroy => String::new(),
            _ => format!(" on agent {}", describe(agent)),
        };
        OperatorError::BadRequest(format!("Invalid {} operation{on}: {error}", kind.as_str()))
    })?;
    let conversions = operation.conversions().map_err(|error| {
        OperatorError::BadRequest(format!("Invalid {} operation: {error}", kind.as_str()))
    })?;
    has_room(agent).map_err(OperatorError::Conflict)?;
    for (framework_id, offer_id) in in_the_way(core, agent_id, &conversions)? {
        offers::rescind(core, &framework_id, &offer_id, out);
    }
    if let Operation::Destroy { volumes } = &operation {
        offers::rescind_of_volumes(core, agent_id, volumes, out);
    }
    for conversion in &conversions {
        let (from, to) = (conversion.consumed(), conversion.converted());
        let done = core.allocation.convert_available(agent_id, from, to);
        never!(done.is_err(), "{agent_id} has no {from}: {done:?}");
    }
    begin(core, None, agent_id, None, operation, out);
    Ok(())
}

/// The offers that have to be withdrawn so that the changes can be made. Where that would not help, none is.
fn in_the_way(
    core: &MasterCore,
    agent_id: &AgentId,
    conversions: &[Conversion],
) -> Result<Vec<(FrameworkId, OfferId)>, OperatorError> {
    let Some(agent) = core.agents.get(agent_id) else { return Ok(Vec::new()) };
    let mut free = core.allocation.available(agent_id).cloned().unwrap_or_default();
    let mut missing = Resources::new();
    for conversion in conversions {
        missing += conversion.consumed();
    }
    missing -= &free;
    let mut withdrawn = Vec::new();
    for (offer_id, framework_id) in &agent.offers {
        if possible(&free, conversions) {
            break;
        }
        let offer = core.frameworks.get(framework_id).and_then(|framework| framework.offers.get(offer_id));
        let Some(offer) = offer else { continue };
        let offered = offer.resources.clone().unallocated();
        let mut still = missing.clone();
        still -= &offered;
        if still != missing {
            missing = still;
            // What is shared is free at any time, and to have another copy of it would be in the way of destroying it.
            free += offered.filter(|resource| !resource.is_shared());
            withdrawn.push((framework_id.clone(), offer_id.clone()));
        }
    }
    match free.convert(conversions) {
        Ok(()) => Ok(withdrawn),
        Err(error) => Err(OperatorError::Conflict(error.to_string())),
    }
}

fn possible(free: &Resources, conversions: &[Conversion]) -> bool {
    free.clone().convert(conversions).is_ok()
}

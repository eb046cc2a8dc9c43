//! Operations on accepted offers.

use base::{AgentId, FrameworkId, OperationId, never};
use resources::{Conversion, OnAgent, Operation, OperationKind, Requester, Resource};

use super::begin::{begin, has_room};
use super::refuse;
use crate::core::MasterCore;
use crate::offers::{self, Accepted};
use crate::output::Output;
use crate::types::{AcceptOperation, Agent, Framework};

/// An agent as messages to clients name it.
pub(super) fn describe(agent: &Agent) -> String {
    format!("{} at {} ({})", agent.id, agent.pid, agent.info.hostname)
}

/// What the rules for operations have to know of an agent.
pub(super) fn on_agent(agent: &Agent) -> OnAgent<'_> {
    OnAgent {
        total: &agent.total,
        used: &agent.used,
        hierarchical_role: agent.capabilities.hierarchical_role,
        reservation_refinement: agent.capabilities.reservation_refinement,
        resize_volume: agent.capabilities.resize_volume,
    }
}

fn requester(framework: &Framework) -> Requester<'_> {
    Requester::Framework {
        id: &framework.id,
        principal: framework.info.principal.as_deref(),
        roles: &framework.info.roles,
        shared_resources: framework.info.capabilities.shared_resources,
    }
}

/// Whether the operation can be considered at all; if not, it is refused here. That does not depend on what other
/// operations of the same ACCEPT do.
pub(crate) fn admit(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    agent_id: &AgentId,
    operation: &AcceptOperation,
    out: &mut Vec<Output>,
) -> bool {
    let AcceptOperation::Apply { id, kind, operation } = operation else { return true };
    let why = match operation {
        Err(why) => Some(format!("Operation attempted with invalid resources: {why}")),
        Ok(_) if id.is_some() => {
            core.agents.get(agent_id).and_then(|agent| without_feedback(agent, operation))
        }
        Ok(_) => None,
    };
    let Some(why) = why else { return true };
    refuse(core, framework_id, id.clone(), *kind, why, out);
    false
}

/// Why the agent cannot tell how an operation stands.
fn without_feedback(agent: &Agent, operation: &Result<Operation, String>) -> Option<String> {
    let id = &agent.id;
    if !agent.capabilities.resource_provider {
        return Some(format!(
            "Operation requested feedback, but agent {id} does not have the required RESOURCE_PROVIDER capability"
        ));
    }
    let provided = operation.as_ref().is_ok_and(|operation| operation.provider().is_some());
    (!provided && !agent.capabilities.agent_operation_feedback).then(|| {
        format!(
            "Operation on agent default resources requested feedback, but agent {id} does not have the required \
             AGENT_OPERATION_FEEDBACK and RESOURCE_PROVIDER capabilities"
        )
    })
}

/// Carries out an operation on what is left of the offers, or tells why not.
pub(crate) fn apply(
    core: &mut MasterCore,
    accepted: &mut Accepted<'_>,
    id: Option<OperationId>,
    mut operation: Operation,
    out: &mut Vec<Output>,
) {
    operation.allocate(&accepted.role);
    let done = check_id(core, accepted.framework_id, id.as_ref())
        .and_then(|()| convert(core, accepted, &operation, out));
    match done {
        Ok(()) => begin(core, Some(accepted.framework_id), &accepted.agent_id, id, operation, out),
        Err(message) => refuse(core, accepted.framework_id, id, operation.kind(), message, out),
    }
}

/// Two operations of one name could not be told apart, and only the later one could be acknowledged.
fn check_id(core: &MasterCore, framework_id: &FrameworkId, id: Option<&OperationId>) -> Result<(), String> {
    let Some(id) = id else { return Ok(()) };
    match core.frameworks.get(framework_id) {
        Some(framework) if framework.operation_ids.contains_key(id) => Err(format!(
            "Operation ID '{id}' is that of an operation which has not ended or whose end is not acknowledged"
        )),
        _ => Ok(()),
    }
}

/// Makes the changes in what the framework was offered.
fn convert(
    core: &mut MasterCore,
    accepted: &mut Accepted<'_>,
    operation: &Operation,
    out: &mut Vec<Output>,
) -> Result<(), String> {
    let framework = core.frameworks.get(accepted.framework_id);
    let (Some(framework), Some(agent)) = (framework, core.agents.get(&accepted.agent_id)) else {
        return Err(format!("Agent {} is no longer registered", accepted.agent_id));
    };
    let on_disk = matches!(operation.kind(), OperationKind::CreateDisk | OperationKind::DestroyDisk);
    if on_disk && !agent.capabilities.resource_provider {
        return Err(format!(
            "Not supported on agent {} because it does not have RESOURCE_PROVIDER capability",
            describe(agent)
        ));
    }
    has_room(agent)?;
    operation
        .validate(requester(framework), on_agent(agent))
        .map_err(|error| format!("{error}; on agent {}", describe(agent)))?;
    let conversions = changes(accepted, operation)?;
    // Now that it will be done: who was not offered the volumes must not take them from those who were.
    if let Operation::Destroy { volumes } = operation {
        offers::rescind_of_volumes(core, &accepted.agent_id, volumes, out);
    }
    for conversion in &conversions {
        let (from, to) = (conversion.consumed(), conversion.converted());
        let done = core.allocation.convert(accepted.framework_id, &accepted.agent_id, from, to);
        never!(done.is_err(), "{} was not offered {from}: {done:?}", accepted.framework_id);
    }
    Ok(())
}

/// What has to change. What is left of the offers is changed already.
fn changes(accepted: &mut Accepted<'_>, operation: &Operation) -> Result<Vec<Conversion>, String> {
    let kind = operation.kind();
    let missing = |accepted: &Accepted<'_>, what: &dyn std::fmt::Display| {
        format!("{} does not contain {what}", accepted.remaining)
    };
    match operation {
        Operation::CreateDisk { source, .. } | Operation::DestroyDisk { source }
            if !accepted.remaining.contains_one(source) =>
        {
            return Err(format!("Invalid {} Operation: {}", kind.as_str(), missing(accepted, source)));
        }
        _ => {}
    }
    let conversions = operation.conversions().map_err(|error| error.to_string())?;
    if let Operation::GrowVolume { .. } | Operation::ShrinkVolume { .. } = operation {
        for conversion in &conversions {
            let consumed = conversion.consumed();
            if accepted.remaining.subtract(consumed).is_err() {
                return Err(format!("Invalid {} operation: {}", kind.as_str(), missing(accepted, consumed)));
            }
            accepted.resized += conversion.converted();
        }
        return Ok(conversions);
    }
    accepted.remaining.convert(&conversions).map_err(|error| error.to_string())?;
    if let Operation::Create { .. } | Operation::Destroy { .. } = operation {
        accepted.shared = accepted.remaining.shared();
    }
    Ok(conversions)
}

/// Whether an offer has one of the volumes, for whichever role.
pub(crate) fn holds_any(resources: &resources::Resources, volumes: &[Resource]) -> bool {
    resources.iter().filter(|resource| resource.is_persistent_volume()).any(|resource| {
        let resource = resource.clone().unallocated();
        volumes.iter().any(|volume| resource == volume.clone().unallocated())
    })
}

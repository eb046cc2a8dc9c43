//! Calls of operators, and those of schedulers that wait for an answer.

use std::collections::BTreeSet;

use base::Time;
use resources::Role;

use crate::core::{Answered, MasterCore};
use crate::output::Output;
use crate::registry::{self, Effect};
use crate::types::{OperatorCall, OperatorError, RegistryOperation, RequestId};
use crate::{agents, frameworks, maintenance, offers, operations, quota, tasks};

/// Makes a call. What the registry has to hold first is answered when it does.
pub(crate) fn operator(
    core: &mut MasterCore,
    now: Time,
    request: RequestId,
    call: OperatorCall,
    out: &mut Vec<Output>,
) -> Result<Answered, OperatorError> {
    match call {
        OperatorCall::UpdateFramework { framework_id, info, suppressed_roles, offer_constraints } => {
            core.frameworks.count(&framework_id, |counts| counts.call("UPDATE_FRAMEWORK"));
            frameworks::update_framework(
                core,
                &framework_id,
                info,
                suppressed_roles,
                offer_constraints,
                out,
            )?;
            Ok(Answered::Now)
        }
        OperatorCall::Teardown(id) => {
            if core.frameworks.get(&id).is_none() {
                return Err(OperatorError::BadRequest("No framework found with specified ID".to_owned()));
            }
            frameworks::teardown(core, now, &id, out);
            Ok(Answered::Now)
        }
        OperatorCall::KillTask { framework_id, task_id } => {
            let known = core.frameworks.get(&framework_id).is_some_and(|f| f.tasks.contains_key(&task_id));
            if !known {
                let what = format!("No active task '{task_id}' found in framework '{framework_id}'");
                return Err(OperatorError::NotFound(what));
            }
            tasks::kill(core, now, &framework_id, task_id, None, None, out);
            Ok(Answered::Now)
        }
        OperatorCall::MarkAgentGone(id) => agents::mark_gone(core, now, &id, Some(request), out),
        OperatorCall::DrainAgent { agent_id, config } => agents::drain(core, &agent_id, config, request, out),
        OperatorCall::DeactivateAgent(id) => agents::deactivate(core, &id, request, out),
        OperatorCall::ReactivateAgent(id) => agents::reactivate(core, &id, request, out),
        OperatorCall::UpdateWeights(weights) => {
            let operations =
                weights.iter().map(|(role, weight)| RegistryOperation::Weight(role.clone(), *weight));
            registry::write(core, operations.collect(), Effect::Weights(weights, Some(request)), out);
            Ok(Answered::Later)
        }
        OperatorCall::UpdateQuota { quotas, force } => quota::update(core, quotas, force, request, out),
        OperatorCall::SetQuota { role, guarantee, force } => {
            quota::set(core, role, guarantee, force, request, out)
        }
        OperatorCall::RemoveQuota(role) => quota::remove(core, role, request, out),
        OperatorCall::UpdateMaintenanceSchedule(windows) => maintenance::update(core, &windows, request, out),
        OperatorCall::StartMaintenance(machines) => maintenance::start(core, &machines, request, out),
        OperatorCall::StopMaintenance(machines) => maintenance::stop(core, &machines, request, out),
        OperatorCall::ApplyOperation { agent_id, operation, principal } => {
            operations::apply_for_operator(core, &agent_id, operation, principal.as_ref(), out)?;
            Ok(Answered::Now)
        }
    }
}

/// The registry holds new weights. If anybody has one of the roles, all offers are withdrawn, so that the next ones are as
/// the new weights want them.
pub(crate) fn weights_changed(core: &mut MasterCore, weights: &[(Role, f64)], out: &mut Vec<Output>) {
    for (role, weight) in weights {
        core.allocation.set_weight(role, *weight);
    }
    let of_role = |roles: &BTreeSet<Role>| weights.iter().any(|(role, _)| roles.contains(role));
    if core.frameworks.registered.values().any(|framework| of_role(&framework.info.roles)) {
        let agents: Vec<_> = core.agents.registered.keys().cloned().collect();
        for id in agents {
            offers::rescind_of_agent(core, &id, out);
        }
    }
}

//! Calls of operators, and those of schedulers that wait for an answer.

use std::collections::BTreeSet;

use base::Time;
use resources::Role;

use crate::core::MasterCore;
use crate::output::Output;
use crate::types::{OperatorCall, OperatorError};
use crate::{agents, frameworks, offers, operations, quota, tasks};

pub(crate) fn operator(
    core: &mut MasterCore,
    now: Time,
    call: OperatorCall,
    out: &mut Vec<Output>,
) -> Result<(), OperatorError> {
    match call {
        OperatorCall::UpdateFramework { framework_id, info, suppressed_roles, offer_constraints } => {
            frameworks::update_framework(core, &framework_id, info, suppressed_roles, offer_constraints, out)
        }
        OperatorCall::Teardown(id) => {
            if core.frameworks.get(&id).is_none() {
                return Err(OperatorError::BadRequest("No framework found with specified ID".to_owned()));
            }
            frameworks::teardown(core, now, &id, out);
            Ok(())
        }
        OperatorCall::KillTask { framework_id, task_id } => {
            let known = core.frameworks.get(&framework_id).is_some_and(|f| f.tasks.contains_key(&task_id));
            if !known {
                let what = format!("No active task '{task_id}' found in framework '{framework_id}'");
                return Err(OperatorError::NotFound(what));
            }
            tasks::kill(core, now, &framework_id, task_id, None, None, out);
            Ok(())
        }
        OperatorCall::MarkAgentGone(id) => {
            if core.agents.gone.contains_key(&id) {
                return Ok(());
            }
            if !core.agents.is_known(&id) {
                return Err(OperatorError::NotFound(format!("Agent '{id}' not found")));
            }
            agents::mark_gone(core, now, &id, out);
            Ok(())
        }
        OperatorCall::DrainAgent { agent_id, config } => agents::drain(core, now, &agent_id, config, out),
        OperatorCall::DeactivateAgent(id) => agents::deactivate(core, &id, out),
        OperatorCall::ReactivateAgent(id) => agents::reactivate(core, &id),
        OperatorCall::UpdateWeights(weights) => {
            update_weights(core, &weights, out);
            Ok(())
        }
        OperatorCall::UpdateQuota { quotas, force } => quota::update(core, quotas, force, out),
        OperatorCall::SetQuota { role, guarantee, force } => quota::set(core, &role, guarantee, force, out),
        OperatorCall::RemoveQuota(role) => quota::remove(core, &role),
        OperatorCall::ApplyOperation { agent_id, operation, principal } => {
            operations::apply_for_operator(core, &agent_id, operation, principal.as_ref(), out)
        }
    }
}

/// Sets weights. If anybody has one of the roles, all offers are withdrawn, so that the next ones are as the new weights
/// want them.
fn update_weights(core: &mut MasterCore, weights: &[(Role, f64)], out: &mut Vec<Output>) {
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

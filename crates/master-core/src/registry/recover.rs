//! A master begins to lead: what the registry holds, and which of the agents in it do not come back.

use base::{AgentId, Time};

use super::{Effect, Phase, Why, resign, unreachable_due, write};
use crate::core::MasterCore;
use crate::input::Timer;
use crate::maintenance;
use crate::output::Output;
use crate::types::{AgentRecord, RegistryContent, RegistryOperation};

/// Takes over what the registry holds.
pub(crate) fn recovered(core: &mut MasterCore, now: Time, content: RegistryContent, out: &mut Vec<Output>) {
    for (id, record) in &content.agents {
        match record {
            AgentRecord::Admitted { info, .. } => {
                core.agents.recovered.insert(id.clone(), info.clone());
            }
            AgentRecord::Unreachable { since, .. } => {
                core.agents.unreachable.insert(id.clone(), *since);
            }
            AgentRecord::Gone { since, .. } => {
                core.agents.gone.insert(id.clone(), *since);
            }
        }
        let (drain, deactivated) = record.treatment();
        core.agents.treat(id, drain, deactivated);
    }
    for (role, quota) in &content.quotas {
        core.allocation.set_quota(role, quota.clone());
    }
    for (role, weight) in &content.weights {
        core.allocation.set_weight(role, *weight);
    }
    let weights = if content.weights.is_empty() { core.options.weights.clone() } else { Vec::new() };
    maintenance::recovered(core, content.windows.clone());
    core.registry.content = content;
    core.registry.phase = Phase::Leading;
    core.registry.agents_at_start = core.agents.recovered.len();
    if !weights.is_empty() {
        // They are this master's own flag, and so hold from the start; a later master is to find them.
        for (role, weight) in &weights {
            core.allocation.set_weight(role, *weight);
        }
        let operations =
            weights.iter().map(|(role, weight)| RegistryOperation::Weight(role.clone(), *weight)).collect();
        write(core, operations, Effect::Weights(weights, None), out);
    }
    out.push(Output::SetTimer { at: now + core.options.registry_gc_interval, timer: Timer::RegistryGc });
    if !core.agents.recovered.is_empty() {
        let at = now + core.options.agent_reregister_timeout;
        out.push(Output::SetTimer { at, timer: Timer::RecoveredAgents });
    }
    core.allocation.recover_from(core.registry.agents_at_start, now, &core.options, out);
}

/// The agents that the registry holds as admitted had their time to come back. Those that did not are unreachable; but if
/// they are too many, it is more likely that something is wrong with this master.
pub(crate) fn recovered_agents_due(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    let registry = &core.registry;
    let missing: Vec<AgentId> = core
        .agents
        .recovered
        .keys()
        .filter(|id| !registry.reregistering.contains_key(*id) && !registry.leaving.contains_key(*id))
        .cloned()
        .collect();
    let share = missing.len() as f64 / registry.agents_at_start.max(1) as f64;
    let limit = core.options.recovery_agent_removal_limit;
    if share > limit {
        let why = format!(
            "{} of {} agents in the registry ({:.0}%) did not reregister within {}; \
             --recovery_agent_removal_limit lets at most {:.0}% of them be marked unreachable",
            missing.len(),
            registry.agents_at_start,
            share * 100.0,
            base::duration_text(core.options.agent_reregister_timeout),
            limit * 100.0,
        );
        resign(core, why, out);
        return;
    }
    for id in missing {
        unreachable_due(core, now, &id, Why::Failover, out);
    }
}

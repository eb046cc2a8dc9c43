//! Agents that have been unreachable or gone for long are forgotten, so that the registry does not grow for ever.

use std::collections::BTreeMap;

use base::{AgentId, Time};

use super::{Effect, write};
use crate::agents;
use crate::core::MasterCore;
use crate::input::Timer;
use crate::output::Output;
use crate::types::{AgentRecord, RegistryOperation};

/// So many are forgotten with one write.
const AT_ONCE: usize = 500;

/// Time to look which agents are to be forgotten.
pub(crate) fn gc_due(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    out.push(Output::SetTimer { at: now + core.options.registry_gc_interval, timer: Timer::RegistryGc });
    let mut old = too_old(core, now, &core.agents.unreachable);
    old.extend(too_old(core, now, &core.agents.gone));
    for part in old.chunks(AT_ONCE) {
        let operations = part.iter().map(|id| RegistryOperation::Agent(id.clone(), None)).collect();
        write(core, operations, Effect::Forget(part.to_vec()), out);
    }
}

/// Those that are older than they may be, and the oldest where there are too many; but not those about which something else
/// is being written.
fn too_old(core: &MasterCore, now: Time, agents: &BTreeMap<AgentId, Time>) -> Vec<AgentId> {
    let mut by_age: Vec<(Time, &AgentId)> = agents.iter().map(|(id, since)| (*since, id)).collect();
    by_age.sort_unstable();
    let too_many = by_age.len().saturating_sub(core.options.registry_max_agent_count);
    let old = by_age
        .into_iter()
        .enumerate()
        .filter(|(at, (since, _))| *at < too_many || now.since(*since) > core.options.registry_max_agent_age);
    old.map(|(_, (_, id))| id)
        .filter(|id| {
            !core.registry.leaving.contains_key(*id)
                && !matches!(core.registry.agent(id), Some(AgentRecord::Admitted { .. }) | None)
        })
        .cloned()
        .collect()
}

/// The registry has forgotten them. One that came back meanwhile is there again.
pub(super) fn forgotten(core: &mut MasterCore, ids: Vec<AgentId>) {
    for id in ids {
        if core.registry.agent(&id).is_none() {
            core.agents.gone.remove(&id);
            agents::forget_unreachable(core, &id);
        }
    }
}

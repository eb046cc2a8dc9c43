//! Agents coming, changing and going.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{AgentId, FrameworkId};
use resources::{Name, Resources, Scalar};

use crate::amounts::Sign;
use crate::free::Free;
use crate::holdings::{As, Holdings};
use crate::refusals::Refusals;
use crate::{AgentSpec, AgentTraits, Allocator};

base::index_type!(
    /// An agent.
    AgentIx
);

#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) total: Resources,
    /// What is neither offered nor used, allocated to nobody. Shared resources are always among it.
    pub(crate) available: Resources,
    /// What is to be known of `available` in few words.
    pub(crate) free: Free,
    /// What each framework holds.
    pub(crate) held: Holdings,
    pub(crate) refusals: Refusals,
    pub(crate) traits: Arc<AgentTraits>,
    pub(crate) active: bool,
    /// Nothing of it is offered while it is not in the whitelist.
    pub(crate) whitelisted: bool,
    pub(crate) remote: bool,
    pub(crate) single_role: bool,
    pub(crate) flat_roles: bool,
    pub(crate) has_gpus: bool,
    /// Something may be new here since the last allocation.
    pub(crate) dirty: bool,
    /// More is used than there is, because the agent shrank: nothing is free until enough came back.
    pub(crate) overcommitted: bool,
    /// Its place among [`Allocator::spare`].
    pub(crate) spare_at: Option<u32>,
    /// Shared resources that were offered by the allocation that is running, or by the last one.
    pub(crate) just_offered: Resources,
}

impl Agent {
    fn new(id: AgentId) -> Self {
        Self {
            id,
            total: Resources::new(),
            available: Resources::new(),
            free: Free::default(),
            held: Holdings::default(),
            refusals: Refusals::default(),
            traits: Arc::default(),
            active: true,
            whitelisted: true,
            remote: false,
            single_role: false,
            flat_roles: false,
            has_gpus: false,
            dirty: false,
            overcommitted: false,
            spare_at: None,
            just_offered: Resources::new(),
        }
    }

    /// Whether what is free may be offered.
    pub(crate) fn is_offerable(&self) -> bool {
        self.active && self.whitelisted
    }

    /// Computes anew what is free.
    pub(crate) fn recount(&mut self) {
        let mut used = Resources::new();
        for (_, held) in self.held.iter() {
            used += held.exclusive();
        }
        self.overcommitted = !self.total.contains(&used);
        self.available = self.total.clone();
        self.available -= &used;
    }

    fn set(&mut self, spec: AgentSpec) {
        self.has_gpus = spec.total.scalar(&Name::Gpus).is_some_and(Scalar::is_positive);
        self.total = spec.total;
        self.remote = spec.remote;
        self.single_role = spec.single_role;
        self.flat_roles = spec.flat_roles;
        self.traits = spec.traits;
    }
}

impl Allocator {
    /// An agent joins, with what is already used on it. Its frameworks may still be unknown; what they use is counted
    /// for them when they come. An agent that is known already is replaced.
    pub fn add_agent(&mut self, id: &AgentId, spec: AgentSpec, used: &[(FrameworkId, Resources)]) {
        self.remove_agent(id);
        self.track_total(&spec.total, Sign::Plus);
        let mut agent = Agent::new(id.clone());
        agent.set(spec);
        agent.whitelisted = self.is_whitelisted(&agent.traits);
        let at = self.agents.insert(agent);
        self.agent_index.insert(id.clone(), at);
        self.choose_anew(at);
        for (framework, resources) in used {
            self.take(at, framework, resources);
        }
        self.agents[at].recount();
        self.settle(at);
        self.mark(at);
    }

    /// An agent has other resources than before. What is used stays used, even if it is more than there is now.
    pub fn update_agent(&mut self, id: &AgentId, spec: AgentSpec) {
        let Some(&at) = self.agent_index.get(id) else { return };
        let before = std::mem::take(&mut self.agents[at].total);
        if before != spec.total {
            self.change_total(&before, &spec.total);
        }
        let changed = self.agents[at].traits != spec.traits;
        if self.agents[at].traits.attributes != spec.traits.attributes {
            // Who declined may have missed just the attribute that is there now.
            self.clear_refusals(at);
        }
        self.agents[at].set(spec);
        if changed {
            self.choose_anew(at);
        }
        self.agents[at].whitelisted = self.is_whitelisted(&self.agents[at].traits);
        self.agents[at].recount();
        self.settle(at);
        self.mark(at);
    }

    /// An agent is gone; what was used there is forgotten.
    pub fn remove_agent(&mut self, id: &AgentId) {
        let Some(at) = self.agent_index.remove(id) else { return };
        self.agents[at].active = false;
        self.settle(at);
        let holders: Vec<_> = self.agents[at].held.iter().map(|(by, held)| (by, held.clone())).collect();
        for (by, held) in holders {
            for (resources, held_as) in [(held.offered, As::Offered), (held.used, As::Used)] {
                // It is there: it was read just now.
                let parts = self.split(by, &resources);
                let _ = self.let_go(at, by, held_as, (&resources, &parts));
            }
            self.forget_unused_framework(by);
        }
        self.clear_refusals(at);
        let total = std::mem::take(&mut self.agents[at].total);
        self.track_total(&total, Sign::Minus);
        if self.agents[at].dirty {
            self.dirty.retain(|d| *d != at);
        }
        self.agents.remove(at);
    }

    /// What agents have is less `from` and more `to`.
    pub(crate) fn change_total(&mut self, from: &Resources, to: &Resources) {
        self.track_total(to, Sign::Plus);
        self.track_total(from, Sign::Minus);
    }

    fn track_total(&mut self, total: &Resources, sign: Sign) {
        for role in self.tree.track_total(total, sign) {
            // It is gone if that was all that was known of it.
            if self.tree.roles.get(role).is_some() {
                self.order.update_role(&self.tree, role);
            }
        }
    }

    /// Offers only what is on agents of these names; `None` lets all agents pass.
    pub fn set_whitelist(&mut self, hostnames: Option<BTreeSet<String>>) {
        self.whitelist = hostnames;
        let agents: Vec<_> = self.agents.iter().map(|(at, agent)| (at, Arc::clone(&agent.traits))).collect();
        for (at, traits) in agents {
            let whitelisted = self.is_whitelisted(&traits);
            if self.agents[at].whitelisted != whitelisted {
                self.agents[at].whitelisted = whitelisted;
                self.settle(at);
                self.mark(at);
            }
        }
    }

    fn is_whitelisted(&self, traits: &AgentTraits) -> bool {
        self.whitelist.as_ref().is_none_or(|names| names.contains(&traits.hostname))
    }

    /// Offers an agent's resources again.
    pub fn activate_agent(&mut self, id: &AgentId) {
        self.set_active(id, true);
    }

    /// Offers nothing more of an agent until it is activated.
    pub fn deactivate_agent(&mut self, id: &AgentId) {
        self.set_active(id, false);
    }

    fn set_active(&mut self, id: &AgentId, active: bool) {
        if let Some(&at) = self.agent_index.get(id) {
            self.agents[at].active = active;
            self.settle(at);
            self.mark(at);
        }
    }

    /// Brings everything that follows from what is free on an agent up to date.
    pub(crate) fn settle(&mut self, at: AgentIx) {
        let agent = &mut self.agents[at];
        let offerable = agent.is_offerable();
        let before = std::mem::take(&mut agent.free);
        agent.free =
            Free::of(&mut self.tree.names, &agent.available, &self.options.min_allocatable, offerable);
        let now = &agent.free;
        if before.quota != now.quota {
            self.tree.free.subtract(&before.quota);
            self.tree.free.add(&now.quota);
            self.tree.loosened |= now.quota.iter().any(|(name, amount)| amount > before.quota.get(name));
        }
        let spare = offerable && !agent.available.is_empty();
        match agent.spare_at {
            None if spare => {
                agent.spare_at = u32::try_from(self.spare.len()).ok();
                self.spare.push(at);
            }
            Some(place) if !spare => {
                agent.spare_at = None;
                self.spare.swap_remove(place as usize);
                if let Some(moved) = self.spare.get(place as usize) {
                    self.agents[*moved].spare_at = Some(place);
                }
            }
            _ => {}
        }
    }

    pub(crate) fn mark(&mut self, at: AgentIx) {
        if let Some(agent) = self.agents.get_mut(at)
            && !agent.dirty
        {
            agent.dirty = true;
            self.dirty.push(at);
        }
    }
}

//! Agents coming, changing and going.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::{AgentId, FrameworkId};
use resources::{Name, Resources, Scalar};

use crate::frameworks::FrameworkIx;
use crate::tree::{ClientIx, Sign};
use crate::{AgentSpec, AgentTraits, Allocator};

base::index_type!(
    /// An agent.
    AgentIx
);

#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) total: Resources,
    /// What is neither offered nor allocated; allocated to nobody.
    pub(crate) available: Resources,
    /// What each framework holds; never nothing.
    pub(crate) held: BTreeMap<FrameworkIx, Held>,
    pub(crate) traits: Arc<AgentTraits>,
    pub(crate) active: bool,
    /// Nothing of it is offered while it is not in the whitelist.
    pub(crate) whitelisted: bool,
    pub(crate) remote: bool,
    pub(crate) has_gpus: bool,
    /// Something may be new here since the last allocation.
    pub(crate) dirty: bool,
    /// More is used than there is, because the agent shrank: nothing is free until enough came back.
    pub(crate) overcommitted: bool,
}

/// What a framework holds of an agent, allocated to its roles.
#[derive(Clone, Default, Debug)]
pub(crate) struct Held {
    pub(crate) offered: Resources,
    pub(crate) used: Resources,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.offered.is_empty() && self.used.is_empty()
    }

    /// Offered or used.
    pub(crate) fn all(&self) -> Resources {
        let mut all = self.offered.clone();
        all += &self.used;
        all
    }
}

impl Agent {
    /// Computes anew what is free.
    pub(crate) fn recount(&mut self) {
        let mut used = Resources::new();
        for held in self.held.values() {
            used += held.all().unallocated();
        }
        self.overcommitted = !self.total.contains(&used);
        self.available = self.total.clone();
        self.available -= &used;
    }

    fn set(&mut self, spec: AgentSpec) {
        self.has_gpus = spec.total.scalar(&Name::Gpus).is_some_and(Scalar::is_positive);
        self.total = spec.total;
        self.remote = spec.remote;
        self.traits = spec.traits;
        self.recount();
    }
}

impl Allocator {
    /// An agent joins, with what is already used on it. Its frameworks may still be unknown; what they use is counted
    /// for them when they come. An agent that is known already is replaced.
    pub fn add_agent(&mut self, id: &AgentId, spec: AgentSpec, used: &[(FrameworkId, Resources)]) {
        self.remove_agent(id);
        self.tree.track_total(&spec.total, Sign::Plus);
        let mut agent = Agent {
            id: id.clone(),
            total: Resources::new(),
            available: Resources::new(),
            held: BTreeMap::new(),
            traits: Arc::default(),
            active: true,
            whitelisted: true,
            remote: false,
            has_gpus: false,
            dirty: false,
            overcommitted: false,
        };
        agent.set(spec);
        agent.whitelisted = self.is_whitelisted(&agent.traits);
        let at = self.agents.insert(agent);
        self.agent_index.insert(id.clone(), at);
        for (framework, resources) in used {
            self.take(at, framework, resources);
        }
        self.agents[at].recount();
        self.mark(at);
    }

    /// An agent has other resources than before. What is used stays used, even if it is more than there is now.
    pub fn update_agent(&mut self, id: &AgentId, spec: AgentSpec) {
        let Some(&at) = self.agent_index.get(id) else { return };
        if self.agents[at].total != spec.total {
            let old = self.agents[at].total.clone();
            self.tree.track_total(&spec.total, Sign::Plus);
            self.untrack_total(&old);
        }
        self.agents[at].set(spec);
        self.agents[at].whitelisted = self.is_whitelisted(&self.agents[at].traits);
        self.mark(at);
    }

    /// An agent is gone; what was used there is forgotten.
    pub fn remove_agent(&mut self, id: &AgentId) {
        let Some(at) = self.agent_index.remove(id) else { return };
        for (framework, held) in std::mem::take(&mut self.agents[at].held) {
            self.untrack_offered(framework, &held.offered);
            self.untrack(framework, &held.all());
            self.forget_unused_framework(framework);
        }
        self.clear_filters_at(at);
        let total = std::mem::take(&mut self.agents[at].total);
        self.untrack_total(&total);
        if self.agents[at].dirty {
            self.dirty.retain(|d| *d != at);
        }
        self.agents.remove(at);
    }

    pub(crate) fn untrack_total(&mut self, total: &Resources) {
        self.tree.track_total(total, Sign::Minus);
        // Reservations count against limits: without these there may be room for something held back elsewhere.
        if total.iter().any(resources::Resource::is_reserved) {
            self.mark_all();
        }
    }

    /// Offers only what is on agents of these names; `None` lets all agents pass.
    pub fn set_whitelist(&mut self, hostnames: Option<BTreeSet<String>>) {
        self.whitelist = hostnames;
        let agents: Vec<_> = self.agents.iter().map(|(at, agent)| (at, Arc::clone(&agent.traits))).collect();
        for (at, traits) in agents {
            self.agents[at].whitelisted = self.is_whitelisted(&traits);
            self.mark(at);
        }
    }

    fn is_whitelisted(&self, traits: &AgentTraits) -> bool {
        self.whitelist.as_ref().is_none_or(|names| names.contains(&traits.hostname))
    }

    /// Offers an agent's resources again.
    pub fn activate_agent(&mut self, id: &AgentId) {
        if let Some(&at) = self.agent_index.get(id) {
            self.agents[at].active = true;
            self.mark(at);
        }
    }

    /// Offers nothing more of an agent until it is activated.
    pub fn deactivate_agent(&mut self, id: &AgentId) {
        if let Some(&at) = self.agent_index.get(id) {
            self.agents[at].active = false;
        }
    }

    /// Forgets what was declined of an agent, because it is not what it was.
    pub fn clear_filters(&mut self, id: &AgentId) {
        if let Some(&at) = self.agent_index.get(id) {
            self.clear_filters_at(at);
            self.mark(at);
        }
    }

    fn clear_filters_at(&mut self, at: AgentIx) {
        for (_, client) in self.tree.clients.iter_mut() {
            self.expiries.clear_agent(&mut client.filters, at);
        }
    }

    /// The clients of a framework as which it uses `resources`, each with its part.
    pub(crate) fn split(&mut self, at: FrameworkIx, resources: &Resources) -> Vec<(ClientIx, Resources)> {
        let mut first = resources.iter().map(|r| r.allocation.clone());
        if let Some(Some(role)) = first.next()
            && first.all(|other| other.as_ref() == Some(&role))
        {
            return vec![(self.client(at, &role), resources.clone())];
        }
        let by_role = resources.allocations();
        by_role.into_iter().map(|(role, part)| (self.client(at, &role), part)).collect()
    }
}

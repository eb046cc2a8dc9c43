//! What the allocator can tell about roles, agents and itself.

use std::collections::BTreeMap;

use base::{AgentId, FrameworkId};
use resources::{Quantities, Resources, Role};

use crate::holdings::Held;
use crate::shares::{DEFAULT_WEIGHT_MILLIONTHS, WHOLE};
use crate::{Allocator, Quota};

/// A role that someone has, or for which something is set or reserved.
#[derive(Clone, PartialEq, Debug)]
pub struct RoleView {
    /// Its name.
    pub role: Role,
    /// How much it counts against its siblings.
    pub weight: f64,
    /// What is kept for it, and how much it may have at most.
    pub quota: Quota,
    /// The frameworks that are subscribed to it.
    pub frameworks: Vec<FrameworkId>,
    /// What is offered or allocated to the frameworks right in this role.
    pub used: Quantities,
    /// What is reserved for it and the roles below, used or not.
    pub reserved: Quantities,
    /// What its limits count: `reserved`, and what is used unreserved in it and the roles below.
    pub consumed: Quantities,
    /// Its dominant share of the cluster, roles below included; 1 is all, before the weight.
    pub share: f64,
}

impl Allocator {
    /// All roles, by name.
    #[must_use]
    pub fn roles(&self) -> Vec<RoleView> {
        let mut views: Vec<_> = self
            .tree
            .roles
            .iter()
            .filter_map(|(at, node)| {
                node.parent?;
                let names = &self.tree.names;
                let reserved = names.quantities(&node.reserved);
                let mut consumed = reserved.clone();
                consumed += &names.quantities(&node.unreserved_used);
                let subscribed = node.clients.iter().map(|c| &self.tree.clients[*c]).filter(|c| c.subscribed);
                let mut frameworks: Vec<_> =
                    subscribed.map(|c| self.frameworks[c.framework].id.clone()).collect();
                frameworks.sort_unstable();
                let own = &self.tree.roles[at];
                Some(RoleView {
                    role: node.role.clone(),
                    weight: ratio(node.weight_millionths, DEFAULT_WEIGHT_MILLIONTHS),
                    quota: node.quota.clone(),
                    frameworks,
                    used: names.quantities(&own.own.amounts),
                    reserved,
                    consumed,
                    share: ratio(self.tree.shares.of(&node.subtree.amounts), WHOLE),
                })
            })
            .collect();
        views.sort_unstable_by(|a, b| a.role.cmp(&b.role));
        views
    }

    /// What is free on an agent.
    #[must_use]
    pub fn available(&self, agent: &AgentId) -> Option<&Resources> {
        self.agent_index.get(agent).map(|at| &self.agents[*at].available)
    }

    /// What an agent has.
    #[must_use]
    pub fn total(&self, agent: &AgentId) -> Option<&Resources> {
        self.agent_index.get(agent).map(|at| &self.agents[*at].total)
    }

    /// What is offered to a framework on an agent, or used by it.
    #[must_use]
    pub fn used(&self, framework: &FrameworkId, agent: &AgentId) -> Option<Resources> {
        self.held(framework, agent).map(Held::all)
    }

    /// What is offered to a framework on an agent and not answered yet.
    #[must_use]
    pub fn offered(&self, framework: &FrameworkId, agent: &AgentId) -> Option<&Resources> {
        self.held(framework, agent).map(|held| &held.offered)
    }

    fn held(&self, framework: &FrameworkId, agent: &AgentId) -> Option<&Held> {
        let by = self.framework_index.get(framework)?;
        self.agent_index.get(agent).and_then(|at| self.agents[*at].held.get(*by))
    }

    /// What all agents have together.
    #[must_use]
    pub fn cluster_total(&self) -> Quantities {
        self.tree.names.quantities(self.tree.shares.total())
    }

    /// What is offered or allocated, all together.
    #[must_use]
    pub fn cluster_used(&self) -> Quantities {
        self.tree.names.quantities(&self.tree.roles[self.tree.root()].subtree.amounts)
    }

    /// How many refusals are in force, by role; roles without any are left out.
    #[must_use]
    pub fn active_filters(&self) -> BTreeMap<Role, usize> {
        let mut filters = BTreeMap::new();
        for (_, client) in self.tree.clients.iter().filter(|(_, c)| c.refusals > 0) {
            *filters.entry(self.tree.roles[client.role].role.clone()).or_default() += client.refusals;
        }
        filters
    }
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

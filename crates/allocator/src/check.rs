//! What must always hold.

use base::never;
use resources::{Resource, Resources};

use crate::Allocator;
use crate::amounts::Amounts;
use crate::tree::{News, is_free_for_all};

impl Allocator {
    /// Verifies what must hold at any time: that nothing is lost or given twice, and that every sum and index that is kept
    /// is what it is of. Costs as much as the cluster is large. For tests.
    pub fn check(&self) {
        self.check_agents();
        self.check_roles();
        self.check_frameworks();
        self.check_refusals();
        self.check_choices();
        self.tree.check();
        self.order.check(&self.tree, |at| {
            let client = &self.tree.clients[at];
            let framework = &self.frameworks[client.framework];
            framework.present && framework.active && client.subscribed && !client.suppressed
        });
        never!(!self.chosen.is_empty(), "some are still chosen after an allocation");
    }

    /// For each agent, free + offered + used = total, for every kind of resource; shared ones are always free.
    fn check_agents(&self) {
        let mut free = Amounts::default();
        let mut total = Resources::new();
        for (at, agent) in self.agents.iter() {
            let mut sum = agent.available.clone();
            for (framework, held) in agent.held.iter() {
                never!(self.frameworks.get(framework).is_none(), "{} is used by nobody", agent.id);
                never!(held.is_empty(), "{} keeps nothing for someone", agent.id);
                sum += held.all().filter(|r| !r.is_shared()).unallocated();
            }
            let conserved = agent.overcommitted || sum == agent.total;
            never!(!conserved, "{} has {sum} but should have {}", agent.id, agent.total);
            total += &agent.total;
            let dirty = self.dirty.contains(&at);
            never!(agent.dirty != dirty, "{} is marked but not to be looked at", agent.id);
            let spare = agent.is_offerable() && !agent.available.is_empty();
            let place = agent.spare_at.map(|place| self.spare.get(place as usize) == Some(&at));
            never!(
                place != spare.then_some(true),
                "{} is not where agents with something free are",
                agent.id
            );
            let mut quota = Amounts::default();
            if agent.is_offerable() {
                quota = self.amounts(&agent.available, is_free_for_all);
            }
            never!(quota != agent.free.quota, "{} miscounts what is free", agent.id);
            free.add(&quota);
            never!(
                !agent.just_offered.is_empty() && !self.shared_again.contains(&at),
                "{} will not offer its shared resources again",
                agent.id
            );
        }
        never!(free != self.tree.free, "what is free is miscounted");
        never!(&self.amounts(&total, |_| true) != self.tree.shares.total(), "the total is miscounted");
    }

    /// What roles and frameworks have is what agents say.
    fn check_roles(&self) {
        for (at, client) in self.tree.clients.iter() {
            let role = &self.tree.roles[client.role].role;
            let mut amounts = Amounts::default();
            for (_, agent) in self.agents.iter() {
                let held = agent.held.get(client.framework).map(crate::holdings::Held::all);
                let held = held.unwrap_or_default().filter(|r| r.allocation.as_ref() == Some(role));
                amounts.add(&self.amounts(&once(&held), |_| true));
            }
            never!(amounts != client.usage.amounts, "{at:?} in {role} has other than is counted");
            never!(self.news.contains(&at) != (client.news != News::None), "{at:?} has news nobody knows of");
        }
        for (at, node) in self.tree.roles.iter() {
            let mut subtree = Amounts::default();
            let mut unreserved = Amounts::default();
            let mut reserved = Amounts::default();
            for (_, agent) in self.agents.iter() {
                let below = |role: &resources::Role| {
                    node.parent.is_none() || *role == node.role || role.is_strict_subrole_of(&node.role)
                };
                let mut held = Resources::new();
                for (_, all) in agent.held.iter() {
                    held += all.all().filter(|r| r.allocation.as_ref().is_some_and(below)).unallocated();
                }
                subtree.add(&self.amounts(&once(&held), |_| true));
                unreserved.add(&self.amounts(&held, is_free_for_all));
                let of_role = |r: &Resource| !r.is_revocable() && r.reservation_role().is_some_and(below);
                reserved.add(&self.amounts(&agent.total, of_role));
            }
            never!(subtree != node.subtree.amounts, "role {} has other than is counted", node.role);
            never!(unreserved != node.unreserved_used, "role {} uses other than is counted", node.role);
            never!(reserved != node.reserved, "role {} reserves other than is counted", node.role);
            self.check_kept(at);
        }
    }

    fn check_kept(&self, at: crate::tree::RoleIx) {
        let node = &self.tree.roles[at];
        let claims = self.tree.claimants.contains(&at);
        never!(claims == node.kept.is_zero(), "role {} claims something or nothing", node.role);
        let mut below = Amounts::default();
        for child in &node.children {
            below.add(&self.tree.roles[*child].kept);
            below.add(&self.tree.roles[*child].kept_below);
        }
        never!(below != node.kept_below, "role {} miscounts what is kept below it", node.role);
        for (name, guarantee) in node.guarantees.iter() {
            let open = guarantee - node.consumed(name) - below.get(name);
            let kept = node.kept.get(name);
            never!(kept != open.max(resources::Scalar::ZERO), "role {} keeps {kept}, not {open}", node.role);
        }
    }

    fn check_frameworks(&self) {
        let mut contenders = 0;
        for (at, framework) in self.frameworks.iter() {
            let wanting = framework.clients.iter().filter(|client| self.order.contains(**client)).count();
            never!(wanting != framework.wanting, "{} miscounts how many of it want offers", framework.id);
            contenders += usize::from(wanting > 0);
            let mut offered = Amounts::default();
            let mut holdings = 0;
            for held in self.agents.iter().filter_map(|(_, agent)| agent.held.get(at)) {
                holdings += 1;
                offered.add(&self.amounts(&held.offered, |_| true));
            }
            never!(holdings != framework.holdings, "{} miscounts its agents", framework.id);
            never!(offered != framework.offered, "{} miscounts its offers", framework.id);
        }
        never!(contenders != self.contenders, "{contenders} frameworks want offers, not {}", self.contenders);
    }

    fn amounts(&self, resources: &Resources, keep: impl Fn(&Resource) -> bool) -> Amounts {
        // All names in use are known, so that nothing is interned here.
        self.tree.names.clone().amounts(resources, keep)
    }
}

/// Shared resources once only.
fn once(resources: &Resources) -> Resources {
    resources.iter().cloned().collect()
}

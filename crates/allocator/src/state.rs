//! The allocator's state and what of it must always hold.

use std::collections::{BTreeSet, HashMap};

use base::{AgentId, FrameworkId, Time, never};
use resources::Resources;

use crate::Options;
use crate::agents::{Agent, AgentIx};
use crate::amounts::{Amounts, Names};
use crate::filters::Expiries;
use crate::frameworks::{Framework, FrameworkIx};
use crate::slab::Slab;
use crate::tree::Tree;

/// Shares agents' resources among frameworks; see the crate's documentation.
///
/// Frameworks and agents are named by their ids; calls that name unknown ones change nothing.
#[derive(Debug)]
pub struct Allocator {
    pub(crate) options: Options,
    pub(crate) tree: Tree,
    pub(crate) frameworks: Slab<FrameworkIx, Framework>,
    pub(crate) framework_index: HashMap<FrameworkId, FrameworkIx>,
    pub(crate) agents: Slab<AgentIx, Agent>,
    pub(crate) agent_index: HashMap<AgentId, AgentIx>,
    /// The names of the agents that may be offered; `None` if all may.
    pub(crate) whitelist: Option<BTreeSet<String>>,
    pub(crate) expiries: Expiries,
    /// Agents that may have something new to offer.
    pub(crate) dirty: Vec<AgentIx>,
    /// All agents may.
    pub(crate) all_dirty: bool,
}

impl Allocator {
    /// An allocator without frameworks and agents.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            tree: Tree::new(Names::new(options.fairness_excluded.clone())),
            options,
            frameworks: Slab::new(),
            framework_index: HashMap::new(),
            agents: Slab::new(),
            agent_index: HashMap::new(),
            whitelist: None,
            expiries: Expiries::default(),
            dirty: Vec::new(),
            all_dirty: false,
        }
    }

    /// Whether [`Allocator::allocate`] might have something to offer at `now`.
    #[must_use]
    pub fn needs_allocation(&self, now: Time) -> bool {
        self.all_dirty || !self.dirty.is_empty() || self.next_filter_expiry().is_some_and(|at| at <= now)
    }

    /// When the next refusal ends; [`Allocator::allocate`] should be called then.
    #[must_use]
    pub fn next_filter_expiry(&self) -> Option<Time> {
        self.expiries.next()
    }

    pub(crate) fn mark(&mut self, at: AgentIx) {
        if let Some(agent) = self.agents.get_mut(at)
            && !agent.dirty
        {
            agent.dirty = true;
            self.dirty.push(at);
        }
    }

    pub(crate) fn mark_all(&mut self) {
        self.all_dirty = true;
    }

    /// Verifies what must hold at any time; costs as much as the cluster is large. For tests.
    pub fn check(&self) {
        let mut used_by_all = Resources::new();
        let mut offered = Resources::new();
        for (_, agent) in self.agents.iter() {
            let mut sum = agent.available.clone();
            for (framework, held) in &agent.held {
                never!(self.frameworks.get(*framework).is_none(), "{} is used by nobody", agent.id);
                never!(held.is_empty(), "{} keeps nothing for someone", agent.id);
                let all = held.all();
                sum += all.clone().unallocated();
                used_by_all += &all;
                offered += &held.offered;
            }
            let conserved = agent.overcommitted || sum == agent.total;
            never!(!conserved, "{} has {} but should have {}", agent.id, sum, agent.total);
            let dirty = self.dirty.iter().any(|d| self.agent_index.get(&agent.id) == Some(d));
            never!(agent.dirty && !dirty, "{} is marked but not to be looked at", agent.id);
        }
        let root = &self.tree.roles[self.tree.root()];
        let counted = self.tree.names.quantities(&root.subtree.amounts);
        let used = used_by_all.quantities();
        never!(counted != used, "roles have {counted} but {used} is used");
        let mut counted = Amounts::default();
        for (_, client) in self.tree.clients.iter() {
            counted.add(&client.offered);
        }
        let counted = self.tree.names.quantities(&counted);
        let offered = offered.quantities();
        never!(counted != offered, "frameworks have offers of {counted} but {offered} is offered");
        let filters: usize = self.tree.clients.iter().map(|(_, c)| c.filters.len()).sum();
        never!(filters != self.expiries.len(), "{filters} refusals, of which {} end", self.expiries.len());
        self.tree.check();
    }
}

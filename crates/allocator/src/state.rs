//! The allocator's state.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::{AgentId, FrameworkId, Time};

use crate::Options;
use crate::agents::{Agent, AgentIx};
use crate::frameworks::{Framework, FrameworkIx};
use crate::order::Order;
use crate::quota::Rooms;
use crate::ranks::Ranks;
use crate::refusals::Expiries;
use crate::shares::Shares;
use crate::slab::Slab;
use crate::tree::{ClientIx, RoleIx, Tree};
use crate::visit::Visit;

/// Shares agents' resources among frameworks; see the crate's documentation.
///
/// Frameworks and agents are named by their ids; calls that name unknown ones change nothing.
#[derive(Debug)]
pub struct Allocator {
    pub(crate) options: Options,
    pub(crate) tree: Tree,
    /// All clients that want offers.
    pub(crate) order: Order,
    /// Those of them whom an allocation serves just now, if not all.
    pub(crate) chosen: Order,
    pub(crate) frameworks: Slab<FrameworkIx, Framework>,
    pub(crate) framework_index: HashMap<FrameworkId, FrameworkIx>,
    pub(crate) framework_ranks: Ranks<FrameworkId>,
    /// Clients with constraints.
    pub(crate) constrained: BTreeSet<ClientIx>,
    /// How many frameworks want offers.
    pub(crate) contenders: usize,
    pub(crate) agents: Slab<AgentIx, Agent>,
    pub(crate) agent_index: HashMap<AgentId, AgentIx>,
    /// The names of the agents that may be offered; `None` if all may.
    pub(crate) whitelist: Option<BTreeSet<String>>,
    /// The agents that can be offered and have something free.
    pub(crate) spare: Vec<AgentIx>,
    /// When which refusals end.
    pub(crate) expiries: Expiries,
    /// Agents that may have something new to offer.
    pub(crate) dirty: Vec<AgentIx>,
    /// Clients that may be offered something that was free before; see [`News`](crate::tree::News).
    pub(crate) news: Vec<ClientIx>,
    /// Roles whose offers were cut to the room they had, and that room.
    pub(crate) cut: BTreeMap<RoleIx, Rooms>,
    /// Roles that have room again, and what bounded them; only during an allocation.
    pub(crate) released: BTreeMap<RoleIx, Rooms>,
    /// Frameworks that get no offers because they have too many already.
    pub(crate) capped: Vec<FrameworkIx>,
    /// Agents whose shared resources were offered by the last allocation.
    pub(crate) shared_again: Vec<AgentIx>,
    /// What looking at an agent needs, kept for the next one.
    pub(crate) visit: Visit,
}

impl Allocator {
    /// An allocator without frameworks and agents.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            tree: Tree::new(Shares::new(options.fairness_excluded.clone()), &options.min_allocatable),
            order: Order::default(),
            chosen: Order::default(),
            options,
            frameworks: Slab::new(),
            framework_index: HashMap::new(),
            framework_ranks: Ranks::new(),
            constrained: BTreeSet::new(),
            contenders: 0,
            agents: Slab::new(),
            agent_index: HashMap::new(),
            whitelist: None,
            spare: Vec::new(),
            expiries: Expiries::new(),
            dirty: Vec::new(),
            news: Vec::new(),
            cut: BTreeMap::new(),
            released: BTreeMap::new(),
            capped: Vec::new(),
            shared_again: Vec::new(),
            visit: Visit::default(),
        }
    }

    /// Whether [`Allocator::allocate`] might have something to offer at `now`. What is to be offered again from time to
    /// time, shared resources, does not count.
    #[must_use]
    pub fn needs_allocation(&self, now: Time) -> bool {
        !self.dirty.is_empty()
            || !self.news.is_empty()
            || (self.tree.loosened && !self.cut.is_empty())
            || self.order.has_reopened()
            || self.capped.iter().any(|framework| !self.is_capped(*framework))
            || self.expiries.first().is_some_and(|(end, _)| *end <= now)
    }

    /// When the next refusal ends; [`Allocator::allocate`] should be called then.
    #[must_use]
    pub fn next_filter_expiry(&self) -> Option<Time> {
        let mut next: Option<Time> = None;
        for (end, at) in &self.expiries {
            // An agent stands where the first of its refusals ends, though that may have been taken back.
            if next.is_some_and(|next| next <= *end) {
                break;
            }
            let in_force = self.agents[*at].refusals.entries().iter().filter(|r| r.in_force(&self.tree));
            next = next.into_iter().chain(in_force.map(|refusal| refusal.until)).min();
        }
        next
    }
}

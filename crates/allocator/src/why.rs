//! Why a framework gets no offers: reasons as data, for logs, metrics and people.

use std::collections::BTreeMap;

use base::{FrameworkId, Time};
use resources::Role;

use crate::Allocator;
use crate::agents::AgentIx;
use crate::tree::ClientIx;

/// What stands between a framework in one of its roles and an agent's resources.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Obstacle {
    /// The agent is deactivated.
    AgentInactive,
    /// The agent is not in the whitelist.
    NotWhitelisted,
    /// All the agent has is offered or used.
    NothingFree,
    /// The agent has GPUs and the framework does not say that it can use them.
    KeptForGpus,
    /// The agent is in another region and the framework does not say that it knows regions.
    OtherRegion,
    /// The framework's constraints for the role leave the agent out.
    Constrained,
    /// What is free is reserved for other roles.
    ReservedForOthers,
    /// The role, or one above it, has all that its limits allow.
    AtLimit,
    /// What is free, and can be understood by the framework, is too little to be offered.
    TooLittle,
    /// The framework declined as much.
    Refused,
    /// None: others may be due before it, or the next allocation offers it.
    Waiting,
}

/// How a framework stands in one of its roles.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// The framework is not connected, or was deactivated.
    Inactive,
    /// The framework wants no offers for this role.
    Suppressed,
    /// For each obstacle, how many agents have it; no entry at all without agents.
    Agents {
        /// By obstacle.
        counts: BTreeMap<Obstacle, usize>,
        /// When the first of its refusals that stand in the way ends.
        first_refusal_ends: Option<Time>,
    },
}

impl Allocator {
    /// How a framework stands, by role. Looks at each agent.
    #[must_use]
    pub fn why(&self, framework: &FrameworkId) -> BTreeMap<Role, Why> {
        let Some(framework) = self.framework_index.get(framework).map(|at| &self.frameworks[*at]) else {
            return BTreeMap::new();
        };
        let clients = framework.clients.iter().map(|at| (*at, &self.tree.clients[*at]));
        let subscribed = clients.filter(|(_, client)| client.subscribed);
        subscribed
            .map(|(at, client)| {
                let why = if !framework.active {
                    Why::Inactive
                } else if client.suppressed {
                    Why::Suppressed
                } else {
                    self.why_of(at)
                };
                (self.tree.roles[client.role].role.clone(), why)
            })
            .collect()
    }

    fn why_of(&self, client: ClientIx) -> Why {
        let mut counts = BTreeMap::new();
        let mut first_refusal_ends: Option<Time> = None;
        for (at, _) in self.agents.iter() {
            let obstacle = self.obstacle(client, at);
            *counts.entry(obstacle).or_default() += 1;
            if obstacle == Obstacle::Refused
                && let Some(until) = self.tree.clients[client].filters.until(at)
            {
                first_refusal_ends = Some(first_refusal_ends.map_or(until, |first| first.min(until)));
            }
        }
        Why::Agents { counts, first_refusal_ends }
    }

    fn obstacle(&self, client: ClientIx, at: AgentIx) -> Obstacle {
        let agent = &self.agents[at];
        if !agent.active {
            return Obstacle::AgentInactive;
        }
        if !agent.whitelisted {
            return Obstacle::NotWhitelisted;
        }
        if let Err(obstacle) = self.can_have(at, client) {
            return obstacle;
        }
        if agent.available.is_empty() {
            return Obstacle::NothingFree;
        }
        let c = &self.tree.clients[client];
        let capabilities = self.frameworks[c.framework].capabilities;
        match self.portion(at, c.role, capabilities) {
            None => Obstacle::ReservedForOthers,
            Some(portion) if !self.is_worth_offering(client, &portion.resources) => {
                if portion.cut {
                    Obstacle::AtLimit
                } else {
                    Obstacle::TooLittle
                }
            }
            Some(portion) if c.filters.block(at, &portion.resources) => Obstacle::Refused,
            Some(_) => Obstacle::Waiting,
        }
    }
}

//! One agent, for one framework in one of its roles: all that stands in between, and what would be offered without it.

use std::borrow::Cow;

use base::Time;
use resources::{Quantities, Resource, Resources};

use super::quota::Passing;
use super::types::{Change, Obstacle};
use crate::agents::AgentIx;
use crate::free::is_enough;
use crate::portion::understands;
use crate::tree::{Client, ClientIx};
use crate::{Allocator, Capabilities};

/// A set of obstacles.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(super) struct Obstacles(u16);

impl Obstacles {
    pub(super) fn add(&mut self, obstacle: Obstacle) {
        self.0 |= 1 << obstacle as u16;
    }

    pub(super) fn has(self, obstacle: Obstacle) -> bool {
        self.0 & (1 << obstacle as u16) != 0
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Obstacle> {
        Obstacle::ALL.into_iter().filter(move |obstacle| self.has(*obstacle))
    }
}

/// What is between a client and an agent.
#[derive(Clone, Debug)]
pub(super) struct Probe<'a> {
    pub(super) obstacles: Obstacles,
    /// What is free for the role, without what the framework cannot use unless there is nothing else.
    pub(super) base: Cow<'a, Resources>,
    /// The part of it that quotas let pass, and what would let more pass; `None` if all of it passes.
    passing: Option<Passing>,
}

impl Probe<'_> {
    /// What quotas let pass.
    pub(super) fn passing(&self) -> &Resources {
        self.passing.as_ref().map_or(&*self.base, |passing| &passing.resources)
    }

    /// The smallest changes of quotas that are needed.
    pub(super) fn quota_changes(&self) -> &[Change] {
        self.passing.as_ref().map_or(&[], |passing| &passing.changes)
    }
}

impl Allocator {
    /// Looks at an agent for all clients of a role that can understand the same things and ask for the same least.
    /// What depends on the client is left to [`Allocator::probe_client`].
    pub(super) fn probe(&self, client: ClientIx, at: AgentIx) -> Probe<'_> {
        let client = &self.tree.clients[client];
        let agent = &self.agents[at];
        let capabilities = self.capabilities(client);
        let mut obstacles = Obstacles::default();
        for (there, obstacle) in [
            (!agent.active, Obstacle::AgentInactive),
            (!agent.whitelisted, Obstacle::NotWhitelisted),
            (self.is_too_old(at, client), Obstacle::AgentTooOld),
            (
                self.options.filter_gpu_agents && agent.has_gpus && !capabilities.gpu_resources,
                Obstacle::KeptForGpus,
            ),
            (agent.remote && !capabilities.region_aware, Obstacle::OtherRegion),
        ] {
            if there {
                obstacles.add(obstacle);
            }
        }
        let nothing = |mut obstacles: Obstacles, obstacle| {
            obstacles.add(obstacle);
            Probe { obstacles, base: Cow::Owned(Resources::new()), passing: None }
        };
        if agent.available.is_empty() {
            return nothing(obstacles, Obstacle::NothingFree);
        }
        // What is neither reserved nor particular is for everybody, and most agents have only such.
        let plain = agent.is_offerable() && !agent.free.reserved && !agent.free.particular;
        let for_role = if plain {
            Cow::Borrowed(&agent.available)
        } else {
            Cow::Owned(agent.available.allocatable_to(&self.tree.roles[client.role].role))
        };
        if for_role.is_empty() {
            return nothing(obstacles, Obstacle::ReservedForOthers);
        }
        let least = self.least(client);
        let understood = |resource: &Resource| understands(capabilities, resource);
        let all_understood = plain || for_role.iter().all(understood);
        let mut base =
            if all_understood { for_role.clone() } else { Cow::Owned(for_role.filter(understood)) };
        let enough = is_enough(&base, least);
        let too_little = !enough && (all_understood || !is_enough(&for_role, least));
        if too_little {
            obstacles.add(Obstacle::TooLittle);
        }
        if base.is_empty() || (!too_little && !enough) {
            obstacles.add(Obstacle::NotUnderstood);
            base = for_role;
        }
        let passing = self.is_bounded(client.role).then(|| {
            let passing = self.passing(client.role, at, &base, if too_little { &[] } else { least });
            if too_little && !passing.changes.is_empty() {
                return self.passing(client.role, at, &base, &[base.quantities()]);
            }
            passing
        });
        let probe = Probe { obstacles, base, passing };
        for change in probe.quota_changes() {
            match change {
                Change::RaiseLimit { .. } => obstacles.add(Obstacle::AtLimit),
                _ => obstacles.add(Obstacle::HeldBack),
            }
        }
        Probe { obstacles, ..probe }
    }

    /// Adds to what was found for the role what is the client's own: its constraints, its refusals, and the offers that
    /// it has.
    pub(super) fn probe_client(&self, probe: &Probe<'_>, at: (ClientIx, AgentIx), now: Time) -> Obstacles {
        let (client, agent) = (&self.tree.clients[at.0], at.1);
        let mut obstacles = probe.obstacles;
        if client.choice.as_ref().is_some_and(|choice| choice.leaves_out(agent)) {
            obstacles.add(Obstacle::Constrained);
        }
        if probe.base.is_empty() {
            return obstacles;
        }
        // If quotas change just a little, less is offered than now, and a refusal is the more in the way.
        let passing = probe.passing();
        let mut refusals = self.refusals(at.0, agent).filter(|refusal| refusal.until > now);
        if refusals.any(|refusal| refusal.resources.contains(passing)) {
            obstacles.add(Obstacle::Refused);
        }
        if !passing.is_empty()
            && passing.iter().all(Resource::is_shared)
            && self.is_offered_all(agent, at.0, passing)
        {
            obstacles.add(Obstacle::AlreadyOffered);
        }
        if self.is_capped(client.framework) {
            obstacles.add(Obstacle::OfferedEnough);
        }
        obstacles
    }

    pub(super) fn capabilities(&self, client: &Client) -> Capabilities {
        client.capabilities
    }

    /// What offers to a client must have at least one of.
    pub(super) fn least<'a>(&'a self, client: &'a Client) -> &'a [Quantities] {
        client.min_allocatable.as_deref().unwrap_or(&self.options.min_allocatable)
    }
}

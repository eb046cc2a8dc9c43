//! What an agent has for a client.

use resources::{Resource, Resources};

use crate::agents::AgentIx;
use crate::frameworks::FrameworkIx;
use crate::free::is_enough;
use crate::shares::WHOLE;
use crate::tree::{Client, ClientIx, RoleIx};
use crate::{Allocator, Capabilities, Obstacle};

/// What an agent has for the frameworks of a role that can understand the same things.
#[derive(Debug)]
pub(crate) struct Portion {
    /// `None` stands for all that is free.
    pub(crate) part: Option<Resources>,
    /// The role's room was too small for all of it.
    pub(crate) cut: bool,
}

impl Allocator {
    /// Whether something of an agent may be offered at all to a client.
    pub(crate) fn can_have(&self, at: AgentIx, client: ClientIx) -> Result<(), Obstacle> {
        let (agent, client) = (&self.agents[at], &self.tree.clients[client]);
        if self.is_too_old(at, client) {
            return Err(Obstacle::AgentTooOld);
        }
        if self.options.filter_gpu_agents && agent.has_gpus && !client.capabilities.gpu_resources {
            return Err(Obstacle::KeptForGpus);
        }
        if agent.remote && !client.capabilities.region_aware {
            return Err(Obstacle::OtherRegion);
        }
        if client.choice.as_ref().is_some_and(|choice| choice.leaves_out(at)) {
            return Err(Obstacle::Constrained);
        }
        Ok(())
    }

    /// Whether an agent cannot tell roles apart as it would have to for this client.
    pub(crate) fn is_too_old(&self, at: AgentIx, client: &Client) -> bool {
        let agent = &self.agents[at];
        let is_below = || self.tree.roles[client.role].role.as_str().contains('/');
        (agent.single_role && client.capabilities.multi_role) || (agent.flat_roles && is_below())
    }

    /// What an agent has for those of a role who understand `capabilities`; `None` if it has nothing for the role.
    pub(crate) fn portion(&self, at: AgentIx, role: RoleIx, capabilities: Capabilities) -> Option<Portion> {
        let agent = &self.agents[at];
        if agent.available.is_empty() {
            return None;
        }
        let whole = !agent.free.reserved && !agent.free.particular;
        let exceeds = |(name, amount)| self.room(role, name).is_some_and(|room| room < amount);
        let cut = self.is_bounded(role) && agent.free.quota.iter().any(exceeds);
        if whole && !cut {
            return Some(Portion { part: None, cut: false });
        }
        if whole && self.tree.is_too_small(role, |name| self.room(role, name)) {
            return Some(Portion { part: Some(Resources::new()), cut: true });
        }
        let name = &self.tree.roles[role].role;
        if !agent.available.iter().any(|r| r.is_allocatable_to(name)) {
            return None;
        }
        let part = agent.available.filter(|r| {
            r.is_allocatable_to(name)
                && understands(capabilities, r)
                && !(r.is_shared() && agent.just_offered.contains_one(r))
        });
        let (part, cut) = if cut { self.within_room(role, &part) } else { (part, false) };
        Some(Portion { part: Some(part), cut })
    }

    /// Whether `resources` of an agent are enough to be offered to a client. Shared ones alone are not, if it has been
    /// offered them already and not answered.
    pub(crate) fn is_worth_offering(&self, at: AgentIx, client: ClientIx, resources: &Resources) -> bool {
        let c = &self.tree.clients[client];
        let least = c.min_allocatable.as_ref().unwrap_or(&self.options.min_allocatable);
        is_enough(resources, least)
            && (!resources.iter().all(Resource::is_shared) || !self.is_offered_all(at, client, resources))
    }

    pub(crate) fn is_offered_all(&self, at: AgentIx, client: ClientIx, resources: &Resources) -> bool {
        let c = &self.tree.clients[client];
        let role = &self.tree.roles[c.role].role;
        self.agents[at].held.get(c.framework).is_some_and(|held| {
            resources.iter().all(|r| held.offered.contains_one(&r.clone().allocated_to(role.clone())))
        })
    }

    /// Whether a framework has so many offers outstanding that it gets no more while others want some. It may exceed the
    /// bound by its last offer.
    pub(crate) fn is_capped(&self, framework: FrameworkIx) -> bool {
        self.options.max_offered_share.is_some_and(|most| {
            let framework = &self.frameworks[framework];
            let others = self.contenders - usize::from(framework.wanting > 0);
            others > 0 && self.tree.shares.of(&framework.offered) >= units(most)
        })
    }
}

/// A share in the units in which shares are counted, rounded down as they are.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a power of two is exact, and the cast saturates"
)]
pub(crate) fn units(share: f64) -> u64 {
    (share * WHOLE as f64) as u64
}

pub(crate) fn understands(capabilities: Capabilities, resource: &Resource) -> bool {
    (capabilities.shared_resources || !resource.is_shared())
        && (capabilities.revocable_resources || !resource.is_revocable())
        && (capabilities.reservation_refinement || !resource.has_refined_reservations())
}

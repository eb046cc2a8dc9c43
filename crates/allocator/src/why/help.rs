//! The smallest change that would help: for obstacles at one agent, what removes them.

use std::collections::BTreeSet;

use base::Time;
use resources::{Resource, Resources, Role};

use super::probe::{Obstacles, Probe};
use super::types::{Change, Obstacle};
use crate::Allocator;
use crate::agents::AgentIx;
use crate::constraints::Condition;
use crate::tree::ClientIx;

/// How much is asked of people to remove an obstacle: least of the scheduler's author at run time, then of its code,
/// then of operators, most where more machines are needed.
pub(super) const fn effort(obstacle: Obstacle) -> u32 {
    match obstacle {
        Obstacle::Refused | Obstacle::AlreadyOffered | Obstacle::OfferedEnough => 1,
        Obstacle::KeptForGpus | Obstacle::OtherRegion | Obstacle::NotUnderstood => 3,
        Obstacle::Constrained => 3,
        Obstacle::TooLittle => 5,
        Obstacle::ReservedForOthers => 6,
        Obstacle::AtLimit | Obstacle::HeldBack => 8,
        Obstacle::NotWhitelisted | Obstacle::AgentInactive | Obstacle::AgentTooOld => 10,
        Obstacle::NothingFree => 20,
    }
}

impl Allocator {
    /// What removes these obstacles at this agent.
    pub(super) fn changes(
        &self,
        (client, at): (ClientIx, AgentIx),
        (obstacles, probe): (Obstacles, &Probe<'_>),
        now: Time,
    ) -> Vec<Change> {
        let (c, agent) = (&self.tree.clients[client], &self.agents[at]);
        let role = &self.tree.roles[c.role].role;
        let mut changes = Vec::new();
        for obstacle in obstacles.iter() {
            match obstacle {
                Obstacle::AgentInactive => changes.push(Change::ActivateAgent(agent.id.clone())),
                Obstacle::NotWhitelisted => changes.push(Change::Whitelist(agent.traits.hostname.clone())),
                Obstacle::AgentTooOld => changes.push(Change::UpgradeAgent(agent.id.clone())),
                Obstacle::KeptForGpus => changes.push(Change::AddCapability("GPU_RESOURCES")),
                Obstacle::OtherRegion => changes.push(Change::AddCapability("REGION_AWARE")),
                Obstacle::Constrained => {
                    changes.extend(self.fewest_failing(client, at).into_iter().map(|condition| {
                        Change::DropCondition { role: role.clone(), condition: condition.to_string() }
                    }));
                }
                Obstacle::NothingFree => changes.push(Change::MoreResources),
                Obstacle::ReservedForOthers => changes.push(self.other_role(client, at)),
                Obstacle::NotUnderstood => changes.extend(
                    self.missing_capabilities(client, &probe.base).into_iter().map(Change::AddCapability),
                ),
                Obstacle::TooLittle => changes.push(Change::LowerMinimum {
                    role: role.clone(),
                    to: match probe.quota_changes() {
                        [] => probe.passing().quantities(),
                        _ => probe.base.quantities(),
                    },
                    own: c.min_allocatable.is_some(),
                }),
                // Changes of both kinds are found together.
                Obstacle::AtLimit => changes.extend(probe.quota_changes().iter().cloned()),
                Obstacle::HeldBack if !obstacles.has(Obstacle::AtLimit) => {
                    changes.extend(probe.quota_changes().iter().cloned());
                }
                Obstacle::HeldBack => {}
                Obstacle::Refused => {
                    let refusals =
                        self.refusals(client, at).map(|refusal| refusal.until).filter(|until| *until > now);
                    changes.push(Change::Revive { role: role.clone(), or_wait_until: refusals.max() });
                }
                Obstacle::AlreadyOffered => changes.push(Change::AnswerOffers),
                Obstacle::OfferedEnough if !obstacles.has(Obstacle::AlreadyOffered) => {
                    changes.push(Change::AnswerOffers);
                }
                Obstacle::OfferedEnough => {}
            }
        }
        changes
    }

    /// The conditions that do not hold for an agent, of the group that has the fewest such.
    pub(super) fn fewest_failing(&self, client: ClientIx, at: AgentIx) -> Vec<&Condition> {
        let traits = &self.agents[at].traits;
        let groups = self.tree.clients[client].choice.iter().flat_map(|choice| &choice.constraints().any_of);
        let failing = groups.map(|group| group.iter().filter(|c| !c.holds(traits)).collect::<Vec<_>>());
        failing.min_by_key(Vec::len).unwrap_or_default()
    }

    /// For which roles what is free on an agent is reserved.
    pub(super) fn reserved_roles(&self, at: AgentIx) -> impl Iterator<Item = &Role> {
        self.agents[at].available.iter().filter_map(Resource::reservation_role)
    }

    /// Something is free for a role that the framework does not have; why it gets nothing in those it has is told there.
    fn other_role(&self, client: ClientIx, at: AgentIx) -> Change {
        let framework = &self.frameworks[self.tree.clients[client].framework];
        let clients = framework.clients.iter().map(|client| &self.tree.clients[*client]);
        let own: Vec<&Role> =
            clients.filter(|c| c.subscribed).map(|c| &self.tree.roles[c.role].role).collect();
        let role = self.reserved_roles(at).filter(|role| !own.contains(role)).min();
        role.map_or(Change::MoreResources, |role| Change::JoinRole(role.clone()))
    }

    /// What a framework would have to say it can use to be offered `resources`.
    pub(super) fn missing_capabilities(
        &self,
        client: ClientIx,
        resources: &Resources,
    ) -> BTreeSet<&'static str> {
        let capabilities = self.capabilities(&self.tree.clients[client]);
        let mut missing = BTreeSet::new();
        for resource in resources.iter() {
            for (lacks, name) in [
                (resource.is_shared() && !capabilities.shared_resources, "SHARED_RESOURCES"),
                (resource.is_revocable() && !capabilities.revocable_resources, "REVOCABLE_RESOURCES"),
                (
                    resource.has_refined_reservations() && !capabilities.reservation_refinement,
                    "RESERVATION_REFINEMENT",
                ),
            ] {
                if lacks {
                    missing.insert(name);
                }
            }
        }
        missing
    }
}

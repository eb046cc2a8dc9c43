//! The smallest change that would help: for obstacles at one agent, what removes them.

use std::collections::BTreeSet;

use base::Time;
use resources::{Name, Quantities, Resource, Resources, Role, Scalar};

use super::probe::{Obstacles, Probe};
use super::types::{Change, LimitReached, Obstacle};
use crate::Allocator;
use crate::agents::AgentIx;
use crate::constraints::Condition;
use crate::tree::{ClientIx, RoleIx, RoleNode, is_free_for_all};

/// How much is asked of people to remove an obstacle: least of the scheduler's author at run time, then of its code,
/// then of operators, most where more machines are needed.
pub(super) const fn effort(obstacle: Obstacle) -> u32 {
    match obstacle {
        Obstacle::Refused | Obstacle::OfferedEnough => 1,
        Obstacle::KeptForGpus | Obstacle::OtherRegion | Obstacle::NotUnderstood => 3,
        Obstacle::Constrained => 3,
        Obstacle::TooLittle => 5,
        Obstacle::ReservedForOthers => 6,
        Obstacle::AtLimit | Obstacle::HeldBack => 8,
        Obstacle::NotWhitelisted | Obstacle::AgentInactive => 10,
        Obstacle::NothingFree => 20,
    }
}

impl Allocator {
    /// What removes these obstacles at this agent.
    pub(super) fn changes(
        &self,
        (client, at): (ClientIx, AgentIx),
        (obstacles, probe): (Obstacles, &Probe),
        now: Time,
    ) -> Vec<Change> {
        let (c, agent) = (&self.tree.clients[client], &self.agents[at]);
        let role = &self.tree.roles[c.role].role;
        let mut changes = Vec::new();
        for obstacle in obstacles.iter() {
            match obstacle {
                Obstacle::AgentInactive => changes.push(Change::ActivateAgent(agent.id.clone())),
                Obstacle::NotWhitelisted => changes.push(Change::Whitelist(agent.traits.hostname.clone())),
                Obstacle::KeptForGpus => changes.push(Change::AddCapability("GPU_RESOURCES")),
                Obstacle::OtherRegion => changes.push(Change::AddCapability("REGION_AWARE")),
                Obstacle::Constrained => {
                    changes.extend(self.fewest_failing(client, at).into_iter().map(|condition| {
                        Change::DropCondition { role: role.clone(), condition: condition.to_string() }
                    }));
                }
                Obstacle::NothingFree => changes.push(Change::MoreResources),
                Obstacle::ReservedForOthers => {
                    changes.extend(self.next_reserved_role(at).map(Change::JoinRole))
                }
                Obstacle::NotUnderstood => changes.extend(
                    self.missing_capabilities(client, &probe.base).into_iter().map(Change::AddCapability),
                ),
                Obstacle::TooLittle => changes.push(Change::LowerMinimum {
                    role: role.clone(),
                    to: probe.base.quantities(),
                    own: c.min_allocatable.is_some(),
                }),
                Obstacle::AtLimit => {
                    let least = if obstacles.has(Obstacle::TooLittle) { &[] } else { self.least(c) };
                    changes.extend(self.raises(c.role, probe, least));
                }
                Obstacle::HeldBack => {}
                Obstacle::Refused => {
                    let refusals =
                        self.refusals(client, at).map(|refusal| refusal.until).filter(|until| *until > now);
                    changes.push(Change::Revive { role: role.clone(), or_wait_until: refusals.max() });
                }
                Obstacle::OfferedEnough => changes.push(Change::AnswerOffers),
            }
        }
        changes
    }

    /// The conditions that do not hold for an agent, of the group that has the fewest such.
    pub(super) fn fewest_failing(&self, client: ClientIx, at: AgentIx) -> Vec<&Condition> {
        let traits = &self.agents[at].traits;
        let groups = self.tree.clients[client].constraints.iter().flat_map(|all| &all.any_of);
        let failing = groups.map(|group| group.iter().filter(|c| !c.holds(traits)).collect::<Vec<_>>());
        failing.min_by_key(Vec::len).unwrap_or_default()
    }

    /// For which roles what is free on an agent is reserved.
    pub(super) fn reserved_roles(&self, at: AgentIx) -> impl Iterator<Item = &Role> {
        self.agents[at].available.iter().filter_map(Resource::reservation_role)
    }

    fn next_reserved_role(&self, at: AgentIx) -> Option<Role> {
        self.reserved_roles(at).min().cloned()
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

    /// The limits that leave out something of what an agent has free for a role.
    pub(super) fn limits_in_the_way(&self, role: RoleIx, free: &Resources) -> Vec<LimitReached> {
        let wanted = free.filter(is_free_for_all).quantities();
        let mut reached = Vec::new();
        for node in self.tree.path(role) {
            for (name, limit) in &node.quota.limits {
                let consumed = self.consumed(node, name);
                if limit.saturating_sub(consumed) < wanted.get(name) {
                    let (role, resource) = (node.role.clone(), name.clone());
                    reached.push(LimitReached { role, resource, limit: *limit, consumed });
                }
            }
        }
        reached
    }

    /// What a role's quota counts of something: what is reserved, and what is used without a reservation.
    pub(super) fn consumed(&self, node: &RoleNode, name: &Name) -> Scalar {
        self.tree
            .names
            .find(name)
            .map_or(Scalar::ZERO, |ix| node.reserved.get(ix) + node.unreserved_used.get(ix))
    }

    /// The smallest raises of limits after which enough of an agent could be offered: enough is one of `least`.
    fn raises(&self, role: RoleIx, probe: &Probe, least: &[Quantities]) -> Vec<Change> {
        let anything: Vec<Quantities>;
        let least = if least.is_empty() {
            let one = |(name, _): (&Name, Scalar)| {
                Quantities::from_iter([(name.clone(), Scalar::from_thousandths(1))])
            };
            anything = probe.base.quantities().iter().map(one).collect();
            &anything
        } else {
            least
        };
        let alternatives = least.iter().filter_map(|least| self.raises_for(role, probe, least));
        alternatives
            .min_by_key(|raises| {
                let by = raises.iter().map(|raise| match raise {
                    Change::RaiseLimit { by, .. } => by.thousandths(),
                    _ => 0,
                });
                (raises.len(), by.fold(0_i64, i64::saturating_add))
            })
            .unwrap_or_default()
    }

    /// The raises after which an agent could be offered with as much as `least`; `None` if it has not so much.
    fn raises_for(&self, role: RoleIx, probe: &Probe, least: &Quantities) -> Option<Vec<Change>> {
        let mut raises = Vec::new();
        for (name, wanted) in least.iter() {
            let passing = scalar(&probe.within_limits, name, |_| true);
            if passing >= wanted {
                continue;
            }
            let free = scalar(&probe.base, name, |_| true);
            if free < wanted {
                return None;
            }
            // What can only be had whole needs room for all of it.
            let whole = probe.base.iter().any(|r| r.name == *name && is_free_for_all(r) && !is_divisible(r));
            let wanted = if whole { free } else { wanted };
            let room = scalar(&probe.within_limits, name, is_free_for_all) + wanted.saturating_sub(passing);
            for node in self.tree.path(role) {
                let Some(limit) = node.quota.limits.get(name) else { continue };
                let to = self.consumed(node, name) + room;
                if *limit < to {
                    let (role, resource) = (node.role.clone(), name.clone());
                    raises.push(Change::RaiseLimit { role, resource, by: to - *limit, to });
                }
            }
        }
        Some(raises)
    }
}

fn scalar(resources: &Resources, name: &Name, keep: impl Fn(&Resource) -> bool) -> Scalar {
    resources.filter(|resource| resource.name == *name && keep(resource)).scalar(name).unwrap_or_default()
}

fn is_divisible(resource: &Resource) -> bool {
    let least = resource.clone().with_value(resources::Value::Scalar(Scalar::from_thousandths(1)));
    resource.contains(&least)
}

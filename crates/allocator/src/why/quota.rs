//! What quotas let pass of what an agent has free, and what of them would have to change for more.

use std::collections::BTreeMap;

use resources::{Name, Quantities, Resource, Resources, Scalar, Value};

use super::types::{Change, GuaranteeOpen, LimitReached};
use crate::Allocator;
use crate::agents::AgentIx;
use crate::amounts::NameIx;
use crate::free::is_enough;
use crate::tree::{RoleIx, RoleNode, is_free_for_all};

/// What a role may be offered of an agent as far as quotas go.
#[derive(Clone, Default, Debug)]
pub(super) struct Passing {
    /// So much.
    pub(super) resources: Resources,
    /// If that is not enough, the smallest changes of quotas after which enough could be offered.
    pub(super) changes: Vec<Change>,
}

impl Allocator {
    /// What quotas let pass of `free`, which an agent has for a role; enough is one of `least`.
    pub(super) fn passing(
        &self,
        role: RoleIx,
        at: AgentIx,
        free: &Resources,
        least: &[Quantities],
    ) -> Passing {
        let (resources, cut) = self.cut_to(free, |name| self.room_with(role, at, free, name));
        if !cut || is_enough(&resources, least) {
            return Passing { resources, changes: Vec::new() };
        }
        let anything: Vec<Quantities>;
        let least = if least.is_empty() {
            let one = |(name, _)| Quantities::from_iter([(Name::clone(name), Scalar::from_thousandths(1))]);
            anything = free.quantities().iter().map(one).collect();
            &anything
        } else {
            least
        };
        let alternatives =
            least.iter().filter_map(|least| self.changes_for((role, at), free, &resources, least));
        let changes = alternatives.min_by_key(|changes| (changes.len(), total(changes))).unwrap_or_default();
        Passing { resources, changes }
    }

    /// How much of something a role may be offered; what the agent has counts as free, as it will when the agent can be
    /// offered at all.
    fn room_with(&self, role: RoleIx, at: AgentIx, free: &Resources, name: NameIx) -> Option<Scalar> {
        let headroom = self.headroom_with(role, at, free, name);
        let limits = self.room_under_limits(role, name);
        limits.into_iter().chain(headroom).min()
    }

    fn headroom_with(&self, role: RoleIx, at: AgentIx, free: &Resources, name: NameIx) -> Option<Scalar> {
        let (kept_for_it, spare) = self.headroom_parts(role, at, free, name)?;
        Some(kept_for_it + spare.max(Scalar::ZERO))
    }

    /// What is kept for a role and those above it, and what is free beyond all that is kept for anybody: less than
    /// nothing, if more is guaranteed than there is.
    fn headroom_parts(
        &self,
        role: RoleIx,
        at: AgentIx,
        free: &Resources,
        name: NameIx,
    ) -> Option<(Scalar, Scalar)> {
        let required = self.tree.required().get(name);
        if !required.is_positive() {
            return None;
        }
        let comes_back = if self.agents[at].is_offerable() {
            Scalar::ZERO
        } else {
            scalar(free, self.tree.names.name(name), is_free_for_all)
        };
        let kept_for_it: Scalar = self.tree.path(role).map(|node| node.kept.get(name)).sum();
        Some((kept_for_it, self.tree.free.get(name) + comes_back - required))
    }

    /// The changes after which an agent could be offered with as much as `least`; `None` if it has not so much.
    fn changes_for(
        &self,
        (role, at): (RoleIx, AgentIx),
        free: &Resources,
        passing: &Resources,
        least: &Quantities,
    ) -> Option<Vec<Change>> {
        let mut changes = Vec::new();
        for (name, wanted) in least.iter() {
            let there = scalar(passing, name, |_| true);
            if there >= wanted {
                continue;
            }
            let all = scalar(free, name, |_| true);
            if all < wanted {
                return None;
            }
            // What can only be had whole needs room for all of it.
            let whole = free.iter().any(|r| r.name == *name && is_free_for_all(r) && !is_divisible(r));
            let wanted = if whole { all } else { wanted };
            let room = scalar(passing, name, is_free_for_all) + wanted.saturating_sub(there);
            for node in self.tree.path(role) {
                let Some(limit) = node.quota.limits.get(name) else { continue };
                let to = self.consumed(node, name) + room;
                if *limit < to {
                    let (role, resource) = (node.role.clone(), name.clone());
                    changes.push(Change::RaiseLimit { role, resource, by: to - *limit, to });
                }
            }
            if let Some(name) = self.tree.names.find(name)
                && let Some((kept_for_it, spare)) = self.headroom_parts(role, at, free, name)
                && kept_for_it < room
            {
                changes.extend(self.lowered_guarantees(role, name, room - kept_for_it - spare));
            }
        }
        Some(changes)
    }

    /// The fewest guarantees to lower so that `short` less is kept for others than a role and those above it.
    fn lowered_guarantees(&self, role: RoleIx, name: NameIx, mut short: Scalar) -> Vec<Change> {
        let path: Vec<RoleIx> = self.path_indexes(role).collect();
        let kept = self
            .tree
            .roles
            .iter()
            .filter(|(at, node)| node.kept.get(name).is_positive() && !path.contains(at));
        let mut kept: Vec<(Scalar, RoleIx)> = kept.map(|(at, node)| (node.kept.get(name), at)).collect();
        kept.sort_by_key(|(kept, _)| std::cmp::Reverse(*kept));
        let mut lowered: BTreeMap<RoleIx, Scalar> = BTreeMap::new();
        let mut less_below: BTreeMap<RoleIx, Scalar> = BTreeMap::new();
        for (kept, at) in kept {
            if !short.is_positive() {
                break;
            }
            let by = kept.min(short);
            short = short.saturating_sub(by);
            *lowered.entry(at).or_default() += by;
            // A guarantee above that was covered by this one would be kept in its place.
            for above in self.path_indexes(at).skip(1).filter(|above| !path.contains(above)) {
                let node = &self.tree.roles[above];
                let less = less_below.entry(above).or_default();
                let own = lowered.entry(above).or_default();
                let uncovered = |less: Scalar, own: Scalar| {
                    let open =
                        node.guarantees.get(name) - own - node.consumed(name) - node.kept_below.get(name)
                            + less;
                    open.max(Scalar::ZERO)
                };
                let grows_by = uncovered(*less + by, *own) - uncovered(*less, *own);
                *less += by;
                *own += grows_by;
            }
        }
        let lowered = lowered.into_iter().filter(|(_, by)| by.is_positive());
        lowered
            .map(|(at, by)| {
                let node = &self.tree.roles[at];
                let (role, resource) = (node.role.clone(), self.tree.names.name(name).clone());
                Change::LowerGuarantee { role, resource, by, to: node.guarantees.get(name) - by }
            })
            .collect()
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

    /// The guarantees for which something of what an agent has free is held back from a role.
    pub(super) fn guarantees_in_the_way(
        &self,
        role: RoleIx,
        at: AgentIx,
        free: &Resources,
    ) -> Vec<GuaranteeOpen> {
        let path: Vec<RoleIx> = self.path_indexes(role).collect();
        let mut open = Vec::new();
        for (resource, wanted) in free.filter(is_free_for_all).quantities().iter() {
            let Some(name) = self.tree.names.find(resource) else { continue };
            if self.headroom_with(role, at, free, name).is_none_or(|headroom| headroom >= wanted) {
                continue;
            }
            for (_, node) in self.tree.roles.iter().filter(|(at, _)| !path.contains(at)) {
                if node.kept.get(name).is_positive() {
                    open.push(GuaranteeOpen {
                        role: node.role.clone(),
                        resource: resource.clone(),
                        guarantee: node.guarantees.get(name),
                        consumed: node.consumed(name),
                    });
                }
            }
        }
        open
    }

    /// The role and all above it, the root last.
    fn path_indexes(&self, role: RoleIx) -> impl Iterator<Item = RoleIx> {
        std::iter::successors(Some(role), |at| self.tree.roles[*at].parent)
    }

    /// What a role's quota counts of something: what is reserved, and what is used without a reservation.
    pub(super) fn consumed(&self, node: &RoleNode, name: &Name) -> Scalar {
        self.tree.names.find(name).map_or(Scalar::ZERO, |ix| node.consumed(ix))
    }
}

fn total(changes: &[Change]) -> i64 {
    let by = changes.iter().map(|change| match change {
        Change::RaiseLimit { by, .. } | Change::LowerGuarantee { by, .. } => by.thousandths(),
        _ => 0,
    });
    by.fold(0, i64::saturating_add)
}

fn scalar(resources: &Resources, name: &Name, keep: impl Fn(&Resource) -> bool) -> Scalar {
    resources.filter(|resource| resource.name == *name && keep(resource)).scalar(name).unwrap_or_default()
}

fn is_divisible(resource: &Resource) -> bool {
    resource.contains(&resource.clone().with_value(Value::Scalar(Scalar::from_thousandths(1))))
}

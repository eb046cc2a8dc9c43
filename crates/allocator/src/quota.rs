//! Weights and quotas: what a role, with all roles below it, is kept for, and how much it may have.
//!
//! A role *consumes* what is reserved for it or below it, used or not, and what is used there unreserved. Its limits bound
//! that. What its guarantees lack is *kept* for it: of everything free for all agents together, so much may go to no
//! other role. A guarantee of a role covers those of the roles below, so of a role's guarantee only what theirs do not use up
//! is kept in addition; a role below may have what is kept for those above. See [`Tree::keep`](crate::tree::Tree::keep).
//!
//! The *room* of a role is how much more of something it may be offered: no more than the limits on the way to the
//! root leave, and no more than what is kept for it and those above, together with what is kept for nobody.

use resources::{Resource, Resources, Role, Scalar, Value};

use crate::amounts::NameIx;
use crate::shares::DEFAULT_WEIGHT_MILLIONTHS;
use crate::tree::{News, RoleIx, is_free_for_all};
use crate::{Allocator, Quota};

/// What was the room of a role whose offers were cut to it, by name. If there is more, they may get more.
pub(crate) type Rooms = Vec<(NameIx, Scalar)>;

impl Allocator {
    /// Sets how much a role counts against its siblings: one of weight 2 gets twice as much. Weights are above zero;
    /// others are taken for 1. Who may be offered something does not depend on it, only who comes first.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and the cast saturates"
    )]
    pub fn set_weight(&mut self, role: &Role, weight: f64) {
        let millionths =
            if weight > 0.0 { (weight * 1_000_000.0).round() as u64 } else { DEFAULT_WEIGHT_MILLIONTHS };
        let at = self.tree.ensure(role);
        self.tree.roles[at].weight_millionths = millionths.max(1);
        self.order.update_role(&self.tree, at);
        self.tree.forget_unused(at);
    }

    /// Sets what is kept for a role and what it may have; an empty quota takes both away. What the role has already
    /// stays with it.
    pub fn set_quota(&mut self, role: &Role, quota: Quota) {
        let at = self.tree.ensure(role);
        let tree = &mut self.tree;
        let guarantees = tree.names.intern_all(quota.guarantees.iter().map(|(name, amount)| (name, *amount)));
        let limits: Vec<_> =
            quota.limits.iter().map(|(name, limit)| (tree.names.intern(name), *limit)).collect();
        let node = &mut tree.roles[at];
        tree.guaranteed -= usize::from(!node.guarantees.is_zero());
        tree.guaranteed += usize::from(!guarantees.is_zero());
        tree.limited -= usize::from(!node.limits.is_empty());
        tree.limited += usize::from(!limits.is_empty());
        let before = std::mem::replace(&mut node.guarantees, guarantees);
        node.limits = limits;
        node.quota = quota;
        let changed: Vec<NameIx> =
            before.iter().chain(node.guarantees.iter()).map(|(name, _)| name).collect();
        for name in changed {
            tree.keep(at, name);
        }
        tree.loosened = true;
        self.order.update_role(&self.tree, at);
        self.tree.forget_unused(at);
    }

    /// How much more of something a role may be offered; `None` if nothing bounds it.
    pub(crate) fn room(&self, role: RoleIx, name: NameIx) -> Option<Scalar> {
        match (self.room_under_limits(role, name), self.room_in_headroom(role, name)) {
            (Some(limits), Some(headroom)) => Some(limits.min(headroom)),
            (limits, headroom) => limits.or(headroom),
        }
    }

    /// How much more of something the limits of a role, and of those above it, leave.
    pub(crate) fn room_under_limits(&self, role: RoleIx, name: NameIx) -> Option<Scalar> {
        if self.tree.limited == 0 {
            return None;
        }
        let left = self.tree.path(role).filter_map(|node| {
            let (_, limit) = node.limits.iter().find(|(limited, _)| *limited == name)?;
            Some(limit.saturating_sub(node.consumed(name)))
        });
        left.min()
    }

    /// How much more of something a role may be offered so that what is kept for others can still be had.
    pub(crate) fn room_in_headroom(&self, role: RoleIx, name: NameIx) -> Option<Scalar> {
        let required = self.tree.required().get(name);
        if !required.is_positive() {
            return None;
        }
        let kept_for_it: Scalar = self.tree.path(role).map(|node| node.kept.get(name)).sum();
        let kept_for_nobody = self.tree.free.get(name).saturating_sub(required);
        Some(kept_for_it + kept_for_nobody)
    }

    /// Whether anything bounds what a role may be offered.
    pub(crate) fn is_bounded(&self, role: RoleIx) -> bool {
        !self.tree.required().is_zero() || self.has_own_bounds(role)
    }

    /// Whether the bounds of a role are not those of everybody who has no quota.
    pub(crate) fn has_own_bounds(&self, role: RoleIx) -> bool {
        self.tree.limited + self.tree.guaranteed > 0
            && self.tree.path(role).any(|node| !node.limits.is_empty() || !node.kept.is_zero())
    }

    /// Everything that bounds a role, and how much room it leaves.
    pub(crate) fn rooms(&self, role: RoleIx) -> Rooms {
        let limited = self.tree.path(role).flat_map(|node| node.limits.iter().map(|(name, _)| *name));
        let required = self.tree.required().iter().map(|(name, _)| name);
        let mut names: Vec<NameIx> = limited.chain(required).collect();
        names.sort_unstable();
        names.dedup();
        names.into_iter().filter_map(|name| Some((name, self.room(role, name)?))).collect()
    }

    /// Whether something is kept for a role or those above it.
    pub(crate) fn has_claim(&self, role: RoleIx) -> bool {
        self.tree.path(role).any(|node| !node.kept.is_zero())
    }

    /// Whether an offer of `resources` would use some of what is kept for a role or those above it.
    pub(crate) fn serves_claim(&self, role: RoleIx, resources: &Resources) -> bool {
        resources.iter().filter(|resource| is_free_for_all(resource)).any(|resource| {
            let name = self.tree.names.find(&resource.name);
            let kept = |name: NameIx| self.tree.path(role).any(|node| node.kept.get(name).is_positive());
            matches!(resource.value, Value::Scalar(_)) && name.is_some_and(kept)
        })
    }

    /// `resources` cut to the room of a role. Also whether something was cut.
    pub(crate) fn within_room(&self, role: RoleIx, resources: &Resources) -> (Resources, bool) {
        self.cut_to(resources, |name| self.room(role, name))
    }

    /// Reservations, revocable resources and what is no scalar pass.
    pub(crate) fn cut_to(
        &self,
        resources: &Resources,
        room: impl Fn(NameIx) -> Option<Scalar>,
    ) -> (Resources, bool) {
        let mut left: Vec<(NameIx, Option<Scalar>)> = Vec::new();
        let mut fitting = Resources::new();
        let mut cut = false;
        for resource in resources.iter() {
            let (Value::Scalar(amount), true) = (&resource.value, is_free_for_all(resource)) else {
                fitting.add(resource.clone());
                continue;
            };
            let Some(name) = self.tree.names.find(&resource.name) else { continue };
            let at = left.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                left.push((name, room(name)));
                left.len() - 1
            });
            let Some(room) = &mut left[at].1 else {
                fitting.add(resource.clone());
                continue;
            };
            let part = if *room < *amount { shrunk(resource, *room) } else { Some(resource.clone()) };
            cut |= *room < *amount;
            // An indivisible resource that does not fit takes nothing from the room.
            if part.is_some() {
                *room = room.saturating_sub(*amount);
            }
            fitting.extend(part);
        }
        (fitting, cut)
    }

    /// Tells those whose offers were cut for want of room, where there is more room now.
    pub(crate) fn release_cut(&mut self) {
        if std::mem::take(&mut self.tree.loosened) {
            let grown = self.cut.iter().filter(|(role, rooms)| self.has_grown(**role, rooms));
            let grown: Vec<RoleIx> = grown.map(|(role, _)| *role).collect();
            for role in grown {
                let rooms = self.cut.remove(&role).unwrap_or_default();
                self.released.insert(role, rooms);
                for client in self.tree.roles.get(role).map(|node| node.clients.clone()).unwrap_or_default() {
                    self.tell(client, News::Room);
                }
            }
        }
        for role in self.order.take_reopened() {
            for client in self.tree.clients_below(role) {
                let of = self.tree.clients[client].role;
                if !self.released.contains_key(&of) {
                    let rooms = self.rooms(of);
                    self.released.insert(of, rooms);
                }
                self.tell(client, News::Room);
            }
        }
    }

    /// Whether there is more room than there was; also if the role is no longer known.
    fn has_grown(&self, role: RoleIx, rooms: &Rooms) -> bool {
        self.tree.roles.get(role).is_none()
            || rooms.iter().any(|(name, room)| self.room(role, *name).is_none_or(|now| now > *room))
    }

    /// Whether a role that was released has used up the room for which it was.
    pub(crate) fn is_full_again(&self, role: RoleIx) -> bool {
        self.released.get(&role).is_some_and(|rooms| {
            rooms.iter().all(|(name, _)| self.room(role, *name).is_some_and(|room| !room.is_positive()))
        })
    }
}

/// The resource cut to `room`; `None` if it can only be had whole.
fn shrunk(resource: &Resource, room: Scalar) -> Option<Resource> {
    let smaller = resource.clone().with_value(Value::Scalar(room));
    resource.contains(&smaller).then_some(smaller)
}

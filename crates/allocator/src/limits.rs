//! Weights, and quota limits: how much a role, with all roles below it, may have at most.

use std::collections::BTreeMap;

use resources::{Name, Resource, Resources, Role, Scalar, Value};

use crate::tree::{DEFAULT_WEIGHT_MILLIONTHS, RoleIx, is_free_for_all};
use crate::{Allocator, Quota};

impl Allocator {
    /// Sets how much a role counts against its siblings: one of weight 2 gets twice as much. Weights are above zero;
    /// others are taken for 1.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive, and the cast saturates"
    )]
    pub fn set_weight(&mut self, role: &Role, weight: f64) {
        let millionths =
            if weight > 0.0 { (weight * 1_000_000.0).round() as u64 } else { DEFAULT_WEIGHT_MILLIONTHS };
        self.tree.set_weight(role, millionths);
        self.mark_all();
    }

    /// Sets what is kept for a role and what it may have; an empty quota takes both away. What the role has already
    /// stays with it.
    pub fn set_quota(&mut self, role: &Role, quota: Quota) {
        let at = self.tree.ensure(role);
        self.tree.roles[at].quota = quota;
        self.tree.roles[at].held_back = false;
        self.tree.forget_unused(at);
        self.mark_all();
    }

    /// What of `resources` may still be offered in a role: reservations and what is no scalar pass, the rest is cut to
    /// what the limits leave. Also whether something was cut.
    pub(crate) fn within_limits(&self, role: RoleIx, resources: Resources) -> (Resources, bool) {
        if self.tree.path(role).all(|node| node.quota.limits.is_empty()) {
            return (resources, false);
        }
        let mut left: BTreeMap<Name, Option<Scalar>> = BTreeMap::new();
        let mut fitting = Resources::new();
        let mut cut = false;
        for resource in resources.iter() {
            let Value::Scalar(amount) = resource.value else {
                fitting.add(resource.clone());
                continue;
            };
            let room = match left.get(&resource.name) {
                _ if !is_free_for_all(resource) => None,
                Some(room) => *room,
                None => self.room(role, &resource.name),
            };
            let Some(room) = room else {
                fitting.add(resource.clone());
                continue;
            };
            let part = if room < amount { shrunk(resource, room) } else { Some(resource.clone()) };
            cut |= room < amount;
            // An indivisible resource that does not fit takes nothing from the room.
            let taken = part.as_ref().map_or(Scalar::ZERO, |_| room.min(amount));
            left.insert(resource.name.clone(), Some(room - taken));
            fitting.extend(part);
        }
        (fitting, cut)
    }

    /// How much more of something a role may have; `None` if nothing limits it.
    fn room(&self, role: RoleIx, name: &Name) -> Option<Scalar> {
        let ix = self.tree.names.find(name);
        self.tree
            .path(role)
            .filter_map(|node| {
                let consumed =
                    ix.map_or(Scalar::ZERO, |ix| node.reserved.get(ix) + node.unreserved_used.get(ix));
                node.quota.limits.get(name).map(|limit| limit.saturating_sub(consumed))
            })
            .min()
    }

    /// A role could not have all it could be offered: it is to be looked at again when it uses less.
    pub(crate) fn remember_held_back(&mut self, role: RoleIx) {
        let mut next = Some(role);
        while let Some(at) = next {
            let node = &mut self.tree.roles[at];
            node.held_back |= !node.quota.limits.is_empty();
            next = node.parent;
        }
    }

    /// A role that held something back uses less now: all agents may have something for it.
    pub(crate) fn release_held_back(&mut self, role: RoleIx) {
        let mut next = Some(role);
        while let Some(at) = next {
            let node = &mut self.tree.roles[at];
            node.held_back = false;
            next = node.parent;
        }
        self.mark_all();
    }
}

/// The resource cut to `room`; `None` if it can only be had whole.
fn shrunk(resource: &Resource, room: Scalar) -> Option<Resource> {
    let smaller = resource.clone().with_value(Value::Scalar(room));
    resource.contains(&smaller).then_some(smaller)
}

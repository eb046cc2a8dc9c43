//! What clients and roles have, and what follows for quotas: every change of it comes through here.

use resources::{Resource, Resources, Scalar};

use super::{ClientIx, RoleIx, Tree};
use crate::amounts::{Amounts, NameIx, Sign, Sums};

impl Tree {
    /// Counts what a client has been given or has given back. Shared resources are not among it; see
    /// [`Tree::track_shared`].
    pub(crate) fn track(&mut self, at: ClientIx, sums: &Sums, sign: Sign) {
        let client = &mut self.clients[at];
        client.usage.amounts.apply(&sums.exclusive, sign);
        let role = client.role;
        self.roles[role].own.amounts.apply(&sums.exclusive, sign);
        let mut next = Some(role);
        while let Some(above) = next {
            let node = &mut self.roles[above];
            node.subtree.amounts.apply(&sums.exclusive, sign);
            node.unreserved_used.apply(&sums.quota, sign);
            next = node.parent;
        }
        if !sums.quota.is_zero() {
            self.consumption_changed(role, &sums.quota, sign);
        }
    }

    /// Counts a shared resource for a client that did not hold it so far on its agent, or no longer does. Each level counts
    /// it once: `others` are the clients that hold it too.
    pub(crate) fn track_shared(&mut self, at: ClientIx, amounts: &Amounts, sign: Sign, others: &[ClientIx]) {
        let client = &mut self.clients[at];
        client.usage.amounts.apply(amounts, sign);
        let role = client.role;
        let is_elsewhere = |client: &ClientIx| self.clients[*client].role != role;
        if !others.iter().all(is_elsewhere) {
            return;
        }
        self.roles[role].own.amounts.apply(amounts, sign);
        let mut next = Some(role);
        while let Some(above) = next {
            if others.iter().any(|client| self.is_below(self.clients[*client].role, above)) {
                return;
            }
            let node = &mut self.roles[above];
            node.subtree.amounts.apply(amounts, sign);
            next = node.parent;
        }
    }

    fn is_below(&self, role: RoleIx, above: RoleIx) -> bool {
        let mut next = Some(role);
        while let Some(at) = next {
            if at == above {
                return true;
            }
            next = self.roles[at].parent;
        }
        false
    }

    /// Counts an offer.
    pub(crate) fn count_offer(&mut self, at: ClientIx) {
        let client = &mut self.clients[at];
        client.usage.count += 1;
        let role = client.role;
        self.roles[role].own.count += 1;
        let mut next = Some(role);
        while let Some(above) = next {
            let node = &mut self.roles[above];
            node.subtree.count += 1;
            next = node.parent;
        }
    }

    /// Counts what an agent brings or takes with it, reservations too. For which roles it has some.
    pub(crate) fn track_total(&mut self, total: &Resources, sign: Sign) -> Vec<RoleIx> {
        let all = self.names.amounts(total, |_| true);
        self.shares.change_total(&self.names, &all, sign);
        let mut roles = Vec::new();
        if !total.iter().any(Resource::is_reserved) {
            return roles;
        }
        for (role, reserved) in total.reservations() {
            let amounts = self.names.amounts(&reserved, |r| !r.is_revocable());
            let role = self.ensure(&role);
            let mut next = Some(role);
            while let Some(above) = next {
                let node = &mut self.roles[above];
                node.reserved.apply(&amounts, sign);
                next = node.parent;
            }
            self.consumption_changed(role, &amounts, sign);
            self.forget_unused(role);
            roles.push(role);
        }
        roles
    }

    /// A role and all above it have consumed more or less of their quotas.
    fn consumption_changed(&mut self, role: RoleIx, by: &Amounts, sign: Sign) {
        self.loosened |= sign == Sign::Minus;
        if self.guaranteed > 0 {
            for (name, _) in by.iter() {
                self.keep(role, name);
            }
        }
    }

    /// Computes anew how much is kept for a role, and those above it, after its consumption or guarantee has changed.
    /// What is kept for the roles below covers a role's own guarantee too.
    pub(crate) fn keep(&mut self, role: RoleIx, name: NameIx) {
        let mut below_grew_by = Scalar::ZERO;
        let mut next = Some(role);
        while let Some(at) = next {
            let node = &mut self.roles[at];
            let before = node.kept.get(name) + node.kept_below.get(name);
            node.kept_below.add_one(name, below_grew_by);
            let below = node.kept_below.get(name);
            let uncovered = node.guarantees.get(name) - node.consumed(name) - below;
            let kept = uncovered.max(Scalar::ZERO);
            node.kept.set(name, kept);
            below_grew_by = kept + below - before;
            next = node.parent;
            if node.kept.is_zero() {
                self.claimants.remove(&at);
            } else {
                self.claimants.insert(at);
            }
        }
        // What is no longer kept is for everybody.
        self.loosened |= below_grew_by.is_negative();
    }

    /// What is kept for all roles together.
    pub(crate) fn required(&self) -> &Amounts {
        &self.roles[self.root].kept_below
    }

    /// Whether the limits of a role leave no room for any offer that is large enough, neither to it nor below it. What is
    /// reserved, revocable or shared can still be offered.
    pub(crate) fn is_closed(&self, role: RoleIx) -> bool {
        let node = &self.roles[role];
        let room = |name| {
            let (_, limit) = node.limits.iter().find(|(limited, _)| *limited == name)?;
            Some(limit.saturating_sub(node.consumed(name)))
        };
        !node.limits.is_empty() && self.is_too_small(role, room)
    }

    /// Whether no offer to a role or below could be large enough if there is only so much `room` for it.
    pub(crate) fn is_too_small(&self, role: RoleIx, room: impl Fn(NameIx) -> Option<Scalar>) -> bool {
        let exceeds = |(name, least)| room(name).is_some_and(|room| room < least);
        self.roles[role].own_minimums == 0
            && !self.least.is_empty()
            && self.least.iter().all(|least| least.iter().any(exceeds))
    }
}

/// Quotas count these as consumed when they are used; reservations count always, and revocable resources never.
pub(crate) fn is_free_for_all(resource: &Resource) -> bool {
    !resource.is_reserved() && !resource.is_revocable() && !resource.is_shared()
}

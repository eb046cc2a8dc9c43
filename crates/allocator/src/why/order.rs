//! Who is served before a client: computed from what everybody holds, not read from the order of service, which is
//! brought up to date only when it is used.

use super::types::{Level, Place, Who};
use crate::Allocator;
use crate::amounts::Amounts;
use crate::shares::{DEFAULT_WEIGHT_MILLIONTHS, weighted};
use crate::tree::{ClientIx, RoleIx, Usage};

/// Somebody in the order, with what decides upon the place.
struct Candidate {
    key: (u64, u64, String),
    place: Place,
}

impl Allocator {
    /// The client's place at each level, from the top down to the frameworks of its role.
    pub(super) fn order_of(&self, client: ClientIx) -> Vec<Level> {
        let role = self.tree.clients[client].role;
        let mut path: Vec<RoleIx> =
            std::iter::successors(Some(role), |at| self.tree.roles[*at].parent).collect();
        path.reverse();
        let mut levels: Vec<Level> = path.windows(2).map(|pair| self.level(pair[0], Some(pair[1]))).collect();
        if self.tree.roles[role].children.iter().any(|child| self.order.members(*child) > 0) {
            levels.push(self.level(role, None));
        }
        let own = self.framework_candidate(client);
        let others =
            self.tree.roles[role].clients.iter().filter(|other| **other != client && self.wants(**other));
        levels.push(level(own, others.map(|other| self.framework_candidate(*other)).collect()));
        levels
    }

    /// Among what stands under a role: a child role, or the role's own frameworks.
    fn level(&self, under: RoleIx, child: Option<RoleIx>) -> Level {
        let children = self.tree.roles[under].children.iter().copied();
        let others = children.filter(|at| self.order.members(*at) > 0 && Some(*at) != child);
        let mut others: Vec<_> = others.map(|at| self.role_candidate(at)).collect();
        let own_wants = self.tree.roles[under].clients.iter().any(|client| self.wants(*client));
        match child {
            Some(child) => {
                others.extend(own_wants.then(|| self.own_candidate(under)));
                level(self.role_candidate(child), others)
            }
            None => level(self.own_candidate(under), others),
        }
    }

    fn role_candidate(&self, at: RoleIx) -> Candidate {
        let node = &self.tree.roles[at];
        self.candidate(
            Who::Role(node.role.clone()),
            node.role.to_string(),
            &node.subtree,
            node.weight_millionths,
        )
    }

    fn own_candidate(&self, at: RoleIx) -> Candidate {
        let node = &self.tree.roles[at];
        self.candidate(
            Who::Own(node.role.clone()),
            node.role.to_string(),
            &node.own,
            DEFAULT_WEIGHT_MILLIONTHS,
        )
    }

    fn framework_candidate(&self, at: ClientIx) -> Candidate {
        let client = &self.tree.clients[at];
        let id = self.frameworks[client.framework].id.clone();
        let name = id.to_string();
        self.candidate(Who::Framework(id), name, &client.usage, DEFAULT_WEIGHT_MILLIONTHS)
    }

    fn candidate(&self, who: Who, name: String, usage: &Usage, weight: u64) -> Candidate {
        let share = weighted(self.tree.shares.of(&usage.amounts), weight);
        let place =
            Place { name: who, share: fraction(share), weight: ratio(weight, DEFAULT_WEIGHT_MILLIONTHS) };
        Candidate { key: (share, usage.count, name), place }
    }

    /// Whether a client is in the order at all.
    pub(super) fn wants(&self, client: ClientIx) -> bool {
        let client = &self.tree.clients[client];
        let framework = &self.frameworks[client.framework];
        framework.present && framework.active && client.subscribed && !client.suppressed
    }

    /// The dominant share of the cluster that so much is.
    pub(super) fn dominant_share(&self, amounts: &Amounts) -> f64 {
        fraction(self.tree.shares.of(amounts))
    }
}

fn level(who: Candidate, others: Vec<Candidate>) -> Level {
    let mut ahead: Vec<Candidate> = others.into_iter().filter(|other| other.key < who.key).collect();
    ahead.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let behind = ahead.len();
    ahead.truncate(Level::MOST);
    Level { who: who.place, ahead: ahead.into_iter().map(|other| other.place).collect(), behind }
}

/// A share as the tree counts it, where 2^32 is all.
fn fraction(share: u64) -> f64 {
    ratio(share, 1 << 32)
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

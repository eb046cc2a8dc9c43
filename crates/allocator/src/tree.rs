//! The hierarchy of roles with the frameworks in them, and what each of them has.
//!
//! Every role is a node; the node without a name is the root. A framework in one of its roles is a *client*. All numbers
//! that the order of service and the quotas need are kept here and changed together with what they count; nothing is
//! summed up when it is asked for.

use std::collections::HashMap;

use base::{Index, never};
use resources::{Quantities, Resource, Resources, Role, Scalar};

use crate::amounts::{Amounts, NameIx, Names, Sign};
use crate::constraints::Choice;
use crate::frameworks::FrameworkIx;
use crate::ranks::Ranks;
use crate::shares::{DEFAULT_WEIGHT_MILLIONTHS, Shares};
use crate::slab::Slab;
use crate::{Capabilities, Quota};

base::index_type!(
    /// A role.
    RoleIx
);
base::index_type!(
    /// A framework in one of its roles.
    ClientIx
);

/// What is offered or used, and how often something was offered; the latter breaks ties between equal shares.
#[derive(Clone, Default, Debug)]
pub(crate) struct Usage {
    pub(crate) amounts: Amounts,
    pub(crate) count: u64,
}

#[derive(Debug)]
pub(crate) struct RoleNode {
    pub(crate) role: Role,
    pub(crate) parent: Option<RoleIx>,
    pub(crate) children: Vec<RoleIx>,
    /// Its place in the order of names.
    pub(crate) rank: u64,
    pub(crate) weight_millionths: u64,
    pub(crate) quota: Quota,
    pub(crate) limits: Vec<(NameIx, Scalar)>,
    pub(crate) guarantees: Amounts,
    /// What of its guarantees neither it nor the roles below have consumed, and no guarantee below covers: so much is
    /// kept for it.
    pub(crate) kept: Amounts,
    /// What is kept for the roles below, all together.
    pub(crate) kept_below: Amounts,
    /// Used by the frameworks right in this role.
    pub(crate) own: Usage,
    /// Used in this role and all below.
    pub(crate) subtree: Usage,
    /// Reserved for this role and all below, used or not.
    pub(crate) reserved: Amounts,
    /// Used in this role and all below, and neither reserved nor revocable.
    pub(crate) unreserved_used: Amounts,
    /// All frameworks with this role, wanting offers or not.
    pub(crate) clients: Vec<ClientIx>,
}

/// A framework in one of its roles.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) framework: FrameworkIx,
    pub(crate) role: RoleIx,
    /// The framework's place in the order of ids.
    pub(crate) rank: u64,
    pub(crate) capabilities: Capabilities,
    /// Whether the framework has the role now; what it holds in it may outlive that.
    pub(crate) subscribed: bool,
    pub(crate) suppressed: bool,
    pub(crate) usage: Usage,
    /// What offers must have at least one of, if not what the options say.
    pub(crate) min_allocatable: Option<Vec<Quantities>>,
    /// Of which agents it wants offers at all, if not of all.
    pub(crate) choice: Option<Choice>,
    /// How many refusals it has in force.
    pub(crate) refusals: usize,
    pub(crate) news: News,
}

/// Whether a client may be offered something that was free at the last allocation already.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) enum News {
    /// It may not.
    #[default]
    None,
    /// Its role has more room under quotas.
    Room,
    /// It wants offers again, or others than before.
    Wants,
}

#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) names: Names,
    pub(crate) shares: Shares,
    pub(crate) roles: Slab<RoleIx, RoleNode>,
    index: HashMap<Role, RoleIx>,
    ranks: Ranks<Role>,
    pub(crate) clients: Slab<ClientIx, Client>,
    /// By client: refusals that were entered under another number are no longer in force. Outlives the client, whose
    /// index may be used again.
    epochs: Vec<u32>,
    root: RoleIx,
    /// How many roles have guarantees.
    pub(crate) guaranteed: usize,
    /// How many roles have limits.
    pub(crate) limited: usize,
    /// What is free on agents that can be offered, and neither reserved nor revocable.
    pub(crate) free: Amounts,
    /// Some role may have more room under quotas than before.
    pub(crate) loosened: bool,
}

impl RoleNode {
    fn new(role: Role, parent: Option<RoleIx>, rank: u64) -> Self {
        Self {
            role,
            parent,
            children: Vec::new(),
            rank,
            weight_millionths: DEFAULT_WEIGHT_MILLIONTHS,
            quota: Quota::default(),
            limits: Vec::new(),
            guarantees: Amounts::default(),
            kept: Amounts::default(),
            kept_below: Amounts::default(),
            own: Usage::default(),
            subtree: Usage::default(),
            reserved: Amounts::default(),
            unreserved_used: Amounts::default(),
            clients: Vec::new(),
        }
    }

    fn is_forgettable(&self) -> bool {
        self.parent.is_some()
            && self.children.is_empty()
            && self.clients.is_empty()
            && self.weight_millionths == DEFAULT_WEIGHT_MILLIONTHS
            && self.quota.is_empty()
            && self.reserved.is_zero()
            && self.subtree.amounts.is_zero()
    }

    /// What quotas count.
    pub(crate) fn consumed(&self, name: NameIx) -> Scalar {
        self.reserved.get(name) + self.unreserved_used.get(name)
    }
}

impl Tree {
    pub(crate) fn new(shares: Shares) -> Self {
        let mut roles = Slab::new();
        let root = roles.insert(RoleNode::new(Role::from(""), None, 0));
        Self {
            names: Names::new(),
            shares,
            roles,
            index: HashMap::new(),
            ranks: Ranks::new(),
            clients: Slab::new(),
            epochs: Vec::new(),
            root,
            guaranteed: 0,
            limited: 0,
            free: Amounts::default(),
            loosened: false,
        }
    }

    pub(crate) fn root(&self) -> RoleIx {
        self.root
    }

    pub(crate) fn find(&self, role: &Role) -> Option<RoleIx> {
        self.index.get(role).copied()
    }

    /// The node of a role, made together with those above it if need be.
    pub(crate) fn ensure(&mut self, role: &Role) -> RoleIx {
        if let Some(&at) = self.index.get(role) {
            return at;
        }
        let parent = match role.ancestors().next() {
            Some(above) => self.ensure(&Role::from(above)),
            None => self.root,
        };
        if self.ranks.insert(role) {
            for (_, node) in self.roles.iter_mut() {
                node.rank = self.ranks.get(&node.role);
            }
            self.shares.stale = true;
        }
        let at = self.roles.insert(RoleNode::new(role.clone(), Some(parent), self.ranks.get(role)));
        self.roles[parent].children.push(at);
        self.index.insert(role.clone(), at);
        at
    }

    /// Forgets a role, and those above it, of which nothing is left to know.
    pub(crate) fn forget_unused(&mut self, role: RoleIx) {
        let mut at = Some(role);
        while let Some(role) = at {
            if !self.roles.get(role).is_some_and(RoleNode::is_forgettable) {
                return;
            }
            let Some(gone) = self.roles.remove(role) else { return };
            self.index.remove(&gone.role);
            self.ranks.remove(&gone.role);
            if let Some(parent) = gone.parent {
                let siblings = &mut self.roles[parent].children;
                if let Some(place) = siblings.iter().position(|child| *child == role) {
                    siblings.swap_remove(place);
                }
            }
            at = gone.parent;
        }
    }

    /// The node and all above it, the root last.
    pub(crate) fn path(&self, role: RoleIx) -> impl Iterator<Item = &RoleNode> {
        std::iter::successors(Some(&self.roles[role]), |node| node.parent.map(|p| &self.roles[p]))
    }

    /// A client that wants and has nothing yet.
    pub(crate) fn add_client(&mut self, framework: FrameworkIx, rank: u64, role: &Role) -> ClientIx {
        let role = self.ensure(role);
        let at = self.clients.insert(Client {
            framework,
            role,
            rank,
            capabilities: Capabilities::default(),
            subscribed: false,
            suppressed: false,
            usage: Usage::default(),
            min_allocatable: None,
            choice: None,
            refusals: 0,
            news: News::None,
        });
        if self.epochs.len() <= at.as_usize() {
            self.epochs.push(0);
        }
        self.roles[role].clients.push(at);
        at
    }

    /// Removes a client that neither wants nor has anything.
    pub(crate) fn remove_client(&mut self, at: ClientIx) {
        self.forget_refusals(at);
        if let Some(client) = self.clients.remove(at) {
            let clients = &mut self.roles[client.role].clients;
            if let Some(place) = clients.iter().position(|other| *other == at) {
                clients.swap_remove(place);
            }
            self.forget_unused(client.role);
        }
    }

    /// The number under which refusals of a client that are in force were entered.
    pub(crate) fn epoch(&self, client: ClientIx) -> u32 {
        self.epochs[client.as_usize()]
    }

    /// None of a client's refusals are in force any more.
    pub(crate) fn forget_refusals(&mut self, client: ClientIx) {
        if std::mem::take(&mut self.clients[client].refusals) > 0 {
            let epoch = &mut self.epochs[client.as_usize()];
            *epoch = epoch.wrapping_add(1);
        }
    }

    /// Counts what a client has been given or has given back. Shared resources are not among it; see
    /// [`Tree::track_shared`].
    pub(crate) fn track(&mut self, at: ClientIx, resources: &Resources, sign: Sign) {
        let all = self.names.amounts(resources, |r| !r.is_shared());
        let unreserved = self.names.amounts(resources, is_free_for_all);
        let client = &mut self.clients[at];
        client.usage.amounts.apply(&all, sign);
        let role = client.role;
        self.roles[role].own.amounts.apply(&all, sign);
        let mut next = Some(role);
        while let Some(above) = next {
            let node = &mut self.roles[above];
            node.subtree.amounts.apply(&all, sign);
            node.unreserved_used.apply(&unreserved, sign);
            next = node.parent;
        }
        if !unreserved.is_zero() {
            self.consumption_changed(role, &unreserved, sign);
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

    /// Counts what an agent brings or takes with it, reservations too.
    pub(crate) fn track_total(&mut self, total: &Resources, sign: Sign) {
        let all = self.names.amounts(total, |_| true);
        self.shares.change_total(&self.names, &all, sign);
        if !total.iter().any(Resource::is_reserved) {
            return;
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
        }
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
        }
    }

    /// What is kept for all roles together.
    pub(crate) fn required(&self) -> &Amounts {
        &self.roles[self.root].kept_below
    }

    /// Whether the sums are what they are of.
    pub(crate) fn check(&self) {
        for (at, node) in self.roles.iter() {
            let children: Vec<_> =
                self.roles.iter().filter(|(_, n)| n.parent == Some(at)).map(|(at, _)| at).collect();
            let (mut known, mut expected) = (node.children.clone(), children);
            known.sort_unstable();
            expected.sort_unstable();
            never!(known != expected, "role {} does not know its children", node.role);
        }
        never!(self.index.len() + 1 != self.roles.len(), "every role but the root has an index");
    }
}

/// Quotas count these as consumed when they are used; reservations count always, and revocable resources never.
pub(crate) fn is_free_for_all(resource: &Resource) -> bool {
    !resource.is_reserved() && !resource.is_revocable() && !resource.is_shared()
}

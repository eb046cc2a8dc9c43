//! The hierarchy of roles with the frameworks in them, kept in the order in which they are to be served.
//!
//! Every role is a node; the node without a name is the root. What stands under a node in the order of service are its
//! child roles and, beside them, the frameworks of the role itself taken together. Only what has someone to serve is in
//! an order at all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use base::{FrameworkId, never};
use resources::{Quantities, Resource, Resources, Role};

use crate::amounts::{Amounts, Names};
use crate::filters::Filters;
use crate::frameworks::FrameworkIx;
use crate::slab::Slab;
use crate::{Constraints, Quota};

base::index_type!(
    /// A role.
    RoleIx
);
base::index_type!(
    /// A framework in one of its roles.
    ClientIx
);

/// What is offered or allocated, and how often something was offered; the latter breaks ties between equal shares.
#[derive(Clone, Default, Debug)]
pub(crate) struct Usage {
    pub(crate) amounts: Amounts,
    pub(crate) count: u64,
}

/// The place of a role, or of the frameworks right in a role, among its siblings. The order of the fields is the order
/// of service.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ChildKey {
    pub(crate) share: u64,
    count: u64,
    role: Role,
    /// The role below; `None` for the frameworks of the role itself.
    pub(crate) node: Option<RoleIx>,
}

/// The place of a framework among those of a role.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ClientKey {
    pub(crate) share: u64,
    count: u64,
    framework: FrameworkId,
    pub(crate) client: ClientIx,
}

#[derive(Debug)]
pub(crate) struct RoleNode {
    pub(crate) role: Role,
    pub(crate) parent: Option<RoleIx>,
    children: usize,
    pub(crate) weight_millionths: u64,
    pub(crate) quota: Quota,
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
    /// Those who want offers.
    pub(crate) queue: BTreeSet<ClientKey>,
    /// What stands under this node, those with someone to serve.
    pub(crate) order: BTreeSet<ChildKey>,
    /// How many in this role and all below want offers.
    pub(crate) wanting: usize,
    /// The keys under which this node is in its parent's order, and its own frameworks in its own.
    key: Option<ChildKey>,
    own_key: Option<ChildKey>,
    /// Something was not offered because of this role's limits.
    pub(crate) held_back: bool,
}

/// A framework in one of its roles.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) framework: FrameworkIx,
    id: FrameworkId,
    pub(crate) role: RoleIx,
    /// Whether the framework has the role now; what it has allocated in it may outlive that.
    pub(crate) subscribed: bool,
    pub(crate) suppressed: bool,
    pub(crate) usage: Usage,
    /// What of its usage is offers that it has not answered.
    pub(crate) offered: Amounts,
    /// What offers must have at least one of, if not what the options say.
    pub(crate) min_allocatable: Option<Vec<Quantities>>,
    /// Of which agents it wants offers at all.
    pub(crate) constraints: Option<Arc<Constraints>>,
    pub(crate) filters: Filters,
    key: Option<ClientKey>,
}

#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) names: Names,
    /// Of all agents.
    pub(crate) total: Amounts,
    pub(crate) roles: Slab<RoleIx, RoleNode>,
    index: HashMap<Role, RoleIx>,
    pub(crate) clients: Slab<ClientIx, Client>,
    root: RoleIx,
    /// The total has changed: all shares have to be computed again.
    stale: bool,
}

/// The weight of a role that nobody set one for.
pub(crate) const DEFAULT_WEIGHT_MILLIONTHS: u64 = 1_000_000;

impl RoleNode {
    fn new(role: Role, parent: Option<RoleIx>) -> Self {
        Self {
            role,
            parent,
            children: 0,
            weight_millionths: DEFAULT_WEIGHT_MILLIONTHS,
            quota: Quota::default(),
            own: Usage::default(),
            subtree: Usage::default(),
            reserved: Amounts::default(),
            unreserved_used: Amounts::default(),
            clients: Vec::new(),
            queue: BTreeSet::new(),
            order: BTreeSet::new(),
            wanting: 0,
            key: None,
            own_key: None,
            held_back: false,
        }
    }

    fn is_forgettable(&self) -> bool {
        self.parent.is_some()
            && self.children == 0
            && self.clients.is_empty()
            && self.weight_millionths == DEFAULT_WEIGHT_MILLIONTHS
            && self.quota.is_empty()
            && self.reserved.is_zero()
            && self.subtree.amounts.is_zero()
    }
}

impl Tree {
    pub(crate) fn new(names: Names) -> Self {
        let mut roles = Slab::new();
        let root = roles.insert(RoleNode::new(Role::from(""), None));
        Self {
            names,
            total: Amounts::default(),
            roles,
            index: HashMap::new(),
            clients: Slab::new(),
            root,
            stale: false,
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
        self.roles[parent].children += 1;
        let at = self.roles.insert(RoleNode::new(role.clone(), Some(parent)));
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
            if let Some(parent) = gone.parent {
                self.roles[parent].children -= 1;
            }
            at = gone.parent;
        }
    }

    /// The node and all above it, the root last.
    pub(crate) fn path(&self, role: RoleIx) -> impl Iterator<Item = &RoleNode> {
        std::iter::successors(Some(&self.roles[role]), |node| node.parent.map(|p| &self.roles[p]))
    }

    pub(crate) fn add_client(&mut self, framework: FrameworkIx, id: &FrameworkId, role: &Role) -> ClientIx {
        let role = self.ensure(role);
        let client = self.clients.insert(Client {
            framework,
            id: id.clone(),
            role,
            subscribed: false,
            suppressed: false,
            usage: Usage::default(),
            offered: Amounts::default(),
            min_allocatable: None,
            constraints: None,
            filters: Filters::default(),
            key: None,
        });
        self.roles[role].clients.push(client);
        client
    }

    /// Removes a client that neither wants nor uses anything.
    pub(crate) fn remove_client(&mut self, at: ClientIx) {
        self.set_wanting(at, false);
        if let Some(client) = self.clients.remove(at) {
            self.roles[client.role].clients.retain(|c| *c != at);
            self.forget_unused(client.role);
        }
    }

    /// Puts a client into the order of service, or takes it out.
    pub(crate) fn set_wanting(&mut self, at: ClientIx, wanting: bool) {
        let client = &self.clients[at];
        let role = client.role;
        if client.key.is_some() == wanting {
            return;
        }
        self.place_client(at, wanting);
        let mut next = Some(role);
        while let Some(above) = next {
            let node = &mut self.roles[above];
            node.wanting = if wanting { node.wanting + 1 } else { node.wanting.saturating_sub(1) };
            next = node.parent;
        }
        self.place_path(role);
    }

    /// Counts what a client has been given or has given back.
    pub(crate) fn track(&mut self, at: ClientIx, resources: &Resources, sign: Sign, is_offer: bool) {
        let all = self.names.amounts(resources, |_| true);
        let unreserved = self.names.amounts(resources, is_free_for_all);
        let offers = u64::from(is_offer);
        let client = &mut self.clients[at];
        client.usage.apply(&all, sign, offers);
        let role = client.role;
        self.roles[role].own.apply(&all, sign, offers);
        let mut next = Some(role);
        while let Some(above) = next {
            let node = &mut self.roles[above];
            node.subtree.apply(&all, sign, offers);
            apply(&mut node.unreserved_used, &unreserved, sign);
            next = node.parent;
        }
        if self.clients[at].key.is_some() {
            self.place_client(at, true);
        }
        self.place_path(role);
    }

    /// Counts what is offered to a client, or is no longer; beside [`Tree::track`].
    pub(crate) fn track_offered(&mut self, at: ClientIx, resources: &Resources, sign: Sign) {
        let amounts = self.names.amounts(resources, |_| true);
        apply(&mut self.clients[at].offered, &amounts, sign);
    }

    /// Counts what an agent brings or takes with it, reservations too.
    pub(crate) fn track_total(&mut self, total: &Resources, sign: Sign) {
        let all = self.names.amounts(total, |_| true);
        if all.is_zero() {
            return;
        }
        apply(&mut self.total, &all, sign);
        self.stale = true;
        for (role, reserved) in total.reservations() {
            let amounts = self.names.amounts(&reserved, |r| !r.is_revocable());
            let role = self.ensure(&role);
            let mut next = Some(role);
            while let Some(above) = next {
                apply(&mut self.roles[above].reserved, &amounts, sign);
                next = self.roles[above].parent;
            }
            self.forget_unused(role);
        }
    }

    /// Computes all shares again if the total has changed.
    pub(crate) fn refresh(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        let wanting: Vec<_> =
            self.clients.iter().filter(|(_, c)| c.key.is_some()).map(|(at, _)| at).collect();
        let mut roles = BTreeSet::new();
        for client in wanting {
            self.place_client(client, true);
            roles.insert(self.clients[client].role);
        }
        for role in roles {
            self.place_path(role);
        }
    }

    pub(crate) fn set_weight(&mut self, role: &Role, millionths: u64) {
        let at = self.ensure(role);
        self.roles[at].weight_millionths = millionths.max(1);
        self.place_path(at);
        self.forget_unused(at);
    }

    fn place_client(&mut self, at: ClientIx, wanting: bool) {
        let client = &mut self.clients[at];
        let queue = &mut self.roles[client.role].queue;
        if let Some(old) = client.key.take() {
            queue.remove(&old);
        }
        if wanting {
            let share = self.names.share(&client.usage.amounts, &self.total, DEFAULT_WEIGHT_MILLIONTHS);
            let key =
                ClientKey { share, count: client.usage.count, framework: client.id.clone(), client: at };
            queue.insert(key.clone());
            client.key = Some(key);
        }
    }

    /// Puts a role and all above it where they now belong.
    fn place_path(&mut self, role: RoleIx) {
        let node = &self.roles[role];
        let own = (!node.queue.is_empty())
            .then(|| self.child_key(&node.own, node, DEFAULT_WEIGHT_MILLIONTHS, None));
        let node = &mut self.roles[role];
        replace(&mut node.order, &mut node.own_key, own);
        let mut at = role;
        while let Some(parent) = self.roles[at].parent {
            let node = &self.roles[at];
            let key = (node.wanting > 0)
                .then(|| self.child_key(&node.subtree, node, node.weight_millionths, Some(at)));
            let mut old = self.roles[at].key.take();
            replace(&mut self.roles[parent].order, &mut old, key);
            self.roles[at].key = old;
            at = parent;
        }
    }

    fn child_key(&self, usage: &Usage, node: &RoleNode, weight: u64, child: Option<RoleIx>) -> ChildKey {
        ChildKey {
            share: self.names.share(&usage.amounts, &self.total, weight),
            count: usage.count,
            role: node.role.clone(),
            node: child,
        }
    }

    /// Whether the orders hold exactly those who want something.
    pub(crate) fn check(&self) {
        for (at, node) in self.roles.iter() {
            let wanting = node.clients.iter().filter(|c| self.clients[**c].key.is_some()).count();
            never!(
                wanting != node.queue.len(),
                "role {} serves {} of {wanting}",
                node.role,
                node.queue.len()
            );
            let children: Vec<_> =
                self.roles.iter().filter(|(_, n)| n.parent == Some(at)).map(|(_, n)| n).collect();
            let below: usize = children.iter().map(|n| n.wanting).sum();
            never!(node.wanting != below + wanting, "role {} counts {} wanting", node.role, node.wanting);
            let in_order = children.iter().filter(|n| n.wanting > 0).count() + usize::from(wanting > 0);
            never!(node.order.len() != in_order, "role {} has {} in order", node.role, node.order.len());
            never!(node.children != children.len(), "role {} miscounts its children", node.role);
        }
        never!(self.index.len() + 1 != self.roles.len(), "every role but the root has an index");
    }
}

/// In which direction something is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

impl Usage {
    fn apply(&mut self, amounts: &Amounts, sign: Sign, offers: u64) {
        apply(&mut self.amounts, amounts, sign);
        self.count += offers;
    }
}

fn apply(to: &mut Amounts, amounts: &Amounts, sign: Sign) {
    match sign {
        Sign::Plus => to.add(amounts),
        Sign::Minus => to.subtract(amounts),
    }
}

/// Quota limits count these; reservations are counted apart, and revocable resources not at all.
pub(crate) fn is_free_for_all(resource: &Resource) -> bool {
    !resource.is_reserved() && !resource.is_revocable()
}

fn replace(order: &mut BTreeSet<ChildKey>, old: &mut Option<ChildKey>, new: Option<ChildKey>) {
    if *old == new {
        return;
    }
    if let Some(old) = old.take() {
        order.remove(&old);
    }
    if let Some(new) = new {
        order.insert(new.clone());
        *old = Some(new);
    }
}

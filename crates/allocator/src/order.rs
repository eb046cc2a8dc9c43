//! The order of service: who is due first.
//!
//! What stands under a role are its child roles and, beside them, the frameworks of the role itself taken together. Each
//! level is sorted by weighted dominant share, then by the number of offers so far, then by name. Only who has someone to
//! serve is in an order at all. An order holds the clients that were put into it: all who want offers, or a selection of
//! them.

mod walk;

use std::collections::BTreeSet;

use base::{Index, never};

use crate::shares::{DEFAULT_WEIGHT_MILLIONTHS, weighted};
use crate::tree::{ClientIx, RoleIx, Tree, Usage};

pub(crate) use walk::{Position, Walk};

/// The place of a role, or of the frameworks right in a role, among its siblings. The order of the fields is the order
/// of service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ChildKey {
    share: u64,
    count: u64,
    rank: u64,
    /// The role below; `None` for the frameworks of the role itself.
    node: Option<RoleIx>,
}

/// The place of a framework among those of a role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct ClientKey {
    share: u64,
    count: u64,
    rank: u64,
    client: ClientIx,
}

/// A role as it stands in an order.
#[derive(Default, Debug)]
struct Lane {
    /// The clients right in this role.
    queue: BTreeSet<ClientKey>,
    /// What stands under this role.
    children: BTreeSet<ChildKey>,
    /// Child roles that are closed; see [`Tree::is_closed`].
    closed: BTreeSet<ChildKey>,
    /// The key under which this role is among its parent's, and its own clients among its own.
    key: Option<ChildKey>,
    is_closed: bool,
    own_key: Option<ChildKey>,
    /// How many clients are in this role and all below.
    members: usize,
}

/// Clients in the order of service.
#[derive(Default, Debug)]
pub(crate) struct Order {
    lanes: Vec<Lane>,
    keys: Vec<Option<ClientKey>>,
    /// How many clients there are.
    len: usize,
    /// Roles that were closed and no longer are.
    reopened: Vec<RoleIx>,
}

impl Order {
    pub(crate) fn contains(&self, client: ClientIx) -> bool {
        self.keys.get(client.as_usize()).is_some_and(Option::is_some)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn has_reopened(&self) -> bool {
        !self.reopened.is_empty()
    }

    pub(crate) fn take_reopened(&mut self) -> Vec<RoleIx> {
        std::mem::take(&mut self.reopened)
    }

    /// How many clients are in a role and all below.
    pub(crate) fn members(&self, role: RoleIx) -> usize {
        self.lanes.get(role.as_usize()).map_or(0, |lane| lane.members)
    }

    /// Puts a client in.
    pub(crate) fn insert(&mut self, tree: &Tree, client: ClientIx) {
        self.reach(tree);
        if self.contains(client) {
            return;
        }
        self.len += 1;
        self.count_members(tree, client, |members| members + 1);
        self.place_client(tree, client);
        self.place_path(tree, tree.clients[client].role);
    }

    /// Takes a client out.
    pub(crate) fn remove(&mut self, tree: &Tree, client: ClientIx) {
        let Some(key) = self.keys.get_mut(client.as_usize()).and_then(Option::take) else { return };
        let role = tree.clients[client].role;
        self.lanes[role.as_usize()].queue.remove(&key);
        self.len -= 1;
        self.count_members(tree, client, |members| members.saturating_sub(1));
        self.place_path(tree, role);
    }

    /// A client has more or less than before, and with it its roles.
    pub(crate) fn update(&mut self, tree: &Tree, client: ClientIx) {
        if self.contains(client) {
            self.place_client(tree, client);
        }
        self.update_role(tree, tree.clients[client].role);
    }

    /// A role, and those above it, have another share than before.
    pub(crate) fn update_role(&mut self, tree: &Tree, role: RoleIx) {
        self.reach(tree);
        self.place_path(tree, role);
    }

    /// Sorts everything anew, because all shares have changed.
    pub(crate) fn rebuild(&mut self, tree: &Tree) {
        self.reach(tree);
        for at in 0..self.lanes.len() {
            let lane = &mut self.lanes[at];
            if lane.members == 0 {
                continue;
            }
            lane.queue = lane.queue.iter().map(|old| client_key(tree, old.client)).collect();
            for key in &lane.queue {
                self.keys[key.client.as_usize()] = Some(*key);
            }
            let role = RoleIx::from_usize(at);
            lane.key = tree.roles[role].parent.map(|_| child_key(tree, role));
            lane.own_key = (!lane.queue.is_empty()).then(|| own_key(tree, role));
        }
        for at in 0..self.lanes.len() {
            let current = |old: &ChildKey| match old.node {
                Some(child) => self.lanes[child.as_usize()].key,
                None => self.lanes[at].own_key,
            };
            let children: BTreeSet<_> = self.lanes[at].children.iter().filter_map(current).collect();
            let closed: BTreeSet<_> = self.lanes[at].closed.iter().filter_map(current).collect();
            self.lanes[at].children = children;
            self.lanes[at].closed = closed;
        }
    }

    /// Room for all roles and clients that there are.
    fn reach(&mut self, tree: &Tree) {
        if self.lanes.len() < tree.roles.bound() {
            self.lanes.resize_with(tree.roles.bound(), Lane::default);
        }
        if self.keys.len() < tree.clients.bound() {
            self.keys.resize(tree.clients.bound(), None);
        }
    }

    fn count_members(&mut self, tree: &Tree, client: ClientIx, change: impl Fn(usize) -> usize) {
        let mut next = Some(tree.clients[client].role);
        while let Some(role) = next {
            let members = &mut self.lanes[role.as_usize()].members;
            *members = change(*members);
            next = tree.roles[role].parent;
        }
    }

    fn place_client(&mut self, tree: &Tree, client: ClientIx) {
        let queue = &mut self.lanes[tree.clients[client].role.as_usize()].queue;
        let slot = &mut self.keys[client.as_usize()];
        let key = client_key(tree, client);
        if *slot == Some(key) {
            return;
        }
        if let Some(old) = slot.replace(key) {
            queue.remove(&old);
        }
        queue.insert(key);
    }

    /// Puts a role and all above it where they now belong.
    fn place_path(&mut self, tree: &Tree, role: RoleIx) {
        let lane = &mut self.lanes[role.as_usize()];
        let own = (!lane.queue.is_empty()).then(|| own_key(tree, role));
        replace(&mut lane.children, &mut lane.own_key, own);
        let mut at = role;
        while let Some(parent) = tree.roles[at].parent {
            self.place_role(tree, at, parent);
            at = parent;
        }
    }

    fn place_role(&mut self, tree: &Tree, at: RoleIx, parent: RoleIx) {
        let lane = &mut self.lanes[at.as_usize()];
        let (before, was_closed) = (lane.key, lane.is_closed);
        let now = (lane.members > 0).then(|| child_key(tree, at));
        let is_closed = tree.is_closed(at);
        (lane.key, lane.is_closed) = (now, is_closed);
        if was_closed && !is_closed {
            self.reopened.push(at);
        }
        if (before, was_closed) == (now, is_closed) {
            return;
        }
        let siblings = &mut self.lanes[parent.as_usize()];
        if let Some(before) = before {
            if was_closed { &mut siblings.closed } else { &mut siblings.children }.remove(&before);
        }
        if let Some(now) = now {
            if is_closed { &mut siblings.closed } else { &mut siblings.children }.insert(now);
        }
    }

    /// Whether one client is due before another.
    pub(crate) fn compare(&self, tree: &Tree, a: ClientIx, b: ClientIx) -> std::cmp::Ordering {
        let (in_a, in_b) = (tree.clients[a].role, tree.clients[b].role);
        if in_a == in_b {
            return client_key(tree, a).cmp(&client_key(tree, b));
        }
        self.way(tree, in_a).cmp(&self.way(tree, in_b))
    }

    /// The keys by which one comes from the root to a role's own clients.
    fn way(&self, tree: &Tree, role: RoleIx) -> Vec<ChildKey> {
        let mut way = vec![own_key(tree, role)];
        let mut at = role;
        while let Some(parent) = tree.roles[at].parent {
            way.push(child_key(tree, at));
            at = parent;
        }
        way.reverse();
        way
    }

    /// Whether this order holds exactly `wanting`, each in its place.
    pub(crate) fn check(&self, tree: &Tree, wanting: impl Fn(ClientIx) -> bool) {
        for (at, client) in tree.clients.iter() {
            never!(self.contains(at) != wanting(at), "{at:?} is served although it wants nothing, or is not");
            let key = self.keys.get(at.as_usize()).copied().flatten();
            let fresh = tree.shares.stale || key.is_none_or(|key| key == client_key(tree, at));
            never!(!fresh, "{at:?} is not in its place");
            let queued = key.is_none_or(|key| self.lanes[client.role.as_usize()].queue.contains(&key));
            never!(!queued, "{at:?} is not in the queue of its role");
        }
        for (at, node) in tree.roles.iter() {
            let Some(lane) = self.lanes.get(at.as_usize()) else { continue };
            let right_here = node.clients.iter().filter(|client| self.contains(**client)).count();
            never!(right_here != lane.queue.len(), "role {} serves other clients than its own", node.role);
            let below: usize = node.children.iter().map(|child| self.members(*child)).sum();
            never!(lane.members != below + right_here, "role {} miscounts its clients", node.role);
            let children = node.children.iter().filter(|child| self.members(**child) > 0);
            let (closed, open): (Vec<&RoleIx>, Vec<_>) = children.partition(|child| tree.is_closed(**child));
            let key = |child: &RoleIx| self.lanes[child.as_usize()].key;
            let open: BTreeSet<ChildKey> = open.into_iter().filter_map(key).chain(lane.own_key).collect();
            let closed: BTreeSet<ChildKey> = closed.into_iter().filter_map(key).collect();
            never!(closed != lane.closed, "role {} has others closed under it than it should", node.role);
            never!(open != lane.children, "role {} has others under it than it should", node.role);
            let fresh = lane.key.is_none_or(|key| tree.shares.stale || key == child_key(tree, at));
            never!(!fresh, "role {} is not in its place", node.role);
        }
    }
}

fn client_key(tree: &Tree, at: ClientIx) -> ClientKey {
    let client = &tree.clients[at];
    let share = tree.shares.of(&client.usage.amounts);
    ClientKey { share, count: client.usage.count, rank: client.rank, client: at }
}

fn child_key(tree: &Tree, at: RoleIx) -> ChildKey {
    let node = &tree.roles[at];
    key(tree, &node.subtree, node.weight_millionths, node.rank, Some(at))
}

/// The clients of a role stand before its child roles if everything else is equal.
fn own_key(tree: &Tree, at: RoleIx) -> ChildKey {
    key(tree, &tree.roles[at].own, DEFAULT_WEIGHT_MILLIONTHS, 0, None)
}

fn key(tree: &Tree, usage: &Usage, weight: u64, rank: u64, node: Option<RoleIx>) -> ChildKey {
    ChildKey { share: weighted(tree.shares.of(&usage.amounts), weight), count: usage.count, rank, node }
}

fn replace(children: &mut BTreeSet<ChildKey>, old: &mut Option<ChildKey>, new: Option<ChildKey>) {
    if *old == new {
        return;
    }
    if let Some(old) = old.take() {
        children.remove(&old);
    }
    if let Some(new) = new {
        children.insert(new);
        *old = Some(new);
    }
}

//! The hierarchy of roles with the frameworks in them, and what each of them has.
//!
//! Every role is a node; the node without a name is the root. A framework in one of its roles is a *client*. All numbers
//! that the order of service and the quotas need are kept here and changed together with what they count; nothing is
//! summed up when it is asked for.

mod counts;

use std::collections::{BTreeSet, HashMap};

use base::{Index, never};
use resources::{Quantities, Role, Scalar};

use crate::amounts::{Amounts, NameIx, Names};
use crate::constraints::Choice;
use crate::frameworks::FrameworkIx;
use crate::ranks::Ranks;
use crate::shares::{DEFAULT_WEIGHT_MILLIONTHS, Shares};
use crate::slab::Slab;
use crate::{Capabilities, Quota};

pub(crate) use counts::is_free_for_all;

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
    /// How many clients in this role and all below say themselves how large offers must be.
    own_minimums: usize,
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
    /// The roles for which something is kept.
    pub(crate) claimants: BTreeSet<RoleIx>,
    /// How many roles have limits.
    pub(crate) limited: usize,
    /// What is free on agents that can be offered, and neither reserved nor revocable.
    pub(crate) free: Amounts,
    /// What offers must have at least one of, by the general rule.
    least: Vec<Amounts>,
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
            own_minimums: 0,
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
    pub(crate) fn new(shares: Shares, least: &[Quantities]) -> Self {
        let mut names = Names::new();
        let mut roles = Slab::new();
        let root = roles.insert(RoleNode::new(Role::from(""), None, 0));
        Self {
            least: least.iter().map(|least| names.intern_all(least.iter())).collect(),
            names,
            shares,
            roles,
            index: HashMap::new(),
            ranks: Ranks::new(),
            clients: Slab::new(),
            epochs: Vec::new(),
            root,
            guaranteed: 0,
            claimants: BTreeSet::new(),
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

    /// Whether any client says itself how large offers must be.
    pub(crate) fn has_own_minimums(&self) -> bool {
        self.roles[self.root].own_minimums > 0
    }

    /// Sets what offers to a client must have at least one of, if not what the general rule says.
    pub(crate) fn set_own_minimum(&mut self, at: ClientIx, least: Option<Vec<Quantities>>) {
        let client = &mut self.clients[at];
        let (before, now) = (client.min_allocatable.is_some(), least.is_some());
        client.min_allocatable = least;
        let mut next = Some(client.role);
        while let Some(above) = next {
            let node = &mut self.roles[above];
            node.own_minimums -= usize::from(before);
            node.own_minimums += usize::from(now);
            next = node.parent;
        }
    }

    /// The clients in a role and all below.
    pub(crate) fn clients_below(&self, role: RoleIx) -> Vec<ClientIx> {
        let mut clients = Vec::new();
        let mut roles = vec![role];
        while let Some(node) = roles.pop().and_then(|at| self.roles.get(at)) {
            clients.extend(&node.clients);
            roles.extend(&node.children);
        }
        clients
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

//! Frameworks coming, changing their minds and going.

use std::collections::BTreeSet;

use base::FrameworkId;
use resources::Role;

use crate::amounts::Amounts;
use crate::tree::{ClientIx, News};
use crate::{Allocator, FrameworkSpec};

base::index_type!(
    /// A framework.
    FrameworkIx
);

#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) id: FrameworkId,
    /// Its place in the order of ids.
    pub(crate) rank: u64,
    /// `false` for those of whom nothing is known but what they use.
    pub(crate) present: bool,
    pub(crate) active: bool,
    /// One for each of its roles, and for those in which it still holds something.
    pub(crate) clients: Vec<ClientIx>,
    /// How many of its clients want offers.
    pub(crate) wanting: usize,
    /// What is offered to it and not answered yet.
    pub(crate) offered: Amounts,
    /// On how many agents it holds something.
    pub(crate) holdings: usize,
}

impl Allocator {
    /// A framework joins. What it uses on agents that joined before is its own already.
    pub fn add_framework(&mut self, id: &FrameworkId, spec: FrameworkSpec, active: bool) {
        let at = self.framework(id);
        let framework = &mut self.frameworks[at];
        framework.present = true;
        framework.active = active;
        self.apply_spec(at, &spec);
    }

    /// A framework has changed its roles, capabilities, or what it wants to be offered. Roles that were suppressed and
    /// no longer are get revived.
    pub fn update_framework(&mut self, id: &FrameworkId, spec: FrameworkSpec) {
        if let Some(at) = self.present(id) {
            self.apply_spec(at, &spec);
        }
    }

    /// Offers resources to a framework again.
    pub fn activate_framework(&mut self, id: &FrameworkId) {
        if let Some(at) = self.present(id) {
            self.frameworks[at].active = true;
            self.refresh_wanting(at);
        }
    }

    /// Offers nothing more to a framework until it is activated, and forgets what it declined.
    pub fn deactivate_framework(&mut self, id: &FrameworkId) {
        if let Some(at) = self.present(id) {
            self.frameworks[at].active = false;
            for client in &self.frameworks[at].clients {
                self.tree.forget_refusals(*client);
            }
            self.refresh_wanting(at);
        }
    }

    /// A framework is gone. What it uses stays used until it is recovered, as its tasks end.
    pub fn remove_framework(&mut self, id: &FrameworkId) {
        let Some(at) = self.present(id) else { return };
        self.apply_spec(at, &FrameworkSpec::default());
        self.frameworks[at].present = false;
        self.forget_unused_framework(at);
    }

    /// A framework wants no offers for these roles; for none of its roles if none is named.
    pub fn suppress<'a>(&mut self, id: &FrameworkId, roles: impl IntoIterator<Item = &'a Role>) {
        let Some(at) = self.present(id) else { return };
        for client in self.clients_for(at, roles) {
            self.tree.clients[client].suppressed = true;
        }
        self.refresh_wanting(at);
    }

    /// A framework wants offers for these roles again, what it has declined too; for all its roles if none is named.
    pub fn revive<'a>(&mut self, id: &FrameworkId, roles: impl IntoIterator<Item = &'a Role>) {
        let Some(at) = self.present(id) else { return };
        for client in self.clients_for(at, roles) {
            self.tree.forget_refusals(client);
            self.tree.clients[client].suppressed = false;
            self.tell(client, News::Wants);
        }
        self.refresh_wanting(at);
    }

    fn clients_for<'a>(&self, at: FrameworkIx, roles: impl IntoIterator<Item = &'a Role>) -> Vec<ClientIx> {
        let named: BTreeSet<_> = roles.into_iter().map(|role| self.tree.find(role)).collect();
        let subscribed = |client: &&ClientIx| {
            let client = &self.tree.clients[**client];
            client.subscribed && (named.is_empty() || named.contains(&Some(client.role)))
        };
        self.frameworks[at].clients.iter().filter(subscribed).copied().collect()
    }

    fn apply_spec(&mut self, at: FrameworkIx, spec: &FrameworkSpec) {
        for role in &spec.roles {
            let client = self.client(at, role);
            let suppressed = spec.suppressed.contains(role);
            let c = &self.tree.clients[client];
            if c.subscribed && c.suppressed && !suppressed {
                self.tree.forget_refusals(client);
            }
            let c = &mut self.tree.clients[client];
            c.capabilities = spec.capabilities;
            c.subscribed = true;
            c.suppressed = suppressed;
            self.constrain(client, spec.constraints.get(role));
            self.tree.set_own_minimum(client, spec.min_allocatable.get(role).cloned());
            self.order.update(&self.tree, client);
            self.tell(client, News::Wants);
        }
        self.unsubscribe_others(at, &spec.roles);
        self.refresh_wanting(at);
    }

    fn unsubscribe_others(&mut self, at: FrameworkIx, roles: &BTreeSet<Role>) {
        for client in self.frameworks[at].clients.clone() {
            let role = self.tree.clients[client].role;
            if !roles.contains(&self.tree.roles[role].role) {
                self.tree.forget_refusals(client);
                self.constrain(client, None);
                self.tree.clients[client].subscribed = false;
                self.forget_unused_client(client);
            }
        }
    }

    /// Puts the framework's clients into the order of service or takes them out, as they now want.
    fn refresh_wanting(&mut self, at: FrameworkIx) {
        let framework = &self.frameworks[at];
        let active = framework.present && framework.active;
        let mut wanting = 0;
        for client in framework.clients.clone() {
            let c = &self.tree.clients[client];
            if active && c.subscribed && !c.suppressed {
                wanting += 1;
                if !self.order.contains(client) {
                    self.order.insert(&self.tree, client);
                    self.tell(client, News::Wants);
                }
            } else {
                self.order.remove(&self.tree, client);
            }
        }
        self.set_wanting(at, wanting);
    }

    fn set_wanting(&mut self, at: FrameworkIx, wanting: usize) {
        let before = std::mem::replace(&mut self.frameworks[at].wanting, wanting);
        self.contenders -= usize::from(before > 0);
        self.contenders += usize::from(wanting > 0);
    }

    pub(crate) fn present(&self, id: &FrameworkId) -> Option<FrameworkIx> {
        self.framework_index.get(id).copied().filter(|at| self.frameworks[*at].present)
    }

    /// The framework of an id; one of whom nothing else is known if it is new.
    pub(crate) fn framework(&mut self, id: &FrameworkId) -> FrameworkIx {
        if let Some(&at) = self.framework_index.get(id) {
            return at;
        }
        if self.framework_ranks.insert(id) {
            for (_, framework) in self.frameworks.iter_mut() {
                framework.rank = self.framework_ranks.get(&framework.id);
                for client in &framework.clients {
                    self.tree.clients[*client].rank = framework.rank;
                }
            }
            self.tree.shares.stale = true;
        }
        let at = self.frameworks.insert(Framework {
            id: id.clone(),
            rank: self.framework_ranks.get(id),
            present: false,
            active: false,
            clients: Vec::new(),
            wanting: 0,
            offered: Amounts::default(),
            holdings: 0,
        });
        self.framework_index.insert(id.clone(), at);
        at
    }

    /// The framework in one of its roles, subscribed to it or not.
    pub(crate) fn client(&mut self, at: FrameworkIx, role: &Role) -> ClientIx {
        let framework = &self.frameworks[at];
        let of_role = |client: &&ClientIx| self.tree.roles[self.tree.clients[**client].role].role == *role;
        if let Some(client) = framework.clients.iter().find(of_role) {
            return *client;
        }
        let client = self.tree.add_client(at, framework.rank, role);
        self.frameworks[at].clients.push(client);
        client
    }

    /// Forgets a client who neither has the role nor holds anything in it.
    pub(crate) fn forget_unused_client(&mut self, client: ClientIx) {
        let c = &self.tree.clients[client];
        if c.subscribed || !c.usage.amounts.is_zero() {
            return;
        }
        let framework = c.framework;
        self.constrained.remove(&client);
        self.frameworks[framework].clients.retain(|other| *other != client);
        if self.order.contains(client) {
            self.order.remove(&self.tree, client);
            self.set_wanting(framework, self.frameworks[framework].wanting - 1);
        }
        if self.tree.clients[client].news != News::None {
            self.news.retain(|other| *other != client);
        }
        let role = self.tree.clients[client].role;
        self.tree.set_own_minimum(client, None);
        self.order.update_role(&self.tree, role);
        self.tree.remove_client(client);
    }

    /// Forgets a framework that is gone and holds nothing.
    pub(crate) fn forget_unused_framework(&mut self, at: FrameworkIx) {
        let Some(framework) = self.frameworks.get(at) else { return };
        if framework.present || framework.holdings > 0 {
            return;
        }
        for client in framework.clients.clone() {
            self.tree.clients[client].subscribed = false;
            self.forget_unused_client(client);
        }
        if self.frameworks[at].clients.is_empty()
            && let Some(gone) = self.frameworks.remove(at)
        {
            self.framework_index.remove(&gone.id);
            self.framework_ranks.remove(&gone.id);
        }
    }
}

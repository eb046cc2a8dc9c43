//! Frameworks coming, changing their minds and going.

use std::collections::BTreeSet;

use base::FrameworkId;
use resources::Role;

use crate::tree::ClientIx;
use crate::{Allocator, Capabilities, FrameworkSpec};

base::index_type!(
    /// A framework.
    FrameworkIx
);

#[derive(Debug)]
pub(crate) struct Framework {
    pub(crate) id: FrameworkId,
    /// `false` for those of whom nothing is known but what they use.
    pub(crate) present: bool,
    pub(crate) active: bool,
    pub(crate) capabilities: Capabilities,
    /// One for each of its roles, and for those in which it still uses something.
    pub(crate) clients: Vec<ClientIx>,
}

impl Allocator {
    /// A framework joins. What it uses on agents that joined before is its own already.
    pub fn add_framework(&mut self, id: &FrameworkId, spec: FrameworkSpec, active: bool) {
        let at = self.framework(id);
        let framework = &mut self.frameworks[at];
        framework.present = true;
        framework.active = active;
        self.apply_spec(at, spec);
    }

    /// A framework has changed its roles, capabilities, or what it wants to be offered. Roles that were suppressed and
    /// no longer are get revived.
    pub fn update_framework(&mut self, id: &FrameworkId, spec: FrameworkSpec) {
        if let Some(at) = self.present(id) {
            self.apply_spec(at, spec);
        }
    }

    /// Offers resources to a framework again.
    pub fn activate_framework(&mut self, id: &FrameworkId) {
        if let Some(at) = self.present(id) {
            self.frameworks[at].active = true;
            self.refresh_wanting(at);
            self.mark_all();
        }
    }

    /// Offers nothing more to a framework until it is activated, and forgets what it declined.
    pub fn deactivate_framework(&mut self, id: &FrameworkId) {
        if let Some(at) = self.present(id) {
            self.frameworks[at].active = false;
            for client in self.frameworks[at].clients.clone() {
                self.expiries.clear(&mut self.tree.clients[client].filters);
            }
            self.refresh_wanting(at);
        }
    }

    /// A framework is gone. What it uses stays used until it is recovered, as its tasks end.
    pub fn remove_framework(&mut self, id: &FrameworkId) {
        let Some(at) = self.present(id) else { return };
        self.apply_spec(at, FrameworkSpec::default());
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
            self.revive_client(client);
        }
        self.refresh_wanting(at);
    }

    fn revive_client(&mut self, client: ClientIx) {
        self.expiries.clear(&mut self.tree.clients[client].filters);
        self.tree.clients[client].suppressed = false;
        self.mark_all();
    }

    fn clients_for<'a>(&self, at: FrameworkIx, roles: impl IntoIterator<Item = &'a Role>) -> Vec<ClientIx> {
        let named: Vec<_> = roles.into_iter().map(|role| self.tree.find(role)).collect();
        let subscribed = |client: &&ClientIx| {
            let client = &self.tree.clients[**client];
            client.subscribed && (named.is_empty() || named.contains(&Some(client.role)))
        };
        self.frameworks[at].clients.iter().filter(subscribed).copied().collect()
    }

    fn apply_spec(&mut self, at: FrameworkIx, spec: FrameworkSpec) {
        self.frameworks[at].capabilities = spec.capabilities;
        for role in &spec.roles {
            let client = self.client(at, role);
            let (was_subscribed, was_suppressed) =
                (self.tree.clients[client].subscribed, self.tree.clients[client].suppressed);
            let suppressed = spec.suppressed.contains(role);
            if was_subscribed && was_suppressed && !suppressed {
                self.revive_client(client);
            }
            self.tree.clients[client].subscribed = true;
            let c = &mut self.tree.clients[client];
            c.suppressed = suppressed;
            c.min_allocatable = spec.min_allocatable.get(role).cloned();
            c.constraints = spec.constraints.get(role).cloned();
        }
        self.unsubscribe_others(at, &spec.roles);
        self.refresh_wanting(at);
        self.mark_all();
    }

    fn unsubscribe_others(&mut self, at: FrameworkIx, roles: &BTreeSet<Role>) {
        for client in self.frameworks[at].clients.clone() {
            let role = self.tree.clients[client].role;
            if !roles.contains(&self.tree.roles[role].role) {
                self.expiries.clear(&mut self.tree.clients[client].filters);
                self.tree.clients[client].subscribed = false;
                self.forget_unused_client(client);
            }
        }
    }

    /// Puts the framework's clients into the order of service or takes them out, as they now want.
    fn refresh_wanting(&mut self, at: FrameworkIx) {
        let framework = &self.frameworks[at];
        let active = framework.present && framework.active;
        for client in framework.clients.clone() {
            let c = &self.tree.clients[client];
            let wanting = active && c.subscribed && !c.suppressed;
            self.tree.set_wanting(client, wanting);
        }
    }

    fn present(&self, id: &FrameworkId) -> Option<FrameworkIx> {
        self.framework_index.get(id).copied().filter(|at| self.frameworks[*at].present)
    }

    /// The framework of an id; one of whom nothing else is known if it is new.
    pub(crate) fn framework(&mut self, id: &FrameworkId) -> FrameworkIx {
        if let Some(&at) = self.framework_index.get(id) {
            return at;
        }
        let at = self.frameworks.insert(Framework {
            id: id.clone(),
            present: false,
            active: false,
            capabilities: Capabilities::default(),
            clients: Vec::new(),
        });
        self.framework_index.insert(id.clone(), at);
        at
    }

    /// The framework in one of its roles, subscribed to it or not.
    pub(crate) fn client(&mut self, at: FrameworkIx, role: &Role) -> ClientIx {
        let framework = &self.frameworks[at];
        if let Some(role) = self.tree.find(role)
            && let Some(client) = framework.clients.iter().find(|c| self.tree.clients[**c].role == role)
        {
            return *client;
        }
        let client = self.tree.add_client(at, &framework.id, role);
        self.frameworks[at].clients.push(client);
        client
    }

    /// Forgets a client who neither has the role nor uses anything in it.
    pub(crate) fn forget_unused_client(&mut self, client: ClientIx) {
        let c = &self.tree.clients[client];
        if c.subscribed || !c.usage.amounts.is_zero() {
            return;
        }
        let framework = c.framework;
        self.frameworks[framework].clients.retain(|other| *other != client);
        self.tree.remove_client(client);
    }

    /// Forgets a framework that is gone and uses nothing.
    pub(crate) fn forget_unused_framework(&mut self, at: FrameworkIx) {
        let framework = &self.frameworks[at];
        if framework.present || self.agents.iter().any(|(_, agent)| agent.held.contains_key(&at)) {
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
        }
    }
}

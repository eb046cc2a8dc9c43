//! Who holds what of an agent, and how it is counted.
//!
//! Everything that a framework holds goes in through [`Allocator::hold`] and out through [`Allocator::let_go`], so that
//! the books of agents, roles and frameworks change together.

use base::{FrameworkId, never};
use resources::{NotContained, Resource, Resources, Role};

use crate::Allocator;
use crate::agents::AgentIx;
use crate::amounts::{Sign, Sums};
use crate::frameworks::FrameworkIx;
use crate::tree::ClientIx;

/// As what a framework holds something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum As {
    /// As an offer that it has not answered.
    Offered,
    /// For tasks, executors and operations.
    Used,
}

/// What a framework holds of an agent, allocated to its roles.
#[derive(Clone, Default, Debug)]
pub(crate) struct Held {
    pub(crate) offered: Resources,
    pub(crate) used: Resources,
}

impl Held {
    pub(crate) fn is_empty(&self) -> bool {
        self.offered.is_empty() && self.used.is_empty()
    }

    /// Offered or used.
    pub(crate) fn all(&self) -> Resources {
        if self.used.is_empty() {
            return self.offered.clone();
        }
        let mut all = self.used.clone();
        all += &self.offered;
        all
    }

    /// As [`Held::all`] without shared resources, allocated to nobody.
    pub(crate) fn exclusive(&self) -> Resources {
        let all = self.all();
        if all.iter().any(Resource::is_shared) {
            return all.filter(|r| !r.is_shared()).unallocated();
        }
        all.unallocated()
    }

    fn part(&mut self, held_as: As) -> &mut Resources {
        match held_as {
            As::Offered => &mut self.offered,
            As::Used => &mut self.used,
        }
    }

    fn has(&self, resource: &Resource) -> bool {
        self.offered.contains_one(resource) || self.used.contains_one(resource)
    }
}

/// What each framework holds of an agent; never nothing. They are few, and sorted.
#[derive(Clone, Default, Debug)]
pub(crate) struct Holdings(Vec<(FrameworkIx, Held)>);

impl Holdings {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (FrameworkIx, &Held)> {
        self.0.iter().map(|(by, held)| (*by, held))
    }

    pub(crate) fn get(&self, by: FrameworkIx) -> Option<&Held> {
        self.find(by).ok().map(|at| &self.0[at].1)
    }

    fn get_mut(&mut self, by: FrameworkIx) -> Option<&mut Held> {
        self.find(by).ok().map(|at| &mut self.0[at].1)
    }

    fn find(&self, by: FrameworkIx) -> Result<usize, usize> {
        self.0.binary_search_by_key(&by, |(other, _)| *other)
    }

    /// What a framework holds, and whether it is its first here.
    fn entry(&mut self, by: FrameworkIx) -> (&mut Held, bool) {
        let (at, is_new) = match self.find(by) {
            Ok(at) => (at, false),
            Err(at) => {
                self.0.insert(at, (by, Held::default()));
                (at, true)
            }
        };
        (&mut self.0[at].1, is_new)
    }

    /// Forgets a framework that holds nothing any more; whether it does.
    fn forget_empty(&mut self, by: FrameworkIx) -> bool {
        let Ok(at) = self.find(by) else { return false };
        let empty = self.0[at].1.is_empty();
        if empty {
            self.0.remove(at);
        }
        empty
    }
}

/// Resources of a framework by client.
#[derive(Debug)]
pub(crate) enum Parts {
    /// All of it is this one's, as it nearly always is.
    One(ClientIx),
    /// Each has its own.
    Several(Vec<(ClientIx, Resources)>),
}

impl Allocator {
    /// A framework holds `resources`, allocated to its roles, beside what it held already.
    pub(crate) fn hold(&mut self, at: AgentIx, by: FrameworkIx, held_as: As, resources: &Resources) {
        match self.split(by, resources) {
            Parts::One(client) => self.hold_for(at, client, held_as, resources),
            Parts::Several(parts) => {
                for (client, part) in parts {
                    self.hold_for(at, client, held_as, &part);
                }
            }
        }
    }

    /// As [`Allocator::hold`], of resources that are all allocated to the client's role.
    pub(crate) fn hold_for(&mut self, at: AgentIx, client: ClientIx, held_as: As, resources: &Resources) {
        let by = self.tree.clients[client].framework;
        let (held, is_new) = self.agents[at].held.entry(by);
        let shared: Vec<_> = resources.iter().filter(|r| r.is_shared() && !held.has(r)).cloned().collect();
        *held.part(held_as) += resources;
        self.frameworks[by].holdings += usize::from(is_new);
        self.track(at, client, held_as, (resources, &shared), Sign::Plus);
    }

    /// A framework no longer holds `resources`, the parts of its clients.
    ///
    /// # Errors
    /// It does not hold as much; nothing is changed.
    pub(crate) fn let_go(
        &mut self,
        at: AgentIx,
        by: FrameworkIx,
        held_as: As,
        (resources, parts): (&Resources, &Parts),
    ) -> Result<(), NotContained> {
        let nothing = || NotContained { have: Resources::new(), wanted: resources.clone() };
        let held = self.agents[at].held.get_mut(by).ok_or_else(nothing)?;
        match parts {
            Parts::One(client) => self.let_go_for(at, *client, held_as, resources)?,
            Parts::Several(parts) => {
                let have = held.part(held_as);
                if !have.contains(resources) {
                    return Err(NotContained { have: have.clone(), wanted: resources.clone() });
                }
                for (client, part) in parts {
                    self.let_go_for(at, *client, held_as, part)?;
                }
            }
        }
        if self.agents[at].held.forget_empty(by) {
            self.frameworks[by].holdings -= 1;
        }
        Ok(())
    }

    fn let_go_for(
        &mut self,
        at: AgentIx,
        client: ClientIx,
        held_as: As,
        resources: &Resources,
    ) -> Result<(), NotContained> {
        let by = self.tree.clients[client].framework;
        let nothing = || NotContained { have: Resources::new(), wanted: resources.clone() };
        let held = self.agents[at].held.get_mut(by).ok_or_else(nothing)?;
        held.part(held_as).subtract(resources)?;
        let shared: Vec<_> = resources.iter().filter(|r| r.is_shared() && !held.has(r)).cloned().collect();
        self.track(at, client, held_as, (resources, &shared), Sign::Minus);
        self.forget_unused_client(client);
        Ok(())
    }

    /// Counts what a client holds more or less, and of that the shared resources that it holds for the first time on the
    /// agent or no longer.
    fn track(
        &mut self,
        at: AgentIx,
        client: ClientIx,
        held_as: As,
        (resources, shared): (&Resources, &[Resource]),
        sign: Sign,
    ) {
        let sums = self.tree.names.sums(resources);
        self.tree.track(client, &sums, sign);
        for resource in shared {
            let others = self.holders(at, client, resource);
            let amounts = self.tree.names.sums(&Resources::from(resource.clone())).shared;
            self.tree.track_shared(client, &amounts, sign, &others);
        }
        if held_as == As::Offered {
            self.count_offered(self.tree.clients[client].framework, &sums, sign);
        }
        self.reorder(client);
    }

    /// Moves what was offered to what is used; roles and frameworks have as much as before.
    ///
    /// # Errors
    /// So much was not offered; nothing is changed.
    pub(crate) fn use_offered(
        &mut self,
        at: AgentIx,
        by: FrameworkIx,
        resources: &Resources,
    ) -> Result<(), NotContained> {
        let nothing = || NotContained { have: Resources::new(), wanted: resources.clone() };
        let held = self.agents[at].held.get_mut(by).ok_or_else(nothing)?;
        held.offered.subtract(resources)?;
        held.used += resources;
        let sums = self.tree.names.sums(resources);
        self.count_offered(by, &sums, Sign::Minus);
        Ok(())
    }

    fn count_offered(&mut self, by: FrameworkIx, sums: &Sums, sign: Sign) {
        let offered = &mut self.frameworks[by].offered;
        offered.apply(&sums.exclusive, sign);
        offered.apply(&sums.shared, sign);
    }

    /// The other clients that hold a shared resource.
    fn holders(&self, at: AgentIx, but: ClientIx, shared: &Resource) -> Vec<ClientIx> {
        let mut all = Vec::new();
        for (by, held) in self.agents[at].held.iter() {
            for client in &self.frameworks[by].clients {
                let role = &self.tree.roles[self.tree.clients[*client].role].role;
                if *client != but && held.has(&shared.clone().allocated_to(role.clone())) {
                    all.push(*client);
                }
            }
        }
        all
    }

    /// The clients of a framework as which it holds `resources`.
    pub(crate) fn split(&mut self, at: FrameworkIx, resources: &Resources) -> Parts {
        if let Some(role) = only_role(resources) {
            return Parts::One(self.client(at, role));
        }
        let by_role = resources.allocations();
        Parts::Several(by_role.into_iter().map(|(role, part)| (self.client(at, &role), part)).collect())
    }

    /// Counts `resources` as used. What is available has to be recounted afterwards.
    pub(crate) fn take(&mut self, at: AgentIx, framework: &FrameworkId, resources: &Resources) {
        if resources.is_empty() {
            return;
        }
        let unallocated = resources.iter().any(|r| r.allocation.is_none());
        if never!(unallocated, "{framework} uses {resources} in no role") {
            return;
        }
        let by = self.framework(framework);
        self.hold(at, by, As::Used, resources);
    }
}

/// The role that all of it is allocated to, if it is one.
fn only_role(resources: &Resources) -> Option<&Role> {
    let mut roles = resources.iter().map(|r| r.allocation.as_ref());
    let first = roles.next()??;
    roles.all(|role| role == Some(first)).then_some(first)
}

//! What frameworks declined, and until when they do not want to see it again.
//!
//! Refusals are kept with the agent that they are of, sorted by client, because that is how an allocation asks for them. A
//! client takes all of its refusals back at once by a number: those that were entered under an older one are no longer in
//! force and disappear when their agent is next touched. Clients that decline the same share one copy of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{Time, never};
use resources::Resources;

use crate::Allocator;
use crate::agents::AgentIx;
use crate::bits::Bits;
use crate::tree::{ClientIx, Tree};

/// For one agent more refusals of a client than these are not kept: the one that ends first gives way. A framework that
/// launches thousands of tasks on an agent, each time with a long refusal of the rest, would make the allocator slow
/// otherwise.
const MAX_PER_CLIENT: usize = 16;

/// One refusal of a client: no offers of this much or less.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) client: ClientIx,
    epoch: u32,
    pub(crate) until: Time,
    pub(crate) resources: Arc<Resources>,
}

impl Refusal {
    /// Whether it was not taken back.
    pub(crate) fn in_force(&self, tree: &Tree) -> bool {
        tree.epoch(self.client) == self.epoch
    }
}

/// The refusals of an agent.
#[derive(Clone, Default, Debug)]
pub(crate) struct Refusals {
    /// Sorted by client.
    entries: Vec<Refusal>,
    /// The clients of `entries`, close together because they are what is searched.
    clients: Vec<ClientIx>,
    /// The same as a set: who is not in it has refused nothing.
    who: Bits<ClientIx>,
    /// When the first of them ends; under this the agent stands in [`Allocator::expiries`].
    next_end: Option<Time>,
    /// What was declined last: it is likely that others decline the same.
    recent: Option<Arc<Resources>>,
}

impl Refusals {
    /// All, those no longer in force too, by client.
    pub(crate) fn entries(&self) -> &[Refusal] {
        &self.entries
    }

    /// The clients of [`Refusals::entries`].
    pub(crate) fn clients(&self) -> &[ClientIx] {
        &self.clients
    }

    /// Whether a client has refused something, perhaps no longer in force.
    pub(crate) fn are_of(&self, client: ClientIx) -> bool {
        self.who.contains(client)
    }

    /// Where those of a client begin, or would.
    pub(crate) fn first_of(&self, client: ClientIx) -> usize {
        self.clients.partition_point(|other| *other < client)
    }

    /// Those of a client.
    pub(crate) fn of(&self, client: ClientIx) -> &[Refusal] {
        if !self.are_of(client) {
            return &[];
        }
        let from = &self.entries[self.first_of(client)..];
        let count = from.iter().take_while(|refusal| refusal.client == client).count();
        &from[..count]
    }

    fn insert(&mut self, at: usize, refusal: Refusal) {
        self.who.set(refusal.client, true);
        self.clients.insert(at, refusal.client);
        self.entries.insert(at, refusal);
    }

    /// Keeps those that `keep` says, and nothing of those that are gone.
    fn retain(&mut self, keep: impl FnMut(&Refusal) -> bool) {
        for client in &self.clients {
            self.who.set(*client, false);
        }
        self.entries.retain(keep);
        self.clients.clear();
        for refusal in &self.entries {
            self.clients.push(refusal.client);
            self.who.set(refusal.client, true);
        }
        if self.entries.is_empty() {
            let next_end = self.next_end;
            *self = Self { next_end, ..Self::default() };
        }
    }

    /// Makes room for one more refusal of a client, whose others are at these places; where they end then.
    fn thin_out(
        &mut self,
        tree: &mut Tree,
        (first, end): (usize, usize),
        resources: &Resources,
        until: Time,
    ) -> usize {
        let mut end = end;
        let mut at = first;
        while at < end {
            let other = &self.entries[at];
            let in_force = other.in_force(tree);
            // What ends no later and covers no more has become pointless.
            if in_force && !(other.until <= until && resources.contains(&other.resources)) {
                at += 1;
                continue;
            }
            self.remove(tree, at, in_force);
            end -= 1;
        }
        if end - first >= MAX_PER_CLIENT
            && let Some(soonest) = (first..end).min_by_key(|at| self.entries[*at].until)
        {
            self.remove(tree, soonest, true);
            end -= 1;
        }
        end
    }

    fn remove(&mut self, tree: &mut Tree, at: usize, in_force: bool) {
        let gone = self.entries.remove(at);
        self.clients.remove(at);
        if self.of(gone.client).is_empty() {
            self.who.set(gone.client, false);
        }
        tree.clients[gone.client].refusals -= usize::from(in_force);
    }

    fn shared(&mut self, resources: &Resources) -> Arc<Resources> {
        match &self.recent {
            Some(recent) if **recent == *resources => Arc::clone(recent),
            _ => Arc::clone(self.recent.insert(Arc::new(resources.clone()))),
        }
    }
}

/// When refusals of which agent end; each agent with refusals is there once.
pub(crate) type Expiries = BTreeSet<(Time, AgentIx)>;

impl Allocator {
    /// A client does not want to be offered `resources` of an agent, or less, for some time. What a framework gives back in a
    /// role that it has left needs no refusal.
    pub(crate) fn refuse(&mut self, at: AgentIx, client: ClientIx, resources: &Resources, until: Time) {
        let tree = &mut self.tree;
        if !tree.clients.get(client).is_some_and(|c| c.subscribed) {
            return;
        }
        let refusals = &mut self.agents[at].refusals;
        let first = refusals.first_of(client);
        let mut end = first + refusals.of(client).len();
        if end > first {
            end = refusals.thin_out(tree, (first, end), resources, until);
        }
        let resources = refusals.shared(resources);
        refusals.insert(end, Refusal { client, epoch: tree.epoch(client), until, resources });
        tree.clients[client].refusals += 1;
        if refusals.next_end.is_none_or(|next| until < next) {
            self.set_next_end(at, Some(until));
        }
    }

    /// Forgets what was declined of an agent.
    pub(crate) fn clear_refusals(&mut self, at: AgentIx) {
        self.set_next_end(at, None);
        let refusals = std::mem::take(&mut self.agents[at].refusals);
        for refusal in &refusals.entries {
            if refusal.in_force(&self.tree) {
                self.tree.clients[refusal.client].refusals -= 1;
            }
        }
    }

    /// Takes out the refusals that have ended: who may now be offered what of which agent.
    pub(crate) fn expire(&mut self, now: Time) -> Vec<(AgentIx, ClientIx)> {
        let mut ended = Vec::new();
        while let Some(&(end, at)) = self.expiries.first()
            && end <= now
        {
            let (tree, refusals) = (&mut self.tree, &mut self.agents[at].refusals);
            refusals.retain(|refusal| {
                let in_force = refusal.in_force(tree);
                if in_force && refusal.until <= now {
                    tree.clients[refusal.client].refusals -= 1;
                    ended.push((at, refusal.client));
                }
                in_force && refusal.until > now
            });
            let next = refusals.entries.iter().map(|refusal| refusal.until).min();
            self.set_next_end(at, next);
        }
        ended
    }

    fn set_next_end(&mut self, at: AgentIx, next: Option<Time>) {
        let slot = &mut self.agents[at].refusals.next_end;
        if let Some(old) = std::mem::replace(slot, next) {
            self.expiries.remove(&(old, at));
        }
        if let Some(next) = next {
            self.expiries.insert((next, at));
        }
    }

    /// The refusals of a client of an agent that are in force.
    pub(crate) fn refusals(&self, client: ClientIx, at: AgentIx) -> impl Iterator<Item = &Refusal> {
        self.agents[at].refusals.of(client).iter().filter(|refusal| refusal.in_force(&self.tree))
    }

    /// Whether all indexes of refusals agree.
    pub(crate) fn check_refusals(&self) {
        let mut in_force = vec![0_usize; self.tree.clients.bound()];
        let mut ends = Expiries::new();
        for (at, agent) in self.agents.iter() {
            let entries = agent.refusals.entries();
            let clients = entries.iter().map(|refusal| refusal.client);
            let same = clients.clone().eq(agent.refusals.clients.iter().copied()) && clients.is_sorted();
            never!(!same, "refusals of {} are not sorted", agent.id);
            for (client, _) in self.tree.clients.iter() {
                let refuses = agent.refusals.clients.contains(&client);
                never!(refuses != agent.refusals.are_of(client), "{client:?} refuses {}, or not", agent.id);
            }
            let first = entries.iter().map(|refusal| refusal.until).min();
            let next = agent.refusals.next_end;
            never!(
                first.is_some() && next.is_none_or(|next| Some(next) > first),
                "{} forgets an end",
                agent.id
            );
            ends.extend(next.map(|next| (next, at)));
            for refusal in entries.iter().filter(|refusal| refusal.in_force(&self.tree)) {
                in_force[base::Index::as_usize(refusal.client)] += 1;
            }
        }
        never!(ends != self.expiries, "refusals end at other times than are known");
        for (at, client) in self.tree.clients.iter() {
            let counted = in_force[base::Index::as_usize(at)];
            never!(counted != client.refusals, "{at:?} has {counted} refusals, not {}", client.refusals);
        }
    }
}

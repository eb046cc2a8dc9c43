//! An allocation: agents one after the other, each to those to whom it is due.
//!
//! After an allocation nothing that is free on an agent can be offered to anyone; otherwise it would have been. So the next
//! one has to look only at what has changed since: the *dirty* agents, for all clients; the others that have something
//! free, for the clients that have *news*; and single agents for single clients, whose refusals have ended. What can
//! undo the invariant in another way is remembered: roles whose offers were cut for want of room, frameworks that had too
//! many offers outstanding, agents whose shared resources were offered (they can be offered again, but only in the next
//! allocation).
//!
//! There are two stages, as in Mesos. The first serves only roles for which something is kept. It is needed because what
//! is kept is an amount, and the agents which have it may not be those that the role's frameworks can use: they may choose
//! first. The second stage serves everybody.

use std::collections::BTreeMap;

use base::{AgentId, FrameworkId, Time};
use resources::{Resource, Role};

use crate::agents::AgentIx;
use crate::holdings::As;
use crate::order::{Order, Position, Walk};
use crate::portion::Portion;
use crate::tree::{ClientIx, News, RoleIx};
use crate::visit::{Stage, Verdict, Visit};
use crate::work::{FEW, Work};
use crate::{Allocator, Offerable};

/// To whom an agent is offered.
enum To<'a> {
    /// To all who want offers.
    All,
    /// To those who are in [`Allocator::chosen`].
    Chosen,
    /// To these, the first one first.
    These(&'a [ClientIx]),
}

impl Allocator {
    /// Offers what is available to whom it is due. Looks only at what has changed since the last call. What is returned
    /// counts as offered to the framework from now on.
    pub fn allocate(&mut self, now: Time) -> Vec<Offerable> {
        let ended = self.expire(now);
        self.renew_shared();
        if std::mem::take(&mut self.tree.shares.stale) {
            self.order.rebuild(&self.tree);
        }
        self.release_cut();
        self.release_capped();
        let mut offers = Vec::new();
        let mut work = self.take_work(ended);
        if !self.order.is_empty() {
            let mut visit = std::mem::take(&mut self.visit);
            if !self.tree.required().is_zero() {
                self.run(Stage::Guarantees, &mut work, &mut visit, &mut offers);
            }
            let after_guarantees = offers.len();
            self.run(Stage::Everybody, &mut work, &mut visit, &mut offers);
            if after_guarantees > 0 {
                offers = joined(offers);
            }
            for role in visit.take_cut() {
                self.cut.insert(role, Vec::new());
            }
            self.visit = visit;
        }
        self.conclude(&work.news);
        offers
    }

    /// As [`Allocator::allocate`], over all agents.
    pub fn allocate_all(&mut self, now: Time) -> Vec<Offerable> {
        let all: Vec<_> = self.agents.iter().map(|(at, _)| at).collect();
        for at in all {
            self.mark(at);
        }
        self.allocate(now)
    }

    fn run(&mut self, stage: Stage, work: &mut Work, visit: &mut Visit, offers: &mut Vec<Offerable>) {
        let guarantees = stage == Stage::Guarantees;
        let may = |allocator: &Self, client: ClientIx| !guarantees || allocator.may_claim(client);
        // Another order in each stage: what the first one takes is not always of the same agents.
        self.options.rng.shuffle(&mut work.dirty);
        self.options.rng.shuffle(&mut work.clean);
        if guarantees {
            let entitled = self.entitled();
            self.offer_to(&work.dirty, entitled, stage, visit, offers);
        } else {
            for at in &work.dirty {
                self.offer_agent(*at, stage, &To::All, visit, offers);
            }
        }
        let news = work.news.iter().copied().filter(|client| may(self, *client)).collect();
        self.offer_to(&work.clean, news, stage, visit, offers);
        for (at, clients) in &work.pairs {
            let due = clients.iter().copied().filter(|client| may(self, *client)).collect();
            self.offer_to(&[*at], due, stage, visit, offers);
        }
    }

    /// Everybody for whom something is kept.
    fn entitled(&self) -> Vec<ClientIx> {
        let mut clients: Vec<ClientIx> =
            self.tree.claimants.iter().flat_map(|role| self.tree.clients_below(*role)).collect();
        clients.retain(|client| self.order.contains(*client));
        clients.sort_unstable();
        clients.dedup();
        clients
    }

    fn may_claim(&self, client: ClientIx) -> bool {
        self.order.contains(client) && self.has_claim(self.tree.clients[client].role)
    }

    /// Offers agents to these clients only.
    fn offer_to(
        &mut self,
        agents: &[AgentIx],
        mut clients: Vec<ClientIx>,
        stage: Stage,
        visit: &mut Visit,
        offers: &mut Vec<Offerable>,
    ) {
        let few = clients.len() <= FEW;
        if agents.is_empty() {
            return;
        }
        if few {
            clients.sort_unstable_by(|a, b| self.order.compare(&self.tree, *a, *b));
        } else {
            for client in &clients {
                self.chosen.insert(&self.tree, *client);
            }
        }
        for at in agents {
            if clients.is_empty() {
                break;
            }
            let before = offers.len();
            let to = if few { To::These(&clients) } else { To::Chosen };
            self.offer_agent(*at, stage, &to, visit, offers);
            if offers.len() > before {
                self.drop_those_without_room(&mut clients, few);
                if few {
                    clients.sort_unstable_by(|a, b| self.order.compare(&self.tree, *a, *b));
                }
            }
        }
        if !few {
            self.chosen = Order::default();
        }
    }

    /// Of those who have news only because their role had room again, nobody needs to be asked once it is used up.
    fn drop_those_without_room(&mut self, news: &mut Vec<ClientIx>, few: bool) {
        if news.iter().all(|client| self.tree.clients[*client].news != News::Room) {
            return;
        }
        let mut full: BTreeMap<RoleIx, bool> = BTreeMap::new();
        let mut kept = Vec::with_capacity(news.len());
        for client in news.drain(..) {
            let c = &self.tree.clients[client];
            let is_full =
                c.news == News::Room && *full.entry(c.role).or_insert_with(|| self.is_full_again(c.role));
            if !is_full {
                kept.push(client);
            } else if !few {
                self.chosen.remove(&self.tree, client);
            }
        }
        *news = kept;
    }

    fn offer_agent(
        &mut self,
        at: AgentIx,
        stage: Stage,
        to: &To<'_>,
        visit: &mut Visit,
        offers: &mut Vec<Offerable>,
    ) {
        visit.begin(at, stage);
        let mut position = Position::start(&self.tree);
        let mut next = 0;
        while self.has_more(at) {
            let due = match to {
                To::All => self.next_due(&self.order, &mut position, visit),
                To::Chosen => self.next_due(&self.chosen, &mut position, visit),
                To::These(clients) => {
                    let left = clients.get(next..).unwrap_or_default();
                    let found = left.iter().position(|c| self.judge(visit, *c) == Verdict::Offer);
                    next += found.map_or(left.len(), |found| found + 1);
                    found.and_then(|found| left.get(found)).copied()
                }
            };
            let Some(client) = due else { return };
            let Some(portion) = visit.take(client) else { return };
            offers.push(self.offer(at, client, portion));
        }
    }

    /// Whether an agent has anything left that could be offered to somebody: enough of it, and not only shared resources that
    /// were offered just now.
    fn has_more(&self, at: AgentIx) -> bool {
        let agent = &self.agents[at];
        let offered_just_now = |r: &Resource| r.is_shared() && agent.just_offered.contains_one(r);
        agent.spare_at.is_some()
            && (agent.free.enough || self.tree.has_own_minimums())
            && (agent.just_offered.is_empty() || !agent.available.iter().all(offered_just_now))
    }

    /// The next client in an order who gets an offer, and from where to go on after it.
    fn next_due(&self, order: &Order, position: &mut Position, visit: &mut Visit) -> Option<ClientIx> {
        let free = &self.agents[visit.agent()?].free;
        let mut walk = Walk::new(order, position, free.reserved || free.particular);
        while let Some(client) = walk.next() {
            match self.judge(visit, client) {
                Verdict::Pass => {}
                Verdict::PassRole => walk.skip_role(),
                Verdict::Offer => {
                    // After all has gone there is nothing to go on with.
                    if !visit.is_all() {
                        *position = walk.position();
                    }
                    return Some(client);
                }
            }
        }
        None
    }

    fn offer(&mut self, at: AgentIx, client: ClientIx, portion: Portion) -> Offerable {
        let (role, by) = (self.tree.clients[client].role, self.tree.clients[client].framework);
        let role = self.tree.roles[role].role.clone();
        let agent = &mut self.agents[at];
        let resources = match portion.part {
            None => std::mem::take(&mut agent.available),
            Some(part) if part.iter().any(Resource::is_shared) => {
                if agent.just_offered.is_empty() {
                    self.shared_again.push(at);
                }
                agent.just_offered += part.filter(Resource::is_shared);
                agent.available -= &part.filter(|r| !r.is_shared());
                part
            }
            Some(part) => {
                agent.available -= &part;
                part
            }
        };
        let id = agent.id.clone();
        let resources = resources.allocated_to(&role);
        self.settle(at);
        self.tree.count_offer(client);
        self.hold_for(at, client, As::Offered, &resources);
        Offerable { framework: self.frameworks[by].id.clone(), role, agent: id, resources }
    }

    /// A client, and with it its roles, has another place in the order of service.
    pub(crate) fn reorder(&mut self, client: ClientIx) {
        self.order.update(&self.tree, client);
        if !self.chosen.is_empty() {
            self.chosen.update(&self.tree, client);
        }
    }
}

/// Offers of the same agent to the same framework in the same role, from two stages, are one.
fn joined(offers: Vec<Offerable>) -> Vec<Offerable> {
    let mut places: BTreeMap<(FrameworkId, Role, AgentId), usize> = BTreeMap::new();
    let mut all: Vec<Offerable> = Vec::with_capacity(offers.len());
    for offer in offers {
        let key = (offer.framework.clone(), offer.role.clone(), offer.agent.clone());
        match places.get(&key) {
            Some(place) => all[*place].resources += offer.resources,
            None => {
                places.insert(key, all.len());
                all.push(offer);
            }
        }
    }
    all
}

//! What an allocation has to look at, and what it leaves for the next one to know.

use std::collections::BTreeMap;

use resources::{Resources, Scalar};

use crate::Allocator;
use crate::agents::AgentIx;
use crate::tree::{ClientIx, News};

/// So few clients are sorted by themselves; for more an order is made, or everybody is looked at.
pub(crate) const FEW: usize = 16;

/// What an allocation has to look at.
#[derive(Default)]
pub(crate) struct Work {
    /// Agents about which something has changed.
    pub(crate) dirty: Vec<AgentIx>,
    /// All other agents with something free; none if nobody has news.
    pub(crate) clean: Vec<AgentIx>,
    /// Who may be offered something on the clean ones.
    pub(crate) news: Vec<ClientIx>,
    /// Clean agents for some clients without news.
    pub(crate) pairs: Vec<(AgentIx, Vec<ClientIx>)>,
}

impl Allocator {
    /// A client may be offered something that it could not be offered at the last allocation.
    pub(crate) fn tell(&mut self, client: ClientIx, news: News) {
        let known = &mut self.tree.clients[client].news;
        if *known == News::None {
            self.news.push(client);
        }
        *known = (*known).max(news);
    }

    /// What there is to look at; it counts as looked at from now on. If nobody wants offers nothing of it is: whoever
    /// comes to want some has news.
    pub(crate) fn take_work(&mut self, ended: Vec<(AgentIx, ClientIx)>) -> Work {
        let mut work = Work::default();
        let mut pairs: BTreeMap<AgentIx, Vec<ClientIx>> = BTreeMap::new();
        for (at, client) in ended {
            if self.order.contains(client) && self.tree.clients[client].news == News::None {
                pairs.entry(at).or_default().push(client);
            }
        }
        for (at, clients) in &pairs {
            if clients.len() > FEW {
                self.mark(*at);
            }
        }
        for at in std::mem::take(&mut self.dirty) {
            if self.agents[at].spare_at.is_some() {
                work.dirty.push(at);
            } else {
                self.agents[at].dirty = false;
            }
        }
        pairs.retain(|at, _| self.agents[*at].spare_at.is_some() && !self.agents[*at].dirty);
        for client in std::mem::take(&mut self.news) {
            let news = std::mem::take(&mut self.tree.clients[client].news);
            if self.order.contains(client) {
                self.tree.clients[client].news = news;
                work.news.push(client);
            }
        }
        if !work.news.is_empty() {
            work.clean = self.spare.iter().filter(|at| !self.agents[**at].dirty).copied().collect();
        }
        for at in &work.dirty {
            self.agents[*at].dirty = false;
        }
        work.pairs = pairs.into_iter().collect();
        work
    }

    /// Tells those who had too many offers outstanding and no longer have.
    pub(crate) fn release_capped(&mut self) {
        for framework in std::mem::take(&mut self.capped) {
            if self.frameworks.get(framework).is_none() {
                continue;
            }
            if self.is_capped(framework) {
                self.capped.push(framework);
                continue;
            }
            for client in self.frameworks[framework].clients.clone() {
                self.tell(client, News::Wants);
            }
        }
    }

    /// What was offered by the last allocation and is shared can be offered again.
    pub(crate) fn renew_shared(&mut self) {
        for at in std::mem::take(&mut self.shared_again) {
            if let Some(agent) = self.agents.get_mut(at) {
                agent.just_offered = Resources::new();
                self.mark(at);
            }
        }
    }

    /// Remembers what the next allocation has to know of this one.
    pub(crate) fn conclude(&mut self, news: &[ClientIx]) {
        for client in news {
            self.tree.clients[*client].news = News::None;
        }
        // Those who were dropped because their role was full again did not come to all agents.
        for role in std::mem::take(&mut self.released).into_keys() {
            self.cut.entry(role).or_default();
        }
        let mut cut = std::mem::take(&mut self.cut);
        cut.retain(|at, _| self.tree.roles.get(*at).is_some());
        for (at, rooms) in &mut cut {
            if rooms.is_empty() {
                *rooms = self.rooms(*at);
            }
            // Who was cut earlier may have less room by now. What is not bounded now counts as used up, so that any bound
            // that comes later is looked at.
            for (name, room) in rooms {
                *room = self.room(*at, *name).unwrap_or(Scalar::ZERO);
            }
        }
        cut.retain(|_, rooms| !rooms.is_empty());
        self.cut = cut;
        self.tree.loosened = false;
        if self.options.max_offered_share.is_some() {
            self.capped = self.frameworks.iter().map(|(at, _)| at).filter(|at| self.is_capped(*at)).collect();
        }
    }
}

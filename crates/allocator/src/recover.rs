//! Resources on their way between available, offered and used, other than by an allocation.

use std::time::Duration;

use base::{AgentId, FrameworkId, Time, never};
use resources::{NotContained, Resources};

use crate::Allocator;
use crate::agents::AgentIx;
use crate::frameworks::FrameworkIx;
use crate::tree::Sign;

/// Refusals do not last longer, as in Mesos.
const LONGEST_REFUSAL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// As what a framework holds something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum As {
    Offered,
    Used,
}

impl Allocator {
    /// A framework accepted an offer and uses `resources` of it (allocated to its roles).
    pub fn transition_to_allocated(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
    ) {
        let Some((at, by)) = self.find(framework, agent) else { return };
        let Some(held) = self.agents[at].held.get_mut(&by) else { return };
        let refused = held.offered.subtract(resources);
        if never!(refused.is_err(), "{framework} uses of {agent} what it was not offered: {refused:?}") {
            return;
        }
        held.used += resources;
        self.untrack_offered(by, resources);
    }

    /// A framework no longer uses `resources` (allocated to its roles): a task ended. They are available to all at once.
    pub fn recover(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        self.give_back(framework, agent, resources, As::Used);
    }

    /// An offer of `resources` (allocated to a role of the framework) was rescinded. They are available to all at once.
    pub fn recover_offered(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        self.give_back(framework, agent, resources, As::Offered);
    }

    /// A framework declined an offer: `resources` are available again, but as long as `refuse` says, and for
    /// [`Options::min_refusal`](crate::Options::min_refusal) at least, not to this framework in this role.
    pub fn decline(
        &mut self,
        now: Time,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
        refuse: Duration,
    ) {
        let refuse = refuse.max(self.options.min_refusal);
        self.recover_leftover(now, framework, agent, resources, refuse);
    }

    /// A framework accepted an offer and has no use for `resources` of it. As [`Allocator::decline`], but without a
    /// shortest time: a framework that says zero gets the rest offered at once.
    pub fn recover_leftover(
        &mut self,
        now: Time,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
        refuse: Duration,
    ) {
        let Some((at, by)) = self.give_back(framework, agent, resources, As::Offered) else { return };
        if refuse.is_zero() || !self.frameworks.get(by).is_some_and(|f| f.present && f.active) {
            return;
        }
        let until = now + refuse.min(LONGEST_REFUSAL);
        for (client, part) in self.split(by, resources) {
            let c = &mut self.tree.clients[client];
            // What a framework gives back in a role that it has left needs no refusal.
            if c.subscribed {
                self.expiries.add((client, &mut c.filters), at, part.unallocated(), until);
            } else {
                self.forget_unused_client(client);
            }
        }
    }

    /// An agent reports that a framework uses `resources` (allocated to its roles), which nobody offered.
    pub fn add_used(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        if let Some(&at) = self.agent_index.get(agent) {
            self.take(at, framework, resources);
            self.agents[at].recount();
        }
    }

    /// An operation has changed what a framework was offered on an agent or uses there, and with it what the agent has:
    /// `from` became `to`, both allocated to the framework's roles. What is offered is looked at first.
    ///
    /// # Errors
    /// The framework holds no `from`; nothing is changed.
    pub fn convert(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        from: &Resources,
        to: &Resources,
    ) -> Result<(), NotContained> {
        let none = || NotContained { have: Resources::new(), wanted: from.clone() };
        let (at, by) = self.find(framework, agent).ok_or_else(none)?;
        let held = self.agents[at].held.get_mut(&by).ok_or_else(none)?;
        let is_offered = held.offered.contains(from);
        let holding = if is_offered { &mut held.offered } else { &mut held.used };
        holding.subtract(from)?;
        *holding += to;
        if held.is_empty() {
            self.agents[at].held.remove(&by);
        }
        for (part, sign) in [(to, Sign::Plus), (from, Sign::Minus)] {
            for (client, part) in self.split(by, part) {
                self.tree.track(client, &part, sign, false);
                if is_offered {
                    self.tree.track_offered(client, &part, sign);
                }
            }
        }
        self.convert_total(at, &from.clone().unallocated(), &to.clone().unallocated());
        Ok(())
    }

    /// An operator's operation has changed what is free on an agent: `from` became `to`, both allocated to nobody.
    ///
    /// # Errors
    /// `from` is not free there; nothing is changed.
    pub fn convert_available(
        &mut self,
        agent: &AgentId,
        from: &Resources,
        to: &Resources,
    ) -> Result<(), NotContained> {
        let none = || NotContained { have: Resources::new(), wanted: from.clone() };
        let &at = self.agent_index.get(agent).ok_or_else(none)?;
        let free = &self.agents[at].available;
        if !free.contains(from) {
            return Err(NotContained { have: free.clone(), wanted: from.clone() });
        }
        self.convert_total(at, from, to);
        self.mark(at);
        Ok(())
    }

    fn convert_total(&mut self, at: AgentIx, from: &Resources, to: &Resources) {
        self.tree.track_total(to, Sign::Plus);
        self.untrack_total(from);
        let agent = &mut self.agents[at];
        agent.total -= from;
        agent.total += to;
        agent.recount();
    }

    fn find(&self, framework: &FrameworkId, agent: &AgentId) -> Option<(AgentIx, FrameworkIx)> {
        Some((*self.agent_index.get(agent)?, *self.framework_index.get(framework)?))
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
        self.agents[at].held.entry(by).or_default().used += resources;
        for (client, part) in self.split(by, resources) {
            self.tree.track(client, &part, Sign::Plus, false);
        }
    }

    fn give_back(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
        held_as: As,
    ) -> Option<(AgentIx, FrameworkIx)> {
        if resources.is_empty() {
            return None;
        }
        let (at, by) = self.find(framework, agent)?;
        let held = self.agents[at].held.get_mut(&by)?;
        let refused = match held_as {
            As::Offered => held.offered.subtract(resources),
            As::Used => held.used.subtract(resources),
        };
        if never!(refused.is_err(), "{framework} gives back on {agent} what it does not hold: {refused:?}") {
            return None;
        }
        let nothing_left = held.is_empty();
        let agent = &mut self.agents[at];
        if nothing_left {
            agent.held.remove(&by);
        }
        if agent.overcommitted {
            agent.recount();
        } else {
            agent.available += resources.clone().unallocated();
        }
        if held_as == As::Offered {
            self.untrack_offered(by, resources);
        }
        self.untrack(by, resources);
        self.mark(at);
        if nothing_left {
            self.forget_unused_framework(by);
        }
        Some((at, by))
    }

    /// Counts `resources` as no longer offered to a framework; see [`Allocator::untrack`].
    pub(crate) fn untrack_offered(&mut self, by: FrameworkIx, resources: &Resources) {
        for (client, part) in self.split(by, resources) {
            self.tree.track_offered(client, &part, Sign::Minus);
        }
    }

    /// Counts `resources` as no longer held by a framework.
    pub(crate) fn untrack(&mut self, by: FrameworkIx, resources: &Resources) {
        for (client, part) in self.split(by, resources) {
            self.tree.track(client, &part, Sign::Minus, false);
            let role = self.tree.clients[client].role;
            if self.tree.path(role).any(|node| node.held_back) {
                self.release_held_back(role);
            }
            self.forget_unused_client(client);
        }
    }
}

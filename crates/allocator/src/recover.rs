//! Resources on their way between available and used, other than by offers.

use std::time::Duration;

use base::{AgentId, FrameworkId, Time, never};
use resources::{NotContained, Resources};

use crate::Allocator;
use crate::agents::AgentIx;
use crate::frameworks::FrameworkIx;
use crate::tree::Sign;

/// Refusals do not last longer, as in Mesos.
const LONGEST_REFUSAL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Allocator {
    /// A framework no longer uses `resources` (allocated to its roles): a task ended, an offer was rescinded. They are
    /// available to all at once.
    pub fn recover(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        self.give_back(framework, agent, resources);
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
        let Some((at, by)) = self.give_back(framework, agent, resources) else { return };
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

    /// An operation has changed what a framework uses on an agent, and with it what the agent has: `from` became `to`,
    /// both allocated to the framework's roles.
    ///
    /// # Errors
    /// The framework does not use `from`; nothing is changed.
    pub fn convert(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        from: &Resources,
        to: &Resources,
    ) -> Result<(), NotContained> {
        let none = || NotContained { have: Resources::new(), wanted: from.clone() };
        let &at = self.agent_index.get(agent).ok_or_else(none)?;
        let &by = self.framework_index.get(framework).ok_or_else(none)?;
        let used = self.agents[at].used.get_mut(&by).ok_or_else(none)?;
        used.subtract(from)?;
        *used += to;
        if used.is_empty() {
            self.agents[at].used.remove(&by);
        }
        for (part, sign) in [(to, Sign::Plus), (from, Sign::Minus)] {
            for (client, part) in self.split(by, part) {
                self.tree.track(client, &part, sign, false);
            }
            self.tree.track_total(&part.clone().unallocated(), sign);
        }
        let agent = &mut self.agents[at];
        agent.total -= &from.clone().unallocated();
        agent.total += to.clone().unallocated();
        agent.recount();
        Ok(())
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
        *self.agents[at].used.entry(by).or_default() += resources;
        for (client, part) in self.split(by, resources) {
            self.tree.track(client, &part, Sign::Plus, false);
        }
    }

    fn give_back(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
    ) -> Option<(AgentIx, FrameworkIx)> {
        if resources.is_empty() {
            return None;
        }
        let &at = self.agent_index.get(agent)?;
        let &by = self.framework_index.get(framework)?;
        let entry = self.agents[at].used.get_mut(&by)?;
        let refused = entry.subtract(resources);
        if never!(refused.is_err(), "{framework} gives back on {agent} what it does not use: {refused:?}") {
            return None;
        }
        let nothing_left = entry.is_empty();
        let agent = &mut self.agents[at];
        if nothing_left {
            agent.used.remove(&by);
        }
        if agent.overcommitted {
            agent.recount();
        } else {
            agent.available += resources.clone().unallocated();
        }
        self.untrack(by, resources);
        self.mark(at);
        if nothing_left {
            self.forget_unused_framework(by);
        }
        Some((at, by))
    }

    /// Counts `resources` as no longer used by a framework.
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

//! Resources on their way between available, offered and used, other than by an allocation.

use std::time::Duration;

use base::{AgentId, FrameworkId, Time, never};
use resources::{NotContained, Resource, Resources};

use crate::Allocator;
use crate::agents::AgentIx;
use crate::frameworks::FrameworkIx;
use crate::holdings::{As, Parts};

/// Refusals do not last longer, as in Mesos.
const LONGEST_REFUSAL: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Allocator {
    /// A framework accepted an offer and uses `resources` of it (allocated to its roles).
    pub fn transition_to_allocated(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
    ) {
        if let Some((at, by)) = self.find(framework, agent) {
            let refused = self.use_offered(at, by, resources);
            never!(refused.is_err(), "{framework} uses of {agent} what it was not offered: {refused:?}");
        }
    }

    /// A framework no longer uses `resources` (allocated to its roles): a task ended. They are available to all at once.
    pub fn recover(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        self.give_back(framework, agent, resources, As::Used, None);
    }

    /// An offer of `resources` (allocated to a role of the framework) was rescinded. They are available to all at once.
    pub fn recover_offered(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        self.give_back(framework, agent, resources, As::Offered, None);
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
        let until = (!refuse.is_zero()).then(|| now + refuse.min(LONGEST_REFUSAL));
        self.give_back(framework, agent, resources, As::Offered, until);
    }

    /// An agent reports that a framework uses `resources` (allocated to its roles), which nobody offered.
    pub fn add_used(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        if let Some(&at) = self.agent_index.get(agent) {
            self.take(at, framework, resources);
            self.agents[at].recount();
            self.settle(at);
        }
    }

    /// An operation has changed what a framework was offered on an agent or uses there, and with it what the agent has:
    /// `from` became `to`, both allocated to the framework's roles. What is offered is looked at first. If `from` is empty,
    /// `to` is more copies of shared resources that the agent has already.
    ///
    /// # Errors
    /// The framework holds no `from`, or the agent has no `from` any more; nothing is changed.
    pub fn convert(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        from: &Resources,
        to: &Resources,
    ) -> Result<(), NotContained> {
        let none = || NotContained { have: Resources::new(), wanted: from.clone() };
        let (at, by) = self.find(framework, agent).ok_or_else(none)?;
        let held = self.agents[at].held.get(by).ok_or_else(none)?;
        let held_as = if held.offered.contains(from) { As::Offered } else { As::Used };
        if from.is_empty() {
            let copies = to.filter(Resource::is_shared);
            never!(copies != *to, "{framework} gets {to} of {agent} out of nothing");
            self.hold(at, by, held_as, &copies);
            return Ok(());
        }
        if held_as == As::Used && !held.used.contains(from) {
            return Err(NotContained { have: held.used.clone(), wanted: from.clone() });
        }
        let gone = from.clone().unallocated();
        if !self.agents[at].total.contains(&gone) {
            // The agent shrank: what is held is not there any more.
            return Err(NotContained { have: self.agents[at].total.clone(), wanted: gone });
        }
        // What is new comes first, so that nobody is forgotten in between.
        self.hold(at, by, held_as, to);
        let parts = self.split(by, from);
        self.let_go(at, by, held_as, (from, &parts))?;
        self.convert_total(at, &gone, &to.clone().unallocated(), false);
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
        self.convert_total(at, from, to, true);
        Ok(())
    }

    /// What an agent has of `from` becomes `to`. Of what somebody holds only the shared part is free.
    fn convert_total(&mut self, at: AgentIx, from: &Resources, to: &Resources, is_free: bool) {
        self.change_total(from, to);
        let agent = &mut self.agents[at];
        agent.total -= from;
        agent.total += to;
        if agent.overcommitted {
            agent.recount();
        } else {
            let free = |resources: &Resources| resources.filter(|r| is_free || r.is_shared());
            agent.available -= &free(from);
            agent.available += free(to);
        }
        if is_free || to.iter().any(Resource::is_shared) {
            self.mark(at);
        }
        self.settle(at);
    }

    fn find(&self, framework: &FrameworkId, agent: &AgentId) -> Option<(AgentIx, FrameworkIx)> {
        Some((*self.agent_index.get(agent)?, *self.framework_index.get(framework)?))
    }

    /// Makes what a framework held available, and if it refuses that until some time, remembers it.
    fn give_back(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
        held_as: As,
        refused_until: Option<Time>,
    ) {
        let Some((at, by)) = self.find(framework, agent) else { return };
        if resources.is_empty() {
            return;
        }
        let parts = self.split(by, resources);
        let refused = self.let_go(at, by, held_as, (resources, &parts));
        if never!(refused.is_err(), "{framework} gives back on {agent} what it does not hold: {refused:?}") {
            return;
        }
        let free = resources.clone().unallocated();
        if let Some(until) =
            refused_until.filter(|_| self.frameworks[by].present && self.frameworks[by].active)
        {
            match parts {
                Parts::One(client) => self.refuse(at, client, &free, until),
                Parts::Several(parts) => {
                    for (client, part) in parts {
                        self.refuse(at, client, &part.unallocated(), until);
                    }
                }
            }
        }
        let agent = &mut self.agents[at];
        if agent.overcommitted {
            agent.recount();
        } else if free.iter().any(Resource::is_shared) {
            agent.available += free.filter(|r| !r.is_shared());
        } else {
            agent.available += free;
        }
        self.settle(at);
        self.mark(at);
        self.forget_unused_framework(by);
    }
}

//! The allocator, and when it is asked.
//!
//! New agents, new frameworks and revived ones are served as soon as the inputs at hand are handled. What becomes free
//! is gathered for a moment first: offers of many small pieces cost everyone more than the wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use allocator::{AgentSpec, Allocator, Capabilities, FrameworkSpec, Offerable, Quota};
use base::{AgentId, FrameworkId, Rng, Time};
use resources::{NotContained, Resources, Role};

use crate::input::Timer;
use crate::options::Options;
use crate::output::Output;
use crate::types::{Agent, Framework};

/// The allocator, and when it is asked.
#[derive(Debug)]
pub(crate) struct Allocation {
    allocator: Allocator,
    /// The master's region.
    region: Option<String>,
    /// Weights that were set.
    pub(crate) weights: BTreeMap<Role, f64>,
    /// Quotas that were set.
    pub(crate) quotas: BTreeMap<Role, Quota>,
    /// Something happened that must not wait.
    urgent: bool,
    /// The timer that gathers what became free is running.
    timer: bool,
    /// So many agents have to come before anything is offered.
    waits_for: Option<usize>,
}

fn framework_spec(framework: &Framework) -> FrameworkSpec {
    let capabilities = framework.info.capabilities;
    FrameworkSpec {
        roles: framework.info.roles.clone(),
        suppressed: framework.suppressed_roles.clone(),
        capabilities: Capabilities {
            multi_role: capabilities.multi_role,
            gpu_resources: capabilities.gpu_resources,
            region_aware: capabilities.region_aware,
            revocable_resources: capabilities.revocable_resources,
            shared_resources: capabilities.shared_resources,
            reservation_refinement: capabilities.reservation_refinement,
        },
        min_allocatable: framework.info.min_allocatable.clone(),
        constraints: framework.offer_constraints.roles.clone(),
    }
}

/// An agent without a region is where the master is, and so are all agents of a master without one.
fn agent_spec(agent: &Agent, region: Option<&str>) -> AgentSpec {
    let traits = Arc::clone(&agent.info.traits);
    let remote = traits.region.as_deref().zip(region).is_some_and(|(theirs, ours)| theirs != ours);
    let (single_role, flat_roles) = (!agent.capabilities.multi_role, !agent.capabilities.hierarchical_role);
    AgentSpec { total: agent.total.clone(), remote, single_role, flat_roles, traits }
}

impl Allocation {
    pub(crate) fn new(options: &Options) -> Self {
        let region = options.region.clone();
        let options = allocator::Options {
            min_allocatable: options.min_allocatable.clone(),
            filter_gpu_agents: options.filter_gpu_agents,
            fairness_excluded: options.fairness_excluded.clone(),
            max_offered_share: options.max_offered_share,
            ..allocator::Options::new(Rng::new(options.seed).child("allocator"))
        };
        Self {
            allocator: Allocator::new(options),
            region,
            weights: BTreeMap::new(),
            quotas: BTreeMap::new(),
            urgent: false,
            timer: false,
            waits_for: None,
        }
    }

    /// A new master of `agents` agents makes no offers before most of them are there, if there are quotas: the first ones
    /// alone could not keep them.
    pub(crate) fn recover_from(
        &mut self,
        agents: usize,
        now: Time,
        options: &Options,
        out: &mut Vec<Output>,
    ) {
        let part = (agents as f64 * options.allocator_agent_recovery_factor).floor();
        if agents > 0 && part >= 1.0 && !self.quotas.is_empty() {
            // At most `agents`, and so neither negative nor too large.
            self.waits_for = (1..=agents).rev().find(|count| *count as f64 <= part);
            let at = now + options.allocator_recovery_timeout;
            out.push(Output::SetTimer { at, timer: Timer::AllocationRecovery });
        }
    }

    /// So many agents are there.
    pub(crate) fn agents_are(&mut self, count: usize) {
        if self.waits_for.is_some_and(|wanted| count >= wanted) {
            self.resume();
        }
    }

    /// Makes offers of what is there.
    pub(crate) fn resume(&mut self) {
        if self.waits_for.take().is_some() {
            self.urgent = true;
        }
    }

    /// What is free, and who is to be asked, is looked at as soon as the inputs at hand are handled.
    pub(crate) fn hurry(&mut self) {
        self.urgent = true;
    }

    /// Whether offers wait for agents.
    pub(crate) fn waits(&self) -> bool {
        self.waits_for.is_some()
    }

    pub(crate) fn wanted(&self) -> bool {
        self.urgent && !self.waits()
    }

    /// Whether the timer that gathers what became free has to be set; it counts as set from now on.
    pub(crate) fn take_timer(&mut self, now: Time) -> bool {
        let set = !self.timer && !self.urgent && !self.waits() && self.allocator.needs_allocation(now);
        self.timer |= set;
        set
    }

    pub(crate) fn timer_fired(&mut self) {
        self.timer = false;
    }

    /// What is to be offered now.
    pub(crate) fn run(&mut self, now: Time) -> Vec<Offerable> {
        self.urgent = false;
        self.allocator.allocate(now)
    }

    /// The framework begins; with offers if it is active.
    pub(crate) fn add_framework(&mut self, framework: &Framework) {
        self.allocator.add_framework(&framework.id, framework_spec(framework), framework.active);
        self.urgent = true;
    }

    pub(crate) fn update_framework(&mut self, framework: &Framework) {
        self.allocator.update_framework(&framework.id, framework_spec(framework));
        self.urgent = true;
    }

    pub(crate) fn activate_framework(&mut self, id: &FrameworkId) {
        self.allocator.activate_framework(id);
        self.urgent = true;
    }

    pub(crate) fn deactivate_framework(&mut self, id: &FrameworkId) {
        self.allocator.deactivate_framework(id);
    }

    pub(crate) fn remove_framework(&mut self, id: &FrameworkId) {
        self.allocator.remove_framework(id);
    }

    pub(crate) fn add_agent(&mut self, agent: &Agent) {
        let used: Vec<(FrameworkId, Resources)> =
            agent.used.iter().map(|(framework, used)| (framework.clone(), used.clone())).collect();
        self.allocator.add_agent(&agent.id, agent_spec(agent, self.region.as_deref()), &used);
        self.urgent = true;
    }

    pub(crate) fn update_agent(&mut self, agent: &Agent) {
        self.allocator.update_agent(&agent.id, agent_spec(agent, self.region.as_deref()));
        self.urgent = true;
    }

    /// The agent is gone, with all that is used or offered on it.
    pub(crate) fn remove_agent(&mut self, id: &AgentId) {
        self.allocator.remove_agent(id);
    }

    pub(crate) fn activate_agent(&mut self, id: &AgentId) {
        self.allocator.activate_agent(id);
        self.urgent = true;
    }

    pub(crate) fn deactivate_agent(&mut self, id: &AgentId) {
        self.allocator.deactivate_agent(id);
    }

    /// A framework uses what it was offered.
    pub(crate) fn transition_to_allocated(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
    ) {
        if !resources.is_empty() {
            self.allocator.transition_to_allocated(framework, agent, resources);
        }
    }

    /// Gives back an offer that was not answered.
    pub(crate) fn recover_offered(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
    ) {
        if !resources.is_empty() {
            self.allocator.recover_offered(framework, agent, resources);
        }
    }

    /// An operation has changed what a framework was offered or uses, and with it what the agent has.
    ///
    /// # Errors
    /// The framework holds no `from`; nothing is changed.
    pub(crate) fn convert(
        &mut self,
        framework: &FrameworkId,
        agent: &AgentId,
        from: &Resources,
        to: &Resources,
    ) -> Result<(), NotContained> {
        self.allocator.convert(framework, agent, from, to)
    }

    /// An operator's operation has changed what is free on an agent.
    ///
    /// # Errors
    /// `from` is not free there; nothing is changed.
    pub(crate) fn convert_available(
        &mut self,
        agent: &AgentId,
        from: &Resources,
        to: &Resources,
    ) -> Result<(), NotContained> {
        self.allocator.convert_available(agent, from, to)
    }

    /// What of an agent nobody was offered or uses.
    pub(crate) fn available(&self, agent: &AgentId) -> Option<&Resources> {
        self.allocator.available(agent)
    }

    pub(crate) fn set_whitelist(&mut self, hostnames: Option<BTreeSet<String>>) {
        self.allocator.set_whitelist(hostnames);
        self.urgent = true;
    }

    /// Gives back what a framework used.
    pub(crate) fn recover(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        if !resources.is_empty() {
            self.allocator.recover(framework, agent, resources);
        }
    }

    /// Gives back what a framework declined; it does not want it again before `refuse` is over.
    pub(crate) fn decline(
        &mut self,
        now: Time,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
        refuse: Duration,
    ) {
        if !resources.is_empty() {
            self.allocator.decline(now, framework, agent, resources, refuse);
        }
    }

    /// Gives back what is left of an accepted offer.
    pub(crate) fn recover_leftover(
        &mut self,
        now: Time,
        framework: &FrameworkId,
        agent: &AgentId,
        resources: &Resources,
        refuse: Duration,
    ) {
        if !resources.is_empty() {
            self.allocator.recover_leftover(now, framework, agent, resources, refuse);
        }
    }

    pub(crate) fn revive(&mut self, framework: &FrameworkId, roles: &[Role]) {
        self.allocator.revive(framework, roles);
        self.urgent = true;
    }

    pub(crate) fn suppress(&mut self, framework: &FrameworkId, roles: &[Role]) {
        self.allocator.suppress(framework, roles);
    }

    pub(crate) fn set_weight(&mut self, role: &Role, weight: f64) {
        self.allocator.set_weight(role, weight);
        self.weights.insert(role.clone(), weight);
        self.urgent = true;
    }

    pub(crate) fn set_quota(&mut self, role: &Role, quota: Quota) {
        self.allocator.set_quota(role, quota.clone());
        if quota.is_empty() {
            self.quotas.remove(role);
        } else {
            self.quotas.insert(role.clone(), quota);
        }
        self.urgent = true;
    }

    /// For [`crate::MasterCore::check`].
    pub(crate) fn inner(&self) -> &Allocator {
        &self.allocator
    }
}

//! The allocator, and when it is asked.
//!
//! New agents, new frameworks and revived ones are served as soon as the inputs at hand are handled. What becomes free
//! is gathered for a moment first: offers of many small pieces cost everyone more than the wait.

use std::collections::BTreeMap;
use std::time::Duration;

use allocator::{AgentSpec, Allocator, Capabilities, FrameworkSpec, Offerable};
use base::{AgentId, FrameworkId, Rng, Time};
use resources::{Resources, Role};

use crate::options::Options;
use crate::types::{Agent, Framework, QuotaLimits};

/// The allocator, and when it is asked.
#[derive(Debug)]
pub(crate) struct Allocation {
    allocator: Allocator,
    /// Weights that were set.
    pub(crate) weights: BTreeMap<Role, f64>,
    /// Limits that were set.
    pub(crate) limits: BTreeMap<Role, QuotaLimits>,
    /// Something happened that must not wait.
    urgent: bool,
    /// Something became free.
    freed: bool,
    /// The timer that gathers what became free is running.
    timer: bool,
}

fn framework_spec(framework: &Framework) -> FrameworkSpec {
    let capabilities = framework.info.capabilities;
    FrameworkSpec {
        roles: framework.info.roles.clone(),
        suppressed: framework.suppressed_roles.clone(),
        capabilities: Capabilities {
            gpu_resources: capabilities.gpu_resources,
            region_aware: capabilities.region_aware,
            revocable_resources: capabilities.revocable_resources,
            shared_resources: capabilities.shared_resources,
            reservation_refinement: capabilities.reservation_refinement,
        },
    }
}

fn agent_spec(agent: &Agent) -> AgentSpec {
    AgentSpec { total: agent.total.clone(), remote: false }
}

impl Allocation {
    pub(crate) fn new(options: &Options) -> Self {
        let rng = Rng::new(options.seed).child("allocator");
        Self {
            allocator: Allocator::new(allocator::Options::new(rng)),
            weights: BTreeMap::new(),
            limits: BTreeMap::new(),
            urgent: false,
            freed: false,
            timer: false,
        }
    }

    pub(crate) fn wanted(&self) -> bool {
        self.urgent
    }

    /// Whether the timer that gathers what became free has to be set; it counts as set from now on.
    pub(crate) fn take_timer(&mut self) -> bool {
        let set = self.freed && !self.timer && !self.urgent;
        self.timer |= set;
        set
    }

    pub(crate) fn timer_fired(&mut self) {
        self.timer = false;
    }

    /// What is to be offered now.
    pub(crate) fn run(&mut self, now: Time) -> Vec<Offerable> {
        self.urgent = false;
        self.freed = false;
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
        self.freed = true;
    }

    pub(crate) fn remove_framework(&mut self, id: &FrameworkId) {
        self.allocator.remove_framework(id);
        self.freed = true;
    }

    pub(crate) fn add_agent(&mut self, agent: &Agent) {
        let used: Vec<(FrameworkId, Resources)> =
            agent.used.iter().map(|(framework, used)| (framework.clone(), used.clone())).collect();
        self.allocator.add_agent(&agent.id, agent_spec(agent), &used);
        self.urgent = true;
    }

    pub(crate) fn update_agent(&mut self, agent: &Agent) {
        self.allocator.update_agent(&agent.id, agent_spec(agent));
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

    /// Gives back what a framework was offered or used.
    pub(crate) fn recover(&mut self, framework: &FrameworkId, agent: &AgentId, resources: &Resources) {
        if !resources.is_empty() {
            self.allocator.recover(framework, agent, resources);
            self.freed = true;
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
            self.freed = true;
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
            self.freed = true;
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

    pub(crate) fn set_limits(&mut self, role: &Role, limits: QuotaLimits) {
        self.allocator.set_limits(role, limits.clone());
        if limits.is_empty() {
            self.limits.remove(role);
        } else {
            self.limits.insert(role.clone(), limits);
        }
        self.urgent = true;
    }

    /// For [`crate::MasterCore::check`].
    pub(crate) fn inner(&self) -> &Allocator {
        &self.allocator
    }
}

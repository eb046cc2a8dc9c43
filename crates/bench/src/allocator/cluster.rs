//! The allocator with what a master keeps beside it: a clock and the offers that are out.

use std::time::Duration;

use ::allocator::{AgentSpec, Allocator, Capabilities, FrameworkSpec, Offerable, Options};
use base::{AgentId, FrameworkId, Rng, Time};
use resources::{Resources, Role};

use crate::stopwatch::Stopwatch;

/// A framework, by its place among those of its cluster.
pub(super) fn framework_id(i: usize) -> FrameworkId {
    format!("8f1bb4b1-4e4c-4b5c-9c3e-0f5c1d7a2b6e-{i:04}").into()
}

/// An agent, by its place among those of its cluster.
pub(super) fn agent_id(i: usize) -> AgentId {
    format!("8f1bb4b1-4e4c-4b5c-9c3e-0f5c1d7a2b6e-S{i}").into()
}

/// An agent before it joins.
pub(super) struct Joining {
    pub(super) id: AgentId,
    pub(super) spec: AgentSpec,
    pub(super) used: Vec<(FrameworkId, Resources)>,
}

pub(super) struct Cluster {
    pub(super) allocator: Allocator,
    pub(super) offers: Vec<Offerable>,
    now: Time,
}

/// The agents that a master's core takes up before it allocates, at most.
const BATCH: usize = 1024;

/// Longer than any refusal lasts.
pub(super) const FOREVER: Duration = Duration::from_secs(i32::MAX as u64);

impl Cluster {
    /// An allocator with Mesos' defaults.
    pub(super) fn new() -> Self {
        Self {
            allocator: Allocator::new(Options::new(Rng::new(1))),
            offers: Vec::new(),
            now: Time::from_secs_f64(1e9),
        }
    }

    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// Frameworks that all have one role; the time it took.
    pub(super) fn add_frameworks(
        &mut self,
        count: usize,
        role: &str,
        capabilities: Capabilities,
    ) -> Duration {
        self.add_frameworks_in(count, |_| role.to_owned(), capabilities)
    }

    /// Frameworks with a role each; the time it took.
    pub(super) fn add_frameworks_in(
        &mut self,
        count: usize,
        role: impl Fn(usize) -> String,
        capabilities: Capabilities,
    ) -> Duration {
        let joining: Vec<_> = (0..count)
            .map(|i| {
                let roles = [Role::from(role(i).as_str())].into();
                (framework_id(i), FrameworkSpec { roles, capabilities, ..FrameworkSpec::default() })
            })
            .collect();
        let started = Stopwatch::start();
        for (id, spec) in joining {
            self.allocator.add_framework(&id, spec, true);
        }
        started.elapsed()
    }

    /// Agents join; nothing is offered yet. The time it took.
    pub(super) fn add_agents(&mut self, joining: Vec<Joining>) -> Duration {
        let started = Stopwatch::start();
        for agent in joining {
            self.allocator.add_agent(&agent.id, agent.spec, &agent.used);
        }
        started.elapsed()
    }

    /// Agents join, and what they have is offered as they come, in batches as in a master. The time it took, and the
    /// number of allocations.
    pub(super) fn add_agents_offering(&mut self, joining: Vec<Joining>) -> (Duration, usize) {
        let started = Stopwatch::start();
        let mut allocations = 0;
        for (i, agent) in joining.into_iter().enumerate() {
            self.allocator.add_agent(&agent.id, agent.spec, &agent.used);
            if (i + 1) % BATCH == 0 {
                self.allocate();
                allocations += 1;
            }
        }
        self.allocate();
        (started.elapsed(), allocations + 1)
    }

    /// Agents' resources change, and what is new is offered in batches as in a master.
    pub(super) fn update_agents_offering(&mut self, updates: Vec<(AgentId, AgentSpec)>) -> (Duration, usize) {
        let started = Stopwatch::start();
        let mut allocations = 0;
        for (i, (id, spec)) in updates.into_iter().enumerate() {
            self.allocator.update_agent(&id, spec);
            if (i + 1) % BATCH == 0 {
                self.allocate();
                allocations += 1;
            }
        }
        self.allocate();
        (started.elapsed(), allocations + 1)
    }

    /// Offers what can be offered now.
    pub(super) fn allocate(&mut self) {
        let offers = self.allocator.allocate(self.now);
        self.offers.extend(offers);
    }

    /// A second later: what can be offered is. The time it took.
    pub(super) fn cycle(&mut self) -> Duration {
        self.now = self.now + Duration::from_secs(1);
        let started = Stopwatch::start();
        let offers = self.allocator.allocate(self.now);
        let took = started.elapsed();
        self.offers.extend(offers);
        took
    }

    /// A second later: all agents are looked at, whether something has changed or not. The time it took.
    pub(super) fn full_cycle(&mut self) -> Duration {
        self.now = self.now + Duration::from_secs(1);
        let started = Stopwatch::start();
        let offers = self.allocator.allocate_all(self.now);
        let took = started.elapsed();
        self.offers.extend(offers);
        took
    }

    /// All offers are declined for as long as `refuse` says. The time it took.
    pub(super) fn decline_all(&mut self, refuse: Duration) -> Duration {
        let offers = std::mem::take(&mut self.offers);
        let started = Stopwatch::start();
        for o in &offers {
            self.allocator.decline(self.now, &o.framework, &o.agent, &o.resources, refuse);
        }
        started.elapsed()
    }

    /// All offers are taken back, as if they had been rescinded. The time it took.
    pub(super) fn take_back_all(&mut self) -> Duration {
        let offers = std::mem::take(&mut self.offers);
        let started = Stopwatch::start();
        for o in &offers {
            self.allocator.recover_offered(&o.framework, &o.agent, &o.resources);
        }
        started.elapsed()
    }
}

/// Agents that each have the same, and of which one framework after the other uses a part.
pub(super) fn alike(count: usize, total: &Resources, used: &Resources, frameworks: usize) -> Vec<Joining> {
    (0..count)
        .map(|i| Joining {
            id: agent_id(i),
            spec: spec(total.clone()),
            used: vec![(framework_id(i % frameworks), used.clone())],
        })
        .collect()
}

/// Agents that each have the same, unused.
pub(super) fn unused(count: usize, total: &Resources) -> Vec<Joining> {
    (0..count).map(|i| Joining { id: agent_id(i), spec: spec(total.clone()), used: Vec::new() }).collect()
}

/// An agent of the master's region.
pub(super) fn spec(total: Resources) -> AgentSpec {
    AgentSpec { total, ..AgentSpec::default() }
}

//! A cluster in few words, for tests.

use std::collections::BTreeSet;
use std::time::Duration;

use allocator::{AgentSpec, Allocator, Capabilities, FrameworkSpec, Offerable, Options};
use base::{AgentId, FrameworkId, Rng, Time};
use resources::{Resources, Role};

/// An allocator that is checked after each call, with a clock.
pub(crate) struct Cluster {
    pub(crate) allocator: Allocator,
    pub(crate) now: Time,
}

pub(crate) fn res(text: &str) -> Resources {
    Resources::parse(text).expect("resources of a test")
}

pub(crate) fn roles(names: &[&str]) -> BTreeSet<Role> {
    names.iter().map(|name| Role::from(*name)).collect()
}

pub(crate) fn spec(names: &[&str]) -> FrameworkSpec {
    FrameworkSpec { roles: roles(names), ..FrameworkSpec::default() }
}

pub(crate) fn fw(id: &str) -> FrameworkId {
    id.into()
}

pub(crate) fn ag(id: &str) -> AgentId {
    id.into()
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let options = Options { min_refusal: Duration::ZERO, ..Options::new(Rng::new(1)) };
        Self { allocator: Allocator::new(options), now: Time::from_secs_f64(1000.0) }
    }

    pub(crate) fn framework(&mut self, id: &str, names: &[&str]) {
        self.allocator.add_framework(&fw(id), spec(names), true);
        self.allocator.check();
    }

    pub(crate) fn capable(&mut self, id: &str, role: &str, capabilities: Capabilities) {
        self.allocator.add_framework(&fw(id), FrameworkSpec { capabilities, ..spec(&[role]) }, true);
        self.allocator.check();
    }

    pub(crate) fn agent(&mut self, id: &str, total: &str) {
        let spec = AgentSpec { total: res(total), ..AgentSpec::default() };
        self.allocator.add_agent(&ag(id), spec, &[]);
        self.allocator.check();
    }

    /// What is offered now.
    pub(crate) fn offers(&mut self) -> Vec<Offerable> {
        let offers = self.allocator.allocate(self.now);
        self.allocator.check();
        offers
    }

    /// What is offered now, in words, sorted.
    pub(crate) fn offered(&mut self) -> Vec<String> {
        let mut texts: Vec<_> = self
            .offers()
            .into_iter()
            .map(|o| format!("{} {} {}: {}", o.framework, o.role, o.agent, o.resources.unallocated()))
            .collect();
        texts.sort();
        texts
    }

    /// The one offer that is made now.
    pub(crate) fn offer(&mut self) -> Offerable {
        let mut offers = self.offers();
        assert_eq!(offers.len(), 1, "{offers:?}");
        offers.remove(0)
    }

    pub(crate) fn recover(&mut self, o: &Offerable) {
        self.allocator.recover_offered(&o.framework, &o.agent, &o.resources);
        self.allocator.check();
    }

    /// Withdraws a part of an offer.
    pub(crate) fn recover_part(&mut self, o: &Offerable, part: &str) {
        self.allocator.recover_offered(&o.framework, &o.agent, &res(part).allocated_to(&o.role));
        self.allocator.check();
    }

    /// Ends a task.
    pub(crate) fn end(&mut self, o: &Offerable, part: &str) {
        self.allocator.recover(&o.framework, &o.agent, &res(part).allocated_to(&o.role));
        self.allocator.check();
    }

    pub(crate) fn decline(&mut self, o: &Offerable, seconds: u64) {
        let refuse = Duration::from_secs(seconds);
        self.allocator.decline(self.now, &o.framework, &o.agent, &o.resources, refuse);
        self.allocator.check();
    }

    /// Takes `part` of an offer for tasks and gives the rest back with a refusal.
    pub(crate) fn accept(&mut self, o: &Offerable, part: &str, seconds: u64) {
        let mut rest = o.resources.clone();
        let used = res(part).allocated_to(&o.role);
        rest.subtract(&used).expect("part of the offer");
        self.allocator.transition_to_allocated(&o.framework, &o.agent, &used);
        let refuse = Duration::from_secs(seconds);
        self.allocator.recover_leftover(self.now, &o.framework, &o.agent, &rest, refuse);
        self.allocator.check();
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }
}

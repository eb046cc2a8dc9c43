//! A cluster in few words, for tests.

use std::collections::BTreeSet;
use std::time::Duration;

use allocator::{AgentSpec, Allocator, Capabilities, FrameworkSpec, Offerable, Options, Quota};
use base::{AgentId, FrameworkId, Rng, Time};
use resources::{Details, Disk, Name, Persistence, Reservation, Resource, Resources, Role, Scalar};

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

/// `text`, allocated to a role.
pub(crate) fn held(text: &str, role: &str) -> Resources {
    res(text).allocated_to(&Role::from(role))
}

/// `text` with other details.
pub(crate) fn detailed(text: &str, details: &Details) -> Resources {
    res(text).map(|r| r.clone().with_details(details.clone()))
}

pub(crate) fn revocable(text: &str) -> Resources {
    detailed(text, &Details { revocable: true, ..Details::default() })
}

/// `text` with a stack of dynamic reservations.
pub(crate) fn reserved(text: &str, stack: &[&str]) -> Resources {
    let reservations = stack.iter().map(|role| Reservation::dynamic(Role::from(*role), None)).collect();
    detailed(text, &Details { reservations, ..Details::default() })
}

/// A persistent volume of `mb`, reserved for a role.
pub(crate) fn volume(mb: i64, role: &str, id: &str, shared: bool) -> Resource {
    let persistence = Some(Persistence { id: id.into(), principal: None });
    Resource::scalar("disk", Scalar::whole(mb)).with_details(Details {
        reservations: vec![Reservation::fixed(Role::from(role))],
        disk: Some(Disk { persistence, ..Disk::default() }),
        shared,
        ..Details::default()
    })
}

/// What each of `text` amounts to; texts without anything stand for nothing.
fn amounts(text: &str) -> impl Iterator<Item = (Name, Scalar)> {
    // Resources of zero are dropped when they are read, and here they mean something.
    let pairs = text.split(';').filter_map(|part| part.split_once(':'));
    pairs.map(|(name, amount)| (name.into(), Scalar::from_f64(amount.parse().expect("an amount of a test"))))
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

    /// An agent that joins with something in use: framework, role, what.
    pub(crate) fn agent_using(&mut self, id: &str, total: &str, used: &[(&str, &str, &str)]) {
        let used: Vec<_> = used.iter().map(|(id, role, text)| (fw(id), held(text, role))).collect();
        let spec = AgentSpec { total: res(total), ..AgentSpec::default() };
        self.allocator.add_agent(&ag(id), spec, &used);
        self.allocator.check();
    }

    /// An agent with what cannot be said in a text.
    pub(crate) fn agent_with(&mut self, id: &str, total: Resources) {
        let spec = AgentSpec { total, ..AgentSpec::default() };
        self.allocator.add_agent(&ag(id), spec, &[]);
        self.allocator.check();
    }

    /// An agent that has other resources from now on.
    pub(crate) fn agent_now(&mut self, id: &str, total: Resources) {
        self.allocator.update_agent(&ag(id), AgentSpec { total, ..AgentSpec::default() });
        self.allocator.check();
    }

    /// A role's quota: what is guaranteed, and what limits it.
    pub(crate) fn quota(&mut self, role: &str, guarantees: &str, limits: &str) {
        let quota = Quota { guarantees: amounts(guarantees).collect(), limits: amounts(limits).collect() };
        self.allocator.set_quota(&Role::from(role), quota);
        self.allocator.check();
    }

    pub(crate) fn weight(&mut self, role: &str, weight: f64) {
        self.allocator.set_weight(&Role::from(role), weight);
        self.allocator.check();
    }

    /// An operation of a framework: on what it was offered, or uses.
    pub(crate) fn convert(&mut self, id: &str, agent: &str, role: &str, from: &Resources, to: &Resources) {
        let role = Role::from(role);
        let (from, to) = (from.clone().allocated_to(&role), to.clone().allocated_to(&role));
        self.allocator.convert(&fw(id), &ag(agent), &from, &to).expect("the framework holds it");
        self.allocator.check();
    }

    /// The share of a role, for people to read; `None` if nobody knows the role.
    pub(crate) fn share(&self, role: &str) -> Option<f64> {
        self.allocator.roles().iter().find(|r| r.role == Role::from(role)).map(|r| r.share)
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

//! Random histories of everything that can happen, of more than 100,000 steps together: nothing is lost, nothing is given
//! twice, no offer is made that must not be, and none is left out that could be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use allocator::{AgentSpec, AgentTraits, Allocator, Capabilities, FrameworkSpec, Offerable, Options, Quota};
use base::{AgentId, FrameworkId, Rng};
use resources::{Disk, Name, Persistence, Reservation, Resource, Resources, Role, Scalar, Value};

use crate::books::{Agent, Books, Framework};
use crate::cluster::{Cluster, ag, fw, res, revocable};

const ROLES: [&str; 6] = ["*", "a", "a/b", "a/b/c", "b", "c"];
const TOTALS: [&str; 4] = [
    "cpus:4;mem:4096;disk:100;ports:[100-199]",
    "cpus:2;mem:1000;disk:50;cpus(a):2;disk(a):40",
    "cpus:8;mem:64;gpus:2;mem(a/b):100;disk(b):20",
    "cpus:0.5;mem:512;zones:{x,y};disk(*):5",
];

struct History {
    cluster: Cluster,
    books: Books,
    rng: Rng,
    volumes: usize,
}

impl History {
    fn new(seed: u64) -> Self {
        let rng = Rng::new(seed).child("history");
        let mut cluster = Cluster::new();
        if seed % 3 == 2 {
            let options = Options { max_offered_share: Some(0.4), ..Options::new(Rng::new(seed)) };
            cluster.allocator = Allocator::new(options);
        }
        Self { cluster, books: Books::default(), rng, volumes: 0 }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).expect("small")
    }

    fn role(&mut self) -> Role {
        Role::from(ROLES[self.below(ROLES.len())])
    }

    /// Takes one out of several, any.
    fn pick<T>(&mut self, of: impl Fn(&mut Books) -> &mut Vec<T>) -> Option<T> {
        let len = of(&mut self.books).len();
        let at = self.below(len.max(1));
        (at < len).then(|| of(&mut self.books).swap_remove(at))
    }

    fn spec(&mut self) -> FrameworkSpec {
        let mut spec = FrameworkSpec::default();
        for _ in 0..=self.below(2) {
            let role = self.role();
            if self.below(4) == 0 {
                spec.suppressed.insert(role.clone());
            }
            spec.roles.insert(role);
        }
        spec.capabilities = Capabilities {
            gpu_resources: self.below(2) == 0,
            shared_resources: self.below(3) > 0,
            revocable_resources: self.below(2) == 0,
            reservation_refinement: self.below(3) > 0,
            ..Capabilities::default()
        };
        spec
    }

    fn total(&mut self) -> Resources {
        let mut total = res(TOTALS[self.below(TOTALS.len())]);
        if self.below(4) == 0 {
            total += revocable("cpus:2");
        }
        total
    }

    fn step(&mut self) {
        let framework = fw(&format!("F{}", self.below(4)));
        let agent = ag(&format!("S{}", self.below(4)));
        match self.below(24) {
            0 | 1 => self.a_framework_changes(&framework),
            2 => self.a_framework_is_away_or_back(&framework),
            3 => self.a_role_is_suppressed(&framework),
            4 | 5 => self.a_framework_revives(&framework),
            6 => self.an_agent_changes(&agent),
            7 => self.an_operator_sets_a_quota(),
            8 if self.below(4) == 0 => self.an_operator_changes_the_whitelist(),
            8 => {
                let (role, weight) = (self.role(), 1.0 + self.rng.unit());
                self.cluster.allocator.set_weight(&role, weight);
            }
            9 => self.an_operator_reserves(&agent),
            10 | 11 => self.an_offer_is_converted(),
            12 => self.a_task_ends_in_part(),
            13 | 14 => self.an_offer_is_withdrawn(),
            15..=17 => self.an_offer_is_answered(),
            _ => self.offers_are_made(),
        }
    }

    fn a_framework_changes(&mut self, id: &FrameworkId) {
        let spec = self.spec();
        let allocator = &mut self.cluster.allocator;
        if !self.books.frameworks.contains_key(id) {
            allocator.add_framework(id, spec.clone(), true);
            self.books.frameworks.insert(id.clone(), Framework { spec, active: true });
        } else if self.rng.below(3) == 0 {
            allocator.remove_framework(id);
            self.books.frameworks.remove(id);
            self.books.forget_refusals(id, None);
        } else {
            allocator.update_framework(id, spec.clone());
            self.books.set_spec(id, spec);
        }
    }

    fn a_framework_is_away_or_back(&mut self, id: &FrameworkId) {
        let active = self.below(3) > 0;
        let allocator = &mut self.cluster.allocator;
        if active {
            allocator.activate_framework(id);
        } else {
            allocator.deactivate_framework(id);
            self.books.forget_refusals(id, None);
        }
        if let Some(framework) = self.books.frameworks.get_mut(id) {
            framework.active = active;
        }
    }

    fn a_role_is_suppressed(&mut self, id: &FrameworkId) {
        let role = self.role();
        self.cluster.allocator.suppress(id, [&role]);
        if let Some(framework) = self.books.frameworks.get_mut(id)
            && framework.spec.roles.contains(&role)
        {
            framework.spec.suppressed.insert(role);
        }
    }

    fn a_framework_revives(&mut self, id: &FrameworkId) {
        self.cluster.allocator.revive(id, []);
        if let Some(framework) = self.books.frameworks.get_mut(id) {
            framework.spec.suppressed.clear();
        }
        self.books.forget_refusals(id, None);
    }

    fn an_agent_changes(&mut self, id: &AgentId) {
        let total = self.total();
        let traits = Arc::new(AgentTraits { hostname: id.to_string(), ..AgentTraits::default() });
        let spec = AgentSpec { total: total.clone(), traits, ..AgentSpec::default() };
        let what = self.below(6);
        let allocator = &mut self.cluster.allocator;
        let Some(agent) = self.books.agents.get_mut(id) else {
            allocator.add_agent(id, spec, &[]);
            self.books.agents.insert(id.clone(), Agent { total, active: true });
            return;
        };
        match what {
            0 => {
                allocator.remove_agent(id);
                self.books.forget_agent(id);
            }
            1 => {
                allocator.deactivate_agent(id);
                agent.active = false;
            }
            2 | 3 => {
                allocator.activate_agent(id);
                agent.active = true;
            }
            // Of ranges and sets nobody could say who has what if they were announced again, now reserved and now not.
            _ if self
                .books
                .offers
                .iter()
                .chain(&self.books.tasks)
                .any(|h| h.agent == *id && !is_scalar(h)) => {}
            _ => {
                allocator.update_agent(id, spec);
                agent.total = total;
            }
        }
    }

    fn an_operator_changes_the_whitelist(&mut self) {
        let all = (0..4).map(|i| format!("S{i}"));
        let list = (self.below(3) > 0).then(|| all.filter(|_| self.rng.below(4) > 0).collect());
        self.cluster.allocator.set_whitelist(list.clone());
        self.books.whitelist = list;
    }

    fn an_operator_sets_a_quota(&mut self) {
        let role = self.role();
        let mut amounts = |often| {
            let mut amounts = BTreeMap::new();
            for (name, most) in [(Name::Cpus, 6), (Name::Mem, 2000), (Name::Disk, 60)] {
                if self.rng.below(often) == 0 {
                    amounts.insert(name, Scalar::whole(i64::try_from(self.rng.below(most)).expect("small")));
                }
            }
            amounts
        };
        let quota = Quota { guarantees: amounts(3), limits: amounts(3) };
        self.cluster.allocator.set_quota(&role, quota.clone());
        self.books.quotas.insert(role, quota);
    }

    /// What an operation of somebody in `role` could make of one of `resources`: what it takes, and what comes of it.
    fn operation(&mut self, resources: &Resources, role: &Role) -> Option<(Resource, Resource)> {
        let at = self.below(resources.len().max(1));
        let from = resources.iter().nth(at)?.clone();
        let mut details = from.details().clone();
        if from.is_persistent_volume() {
            details.disk = None;
            details.shared = false;
        } else if from.is_revocable() {
            return None;
        } else if from.is_reserved() && from.name == Name::Disk && self.below(2) == 0 {
            self.volumes += 1;
            let id = format!("v{}", self.volumes).into();
            details.disk =
                Some(Disk { persistence: Some(Persistence { id, principal: None }), ..Disk::default() });
            details.shared = self.below(2) == 0;
        } else if from.is_reserved() && self.below(2) == 0 {
            details.reservations.pop();
        } else {
            let above = details.reservations.last().map(|r| r.role.clone());
            if *role == Role::star() || above.is_some_and(|above| !role.is_strict_subrole_of(&above)) {
                return None;
            }
            details.reservations.push(Reservation::dynamic(role.clone(), None));
        }
        let to = from.clone().with_details(details);
        Some((from, to))
    }

    fn an_offer_is_converted(&mut self) {
        let tasks = self.below(4) == 0;
        fn all(books: &mut Books, tasks: bool) -> &mut Vec<Offerable> {
            if tasks { &mut books.tasks } else { &mut books.offers }
        }
        let Some(mut holding) = self.pick(|books| all(books, tasks)) else { return };
        // What several use cannot be destroyed, nor what the agent, having shrunk, does not have any more. What is offered
        // would be converted rather than what is used.
        let free = holding
            .resources
            .filter(|r| !(r.is_shared() && self.books.held().any(|h| h.agent == holding.agent)));
        let role = holding.role.clone();
        let there = self.books.agents[&holding.agent].total.clone();
        if let Some((from, to)) = self.operation(&free, &role)
            && there.contains_one(&from.clone().unallocated())
            && !(tasks && self.books.is_offered(&holding.framework, &holding.agent, &from))
        {
            let (from, to) = (one(from), one(to));
            let Offerable { framework, agent, .. } = &holding;
            self.cluster.allocator.convert(framework, agent, &from, &to).expect("it is held");
            holding.resources.subtract(&from).expect("it is part of it");
            holding.resources += &to;
            let total = &mut self.books.agents.get_mut(&holding.agent).expect("it is there").total;
            *total -= &from.unallocated();
            *total += to.unallocated();
        }
        all(&mut self.books, tasks).push(holding);
    }

    fn an_operator_reserves(&mut self, id: &AgentId) {
        let Some(free) = self.cluster.allocator.available(id).cloned() else { return };
        // What is shared may be used though it is free.
        let free = free.filter(|r| !r.is_shared());
        let role = self.role();
        let Some((from, to)) = self.operation(&free, &role) else { return };
        let (from, to) = (one(from), one(to));
        self.cluster.allocator.convert_available(id, &from, &to).expect("it is free");
        let total = &mut self.books.agents.get_mut(id).expect("it is there").total;
        *total -= &from;
        *total += to;
    }

    /// One kind of what a task uses comes back, the rest stays.
    fn a_task_ends_in_part(&mut self) {
        let Some(mut task) = self.pick(|books| &mut books.tasks) else { return };
        let at = self.below(task.resources.len());
        let part: Resources = task.resources.iter().skip(at).take(1).cloned().collect();
        task.resources.subtract(&part).expect("it is part of it");
        self.cluster.allocator.recover(&task.framework, &task.agent, &part);
        if !task.resources.is_empty() {
            self.books.tasks.push(task);
        }
    }

    fn an_offer_is_withdrawn(&mut self) {
        let Some(offer) = self.pick(|books| &mut books.offers) else { return };
        self.cluster.allocator.recover_offered(&offer.framework, &offer.agent, &offer.resources);
    }

    /// Some of an offer is used, perhaps nothing; the rest is refused.
    fn an_offer_is_answered(&mut self) {
        let Some(offer) = self.pick(|books| &mut books.offers) else { return };
        let (mut used, mut rest) = (Resources::new(), Resources::new());
        let all_of_it = self.below(3) == 0;
        for resource in offer.resources.iter() {
            let take = all_of_it || self.below(3) == 0;
            if take { &mut used } else { &mut rest }.add(resource.clone());
        }
        let refuse = Duration::from_secs(self.rng.below(10));
        let (now, allocator) = (self.cluster.now, &mut self.cluster.allocator);
        if !used.is_empty() {
            allocator.transition_to_allocated(&offer.framework, &offer.agent, &used);
            self.books.tasks.push(Offerable { resources: used, ..offer.clone() });
        }
        if !rest.is_empty() {
            allocator.recover_leftover(now, &offer.framework, &offer.agent, &rest, refuse);
            if !refuse.is_zero() {
                self.books.refuse(&offer, &rest, now + refuse);
            }
        }
    }

    fn offers_are_made(&mut self) {
        let seconds = self.rng.below(3);
        self.cluster.wait(seconds);
        let now = self.cluster.now;
        let offers = self.cluster.allocator.allocate(now);
        self.books.offered(&self.cluster.allocator, &offers, now);
        if self.below(4) == 0 {
            // What changed was looked at; nobody would get anything from looking at everything.
            let more = self.cluster.allocator.allocate_all(now);
            assert_eq!(more, [], "left out");
        }
    }

    fn run(mut self, steps: usize) {
        for step in 0..steps {
            self.step();
            self.books.conserved(&self.cluster.allocator);
            if step.is_multiple_of(16) {
                self.cluster.allocator.check();
                self.books.told_alike(&self.cluster.allocator);
            }
        }
        self.ends();
    }

    /// In the end everything comes back, and nothing is left behind.
    fn ends(mut self) {
        let allocator = &mut self.cluster.allocator;
        for offer in &self.books.offers {
            allocator.recover_offered(&offer.framework, &offer.agent, &offer.resources);
        }
        for task in &self.books.tasks {
            allocator.recover(&task.framework, &task.agent, &task.resources);
        }
        allocator.check();
        assert!(allocator.cluster_used().is_empty());
        for id in self.books.frameworks.keys() {
            allocator.remove_framework(id);
        }
        for id in self.books.agents.keys() {
            allocator.remove_agent(id);
        }
        for role in ROLES {
            allocator.set_quota(&Role::from(role), Quota::default());
            allocator.set_weight(&Role::from(role), 1.0);
        }
        allocator.check();
        assert_eq!(allocator.roles(), []);
        assert!(allocator.cluster_total().is_empty() && allocator.active_filters().is_empty());
    }
}

fn is_scalar(holding: &Offerable) -> bool {
    holding.resources.iter().all(|resource| matches!(resource.value, Value::Scalar(_)))
}

fn one(resource: Resource) -> Resources {
    [resource].into_iter().collect()
}

/// Histories that begin anew are as good as long ones: everything in them comes and goes.
fn histories(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let history = History::new(seed);
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| history.run(2500)));
        if let Err(panic) = failed {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}

// Four of 27,500 steps, so that they can run beside each other.

#[test]
fn random_histories_conserve_everything_1() {
    histories(0..11);
}

#[test]
fn random_histories_conserve_everything_2() {
    histories(11..22);
}

#[test]
fn random_histories_conserve_everything_3() {
    histories(22..33);
}

#[test]
fn random_histories_conserve_everything_4() {
    histories(33..44);
}

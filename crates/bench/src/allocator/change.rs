//! A busy cluster in which one thing changes: the change and the allocation that follows are timed together.
//!
//! One framework in twenty wants offers; half of the agents are full; what is free on the others has been declined for good by
//! all who want offers. So every change finds as many refusals as there are free agents and frameworks that want them.

use std::collections::BTreeMap;
use std::time::Duration;

use ::allocator::{Allocator, Capabilities, FrameworkSpec, Offerable};
use base::{AgentId, FrameworkId, Rng};
use resources::{Resources, Role};

use super::Size;
use super::cluster::{Cluster, FOREVER, agent_id, alike, framework_id, spec};
use super::parts::{AGENT, parse, revocable, used};
use super::quota::quota;
use crate::report::{figure, times};
use crate::stopwatch::Stopwatch;

/// One framework in so many wants offers.
const WANTING: usize = 20;

/// A task that a framework runs.
struct Task {
    framework: FrameworkId,
    role: Role,
    agent: AgentId,
}

struct Busy {
    cluster: Cluster,
    size: Size,
    rng: Rng,
    tasks: Vec<Task>,
    task: Resources,
    took: BTreeMap<&'static str, Vec<Duration>>,
}

fn role(i: usize) -> Role {
    Role::from(format!("r{}/s{}", i % 10, i / 10 % 10).as_str())
}

pub(super) fn run(size: Size, quick: bool) {
    let mut busy = Busy::new(size);
    let refusals: usize = busy.cluster.allocator.active_filters().values().sum();
    figure("refusals in force", refusals);
    for round in 0..if quick { 200 } else { 5000 } {
        busy.a_task_ends();
        if round % 10 == 0 {
            busy.an_agent_comes_and_goes();
            busy.a_framework_comes_and_goes();
            busy.an_agent_gets_more();
        }
        if round % 100 == 0 {
            busy.operators_change_their_minds();
        }
        if round % 500 == 0 {
            busy.a_framework_revives();
        }
    }
    busy.print();
}

impl Busy {
    fn new(size: Size) -> Self {
        let mut cluster = Cluster::new();
        cluster.add_frameworks_in(size.frameworks, |i| role(i).to_string(), Capabilities::default());
        for i in (0..size.frameworks).filter(|i| i % WANTING != 0) {
            cluster.allocator.suppress(&framework_id(i), []);
        }
        let total = parse(AGENT);
        let mut joining =
            alike(size.agents, &total, &used("cpus:16;mem:1024;disk:1024", "*"), size.frameworks);
        for (i, agent) in joining.iter_mut().enumerate() {
            for (_, used) in &mut agent.used {
                if i % 2 == 1 {
                    *used = total.clone();
                }
                used.allocate(&role(i % size.frameworks));
            }
        }
        let tasks = (0..size.agents).map(|i| Task {
            framework: framework_id(i % size.frameworks),
            role: role(i % size.frameworks),
            agent: agent_id(i),
        });
        let tasks = tasks.collect();
        cluster.add_agents_offering(joining);
        while !cluster.offers.is_empty() {
            cluster.decline_all(FOREVER);
            cluster.cycle();
        }
        let task = parse("cpus:1;mem:64");
        Self { cluster, size, rng: Rng::new(3), tasks, task, took: BTreeMap::new() }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.below(bound as u64)).unwrap_or(0)
    }

    /// Makes a change and allocates; the offers that came of it.
    fn timed(
        &mut self,
        name: &'static str,
        change: impl FnOnce(&mut Allocator, base::Time),
    ) -> Vec<Offerable> {
        let now = self.cluster.now();
        let started = Stopwatch::start();
        change(&mut self.cluster.allocator, now);
        let offers = self.cluster.allocator.allocate(now);
        self.took.entry(name).or_default().push(started.elapsed());
        offers
    }

    /// Half of the offers get a task, the others are declined; what comes of that, too, until nothing is out.
    fn answer(&mut self, mut offers: Vec<Offerable>) {
        while let Some(offer) = offers.pop() {
            let Offerable { framework, role, agent, resources } = offer;
            let task = self.task.clone().allocated_to(&role);
            let mut rest = resources.clone();
            if self.below(2) == 0 && rest.subtract(&task).is_ok() {
                offers.extend(self.timed("an offer accepted in part", |allocator, now| {
                    allocator.transition_to_allocated(&framework, &agent, &task);
                    allocator.recover_leftover(now, &framework, &agent, &rest, FOREVER);
                }));
                self.tasks.push(Task { framework, role, agent });
            } else {
                offers.extend(self.timed("an offer declined", |allocator, now| {
                    allocator.decline(now, &framework, &agent, &resources, FOREVER);
                }));
            }
        }
    }

    fn a_task_ends(&mut self) {
        let at = self.below(self.tasks.len());
        let Task { framework, role, agent } = self.tasks.swap_remove(at);
        let task = self.task.clone().allocated_to(&role);
        let offers = self.timed("a task ended", |allocator, _| allocator.recover(&framework, &agent, &task));
        self.answer(offers);
    }

    fn an_agent_comes_and_goes(&mut self) {
        let id = agent_id(self.size.agents);
        let agent = spec(parse(AGENT));
        let offers = self.timed("an agent joined", |allocator, _| allocator.add_agent(&id, agent, &[]));
        for Offerable { framework, agent, resources, .. } in offers {
            self.timed("an offer declined", |allocator, now| {
                allocator.decline(now, &framework, &agent, &resources, FOREVER);
            });
        }
        self.timed("an agent left", |allocator, _| allocator.remove_agent(&id));
    }

    fn a_framework_comes_and_goes(&mut self) {
        let id = framework_id(self.size.frameworks);
        let roles = [role(self.size.frameworks)];
        let joining = FrameworkSpec {
            roles: roles.clone().into(),
            suppressed: roles.into(),
            ..FrameworkSpec::default()
        };
        self.timed("a framework joined, suppressed", |allocator, _| {
            allocator.add_framework(&id, joining, true)
        });
        self.timed("a framework left", |allocator, _| allocator.remove_framework(&id));
    }

    fn an_agent_gets_more(&mut self) {
        let id = agent_id(self.below(self.size.agents));
        let (total, mut more) = (parse(AGENT), parse(AGENT));
        more.add(revocable("cpus:10"));
        let offers =
            self.timed("an agent got revocable CPUs", |allocator, _| allocator.update_agent(&id, spec(more)));
        self.answer(offers);
        let offers = self.timed("and lost them", |allocator, _| allocator.update_agent(&id, spec(total)));
        self.answer(offers);
    }

    fn operators_change_their_minds(&mut self) {
        let role = role(self.below(100));
        let weight = 1.0 + self.rng.unit();
        let offers = self.timed("a weight was set", |allocator, _| allocator.set_weight(&role, weight));
        self.answer(offers);
        let limits = quota("cpus:100000");
        let offers = self.timed("a quota was set", |allocator, _| allocator.set_quota(&role, limits));
        self.answer(offers);
        let none = quota("");
        let offers = self.timed("a quota was removed", |allocator, _| allocator.set_quota(&role, none));
        self.answer(offers);
    }

    fn a_framework_revives(&mut self) {
        let id = framework_id(self.below(self.size.frameworks / WANTING) * WANTING);
        self.timed("a framework suppressed", |allocator, _| allocator.suppress(&id, []));
        let offers = self.timed("a framework revived", |allocator, _| allocator.revive(&id, []));
        figure("offers to one that revived", offers.len());
        for Offerable { framework, agent, resources, .. } in offers {
            self.cluster.allocator.decline(self.cluster.now(), &framework, &agent, &resources, FOREVER);
        }
        let offers = self.cluster.allocator.allocate(self.cluster.now());
        self.answer(offers);
    }

    /// A revival is no small change where much is free: it comes with an offer for each agent, and is left out of the sum.
    fn print(mut self) {
        let mut all = Vec::new();
        for (name, took) in &mut self.took {
            times(name, took);
            if *name != "a framework revived" {
                all.extend(took.iter().copied());
            }
        }
        figure("changes", all.len());
        times("all but revivals", &mut all);
    }
}

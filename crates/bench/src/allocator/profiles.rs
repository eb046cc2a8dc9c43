//! `MultiFrameworkAllocations`: 80 large agents; four frameworks with thousands of small tasks, 500 with a handful each in one
//! role, 50 with some larger ones. Cycles until all their tasks run.
//!
//! In Mesos' benchmark nobody ever refuses anything, and it gives up after 30 seconds: frameworks whose few tasks run already
//! have the smallest shares, so that they are offered all agents again and again. Once nothing is launched any more, this
//! one stops; it is run a second time with frameworks that suppress offers when they have launched all they want.

use std::time::Duration;

use ::allocator::FrameworkSpec;
use base::FrameworkId;
use resources::{Resources, Role};
use std::collections::HashMap;

use super::cluster::{Cluster, unused};
use super::parts::parse;
use super::reference::timed;
use crate::report::{figure, times};
use crate::stopwatch::Stopwatch;

/// Frameworks that behave alike.
struct Profile {
    name: String,
    role: String,
    instances: usize,
    tasks: usize,
    task: Resources,
    tasks_per_offer: usize,
}

/// A framework at work.
struct Working {
    task: Resources,
    left: usize,
    per_offer: usize,
}

fn profiles() -> Vec<Profile> {
    let profile = |name: &str, role: &str, (instances, tasks, tasks_per_offer), task: &str| Profile {
        name: name.to_owned(),
        role: role.to_owned(),
        instances,
        tasks,
        task: parse(task),
        tasks_per_offer,
    };
    let mut all = Vec::new();
    for i in 1..=4 {
        let (name, role) = (format!("Marathon-{i}"), format!("roleA-{i}"));
        all.push(profile(&name, &role, (1, 4000, 100), "cpus:0.07;mem:400"));
    }
    all.push(profile("Jenkins", "roleB", (500, 5, 1), "cpus:0.1;mem:4000"));
    for i in 1..=50 {
        let (name, role) = (format!("SparkDispatcher-{i}"), format!("roleC-{i}"));
        all.push(profile(&name, &role, (1, 20, 5), "cpus:1;mem:1000"));
    }
    all
}

/// After so many cycles without a launch there will be none any more.
const PATIENCE: usize = 100;

pub(super) fn run() {
    println!("nobody suppresses offers");
    run_with(false);
    println!("those who are done suppress offers");
    run_with(true);
}

fn run_with(suppress: bool) {
    let mut cluster = Cluster::new();
    timed("80 agents added in", cluster.add_agents(unused(80, &parse("cpus:64;mem:488000"))), "");
    let mut working: HashMap<FrameworkId, Working> = HashMap::new();
    let started = Stopwatch::start();
    for profile in profiles() {
        for i in 0..profile.instances {
            let id = FrameworkId::from(format!("{}-{i}", profile.name));
            let roles = [Role::from(profile.role.as_str())].into();
            cluster.allocator.add_framework(&id, FrameworkSpec { roles, ..FrameworkSpec::default() }, true);
            let Profile { tasks: left, tasks_per_offer: per_offer, .. } = profile;
            working.insert(id, Working { task: profile.task.clone(), left, per_offer });
        }
    }
    timed("554 frameworks added in", started.elapsed(), "");

    let all: usize = working.values().map(|w| w.left).sum();
    let (mut launched, mut offers, mut idle) = (0, 0, 0);
    let (mut cycles, mut answering) = (Vec::new(), Duration::ZERO);
    while launched < all && idle < PATIENCE {
        cycles.push(cluster.cycle());
        offers += cluster.offers.len();
        let started = Stopwatch::start();
        let now = launch(&mut cluster, &mut working, suppress);
        answering += started.elapsed();
        launched += now;
        idle = if now == 0 { idle + 1 } else { 0 };
    }
    figure("tasks launched", format!("{launched} of {all} in {} cycles with {offers} offers", cycles.len()));
    timed("all cycles", cycles.iter().sum(), "");
    timed("all answers to offers", answering, "");
    times("cycles", &mut cycles);
    figure(
        "used then",
        format!("{} of {}", cluster.allocator.cluster_used(), cluster.allocator.cluster_total()),
    );
}

/// Every offer is filled with tasks as far as its framework goes; the rest comes back.
fn launch(cluster: &mut Cluster, working: &mut HashMap<FrameworkId, Working>, suppress: bool) -> usize {
    let mut launched = 0;
    for offer in std::mem::take(&mut cluster.offers) {
        let Some(working) = working.get_mut(&offer.framework) else { continue };
        let task = working.task.clone().allocated_to(&offer.role);
        let mut rest = offer.resources;
        let mut here = 0;
        while here < working.per_offer && here < working.left && rest.subtract(&task).is_ok() {
            here += 1;
        }
        working.left -= here;
        launched += here;
        let tasks: Resources =
            std::iter::repeat_n(&task, here).flat_map(|task| task.iter().cloned()).collect();
        let allocator = &mut cluster.allocator;
        allocator.transition_to_allocated(&offer.framework, &offer.agent, &tasks);
        allocator.recover_offered(&offer.framework, &offer.agent, &rest);
        if suppress && working.left == 0 {
            allocator.suppress(&offer.framework, []);
        }
    }
    launched
}

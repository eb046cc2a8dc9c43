//! Random inputs: whatever comes in whatever order, the books are right and nothing is handed out twice.
//!
//! Beside the core's own check there is an account kept by the world of the test: what is offered and what runs on an agent
//! never is more than the agent has. A failing run names its seed.

mod machine;
mod maintenance;
mod operations;
mod world;

use std::collections::BTreeMap;

use base::{AgentId, FrameworkId, TaskId};
use master_core::{FromAgent, Options, TaskState};
use testkit::master::Master;
use world::{World, pid};

const SEEDS: u64 = 60;
const STEPS: usize = 250;

#[test]
fn the_books_are_right_whatever_happens() {
    let mut happened: BTreeMap<String, u64> = BTreeMap::new();
    let mut changed = 0;
    for seed in 0..SEEDS {
        let result = std::panic::catch_unwind(|| {
            let mut world = run(seed);
            let changed = compare_in_the_end(&mut world);
            (world.master.core.metrics().clone(), changed)
        });
        let Ok((metrics, agents)) = result else { panic!("seed {seed} breaks it") };
        changed += agents;
        for (name, count) in metrics.counters() {
            *happened.entry(name.to_owned()).or_default() += count;
        }
        for (name, count) in metrics.operations.named() {
            *happened.entry(name).or_default() += count;
        }
    }
    for name in [
        "master/messages_launch_tasks",
        "master/messages_decline_offers",
        "master/messages_reregister_framework",
        "master/messages_unregister_framework",
        "master/slave_reregistrations",
        "master/slave_removals/reason_registered",
        "master/slave_removals/reason_unhealthy",
        "master/valid_status_updates",
        "master/valid_status_update_acknowledgements",
        "master/tasks_finished",
        "master/tasks_killed",
        "master/tasks_lost",
        "master/tasks_error",
        "master/tasks_gone_by_operator",
        "master/operations/reserve/finished",
        "master/operations/unreserve/finished",
        "master/operations/create/finished",
        "master/operations/destroy/finished",
        "master/operations/grow_volume/finished",
        "master/operations/shrink_volume/finished",
        "master/operations/error",
        "master/operations/dropped",
        "master/operations/unreachable",
        "master/valid_operation_status_updates",
        "master/valid_operation_status_update_acknowledgements",
        "master/invalid_operation_status_update_acknowledgements",
    ] {
        assert!(happened[name] >= 10, "too little of {name} happened: {}", happened[name]);
    }
    assert!(changed > 20, "{changed} agents have something reserved in the end");
}

/// When all that is under way has arrived, the master counts what agents have. Returns how many agents have something
/// else than they were started with.
fn compare_in_the_end(world: &mut World) -> usize {
    world.settle_operations();
    let mut changed = 0;
    for agent in world.master.core.snapshot(world.master.now).agents {
        let machine = world.machines.iter().find(|machine| machine.id.as_ref() == Some(&agent.id));
        let Some(machine) = machine.filter(|_| agent.connected) else { continue };
        assert_eq!(agent.total, machine.total, "{} is {} and not {}", agent.id, agent.total, machine.total);
        changed += usize::from(agent.total != agent.info.resources);
    }
    changed
}

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world
}

#[test]
fn machines_are_maintained_whatever_else_happens() {
    let (mut taken_down, mut answered) = (0, 0);
    for seed in 0..SEEDS / 2 {
        let result = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            world.maintained = true;
            for _ in 0..STEPS {
                world.step();
            }
            compare_in_the_end(&mut world);
            (world.taken_down, world.answered)
        });
        let Ok((down, answers)) = result else { panic!("seed {seed} breaks it") };
        taken_down += down;
        answered += answers;
    }
    assert!(taken_down > 50 && answered > 100, "{taken_down} machines went down, {answered} answers");
}

#[test]
fn a_seed_decides_everything() {
    let shown = |seed| {
        let world = run(seed);
        format!("{:?}", world.master.core.snapshot(world.master.now))
    };
    assert_eq!(shown(7), shown(7));
    assert_ne!(shown(7), shown(8));
}

#[test]
fn a_master_that_takes_over_comes_to_the_same_state() {
    let mut tasks = 0;
    for seed in 0..SEEDS / 3 {
        let world = run(seed);
        let mut second = Master::new(Options::new("second".to_owned(), seed));
        let mut expected: BTreeMap<(FrameworkId, TaskId), (AgentId, TaskState)> = BTreeMap::new();
        for (host, machine) in world.machines.iter().enumerate() {
            let Some(message) = world.reregistration(host) else { continue };
            for (key, task) in &machine.tasks {
                // Of two tasks of one name, the first that is told of stays.
                expected.entry(key.clone()).or_insert_with(|| (task.agent_id.clone(), task.state));
            }
            second.from_agent(&pid(host), FromAgent::Reregister(Box::new(message)));
        }
        for (scheduler, info) in &world.schedulers {
            second.subscribe_as(Some(&scheduler.id), info.clone());
        }
        second.settle();
        let snapshot = second.core.snapshot(second.now);
        let found: BTreeMap<_, _> = snapshot
            .frameworks
            .iter()
            .flat_map(|f| f.tasks.values())
            .map(|t| ((t.framework_id.clone(), t.task_id.clone()), (t.agent_id.clone(), t.state)))
            .collect();
        assert_eq!(found, expected, "seed {seed}");
        tasks += found.len();
    }
    assert!(tasks > 30, "only {tasks} tasks were there to be taken over");
}

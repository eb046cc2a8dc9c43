//! What is over is shown by the agent's next life as well, as long as its sandbox is there and there is not too much of it.

use std::sync::Arc;

use agent_core::{ExecutorView, FrameworkInfo, Snapshot, TaskState, Write};
use testkit::agent::{
    AgentEnv, checkpointing, command_task, custom_executor, custom_task, framework, still_running,
};

/// A command task that came and went.
fn play(env: &mut AgentEnv, framework: &FrameworkInfo, task: &str) {
    env.run(framework, command_task(task, "true"));
    let container = format!("c{}", env.specs.len());
    env.launched(&container);
    env.exited(&container, 0);
    env.acknowledge_all();
}

fn names(executors: &[Arc<ExecutorView>]) -> Vec<&str> {
    executors.iter().map(|executor| executor.info.executor_id.as_str()).collect()
}

fn completed(snapshot: &Snapshot) -> Vec<(&str, Vec<&str>)> {
    let all = snapshot.completed_frameworks.iter();
    all.map(|framework| (framework.info.id.as_str(), names(&framework.completed_executors))).collect()
}

#[test]
fn what_was_over_is_shown_by_the_next_life() {
    let (f, g) = (checkpointing("f"), checkpointing("g"));
    let mut env = AgentEnv::registered();
    play(&mut env, &g, "g1");
    play(&mut env, &f, "f1");
    play(&mut env, &f, "f2");
    let before = env.core.snapshot();
    assert_eq!(completed(&before), [("g", vec!["g1"]), ("f", vec!["f1", "f2"])]);
    let env = env.again(still_running);
    let after = env.core.snapshot();
    assert_eq!(after.completed_frameworks, before.completed_frameworks);
    let task = &after.completed_frameworks[0].completed_executors[0].completed[0];
    assert_eq!((task.state, task.statuses.len()), (TaskState::Finished, 3));
}

#[test]
fn an_executor_that_goes_on_still_has_its_completed_tasks() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    let e = custom_executor("e");
    env.run_subscribed(&f, &e, "old");
    env.report(&f, "e", "old", TaskState::Failed);
    env.run(&f, custom_task("new", &e));
    env.report(&f, "e", "new", TaskState::Running);
    env.acknowledge_all();
    play(&mut env, &f, "command");
    let before = env.core.snapshot();
    let after = env.again(still_running).core.snapshot();
    let executor = &after.frameworks[0].executors[0];
    assert_eq!(executor.completed, before.frameworks[0].executors[0].completed);
    assert_eq!(executor.completed.len(), 1);
    assert_eq!(names(&after.frameworks[0].completed_executors), ["command"]);
}

#[test]
fn frameworks_that_do_not_checkpoint_have_no_history_afterwards() {
    let mut env = AgentEnv::registered();
    play(&mut env, &framework("f"), "t");
    assert!(env.memory.past.is_empty());
    assert_eq!(completed(&env.again(still_running).core.snapshot()), []);
}

#[test]
fn what_is_over_is_remembered_within_bounds_and_the_newest_longest() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    for number in 0..1_000 {
        play(&mut env, &f, &format!("t{number}"));
    }
    assert_eq!(env.memory.past.len(), 2_000);
    assert_eq!(
        env.memory.past.keys().next_back(),
        Some(&2_999),
        "a task, its executor and its framework each"
    );
    let mut env = env.again(still_running);
    let shown = env.core.snapshot();
    let executors = &shown.completed_frameworks[0].completed_executors;
    assert_eq!((executors.len(), executors[149].info.executor_id.as_str()), (150, "t999"));
    env.reregister();
    env.run(&f, command_task("more", "true"));
    env.launched("c1001");
    env.exited("c1001", 0);
    env.acknowledge_all();
    assert_eq!((env.memory.past.len(), env.memory.past.keys().next_back()), (2_000, Some(&3_002)));
}

#[test]
fn what_has_no_sandbox_any_more_is_not_shown() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    play(&mut env, &f, "gone");
    play(&mut env, &f, "here");
    let mut recovered = env.memory.recovered(|_| Err("not needed".to_owned()));
    let here = env.specs["c2"].directory.clone();
    let writes = recovered.prune_past("/var/lib/agent", |sandbox| sandbox == &*here);
    assert_eq!(writes, [Write::ForgetPast(1)]);
    let env =
        AgentEnv::recover(testkit::agent::options(2), env.memory.clone(), recovered).expect("it goes on");
    assert_eq!(completed(&env.core.snapshot()), [("f", vec!["here"])]);
}

/// After `SlaveTest.MaxCompletedExecutorsPerFrameworkFlag`.
#[test]
fn as_many_executors_are_remembered_as_the_agent_is_told_to() {
    for (most, remembered) in [(0, vec![]), (1, vec!["b"]), (2, vec!["a", "b"])] {
        let settings = agent_core::Options { max_completed_executors: most, ..testkit::agent::options(1) };
        let mut env = AgentEnv::registered_with(settings);
        for task in ["a", "b"] {
            env.run(&checkpointing("f"), command_task(task, "true"));
        }
        for (container, task) in [("c1", "a"), ("c2", "b")] {
            env.launched(container);
            env.exited(container, 0);
            env.acknowledge_all();
            assert!(!env.core.knows_task(&"f".into(), &task.into()));
        }
        assert_eq!(completed(&env.core.snapshot()), [("f", remembered)]);
    }
}

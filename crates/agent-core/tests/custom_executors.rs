//! Executors that are processes of the framework's own.

use std::time::Duration;

use agent_core::{ExecutorCall, ExecutorKind, FrameworkInfo, FromMaster, Input, StreamId, TaskState};
use base::Payload;
use testkit::agent::{AgentEnv, checkpointing, custom_executor, custom_task, framework, still_running};

/// Executor `e` of `f`, subscribed on stream 1 with task `t` running there.
fn running() -> (AgentEnv, FrameworkInfo) {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run_reported(&f, &custom_executor("e"), "t");
    env.forget();
    (env, f)
}

#[test]
fn tasks_wait_until_the_executor_subscribes() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    let e = custom_executor("e");
    env.run(&f, custom_task("t1", &e));
    env.run(&f, custom_task("t2", &e));
    env.expect(&["launch c1 for e"]);
    env.report(&f, "e", "t1", TaskState::Running);
    env.expect(&["reply: Executor is not subscribed"]);
    env.launched("c1");
    env.subscribe(&f, "e", 1);
    env.expect(&[
        "reply: ok",
        "stream 1: subscribed",
        "update c1 to cpus:0.3; mem:96; disk:16",
        "stream 1: launch t1",
        "stream 1: launch t2",
    ]);
    env.run(&f, custom_task("t3", &e));
    env.expect(&["update c1 to cpus:0.4; mem:128; disk:16", "stream 1: launch t3"]);
}

#[test]
fn groups_are_launched_together() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run_group(&f, &custom_executor("e"), &["a", "b"]);
    env.launched("c1");
    env.subscribe(&f, "e", 1);
    env.expect(&["launch c1 for e", "reply: ok", "stream 1: subscribed", "stream 1: launch group a b"]);
}

#[test]
fn strangers_are_refused() {
    let (mut env, f) = running();
    env.report(&framework("g"), "e", "t", TaskState::Running);
    env.report(&f, "x", "t", TaskState::Running);
    env.expect(&["reply: Framework cannot be found", "reply: Executor cannot be found"]);
}

#[test]
fn an_executor_that_never_subscribes_is_destroyed() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), custom_task("t", &custom_executor("e")));
    env.launched("c1");
    env.advance(Duration::from_secs(60));
    env.expect(&["launch c1 for e", "destroy c1"]);
    env.exited("c1", 9);
    env.expect(&[
        "executor e exited 9",
        "t Failed by agent because ExecutorRegistrationTimeout: Executor did not register within 1mins",
    ]);
}

#[test]
fn kills_and_messages_are_passed_on() {
    let (mut env, f) = running();
    env.kill(&f, "t");
    let message = FromMaster::Message {
        framework_id: "f".into(),
        executor_id: "e".into(),
        data: Payload::from(&b"hello"[..]),
    };
    env.from_master(message);
    env.executor_call(&f, "e", ExecutorCall::Message(Payload::default()));
    env.expect(&["stream 1: kill t", "stream 1: message", "reply: ok", "message of e"]);
}

#[test]
fn a_task_that_is_killed_before_the_executor_subscribes() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, custom_task("t", &custom_executor("e")));
    env.launched("c1");
    env.kill(&f, "t");
    env.expect(&[
        "launch c1 for e",
        "update c1 to cpus:0.1; mem:32; disk:16",
        "t Killed by agent because TaskKilledDuringLaunch: Killed before delivery to the executor",
    ]);
    env.acknowledge_all();
    env.subscribe(&f, "e", 1);
    env.expect(&["reply: ok", "stream 1: shutdown"]);
    env.exited("c1", 0);
    env.expect(&["stream 1: close", "executor e exited 0"]);
    assert!(env.core.snapshot().frameworks.is_empty());
}

#[test]
fn shutdown_asks_and_then_destroys() {
    let (mut env, _) = running();
    env.from_master(FromMaster::ShutdownExecutor { framework_id: "f".into(), executor_id: "e".into() });
    env.expect(&["stream 1: shutdown"]);
    env.advance(Duration::from_secs(5));
    env.expect(&["destroy c1"]);
    env.exited("c1", 9);
    env.expect(&[
        "stream 1: close",
        "executor e exited 9",
        "t Failed by agent because ExecutorTerminated: Executor terminated",
    ]);
    env.acknowledge_all();
    assert!(env.core.snapshot().frameworks.is_empty());
}

#[test]
fn an_executor_may_come_back_on_another_stream() {
    let (mut env, f) = running();
    env.input(Input::ExecutorStreamClosed(StreamId(1)));
    env.run(&f, custom_task("waits", &custom_executor("e")));
    env.expect(&[]);
    let finished = env.executor_update("t", TaskState::Finished);
    let call = ExecutorCall::Subscribe {
        stream: StreamId(2),
        unacknowledged_tasks: Vec::new(),
        unacknowledged_updates: vec![finished],
    };
    env.executor_call(&f, "e", call);
    env.expect(&[
        "reply: ok",
        "t Finished",
        "stream 2: acknowledged t",
        "stream 2: subscribed",
        "stream 2: launch waits",
    ]);
    env.subscribe(&f, "e", 3);
    env.expect(&[
        "reply: ok",
        "stream 2: close",
        "update c1 to cpus:0.1; mem:32; disk:16",
        "waits Lost by agent because AgentRestarted: Task was sent to the executor but is unknown to it",
        "stream 3: subscribed",
    ]);
}

#[test]
fn an_executor_must_not_report_staging_nor_on_tasks_of_others() {
    let (mut env, f) = running();
    env.run(&f, custom_task("other", &custom_executor("e2")));
    env.report(&f, "e", "other", TaskState::Running);
    env.expect(&["launch c2 for e2", "reply: ok", "stream 1: acknowledged other"]);
    assert_eq!(env.core.snapshot().counts.invalid_status_updates, 1);
    env.report(&f, "e", "t", TaskState::Staging);
    env.expect(&["reply: ok", "stream 1: shutdown"]);
    // Doing so again does not win it time.
    env.advance(Duration::from_secs(4));
    env.report(&f, "e", "t", TaskState::Staging);
    env.expect(&["reply: ok"]);
    env.advance(Duration::from_secs(1));
    env.expect(&["destroy c1"]);
}

#[test]
fn an_executor_must_not_report_what_only_a_master_can_know() {
    for state in [TaskState::Unreachable, TaskState::Unknown] {
        let (mut env, f) = running();
        env.report(&f, "e", "t", state);
        env.expect(&["reply: ok", "stream 1: shutdown"]);
        assert_eq!(env.core.snapshot().counts.invalid_status_updates, 1);
    }
}

#[test]
fn views_tell_what_waits_runs_and_has_ended() {
    let (mut env, f) = running();
    env.run(&f, custom_task("done", &custom_executor("e")));
    env.report(&f, "e", "done", TaskState::Finished);
    env.acknowledge_all();
    env.run(&f, custom_task("ended", &custom_executor("e")));
    env.report(&f, "e", "ended", TaskState::Failed);
    env.input(Input::ExecutorStreamClosed(StreamId(1)));
    env.run(&f, custom_task("waits", &custom_executor("e")));
    let seen = env.core.snapshot();
    let executor = seen.executor(&f.id, &"e".into()).expect("it lives");
    let ids = |tasks: &[std::sync::Arc<agent_core::Task>]| {
        tasks.iter().map(|task| task.info.task_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(executor.kind, ExecutorKind::Custom);
    assert_eq!(executor.queued.iter().map(|task| task.task_id.to_string()).collect::<Vec<_>>(), ["waits"]);
    assert_eq!(ids(&executor.launched), ["t"]);
    assert_eq!(ids(&executor.terminated), ["ended"]);
    assert_eq!(ids(&executor.completed), ["done"]);
    assert_eq!(executor.resources.to_string(), "cpus:0.3; mem:96; disk:16");
}

/// After `GetStateWithNonTerminalCompletedTask` and `TeardownAndGetStateWithNonTerminalCompletedTask`: what Mesos shows as ended
/// and running has an end here.
#[test]
fn no_task_of_an_executor_that_is_over_seems_to_run() {
    for of_all in [true, false] {
        let (mut env, f) = running();
        if of_all {
            env.input(Input::Shutdown { reason: "SIGUSR1".to_owned() });
        } else {
            env.from_master(FromMaster::ShutdownFramework(f.id.clone()));
        }
        // It ends without a word of its task.
        env.exited("c1", 0);
        let seen = env.core.snapshot();
        assert!(seen.frameworks.is_empty(), "{seen:?}");
        let [framework] = &seen.completed_frameworks[..] else { panic!("{seen:?}") };
        let [executor] = &framework.completed_executors[..] else { panic!("{seen:?}") };
        assert!(executor.launched.is_empty() && executor.terminated.is_empty() && executor.queued.is_empty());
        assert_eq!(executor.completed[0].state, TaskState::Failed);
    }
}

#[test]
fn a_kill_waits_for_an_executor_that_is_away() {
    let (mut env, f) = running();
    env.input(Input::ExecutorStreamClosed(StreamId(1)));
    env.kill(&f, "t");
    env.expect(&[]);
    env.subscribe(&f, "e", 2);
    env.expect(&["reply: ok", "stream 2: subscribed", "stream 2: kill t"]);
}

/// After `SlaveTest.HTTPScheduler`, `HTTPSchedulerLiveUpgrade` and `HTTPSchedulerSlaveRestart`: messages of an executor go by way
/// of the master, after a change of its framework and a restart of the agent, too. Those that nobody takes are counted.
#[test]
fn messages_go_by_way_of_the_master_or_are_counted_as_dropped() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run(&f, custom_task("t", &custom_executor("e")));
    let to_executor = |env: &mut AgentEnv, executor: &str| {
        env.from_master(FromMaster::Message {
            framework_id: "f".into(),
            executor_id: executor.into(),
            data: Payload::default(),
        });
    };
    let to_framework =
        |env: &mut AgentEnv| env.executor_call(&f, "e", ExecutorCall::Message(Payload::default()));
    let counted = |env: &AgentEnv| {
        let counts = env.core.snapshot().counts;
        (counts.valid_framework_messages, counts.invalid_framework_messages)
    };
    to_executor(&mut env, "e");
    to_executor(&mut env, "nobody");
    assert_eq!(counted(&env), (0, 2));
    env.launched("c1");
    env.subscribe(&f, "e", 1);
    env.report(&f, "e", "t", TaskState::Running);
    env.acknowledge_all();
    env.from_master(FromMaster::UpdateFramework(f.clone().into()));
    env.forget();
    to_executor(&mut env, "e");
    to_framework(&mut env);
    env.expect(&["stream 1: message", "reply: ok", "message of e"]);
    assert_eq!(counted(&env), (2, 2));
    let mut env = env.again(still_running);
    env.resubscribe(&f, "e", 2, &[], Vec::new());
    to_framework(&mut env);
    env.reregister();
    assert_eq!(counted(&env), (0, 1), "there was no master to take it");
    env.forget();
    to_framework(&mut env);
    env.expect(&["reply: ok", "message of e"]);
    env.from_master(FromMaster::ShutdownFramework("f".into()));
    env.forget();
    to_framework(&mut env);
    to_executor(&mut env, "e");
    env.report(&f, "e", "t", TaskState::Killed);
    env.expect(&["reply: ok", "reply: ok", "stream 2: acknowledged t"]);
    assert_eq!(counted(&env), (1, 3));
    assert_eq!(env.core.snapshot().counts.invalid_status_updates, 1);
}

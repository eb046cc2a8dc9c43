//! Launches that cross kills, shutdowns, timeouts and each other, after Mesos' `slave_tests`.

use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    ExecutorInfo, ExecutorState, FrameworkInfo, FromMaster, Input, Options, RunTask, RunTaskGroup, StreamId,
    TaskState,
};
use testkit::agent::{
    AgentEnv, checkpointing, command_task, custom_executor, custom_task, default_executor, framework,
    group_task, options, still_running, with_image,
};

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn shut_down(env: &mut AgentEnv, executor: &str) {
    env.from_master(FromMaster::ShutdownExecutor { framework_id: "f".into(), executor_id: executor.into() });
}

/// After `KillQueuedTaskGroup`.
#[test]
fn a_group_that_is_killed_while_it_waits_leaves_what_waits_beside_it() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    let e = custom_executor("e");
    env.run(&f, custom_task("t", &e));
    env.run_group(&f, &e, &["a", "b"]);
    env.launched("c1");
    env.forget();
    env.kill(&f, "a");
    let why = "Killed by agent because TaskKilledDuringLaunch: A task within the task group was killed before delivery \
               to the executor";
    env.expect(&[
        "update c1 to cpus:0.3; mem:96; disk:16",
        &format!("a {why}"),
        "update c1 to cpus:0.2; mem:64; disk:16",
        &format!("b {why}"),
    ]);
    env.subscribe(&f, "e", 1);
    env.expect(&["reply: ok", "stream 1: subscribed", "stream 1: launch t"]);
}

/// After `LaunchTaskGroupsUsingSameExecutorKillFirstTaskGroup` and `...KillLaterTaskGroup`: whichever is killed before the
/// executor is up, the others are started. In Mesos those after a first one that was killed are lost with it.
#[test]
fn groups_that_wait_for_one_executor_are_killed_each_by_itself() {
    for (killed, started) in [("a", ["b", "c"]), ("b", ["a", "c"]), ("c", ["a", "b"])] {
        let mut env = AgentEnv::registered();
        let f = framework("f");
        for task in ["a", "b", "c"] {
            env.run_group(&f, &default_executor("pod"), &[task]);
        }
        env.kill(&f, killed);
        let ended: Vec<_> = env.updates.iter().map(|update| update.status.task_id.as_str()).collect();
        assert_eq!(ended, [killed]);
        env.acknowledge_all();
        env.forget();
        env.launched("c1");
        env.expect(&[
            &format!("{} Starting", started[0]),
            "launch c2 in c1 for pod",
            &format!("{} Starting", started[1]),
            "launch c3 in c1 for pod",
        ]);
    }
}

/// After `ShutdownExecutorWhileTaskLaunching`.
#[test]
fn what_comes_for_an_executor_that_is_ending_is_dropped() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    let (pod, e) = (default_executor("pod"), custom_executor("e"));
    env.run_group(&f, &pod, &["a"]);
    env.launched("c1");
    env.launched("c2");
    env.run(&f, custom_task("t", &e));
    env.launched("c3");
    env.subscribe(&f, "e", 1);
    env.report(&f, "e", "t", TaskState::Running);
    env.acknowledge_all();
    shut_down(&mut env, "pod");
    shut_down(&mut env, "e");
    env.forget();
    env.run_group(&f, &pod, &["late"]);
    env.run(&f, custom_task("late too", &e));
    let terminating = "Lost by agent because ExecutorTerminated: Executor terminating";
    env.expect(&[&format!("late {terminating}"), &format!("late too {terminating}")]);
    // One that is gone waits for the acknowledgement of how its task ended.
    env.exited("c3", 0);
    env.forget();
    env.run(&f, custom_task("later", &e));
    env.expect(&["later Lost by agent because ExecutorTerminated: Executor terminated"]);
    assert_eq!(env.specs.len(), 3);
}

/// After `DuplicateTaskIdCommandExecutor`. The executor of a command task ends with it here, so that the name is free as soon as
/// the end is acknowledged.
#[test]
fn a_command_task_takes_no_executor_that_is_there() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, custom_task("t", &custom_executor("e")));
    env.forget();
    env.run(&f, command_task("e", "true"));
    env.expect(&[
        "e Lost by agent because TaskInvalid: Cannot reuse an already existing executor for a command task",
    ]);
    env.run(&f, command_task("again", "true"));
    env.launched("c2");
    env.exited("c2", 0);
    env.acknowledge_all();
    env.forget();
    env.run(&f, command_task("again", "true"));
    env.expect(&["launch c3 for again"]);
}

/// A launch as a master sends it that counts on a new executor.
fn launching(env: &mut AgentEnv, f: &FrameworkInfo, executor: &Arc<ExecutorInfo>) {
    env.from_master(FromMaster::RunTaskGroup(Box::new(RunTaskGroup {
        framework: Arc::new(f.clone()),
        executor: executor.clone(),
        tasks: vec![group_task("a", executor).into(), group_task("b", executor).into()],
        resource_version: None,
        launch_executor: Some(true),
    })));
    env.from_master(FromMaster::RunTask(Box::new(RunTask {
        framework: Arc::new(f.clone()),
        task: custom_task("t", &custom_executor("e")).into(),
        resource_version: None,
        launch_executor: Some(true),
    })));
}

/// After `RemoveExecutorUponFailedLaunch`, `RemoveExecutorUponFailedTaskGroupLaunch` and
/// `RemoveExecutorUponFailedTaskAuthorization`: the master counts executors by what it has launched. (Of launches that assume
/// other resources see `operations` and `registration`.)
#[test]
fn the_master_hears_that_an_executor_was_never_launched() {
    let f = framework("f");
    let exits = |env: &AgentEnv| {
        let told = env.outputs.iter().filter_map(|output| testkit::agent::Lines::default().line(output));
        told.filter(|line| line.contains(" exited ")).collect::<Vec<_>>()
    };
    let mut draining = AgentEnv::registered();
    draining.run(&f, command_task("other", "sleep 60"));
    draining.from_master(FromMaster::Drain { max_grace: None, mark_gone: false });
    launching(&mut draining, &f, &default_executor("pod"));
    assert_eq!(exits(&draining), ["executor pod exited -1", "executor e exited -1"]);

    let mut unsupported = AgentEnv::registered();
    launching(&mut unsupported, &f, &with_image(default_executor("pod")));
    assert_eq!(exits(&unsupported), ["executor pod exited -1"]);

    // And where all that it was launched for was killed first.
    let mut killed = AgentEnv::registered();
    launching(&mut killed, &f, &default_executor("pod"));
    killed.kill(&f, "a");
    killed.kill(&f, "t");
    killed.exited("c1", 9);
    killed.launched("c2");
    killed.subscribe(&f, "e", 1);
    killed.exited("c2", 0);
    assert_eq!(exits(&killed), ["executor pod exited 9", "executor e exited 0"]);
    killed.acknowledge_all();
    assert!(killed.core.snapshot().frameworks.is_empty());
}

/// After `KillTaskUnregisteredHTTPExecutor` and `KillAllInitialTasksTerminatesHTTPExecutor`.
#[test]
fn an_executor_all_of_whose_groups_were_killed_is_shut_down_when_it_subscribes() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    let e = custom_executor("e");
    env.run_group(&f, &e, &["a", "b"]);
    env.run_group(&f, &e, &["c"]);
    env.launched("c1");
    env.kill(&f, "b");
    env.kill(&f, "c");
    let states: Vec<_> = env.updates.iter().map(|update| update.status.state).collect();
    assert_eq!(states, [TaskState::Killed; 3]);
    env.acknowledge_all();
    env.forget();
    env.subscribe(&f, "e", 1);
    env.expect(&["reply: ok", "stream 1: shutdown"]);
    env.advance(secs(5));
    env.expect(&["destroy c1"]);
}

/// After `AgentFailoverTerminatesExecutorWithNoTask` and `AgentFailoverTerminatesHTTPExecutorWithNoTask`: the agent dies with
/// the only launch that it had sent.
#[test]
fn an_executor_that_none_of_its_tasks_has_reached_is_shut_down() {
    let f = checkpointing("f");
    let e = custom_executor("e");
    let mut env = AgentEnv::registered();
    env.run_subscribed(&f, &e, "t");
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    env.resubscribe(&f, "e", 2, &[], Vec::new());
    env.expect(&[
        "reply: ok",
        "update c1 to cpus:0.1; mem:32; disk:16",
        "t Lost by agent because AgentRestarted: Task was sent to the executor but is unknown to it",
        "stream 2: shutdown",
    ]);
    let state = env.core.snapshot().executor(&f.id, &"e".into()).map(|executor| executor.state);
    assert_eq!(state, Some(ExecutorState::Terminating));

    // Not so one that has done something, or for which something waits.
    let mut env = AgentEnv::registered();
    env.run_subscribed(&f, &e, "t");
    env.input(Input::ExecutorStreamClosed(StreamId(1)));
    env.run(&f, custom_task("waits", &e));
    env.forget();
    env.resubscribe(&f, "e", 2, &[], Vec::new());
    env.report(&f, "e", "waits", TaskState::Finished);
    env.acknowledge_all();
    env.forget();
    env.run(&f, custom_task("lost", &e));
    env.resubscribe(&f, "e", 3, &[], Vec::new());
    let state = env.core.snapshot().executor(&f.id, &"e".into()).map(|executor| executor.state);
    assert_eq!(state, Some(ExecutorState::Running));
}

/// After `ExecutorTimeoutCausedBySlowFetch`.
#[test]
fn an_executor_that_is_not_ready_when_it_should_have_registered_could_not_be_launched() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), custom_task("t", &custom_executor("e")));
    env.advance(secs(59));
    env.expect(&["launch c1 for e"]);
    env.advance(secs(1));
    env.expect(&["destroy c1"]);
    env.input(Input::Container {
        container_id: env.container("c1"),
        event: agent_core::ContainerEvent::Exited { status: None, limitation: None },
    });
    env.expect(&[
        "executor e exited -1",
        "t Failed by agent because ContainerLaunchFailed: Failed to launch container: it was not ready within 1mins",
    ]);
}

/// After `ExecutorShutdownGracePeriod`: what the executor says counts, whatever the agent's own setting is.
#[test]
fn an_executor_says_how_long_it_takes_to_shut_down() {
    for (own, agents, waits) in
        [(Some(secs(10)), secs(5), 10), (Some(secs(1)), secs(5), 1), (None, secs(7), 7)]
    {
        let settings = Options { executor_shutdown_grace: agents, ..options(1) };
        let mut env = AgentEnv::registered_with(settings);
        let f = framework("f");
        let e = ExecutorInfo { shutdown_grace: own, ..Arc::unwrap_or_clone(custom_executor("e")) };
        env.run_subscribed(&f, &Arc::new(e), "t");
        env.forget();
        let told = &env.specs["c1"].environment;
        let told = told.iter().find(|(name, _)| &**name == "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD");
        assert_eq!(told.map(|(_, value)| value.to_string()), Some(format!("{waits}secs")));
        shut_down(&mut env, "e");
        env.advance(secs(waits) - Duration::from_millis(1));
        env.expect(&["stream 1: shutdown"]);
        env.advance(Duration::from_millis(1));
        env.expect(&["destroy c1"]);
        env.exited("c1", 9);
        env.expect(&[
            "stream 1: close",
            "executor e exited 9",
            "t Failed by agent because ExecutorTerminated: Executor terminated",
        ]);
    }
}

/// After `ExecutorReregistrationTimeoutFlag`.
#[test]
fn an_executor_may_take_as_long_to_reconnect_as_the_agent_allows() {
    let f = checkpointing("f");
    let patient = Options { executor_reregistration_timeout: secs(30), ..options(2) };
    let mut env = AgentEnv::registered();
    env.run_reported(&f, &custom_executor("e"), "t");
    let mut env = env.again_with(patient, still_running);
    env.reregister();
    env.forget();
    env.advance(secs(28));
    env.resubscribe(&f, "e", 2, &["t"], Vec::new());
    env.expect(&["reply: ok", "stream 2: subscribed", "update c1 to cpus:0.2; mem:64; disk:16"]);
    env.advance(secs(5));
    env.expect(&[]);
}

/// After `DefaultExecutorResources` and `DefaultExecutorCommandInfo`.
#[test]
fn the_container_of_a_group_has_what_its_executor_and_its_tasks_have_and_runs_as_the_framework() {
    let mut env = AgentEnv::registered();
    let f = FrameworkInfo { user: "nobody".into(), ..framework("f") };
    env.run_group(&f, &default_executor("pod"), &["a", "b"]);
    let spec = &env.specs["c1"];
    assert_eq!(spec.resources.to_string(), "cpus:0.3; mem:96; disk:16");
    assert_eq!(&*spec.user, "nobody");
    env.launched("c1");
    let nested = &env.specs["c2"];
    assert_eq!((nested.resources.to_string().as_str(), &*nested.user), ("cpus:0.1; mem:32", "nobody"));
}

/// After `ROOT_RunTaskWithCommandInfoWithoutUser` and `ROOT_UNPRIVILEGED_USER_RunTaskWithCommandInfoWithUser`.
#[test]
fn a_task_runs_as_its_own_user_or_its_frameworks_or_the_agents() {
    let f = FrameworkInfo { user: "framework".into(), ..framework("f") };
    for (switch_user, own, runs_as) in
        [(true, None, "framework"), (true, Some("own"), "own"), (false, Some("own"), "agent")]
    {
        let settings = Options { switch_user, own_user: "agent".into(), ..options(1) };
        let mut env = AgentEnv::registered_with(settings);
        let mut task = command_task("t", "id -un");
        if let Some(command) = &mut task.command {
            command.user = own.map(Into::into);
        }
        env.run(&f, task);
        assert_eq!(&*env.specs["c1"].user, runs_as);
    }
}

/// After `TerminalTaskContainerizerUpdateFailsWithLost`, `...WithGone` and `TaskLaunchContainerizerUpdateFails`: what the end of one
/// task changes cannot be changed, so that the container goes and the other task with it. In Mesos that one is gone or lost.
#[test]
fn a_container_that_cannot_be_changed_takes_its_tasks_along() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    let e = custom_executor("e");
    for task in ["t1", "t2"] {
        env.run(&f, custom_task(task, &e));
    }
    env.launched("c1");
    env.subscribe(&f, "e", 1);
    env.report(&f, "e", "t1", TaskState::Running);
    env.report(&f, "e", "t2", TaskState::Running);
    env.acknowledge_all();
    env.forget();
    env.report(&f, "e", "t1", TaskState::Killed);
    env.acknowledge_all();
    env.expect(&[
        "reply: ok",
        "update c1 to cpus:0.2; mem:64; disk:16",
        "t1 Killed",
        "stream 1: acknowledged t1",
    ]);
    let limitation = agent_core::Limitation {
        reason: agent_core::Reason::ContainerUpdateFailed,
        message: "Failed to update resources for container: no".to_owned(),
        resources: resources::Resources::new(),
    };
    env.input(Input::Container {
        container_id: env.container("c1"),
        event: agent_core::ContainerEvent::Exited { status: Some(9), limitation: Some(limitation) },
    });
    env.expect(&[
        "stream 1: close",
        "executor e exited 9",
        "t2 Failed by agent because ContainerUpdateFailed: Failed to update resources for container: no",
    ]);
}

/// After `ExecutorEnvironmentVariables`.
#[test]
fn the_agent_may_set_variables_in_place_of_its_own() {
    let environment = vec![("PATH".into(), "/opt/bin".into()), ("LANG".into(), "C".into())];
    let mut env = AgentEnv::registered_with(Options { environment, ..options(1) });
    let f = framework("f");
    let mut task = command_task("t", "env");
    if let Some(command) = &mut task.command {
        command.environment.push(("LANG".into(), "its own".into()));
    }
    env.run(&f, task);
    env.run(&f, custom_task("u", &custom_executor("e")));
    env.run_group(&f, &default_executor("pod"), &["a"]);
    env.launched("c3");
    let value = |container: &str, name: &str| {
        let environment = &env.specs[container].environment;
        environment.iter().rfind(|(known, _)| &**known == name).map(|(_, value)| value.to_string())
    };
    for (container, language) in [("c1", "its own"), ("c2", "C"), ("c4", "C")] {
        assert_eq!(value(container, "PATH").as_deref(), Some("/opt/bin"), "{container}");
        assert_eq!(value(container, "LANG").as_deref(), Some(language), "{container}");
    }
}

/// After `DISABLED_TerminatingSlaveDoesNotReregister`.
#[test]
fn an_agent_that_is_ending_does_not_ask_to_be_taken_in_again() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.launched("c1");
    env.from_master(FromMaster::Shutdown { message: "gone".to_owned() });
    env.forget();
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    env.advance(secs(2));
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(secs(2));
    let line = |output| testkit::agent::Lines::default().line(output).unwrap_or_default();
    let asks: Vec<_> = env.outputs.iter().map(line).filter(|line| line.contains("register")).collect();
    assert_eq!(asks, Vec::<String>::new());
}

//! Tasks of frameworks that checkpoint outlive the agent: what Mesos' recovery protects, scenario by scenario.

use std::time::Duration;

use agent_core::{
    ExecutorCall, Found, FrameworkInfo, FromMaster, Input, Output, Recovered, TaskInfo, TaskState, ToMaster,
};
use base::ContainerId;
use testkit::agent::{
    AgentEnv, checkpointing, command_task, custom_executor, custom_task, default_executor, framework,
    options, still_running,
};

/// A command task that runs, with everything acknowledged.
fn command(framework: &FrameworkInfo, task: TaskInfo) -> AgentEnv {
    let mut env = AgentEnv::registered();
    env.run(framework, task);
    env.launched("c1");
    env.acknowledge_all();
    env.forget();
    env
}

#[test]
fn a_running_task_goes_on() {
    let f = checkpointing("f");
    let mut env = command(&f, command_task("t", "sleep 60")).again(still_running);
    env.expect(&[]);
    env.reregister();
    env.expect(&["reregister [t:Running]", "update agent"]);
    env.exited("c1", 0);
    env.expect(&["t Finished: Command exited with status 0"]);
    assert_eq!(env.updates[0].status.container_status.as_ref().and_then(|status| status.pid), Some(100));
    env.acknowledge();
    assert!(env.memory.frameworks.is_empty() && env.memory.tasks.is_empty());
}

#[test]
fn what_was_not_acknowledged_is_repeated() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run(&f, command_task("t", "sleep 60"));
    env.launched("c1");
    let first = env.updates[0].status.uuid;
    let mut env = env.again(still_running);
    env.reregister();
    env.expect(&["reregister [t:Running]", "update agent", "t Starting latest Running"]);
    assert_eq!(env.updates[0].status.uuid, first);
    env.acknowledge();
    env.expect(&["t Running"]);
}

/// The acknowledgement came, and the agent was killed before it had written what follows from it.
#[test]
fn what_was_acknowledged_at_the_last_moment_is_not_repeated() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run(&f, command_task("t", "exit 4"));
    env.launched("c1");
    let starting = env.updates[0].status.uuid;
    let next = |env: &mut AgentEnv, acknowledged: &[base::Uuid]| {
        env.memory.acknowledged = acknowledged.iter().copied().collect();
        env.again(still_running)
    };
    // Names of others say nothing.
    let mut other = next(&mut env, &[base::Uuid::from_bytes([7; 16])]);
    other.reregister();
    other.expect(&["reregister [t:Running]", "update agent", "t Starting latest Running"]);

    let mut env = next(&mut env, &[starting]);
    env.reregister();
    env.expect(&["reregister [t:Running]", "update agent", "t Running"]);
    let running = env.updates[0].status.uuid;
    // It is written by now, so that the next life need not be told again.
    let mut again = next(&mut env, &[]);
    again.reregister();
    again.expect(&["reregister [t:Running]", "update agent", "t Running"]);

    env.exited("c1", 4 << 8);
    let mut env = next(&mut env, &[starting, running]);
    env.reregister();
    env.expect(&["reregister [t:Failed]", "update agent", "t Failed: Command exited with status 4"]);
    let end = env.updates[0].status.uuid;
    // An end is told again: with its acknowledgement the task is over, and that is not written.
    let mut env = next(&mut env, &[end]);
    env.reregister();
    env.expect(&["reregister [t:Failed]", "update agent", "t Failed: Command exited with status 4"]);
    env.acknowledge();
    assert!(env.memory.tasks.is_empty());
}

#[test]
fn a_task_that_ended_while_the_agent_was_away_has_its_true_end() {
    let f = checkpointing("f");
    let mut env = command(&f, command_task("t", "exit 3")).again(|_| Found::Ended);
    env.exited("c1", 3 << 8);
    env.reregister();
    env.expect(&["reregister [t:Failed]", "update agent", "t Failed: Command exited with status 3"]);
}

/// Between the launch and its news the agent died.
#[test]
fn a_task_that_came_up_meanwhile_is_reported() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run(&f, command_task("t", "sleep 60"));
    let mut env = env.again(still_running);
    env.reregister();
    env.expect(&["reregister [t:Running]", "update agent", "t Starting latest Running"]);
}

/// What has ended is known to have ended, and how is known in a moment: the master is not told before that the task runs.
#[test]
fn ends_are_known_before_the_master_is_told() {
    let f = checkpointing("f");
    let over = || command(&f, command_task("t", "exit 3")).again(|_| Found::Ended);
    let mut env = over();
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    env.advance(Duration::from_millis(1_900));
    env.expect(&[]);
    env.exited("c1", 3 << 8);
    env.advance(Duration::from_millis(20));
    env.expect(&["reregister [t:Failed]"]);
    // A disk that hangs does not keep the agent away.
    let mut env = over();
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    env.advance(Duration::from_millis(2_020));
    env.expect(&["reregister [t:Running]"]);
}

#[test]
fn a_task_of_which_nothing_is_known_has_failed() {
    let f = checkpointing("f");
    let mut env = command(&f, command_task("t", "sleep 60")).again(|_| Found::Lost);
    env.launch_failed("c1", "the machine was started anew");
    env.reregister();
    env.expect(&[
        "reregister [t:Failed]",
        "update agent",
        "t Failed by agent because ContainerLaunchFailed: Failed to launch container: the machine was started anew",
    ]);
}

/// The agent was replaced between the order and the start: nothing has run, and nobody needs to know.
#[test]
fn what_never_started_is_started() {
    let unstarted = |env: &AgentEnv| {
        env.again(|known| {
            assert!(known.awaited, "{known:?}");
            Found::Unstarted
        })
    };
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run(&f, command_task("t", "sleep 60"));
    let mut env = unstarted(&env);
    env.expect(&["launch c1 for t"]);
    env.reregister();
    env.expect(&["reregister [t:Staging]", "update agent"]);
    env.launched("c1");
    env.expect(&["t Starting"]);

    let mut env = AgentEnv::registered();
    env.run(&f, custom_task("t", &custom_executor("e")));
    let mut env = unstarted(&env);
    env.expect(&["launch c1 for e"]);
    env.launched("c1");
    env.reregister();
    env.forget();
    env.subscribe(&f, "e", 1);
    env.expect(&["reply: ok", "stream 1: subscribed", "stream 1: launch t"]);
}

#[test]
fn a_group_of_which_only_a_part_has_started_is_completed() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run_group(&f, &default_executor("pod"), &["a", "b"]);
    let mut env = env.again(|_| Found::Unstarted);
    env.expect(&["launch c1 for pod"]);
    env.launched("c1");
    env.forget();
    env.launched("c2");
    let mut env = env.again(|known| if known.awaited { Found::Unstarted } else { still_running(known) });
    env.expect(&["launch c3 in c1 for pod"]);
    env.reregister();
    env.forget();
    env.launched("c3");
    env.acknowledge_all();
    assert!(env.memory.frameworks.len() == 1);
}

/// Where somebody was told that it runs, or wants its end, a container that is not there has ended.
#[test]
fn what_was_told_to_run_or_is_to_end_is_not_awaited() {
    let f = checkpointing("f");
    let no = |known: &agent_core::KnownContainer| {
        assert!(!known.awaited, "{known:?}");
        Found::Lost
    };
    let _ = command(&f, command_task("t", "sleep 60")).again(no);
    let mut env = AgentEnv::registered();
    env.run(&f, command_task("t", "sleep 60"));
    env.kill(&f, "t");
    let _ = env.again(no);
    let mut env = AgentEnv::registered();
    env.run(&f, command_task("t", "sleep 60"));
    env.from_master(FromMaster::ShutdownFramework(f.id.clone()));
    let _ = env.again(no);
}

#[test]
fn frameworks_that_do_not_checkpoint_leave_nothing() {
    let env = command(&framework("f"), command_task("t", "sleep 60"));
    assert!(
        env.memory.frameworks.is_empty() && env.memory.executors.is_empty() && env.memory.tasks.is_empty()
    );
    let mut env = env.again(still_running);
    env.reregister();
    env.expect(&["reregister []", "update agent"]);
}

#[test]
fn a_kill_goes_on() {
    let f = checkpointing("f");
    let mut env = command(&f, command_task("t", "sleep 60"));
    env.kill(&f, "t");
    env.expect(&["signal c1 15"]);
    let mut env = env.again(still_running);
    env.expect(&["signal c1 15"]);
    env.advance(Duration::from_millis(1));
    env.expect(&["destroy c1"]);
    env.reregister();
    env.forget();
    env.exited("c1", 9);
    env.expect(&["t Killed: Command terminated with signal Killed"]);
}

#[test]
fn a_task_ends_when_it_has_run_long_enough_in_several_lives() {
    let f = checkpointing("f");
    // The second life of the test begins a thousand seconds later.
    let longest = Some(Duration::from_secs(1_010));
    let task = TaskInfo { max_completion_time: longest, ..command_task("t", "sleep 6000") };
    let mut env = command(&f, task).again(still_running);
    env.advance(Duration::from_secs(9));
    env.expect(&[]);
    env.advance(Duration::from_secs(1));
    env.expect(&["signal c1 15"]);
    // Even without a grace period the signal has a moment to do its work.
    env.advance(Duration::from_millis(500));
    env.expect(&["destroy c1"]);
}

#[test]
fn a_group_goes_on() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run_group(&f, &default_executor("pod"), &["a", "b"]);
    env.launched("c1");
    env.launched("c2");
    env.acknowledge_all();
    let mut env = env.again(still_running);
    env.reregister();
    // The second of them had not been heard of; it is up.
    env.expect(&["reregister [a:Running b:Running]", "update agent", "b Running"]);
    env.acknowledge();
    env.exited("c2", 256);
    env.expect(&[
        "update c1 to cpus:0.2; mem:64; disk:16",
        "a Failed: Command exited with status 1",
        "signal c3 15",
    ]);
    env.exited("c3", 15);
    env.acknowledge_all();
    env.advance(Duration::from_secs(1));
    env.forget();
    env.exited("c1", 0);
    env.expect(&["executor pod exited 0"]);
    assert!(env.memory.frameworks.is_empty() && env.memory.executors.is_empty());
}

/// A custom executor whose task `t` runs.
fn custom(f: &FrameworkInfo) -> AgentEnv {
    let mut env = AgentEnv::registered();
    env.run_reported(f, &custom_executor("e"), "t");
    env.forget();
    env
}

#[test]
fn a_custom_executor_reconnects() {
    let f = checkpointing("f");
    let mut env = custom(&f).again(still_running);
    env.reregister();
    env.expect(&["reregister [t:Running]", "update agent"]);
    let update = env.executor_update("t", TaskState::Finished);
    env.resubscribe(&f, "e", 2, &[], vec![update]);
    env.expect(&[
        "reply: ok",
        "update c1 to cpus:0.1; mem:32; disk:16",
        "t Finished",
        "stream 2: acknowledged t",
        "stream 2: subscribed",
    ]);
    env.advance(Duration::from_secs(10));
    env.expect(&["t Finished"]);
}

#[test]
fn an_update_that_an_executor_repeats_is_not_a_new_one() {
    let f = checkpointing("f");
    let mut env = custom(&f);
    let update = env.executor_update("t", TaskState::Running);
    env.executor_call(&f, "e", ExecutorCall::Update(Box::new(update.clone())));
    env.acknowledge_all();
    let mut env = env.again(still_running);
    env.resubscribe(&f, "e", 2, &[], vec![update]);
    env.expect(&[
        "reply: ok",
        "stream 2: acknowledged t",
        "stream 2: subscribed",
        "update c1 to cpus:0.2; mem:64; disk:16",
    ]);
    assert!(env.updates.is_empty());
}

/// The executor had not heard that the agent had them when the agent died; the framework had acknowledged them before.
#[test]
fn updates_of_a_task_that_is_over_are_not_news_when_an_executor_repeats_them() {
    let f = checkpointing("f");
    let mut env = custom(&f);
    let last = env.executor_update("t", TaskState::Finished);
    env.executor_call(&f, "e", ExecutorCall::Update(Box::new(last.clone())));
    env.acknowledge_all();
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    env.resubscribe(&f, "e", 2, &["t"], vec![last.clone()]);
    env.expect(&[
        "reply: ok",
        "stream 2: acknowledged t",
        "stream 2: subscribed",
        "update c1 to cpus:0.1; mem:32; disk:16",
    ]);
    // A task of the same name is another one.
    env.run(&f, custom_task("t", &custom_executor("e")));
    env.forget();
    env.executor_call(&f, "e", ExecutorCall::Update(Box::new(last)));
    env.expect(&["reply: ok", "stream 2: acknowledged t"]);
    env.report(&f, "e", "t", TaskState::Running);
    env.expect(&["reply: ok", "t Running", "stream 2: acknowledged t"]);
}

/// Nobody knows whether the executor heard the first one: it was on its way when the agent died.
#[test]
fn a_kill_that_an_executor_may_have_missed_is_repeated_when_it_is_back() {
    let f = checkpointing("f");
    let mut env = custom(&f);
    env.kill(&f, "t");
    env.expect(&["stream 1: kill t"]);
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    env.from_master(FromMaster::KillTask {
        framework_id: f.id.clone(),
        task_id: "t".into(),
        grace: Some(Duration::from_secs(1)),
    });
    env.expect(&[]);
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    env.resubscribe(&f, "e", 2, &[], Vec::new());
    env.expect(&[
        "reply: ok",
        "stream 2: subscribed",
        "stream 2: kill t within 1s",
        "update c1 to cpus:0.2; mem:64; disk:16",
    ]);
    env.report(&f, "e", "t", TaskState::Killed);
    env.expect(&[
        "reply: ok",
        "update c1 to cpus:0.1; mem:32; disk:16",
        "t Killed",
        "stream 2: acknowledged t",
    ]);
    env.resubscribe(&f, "e", 3, &[], Vec::new());
    env.expect(&["reply: ok", "stream 2: close", "stream 3: subscribed"]);
}

#[test]
fn a_task_that_never_reached_its_executor_is_dropped() {
    let f = FrameworkInfo { partition_aware: true, ..checkpointing("f") };
    let mut env = custom(&f);
    env.run(&f, custom_task("t2", &custom_executor("e")));
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    env.resubscribe(&f, "e", 2, &[], Vec::new());
    let dropped =
        "t2 Dropped by agent because AgentRestarted: Task was sent to the executor but is unknown to it";
    env.expect(&["reply: ok", "update c1 to cpus:0.2; mem:64; disk:16", dropped, "stream 2: subscribed"]);
}

#[test]
fn what_waited_for_an_executor_is_given_to_it() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    let executor = custom_executor("e");
    for task in ["t2", "t1", "t3"] {
        env.run(&f, custom_task(task, &executor));
    }
    env.launched("c1");
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    env.subscribe(&f, "e", 1);
    env.expect(&[
        "reply: ok",
        "stream 1: subscribed",
        "update c1 to cpus:0.4; mem:128; disk:16",
        "stream 1: launch t2",
        "stream 1: launch t1",
        "stream 1: launch t3",
    ]);
}

#[test]
fn an_executor_that_does_not_reconnect_is_ended() {
    let f = FrameworkInfo { partition_aware: true, ..checkpointing("f") };
    let mut env = custom(&f).again(still_running);
    env.reregister();
    env.forget();
    env.advance(Duration::from_secs(2));
    env.expect(&["destroy c1"]);
    env.exited("c1", 9);
    let gone =
        "t Gone by agent because ExecutorReregistrationTimeout: Executor did not reregister within 2secs";
    env.expect(&["executor e exited 9", gone]);
}

#[test]
fn a_shutdown_of_a_framework_goes_on() {
    let f = checkpointing("f");
    let mut env = custom(&f);
    env.from_master(FromMaster::ShutdownFramework(f.id.clone()));
    let mut env = env.again(still_running);
    env.reregister();
    env.expect(&["reregister []", "update agent"]);
    env.advance(Duration::from_secs(5));
    env.expect(&["destroy c1"]);
    env.exited("c1", 9);
    assert!(env.core.snapshot().frameworks.is_empty() && env.memory.frameworks.is_empty());
}

#[test]
fn a_drain_goes_on() {
    let f = checkpointing("f");
    let mut env = command(&f, command_task("t", "sleep 60"));
    env.from_master(FromMaster::Drain { max_grace: None, mark_gone: false });
    env.forget();
    let mut env = env.again(still_running);
    assert!(env.core.snapshot().drain.is_some());
    env.exited("c1", 15);
    env.reregister();
    env.acknowledge_all();
    assert!(env.core.snapshot().drain.is_none() && env.memory.drain.is_none());
}

#[test]
fn a_framework_that_changed_is_remembered_so() {
    let f = checkpointing("f");
    let mut env = command(&f, command_task("t", "sleep 60"));
    let changed = FrameworkInfo { task_killing: true, checkpoint: false, ..f.clone() };
    let writes = env.writes;
    for _ in 0..2 {
        env.from_master(FromMaster::UpdateFramework(changed.clone().into()));
        assert_eq!(env.writes, writes + 1, "what is told again is not written again");
    }
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    env.kill(&f, "t");
    env.expect(&["t Killing", "signal c1 15"]);
}

/// What was ordered before the agent died is asked for under the paths that it was ordered with.
#[test]
fn the_containers_that_are_asked_for_are_those_that_were_ordered() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run_group(&f, &default_executor("pod"), &["a"]);
    env.launched("c1");
    let known = env.memory.recovered(|_| Err(String::new())).containers(&options(1));
    let ids: Vec<&ContainerId> = known.iter().map(|known| &known.container_id).collect();
    assert_eq!(ids, [&env.container("c1"), &env.container("c2")]);
    assert_eq!(known[1].parent, Some(env.container("c1")));
    for (known, name) in known.iter().zip(["c1", "c2"]) {
        assert_eq!(known.directory, env.specs[name].directory);
        assert_eq!(known.group, name == "c1");
        assert!(env.specs[name].survives);
    }
    assert!(
        env.outputs
            .iter()
            .all(|output| !matches!(output, Output::Send { message: ToMaster::Register { .. }, .. }))
    );
}

#[test]
fn what_running_tasks_use_must_still_be_there() {
    let f = checkpointing("f");
    let env = command(&f, command_task("t", "sleep 60"));
    let start = |resources: &str| {
        let resources = resources::Resources::parse(resources).expect("well formed");
        let recovered = env.memory.recovered(|_| Err(String::new()));
        let options = agent_core::Options { resources, ..options(2) };
        AgentEnv::recover(options, env.memory.clone(), recovered)
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(start("cpus:0.1;mem:32"), Ok(()));
    let error = start("cpus:0.1;mem:31").expect_err("too little");
    assert!(error.starts_with("the agent's resources lack mem:32 that running tasks use: "), "{error}");
}

#[test]
fn what_is_on_its_way_out_does_not_keep_an_agent_from_starting() {
    let f = checkpointing("f");
    let mut env = command(&f, command_task("t", "sleep 60"));
    env.from_master(FromMaster::ShutdownFramework(f.id.clone()));
    // The master gives what the framework had to another one while its task is still ending.
    env.run(&checkpointing("g"), command_task("u", "sleep 60"));
    let resources = resources::Resources::parse("cpus:0.1;mem:32").expect("well formed");
    let recovered = env.memory.recovered(|_| Err(String::new()));
    let options = agent_core::Options { resources, ..options(2) };
    assert!(AgentEnv::recover(options, env.memory.clone(), recovered).is_ok());
}

/// How a task has ended waits for no disk when the agent is back, unless the agent describes itself otherwise.
#[test]
fn a_description_is_written_down_once() {
    let mut env = AgentEnv::registered();
    assert_eq!(env.memory.descriptions, 1);
    env.input(Input::PeerLost(AgentEnv::master()));
    env.reregister();
    let mut same = env.again(still_running);
    same.reregister();
    assert_eq!((env.memory.descriptions, same.memory.descriptions), (1, 1));

    let changed = Recovered { described: false, ..env.memory.recovered(|_| Err("not needed".to_owned())) };
    let mut other = AgentEnv::recover(options(2), env.memory.clone(), changed).expect("it goes on");
    other.reregister();
    other.input(Input::PeerLost(AgentEnv::master()));
    other.reregister();
    assert_eq!(other.memory.descriptions, 2);
}

//! Drains, after Mesos' `slave_tests`: whatever a task is about when one begins, and after it.

use std::time::Duration;

use agent_core::{Drain, FrameworkInfo, FromMaster, TaskState};
use testkit::agent::{
    AgentEnv, checkpointing, command_task, custom_executor, custom_task, framework, still_running,
};

fn drain(env: &mut AgentEnv, mark_gone: bool) {
    env.from_master(FromMaster::Drain { max_grace: Some(Duration::ZERO), mark_gone });
}

/// After `DrainAgentKillsQueuedTask` and `DrainAgentKillsPendingTask`: tasks that wait for their executor, and one whose container
/// is being made.
#[test]
fn what_has_not_begun_is_killed_with_the_reason() {
    for (partition_aware, mark_gone, end) in
        [(true, true, "GoneByOperator"), (true, false, "Killed"), (false, true, "Killed")]
    {
        let mut env = AgentEnv::registered();
        let f = FrameworkInfo { partition_aware, ..framework("f") };
        let e = custom_executor("e");
        env.run(&f, custom_task("queued", &e));
        env.run_group(&f, &e, &["a", "b"]);
        env.run(&f, command_task("launched", "sleep 60"));
        env.forget();
        drain(&mut env, mark_gone);
        env.launch_failed("c2", "destroyed");
        let told: Vec<_> = env
            .updates
            .iter()
            .map(|update| {
                let status = &update.status;
                format!("{} {:?} {:?}", status.task_id, status.state, status.reason.expect("a reason"))
            })
            .collect();
        let expected = ["a", "b", "queued", "launched"].map(|task| format!("{task} {end} AgentDraining"));
        assert_eq!(told, expected);
    }
}

/// After `DrainAgentKillsRunningTask`: operators see the drain until everything is acknowledged.
#[test]
fn a_drain_is_shown_until_it_is_over() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, command_task("t", "sleep 60"));
    env.launched("c1");
    env.acknowledge_all();
    env.advance(Duration::from_secs(7));
    let since = env.now;
    env.from_master(FromMaster::Drain { max_grace: Some(Duration::from_secs(2)), mark_gone: false });
    let shown = Drain { max_grace: Some(Duration::from_secs(2)), mark_gone: false, since };
    env.exited("c1", 15);
    env.advance(Duration::from_secs(1));
    assert_eq!(env.core.snapshot().drain, Some(shown));
    env.acknowledge_all();
    assert_eq!(env.core.snapshot().drain, None);
}

/// After `DrainingAgentRejectLaunch`: an agent that is drained takes what its master sends, which knows whether it may.
#[test]
fn launches_are_dropped_while_it_drains_and_taken_afterwards() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, command_task("t", "sleep 60"));
    env.launched("c1");
    env.acknowledge_all();
    drain(&mut env, false);
    env.exited("c1", 15);
    env.forget();
    env.run(&f, command_task("late", "true"));
    let late = "late Lost by agent because AgentDraining: Task was received while agent was already draining";
    env.expect(&[late]);
    env.acknowledge_all();
    env.run(&f, command_task("late", "true"));
    env.expect(&["launch c2 for late"]);
}

/// After `CheckpointedDrainInfo`: the executor did not heed the kill, and the agent was started anew.
#[test]
fn a_drain_kills_again_after_a_restart() {
    let f = checkpointing("f");
    let mut env = AgentEnv::registered();
    env.run_reported(&f, &custom_executor("e"), "t");
    env.forget();
    drain(&mut env, false);
    env.expect(&["stream 1: kill t within 0ns"]);
    let mut env = env.again(still_running);
    env.reregister();
    env.forget();
    assert!(env.core.snapshot().drain.is_some_and(|drain| drain.since > base::Time::from_secs_f64(1_999.0)));
    env.resubscribe(&f, "e", 2, &["t"], Vec::new());
    env.expect(&[
        "reply: ok",
        "stream 2: subscribed",
        "stream 2: kill t within 0ns",
        "update c1 to cpus:0.2; mem:64; disk:16",
    ]);
    env.report(&f, "e", "t", TaskState::Killed);
    env.expect(&[
        "reply: ok",
        "update c1 to cpus:0.1; mem:32; disk:16",
        "t Killed because AgentDraining",
        "stream 2: acknowledged t",
    ]);
}

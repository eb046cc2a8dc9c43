//! Updates: in order, one at a time, until acknowledged.

use std::time::Duration;

use agent_core::{FromMaster, Input, Output, TaskState, ToMaster};
use base::Uuid;
use testkit::agent::{AgentEnv, command_task, custom_executor, framework};

#[test]
fn an_update_is_repeated_with_growing_pauses() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.launched("c1");
    env.forget();
    for (pause, repeated) in [(9, false), (1, true), (19, false), (1, true), (39, false), (1, true)] {
        env.advance(Duration::from_secs(pause));
        let updates = env.outputs.iter().filter(|o| format!("{o:?}").contains("StatusUpdate")).count();
        assert_eq!(updates, usize::from(repeated), "after {pause} s more");
        env.forget();
        // A ping now and then, so that only the update is repeated.
        env.from_master(FromMaster::Ping { connected: true });
        env.forget();
    }
    env.acknowledge();
    env.expect(&["t Running"]);
}

/// As Mesos' agent does it: the pause that has grown while nobody was there is not waited for.
#[test]
fn a_scheduler_that_is_back_hears_of_the_oldest_update_at_once() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run(&f, command_task("t", "sleep 60"));
    env.launched("c1");
    for _ in 0..60 {
        env.advance(Duration::from_secs(60));
        env.from_master(FromMaster::Ping { connected: true });
    }
    let sent = |env: &AgentEnv| {
        env.outputs.iter().filter(|output| format!("{output:?}").contains("StatusUpdate")).count()
    };
    for (framework, repeated) in [("other", 0), ("f", 1)] {
        env.forget();
        let back = agent_core::FrameworkInfo { id: framework.into(), ..f.clone() };
        env.from_master(FromMaster::UpdateFramework(back.into()));
        assert_eq!(sent(&env), repeated, "{framework}");
    }
    env.forget();
    env.advance(Duration::from_secs(10));
    assert_eq!(sent(&env), 1, "and again soon");
}

#[test]
fn an_acknowledgement_of_something_else_changes_nothing() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.launched("c1");
    env.forget();
    let ack = |task: &str, uuid| FromMaster::AcknowledgeStatus {
        framework_id: "f".into(),
        task_id: task.into(),
        uuid,
    };
    env.from_master(ack("t", Some(Uuid::from_bytes([9; 16]))));
    env.from_master(ack("t", None));
    env.from_master(ack("nope", None));
    env.expect(&[]);
    env.acknowledge();
    env.expect(&["t Running"]);
}

#[test]
fn repeated_updates_and_updates_after_the_end_are_dropped_and_acknowledged_to_the_executor() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    let e = custom_executor("e");
    env.run_subscribed(&f, &e, "t");
    env.forget();
    let running = env.executor_update("t", TaskState::Running);
    for _ in 0..2 {
        let call = agent_core::ExecutorCall::Update(Box::new(running.clone()));
        env.executor_call(&f, "e", call);
    }
    env.expect(&[
        "reply: ok",
        "t Running",
        "stream 1: acknowledged t",
        "reply: ok",
        "stream 1: acknowledged t",
    ]);
    env.report(&f, "e", "t", TaskState::Finished);
    env.report(&f, "e", "t", TaskState::Running);
    env.forget();
    env.acknowledge();
    env.expect(&["t Finished"]);
    env.acknowledge();
    env.expect(&[]);
}

/// The agent tells the master of a task's end while it registers anew. An acknowledgement that comes before it is taken in was
/// sent before the master took that up: it would keep the task for ever if the end were not repeated.
#[test]
fn an_end_is_not_acknowledged_before_the_agent_is_registered_again() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.launched("c1");
    env.acknowledge_all();
    env.exited("c1", 0);
    let ended = env.updates[0].clone();
    env.input(Input::PeerLost(AgentEnv::master()));
    env.acknowledge();
    env.advance(Duration::from_secs(1));
    let told = env.outputs.iter().rev().find_map(|output| match output {
        Output::Send { message: ToMaster::Reregister(message), .. } => Some(message.tasks.len()),
        _ => None,
    });
    assert_eq!(told, Some(1));
    env.from_master(FromMaster::Reregistered {
        agent_id: "S0".into(),
        total_ping_timeout: None,
        reconciliations: Vec::new(),
    });
    assert_eq!(env.updates.len(), 1, "it is repeated");
    assert_eq!(env.updates[0].status.uuid, ended.status.uuid);
    env.acknowledge();
    assert!(!env.core.knows_task(&"f".into(), &"t".into()));
}

/// After `SlaveTest.IgnoreNonLeaderStatusUpdateAcknowledgement`.
#[test]
fn an_acknowledgement_by_another_master_is_ignored() {
    let mut env = AgentEnv::registered();
    env.run(&framework("f"), command_task("t", "sleep 60"));
    env.launched("c1");
    let starting = env.updates[0].clone();
    env.forget();
    let acknowledgement = FromMaster::AcknowledgeStatus {
        framework_id: "f".into(),
        task_id: "t".into(),
        uuid: Some(starting.status.uuid),
    };
    env.input(Input::FromMaster { from: "master@127.0.0.1:1".into(), message: acknowledgement });
    env.expect(&[]);
    env.advance(Duration::from_secs(10));
    env.expect(&["t Starting latest Running"]);
    env.acknowledge();
    env.expect(&["t Running"]);
}

/// After `SlaveTest.ReregisterWithStatusUpdateTaskState`.
#[test]
fn a_reregistration_tells_the_latest_state_and_the_update_that_waits() {
    let mut env = AgentEnv::registered();
    let f = framework("f");
    env.run_subscribed(&f, &custom_executor("e"), "t");
    env.report(&f, "e", "t", TaskState::Running);
    env.report(&f, "e", "t", TaskState::Finished);
    let running = env.updates[0].status.uuid;
    env.input(Input::MasterDetected(Some(AgentEnv::master())));
    env.forget();
    env.advance(Duration::from_secs(1));
    let told = env.outputs.iter().find_map(|output| match output {
        Output::Send { message: ToMaster::Reregister(message), .. } => Some(message.tasks.clone()),
        _ => None,
    });
    let told = told.expect("it asks to be taken in again");
    assert_eq!(told.len(), 1);
    assert_eq!(
        (told[0].state, told[0].last_sent),
        (TaskState::Finished, Some((TaskState::Running, running)))
    );
}

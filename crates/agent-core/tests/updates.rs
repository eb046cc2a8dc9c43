//! Updates: in order, one at a time, until acknowledged.

use std::time::Duration;

use agent_core::{FromMaster, TaskState};
use base::Uuid;
use testkit::agent::{AgentEnv, command_task, custom_executor, custom_task, framework};

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
    env.run(&f, custom_task("t", &e));
    env.launched("c1");
    env.subscribe(&f, "e", 1);
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

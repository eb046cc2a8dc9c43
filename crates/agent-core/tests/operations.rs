//! Operations on resources, as they were recorded: applied, and their status repeated until it is acknowledged.

use std::time::Duration;

use agent_core::{ApplyOperation, FromMaster, Output, RunTask, ToMaster};
use base::Uuid;
use resources::{Reservation, Resources, Role};
use testkit::agent::{AgentEnv, command_task, framework};

fn disk(amount: u32) -> Resources {
    Resources::parse(&format!("disk:{amount}")).expect("well formed")
}

fn reserved(amount: u32) -> Resources {
    let role = Role::from("scen");
    disk(amount).map(|resource| resource.clone().reserved_by(Reservation::dynamic(role.clone(), None)))
}

fn operation(number: u8, consumed: Resources, converted: Resources) -> ApplyOperation {
    ApplyOperation {
        framework_id: Some("f".into()),
        operation_id: Some("op".into()),
        operation_uuid: Uuid::from_bytes([number; 16]),
        consumed,
        converted,
        unsupported: None,
        resource_version: None,
    }
}

fn apply(env: &mut AgentEnv, operation: ApplyOperation) {
    env.from_master(FromMaster::ApplyOperation(Box::new(operation)));
}

fn status_uuid(env: &AgentEnv) -> Option<Uuid> {
    env.outputs.iter().find_map(|output| match output {
        Output::Send { message: ToMaster::OperationStatus(update), .. } => update.status_uuid,
        _ => None,
    })
}

#[test]
fn a_reservation_changes_what_the_agent_has() {
    let mut env = AgentEnv::registered();
    apply(&mut env, operation(1, disk(32), reserved(32)));
    let status = status_uuid(&env);
    env.expect(&["operation Finished"]);
    assert!(env.core.snapshot().total.contains(&reserved(32)));
    env.advance(Duration::from_secs(10));
    env.expect(&["operation Finished"]);
    let operation_uuid = Some(Uuid::from_bytes([1; 16]));
    env.from_master(FromMaster::AcknowledgeOperation { status_uuid: status, operation_uuid });
    env.advance(Duration::from_secs(50));
    env.expect(&[]);
    apply(&mut env, operation(2, reserved(32), disk(32)));
    env.expect(&["operation Finished"]);
    assert!(env.core.snapshot().total.reserved().is_empty());
}

#[test]
fn operations_that_cannot_be_applied_change_nothing() {
    let mut env = AgentEnv::registered();
    let before = env.core.snapshot().total;
    apply(&mut env, operation(1, reserved(1), disk(1)));
    let unsupported = Some("GROW_VOLUME is not supported".to_owned());
    apply(&mut env, ApplyOperation { unsupported, ..operation(2, disk(1), reserved(1)) });
    let resource_version = Some(Uuid::from_bytes([7; 16]));
    apply(&mut env, ApplyOperation { resource_version, ..operation(3, disk(1), reserved(1)) });
    env.from_master(FromMaster::ReconcileOperations(vec![
        Uuid::from_bytes([1; 16]),
        Uuid::from_bytes([9; 16]),
    ]));
    env.expect(&["operation Failed", "operation Error", "operation Dropped", "operation Dropped"]);
    assert_eq!(env.core.snapshot().total, before);
}

#[test]
fn a_task_that_assumes_other_resources_is_not_launched() {
    let mut env = AgentEnv::registered();
    env.from_master(FromMaster::RunTask(Box::new(RunTask {
        framework: framework("f").into(),
        task: command_task("t", "true").into(),
        resource_version: Some(Uuid::from_bytes([7; 16])),
        launch_executor: Some(true),
    })));
    env.expect(&[
        "t Lost by agent because InvalidOffers: Task assumes outdated resource state",
        "executor t exited -1",
    ]);
}

//! Operations on resources: applied, written down with their end, and their status repeated until it is acknowledged.

use std::time::Duration;

use agent_core::{
    ApplyOperation, FromMaster, Input, OperationState, OperationUpdate, Output, ReconcileOperations,
    Reconciliation, RunTask, TaskInfo, ToMaster,
};
use base::{Payload, Uuid};
use resources::{Operation, Resource, Resources, Scalar};
use testkit::agent::{
    AgentEnv, command_task, custom_executor, custom_task, default_executor, framework, group_task, options,
    reserved_disk,
};

/// The role that everything here is reserved for.
const ROLE: &str = "scen";

fn reserved(amount: u32) -> Resource {
    reserved_disk(ROLE, amount)
}

fn volume(id: &str, amount: u32) -> Resource {
    testkit::master::volume(amount.into(), ROLE, id)
}

fn shared(volume: Resource) -> Resource {
    let mut details = volume.details().clone();
    details.shared = true;
    volume.with_details(details)
}

fn uuid(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn asked(number: u8, operation: Operation) -> ApplyOperation {
    ApplyOperation {
        framework_id: Some("f".into()),
        operation_id: Some(format!("op{number}").as_str().into()),
        operation_uuid: uuid(number),
        operation: Ok(operation),
        body: Payload::from(vec![number]),
        resource_version: None,
    }
}

fn apply(env: &mut AgentEnv, number: u8, operation: Operation) {
    env.from_master(FromMaster::ApplyOperation(Box::new(asked(number, operation))));
}

fn reserve(amount: u32) -> Operation {
    Operation::Reserve { source: Vec::new(), resources: vec![reserved(amount)] }
}

/// The disk has done what was asked of it.
fn done(env: &mut AgentEnv, number: u8) {
    env.input(Input::VolumesChanged { operation: uuid(number), result: Ok(()) });
}

/// An agent with a reserved disk of 100 and the volume `v` of 10 on it, all acknowledged.
fn with_volume(volume: Resource) -> AgentEnv {
    let mut env = AgentEnv::registered();
    apply(&mut env, 101, reserve(100));
    apply(&mut env, 102, Operation::Create { volumes: vec![volume] });
    done(&mut env, 102);
    acknowledge_all(&mut env);
    env.forget();
    env
}

fn updates(env: &AgentEnv) -> Vec<OperationUpdate> {
    env.outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send { message: ToMaster::OperationStatus(update), .. } => Some(update.clone()),
            _ => None,
        })
        .collect()
}

fn acknowledge_all(env: &mut AgentEnv) {
    for update in updates(env) {
        env.from_master(FromMaster::AcknowledgeOperation {
            status_uuid: update.status_uuid,
            operation_uuid: Some(update.operation_uuid),
        });
    }
}

fn reconcile(env: &mut AgentEnv, uuids: &[u8]) {
    let operations = uuids.iter().map(|number| (Some(uuid(*number)), None)).collect();
    env.from_master(FromMaster::ReconcileOperations(ReconcileOperations { framework_id: None, operations }));
}

fn reregistered(env: &mut AgentEnv) {
    env.advance(Duration::from_secs(1));
    env.from_master(FromMaster::Reregistered {
        agent_id: "S0".into(),
        total_ping_timeout: None,
        reconciliations: Vec::new(),
    });
}

#[test]
fn a_reservation_changes_what_the_agent_has() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(32));
    let status = updates(&env)[0].status_uuid;
    env.expect(&["operation Finished"]);
    assert!(env.core.snapshot().total.contains_one(&reserved(32)));
    env.advance(Duration::from_secs(10));
    env.expect(&["operation Finished"]);
    let acknowledge = FromMaster::AcknowledgeOperation { status_uuid: status, operation_uuid: Some(uuid(1)) };
    env.from_master(acknowledge);
    env.advance(Duration::from_secs(50));
    env.expect(&[]);
    apply(&mut env, 2, Operation::Unreserve { resources: vec![reserved(32)] });
    env.expect(&["operation Finished"]);
    assert!(env.core.snapshot().total.reserved().is_empty());
}

/// The conversion and the operation's end are one commit, before the master hears of them.
#[test]
fn what_an_operation_did_is_written_down_before_it_is_told() {
    let mut env = AgentEnv::registered();
    let mut out = Vec::new();
    let message = FromMaster::ApplyOperation(Box::new(asked(1, reserve(32))));
    env.core.handle(env.now, Input::FromMaster { from: AgentEnv::master(), message }, &mut out);
    let told = out.iter().position(|output| matches!(output, Output::Send { .. })).expect("it is told");
    let written: Vec<bool> = out.iter().map(|output| matches!(output, Output::Checkpoint(_))).collect();
    assert_eq!((&written[..told], written[told..].contains(&true)), (&[true, true][..], false));
}

#[test]
fn operations_that_cannot_be_applied_change_nothing_and_the_master_is_told_what_there_is() {
    let mut env = AgentEnv::registered();
    let before = env.core.snapshot().total;
    apply(&mut env, 1, Operation::Unreserve { resources: vec![reserved(1)] });
    assert_eq!(updates(&env)[0].state, OperationState::Failed);
    env.forget();
    assert!(!env.core.is_registered(), "what the master believes is wrong");
    reregistered(&mut env);
    env.expect(&[
        "reregister []",
        "update agent",
        "operation Failed: The operation cannot be applied to the agent's resources: cpus:8; mem:8192; disk:20480; \
         ports:[31000-32000] does not contain disk(reservations: [(DYNAMIC,scen)]):1",
    ]);
    let operation = Err("UNKNOWN operations are none".to_owned());
    let unreadable = ApplyOperation { operation, ..asked(2, reserve(1)) };
    env.from_master(FromMaster::ApplyOperation(Box::new(unreadable)));
    env.expect(&["operation Error: UNKNOWN operations are none"]);
    reregistered(&mut env);
    env.forget();
    let outdated = ApplyOperation { resource_version: Some(uuid(7)), ..asked(3, reserve(1)) };
    env.from_master(FromMaster::ApplyOperation(Box::new(outdated)));
    env.expect(&["operation Dropped: Operation assumes outdated resource state"]);
    assert!(env.core.is_registered(), "the master has not relied on it");
    assert_eq!(env.core.snapshot().total, before);
}

#[test]
fn the_master_asks_for_operations_that_never_arrived() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(1));
    env.forget();
    reconcile(&mut env, &[1, 9]);
    env.expect(&["operation Dropped"]);
}

#[test]
fn a_framework_asks_for_operations_that_the_master_does_not_know() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(1));
    env.forget();
    env.from_master(FromMaster::ReconcileOperations(ReconcileOperations {
        framework_id: Some("f".into()),
        operations: vec![
            (None, Some("op1".into())),
            (Some(uuid(1)), None),
            (Some(uuid(9)), None),
            (None, None),
        ],
    }));
    assert!(updates(&env).iter().all(|update| update.status_uuid.is_none()), "no answer is acknowledged");
    env.expect(&["operation Finished", "operation Finished"]);
}

#[test]
fn volumes_come_and_go_with_their_directories() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(100));
    apply(&mut env, 2, Operation::Create { volumes: vec![volume("v", 10), volume("w", 20)] });
    env.expect(&[
        "operation Finished",
        "make /var/lib/agent/volumes/roles/scen/v, make /var/lib/agent/volumes/roles/scen/w",
    ]);
    assert!(
        !env.core.snapshot().total.contains_one(&volume("v", 10)),
        "nothing is converted before it is done"
    );
    done(&mut env, 2);
    env.expect(&["operation Finished"]);
    assert!(env.core.snapshot().total.contains_one(&volume("v", 10)));

    apply(&mut env, 3, Operation::GrowVolume { volume: volume("v", 10), addition: reserved(30) });
    apply(&mut env, 4, Operation::ShrinkVolume { volume: volume("w", 20), subtract: Scalar::from_f64(5.0) });
    env.expect(&["operation Finished", "operation Finished"]);
    let total = env.core.snapshot().total;
    assert!(total.contains_one(&volume("v", 40)) && total.contains_one(&volume("w", 15)));
    assert!(total.contains_one(&reserved(45)));

    apply(&mut env, 5, Operation::Destroy { volumes: vec![volume("v", 40)] });
    env.expect(&["remove /var/lib/agent/volumes/roles/scen/v"]);
    done(&mut env, 5);
    env.expect(&["operation Finished"]);
    assert!(env.core.snapshot().total.contains_one(&reserved(85)));
}

#[test]
fn a_volume_that_cannot_be_made_is_not_there() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(100));
    apply(&mut env, 2, Operation::Create { volumes: vec![volume("v", 10)] });
    env.forget();
    let result = Err("cannot make volume '/x': no space left".to_owned());
    env.input(Input::VolumesChanged { operation: uuid(2), result });
    env.expect(&["operation Failed: cannot make volume '/x': no space left"]);
    assert!(env.core.snapshot().total.persistent_volumes().is_empty());
    assert!(!env.core.is_registered());
}

/// What builds upon a volume waits until it is there; what does not is not held up.
#[test]
fn what_the_master_sends_after_an_operation_waits_for_it() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(100));
    env.forget();
    apply(&mut env, 2, Operation::Create { volumes: vec![volume("v", 10)] });
    let mut task = command_task("t", "true");
    task.resources.add(volume("v", 10));
    env.run(&framework("f"), task);
    env.kill(&framework("f"), "t");
    apply(&mut env, 3, Operation::GrowVolume { volume: volume("v", 10), addition: reserved(1) });
    env.input(Input::FromMaster {
        from: "slave-observer(1)@x".into(),
        message: FromMaster::Ping { connected: true },
    });
    env.expect(&["make /var/lib/agent/volumes/roles/scen/v", "pong to slave-observer(1)@x"]);
    done(&mut env, 2);
    env.expect(&[
        "operation Finished",
        "launch c1 for t with data=/var/lib/agent/volumes/roles/scen/v",
        "destroy c1",
        "operation Finished",
    ]);
}

/// A failed operation voids what came after it: the master hears of that when the agent registers again.
#[test]
fn what_built_upon_an_operation_that_failed_is_void() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(100));
    env.forget();
    apply(&mut env, 2, Operation::Create { volumes: vec![volume("v", 10)] });
    env.run(&framework("f"), command_task("t", "true"));
    env.forget();
    env.input(Input::VolumesChanged { operation: uuid(2), result: Err("no".to_owned()) });
    env.expect(&["operation Failed: no"]);
    env.advance(Duration::from_secs(1));
    env.expect(&["reregister []"]);
    env.from_master(FromMaster::Reregistered {
        agent_id: "S0".into(),
        total_ping_timeout: None,
        reconciliations: vec![Reconciliation {
            framework_id: "f".into(),
            partition_aware: true,
            task_ids: vec!["t".into()],
        }],
    });
    let lost = "t Dropped by agent because Reconciliation: Reconciliation: task unknown to the agent";
    env.expect(&["update agent", "operation Finished", "operation Failed: no", lost]);
}

/// No master orders it again, and it builds upon nothing.
#[test]
fn an_executor_ends_although_an_operation_before_its_end_failed() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(100));
    let f = framework("f");
    env.run_subscribed(&f, &custom_executor("e"), "t");
    apply(&mut env, 2, Operation::Create { volumes: vec![volume("v", 10)] });
    env.from_master(FromMaster::ShutdownExecutor { framework_id: "f".into(), executor_id: "e".into() });
    env.forget();
    env.input(Input::VolumesChanged { operation: uuid(2), result: Err("no".to_owned()) });
    env.expect(&["operation Failed: no", "stream 1: shutdown"]);
}

/// A task runs, and an operation waits for the disk; what is ordered then waits behind it, and the master goes.
fn ordered_before_the_master_went(order: FromMaster, gone: Input) -> AgentEnv {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(100));
    env.run(&framework("f"), command_task("t", "sleep"));
    env.launched("c1");
    apply(&mut env, 2, Operation::Create { volumes: vec![volume("v", 10)] });
    env.forget();
    env.from_master(order);
    env.expect(&[]);
    env.input(gone);
    env
}

/// The next master may know nothing of them, and schedulers are not told that they were lost.
#[test]
fn orders_that_wait_for_a_disk_are_followed_although_the_master_goes() {
    let kill = || FromMaster::KillTask { framework_id: "f".into(), task_id: "t".into(), grace: None };
    for gone in [Input::PeerLost(AgentEnv::master()), Input::MasterDetected(None)] {
        let mut env = ordered_before_the_master_went(kill(), gone.clone());
        env.expect(&["signal c1 15"]);
        let mut env = ordered_before_the_master_went(FromMaster::ShutdownFramework("f".into()), gone.clone());
        env.expect(&["signal c1 15"]);
        let drain = FromMaster::Drain { max_grace: None, mark_gone: false };
        let mut env = ordered_before_the_master_went(drain, gone);
        env.expect(&["signal c1 15"]);
    }
}

/// The launch is dropped, and its scheduler told so; the kill means nothing without it.
#[test]
fn a_kill_is_dropped_with_its_launch() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(100));
    apply(&mut env, 2, Operation::Create { volumes: vec![volume("v", 10)] });
    env.forget();
    env.run(&framework("f"), command_task("t", "sleep"));
    env.from_master(FromMaster::KillTask { framework_id: "f".into(), task_id: "t".into(), grace: None });
    env.input(Input::PeerLost(AgentEnv::master()));
    env.expect(&[]);
}

#[test]
fn a_registration_waits_for_the_operation_that_is_under_way() {
    let mut env = AgentEnv::registered();
    apply(&mut env, 1, reserve(100));
    apply(&mut env, 2, Operation::Create { volumes: vec![volume("v", 10)] });
    env.forget();
    env.input(Input::PeerLost(AgentEnv::master()));
    env.advance(Duration::from_secs(5));
    env.expect(&[]);
    done(&mut env, 2);
    env.advance(Duration::from_millis(100));
    let Some(Output::Send { message: ToMaster::Reregister(message), .. }) = env.outputs.first() else {
        panic!("{:?}", env.outputs)
    };
    assert!(message.checkpointed.contains_one(&volume("v", 10)));
}

#[test]
fn a_volume_in_use_is_not_destroyed() {
    let mut env = with_volume(volume("v", 10));
    let mut task = command_task("t", "true");
    task.resources.add(volume("v", 10));
    env.run(&framework("f"), task);
    env.forget();
    apply(&mut env, 1, Operation::Destroy { volumes: vec![volume("v", 10)] });
    assert_eq!(updates(&env)[0].state, OperationState::Failed);
    assert!(env.core.snapshot().total.contains_one(&volume("v", 10)));
    reregistered(&mut env);
    env.exited("c1", 0);
    env.forget();
    apply(&mut env, 2, Operation::Destroy { volumes: vec![volume("v", 10)] });
    env.expect(&["remove /var/lib/agent/volumes/roles/scen/v"]);
}

#[test]
fn a_task_that_assumes_other_resources_is_not_launched() {
    let mut env = AgentEnv::registered();
    env.from_master(FromMaster::RunTask(Box::new(RunTask {
        framework: framework("f").into(),
        task: command_task("t", "true").into(),
        resource_version: Some(uuid(7)),
        launch_executor: Some(true),
    })));
    // No attempt has named that version: whoever counts on the executor by it has heard a later one since.
    env.expect(&["t Lost by agent because InvalidOffers: Task assumes outdated resource state"]);
}

#[test]
fn a_shared_volume_is_given_to_several_tasks_and_belongs_to_the_first() {
    let volume = shared(volume("v", 10));
    let mut env = with_volume(volume.clone());
    let with = |id: &str| {
        let mut task = command_task(id, "true");
        task.resources.add(volume.clone());
        task
    };
    env.run(&framework("f"), with("t1"));
    env.run(&framework("g"), with("t2"));
    env.expect(&[
        "launch c1 for t1 with data=/var/lib/agent/volumes/roles/scen/v",
        "launch c2 for t2 with data=/var/lib/agent/volumes/roles/scen/v of others",
    ]);
}

#[test]
fn tasks_of_a_group_have_their_own_volumes() {
    let mut env = with_volume(volume("v", 10));
    let executor = default_executor("pod");
    let mut task = group_task("t", &executor);
    task.resources.add(volume("v", 10));
    env.from_master(FromMaster::RunTaskGroup(Box::new(agent_core::RunTaskGroup {
        framework: framework("f").into(),
        executor: executor.clone(),
        tasks: vec![task.into()],
        resource_version: None,
        launch_executor: None,
    })));
    env.launched("c1");
    env.expect(&[
        "launch c1 for pod with data=/var/lib/agent/volumes/roles/scen/v",
        "t Starting",
        "launch c2 in c1 for pod with data=/var/lib/agent/volumes/roles/scen/v",
    ]);
}

/// A custom executor's container has the volumes of its tasks while they run.
#[test]
fn a_custom_executor_gets_the_volumes_of_its_tasks() {
    let mut env = with_volume(volume("v", 10));
    let (f, executor) = (framework("f"), custom_executor("e"));
    env.run_subscribed(&f, &executor, "t1");
    env.forget();
    let mut task: TaskInfo = custom_task("t2", &executor);
    task.resources.add(volume("v", 10));
    env.run(&f, task);
    env.expect(&[
        "link into c1 [data=/var/lib/agent/volumes/roles/scen/v]",
        "update c1 to cpus:0.3; mem:96; disk:16; disk(reservations: [(DYNAMIC,scen)])[v:data]:10",
        "stream 1: launch t2",
    ]);
    env.report(&f, "e", "t2", agent_core::TaskState::Finished);
    env.expect(&[
        "reply: ok",
        "link into c1 []",
        "update c1 to cpus:0.2; mem:64; disk:16",
        "t2 Finished",
        "stream 1: acknowledged t2",
    ]);
}

#[test]
fn the_next_life_goes_on_with_the_same_resources_and_statuses() {
    let mut env = with_volume(volume("v", 10));
    apply(&mut env, 1, reserve(5));
    let (total, first) = (env.core.snapshot().total, updates(&env)[0].clone());
    let memory = env.memory.clone();
    let recovered = memory.recovered(|_| Err("not needed".to_owned()));
    let mut next = AgentEnv::recover(options(2), memory, recovered).expect("it goes on");
    next.input(Input::MasterDetected(Some(AgentEnv::master())));
    while next.outputs.is_empty() {
        next.advance(Duration::from_millis(100));
    }
    next.expect(&["reregister []"]);
    assert_eq!(next.core.snapshot().total, total);
    reregistered(&mut next);
    assert_eq!(updates(&next), [first]);
    acknowledge_all(&mut next);
    assert!(next.memory.operations.is_empty());
}

#[test]
fn resources_that_were_made_something_of_must_still_be_given() {
    let env = with_volume(volume("v", 10));
    let less =
        agent_core::Options { resources: Resources::parse("cpus:8;disk:50").expect("ok"), ..options(2) };
    let recovered = env.memory.recovered(|_| Err("not needed".to_owned()));
    let error = AgentEnv::recover(less, env.memory.clone(), recovered).expect_err("the disk is too small");
    assert!(error.to_string().starts_with("the agent's resources lack disk:"), "{error}");
    assert!(error.to_string().contains("--resources"), "{error}");
}

#[test]
fn an_agent_that_ended_in_order_is_another_the_next_time() {
    let mut env = with_volume(volume("v", 10));
    env.from_master(FromMaster::Shutdown { message: "gone".to_owned() });
    env.expect(&["terminate: gone"]);
    let recovered = env.memory.recovered(|_| Err("not needed".to_owned()));
    let mut next = AgentEnv::recover(options(2), env.memory.clone(), recovered).expect("it goes on");
    next.input(Input::MasterDetected(Some(AgentEnv::master())));
    next.expect(&["register"]);
    assert!(next.core.snapshot().total.contains_one(&volume("v", 10)), "its volumes are there all the same");
}

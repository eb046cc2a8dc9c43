//! RECONCILE and RECONCILE_OPERATIONS.

use std::time::Duration;

use master_core::{OperationState, Reason, SchedulerCall, SchedulerEvent, TaskState};
use testkit::master::{Master, framework_info, launch, status, task};

/// What a scheduler hears of a task that the master does not know.
fn asked(partition_aware: bool, agent: &str) -> (TaskState, String) {
    let mut master = Master::default();
    master.agent("lost", "cpus:1;mem:64");
    let mut info = framework_info("f");
    info.capabilities.partition_aware = partition_aware;
    let scheduler = master.subscribe(info);
    master.advance(Duration::from_secs(75));
    master.agent("here", "cpus:1;mem:64");
    master.agent("gone", "cpus:1;mem:64");
    assert_eq!(master.operator(master_core::OperatorCall::MarkAgentGone("master-S2".into())), Ok(()));
    master.events_of(&scheduler);
    let agent = (!agent.is_empty()).then(|| agent.into());
    master.call(&scheduler, SchedulerCall::Reconcile(vec![("u".into(), agent)]));
    let Some(SchedulerEvent::Update(status)) = master.next_event(&scheduler) else { panic!("no answer") };
    assert_eq!((status.reason, status.uuid), (Some(Reason::RECONCILIATION), None));
    assert_eq!(
        status.unreachable_time.is_some(),
        status.message.as_deref().is_some_and(|m| m.contains("unreach"))
    );
    (status.state, status.message.clone().unwrap_or_default())
}

#[test]
fn an_unknown_task_stands_as_its_agent_does() {
    for (agent, state, message) in [
        ("", TaskState::Unknown, "Reconciliation: Task is unknown"),
        ("nope", TaskState::Unknown, "Reconciliation: Task is unknown"),
        ("master-S1", TaskState::Gone, "Reconciliation: Task is unknown to the agent"),
        ("master-S0", TaskState::Unreachable, "Reconciliation: Task is unreachable"),
        ("master-S2", TaskState::GoneByOperator, "Reconciliation: Task is gone"),
    ] {
        assert_eq!(asked(true, agent), (state, message.to_owned()), "{agent}");
        assert_eq!(asked(false, agent), (TaskState::Lost, message.to_owned()), "{agent}");
    }
}

#[test]
fn a_known_task_is_told_with_its_last_status() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    let update = status(&scheduler.id, &agent, &"t".into(), TaskState::Running, 1);
    master.from_agent(&pid, master_core::FromAgent::StatusUpdate(update));
    master.expect_status(&scheduler, TaskState::Running);
    for call in [Vec::new(), vec![("t".into(), None)]] {
        master.call(&scheduler, SchedulerCall::Reconcile(call));
        let status = master.expect_status(&scheduler, TaskState::Running);
        assert_eq!(status.message.as_deref(), Some("Reconciliation: Latest task state"));
        assert_eq!(
            status.repeats.as_ref().and_then(|status| status.uuid),
            Some(base::Uuid::from_bytes([1; 16]))
        );
        assert_eq!((status.uuid, status.agent_id.as_ref()), (None, Some(&agent)));
    }
    master.expect_silence(&scheduler);
}

#[test]
fn operations_are_unknown() {
    let mut master = Master::default();
    let scheduler = master.framework("f");
    master.call(&scheduler, SchedulerCall::ReconcileOperations(vec![("nope".into(), None)]));
    let Some(SchedulerEvent::UpdateOperationStatus(status)) = master.next_event(&scheduler) else {
        panic!("no answer");
    };
    assert_eq!(status.state, OperationState::Unknown);
    let expected = "Reconciliation: Operation is unknown and no 'agent_id' was provided";
    assert_eq!(status.message.as_deref(), Some(expected));
}

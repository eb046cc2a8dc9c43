//! How operations stand: feedback, acknowledgement, reconciliation, and agents and frameworks that come and go.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, Uuid};
use master_core::{
    AgentCapabilities, DrainConfig, DrainState, FromAgent, Input, Operation, OperationState, OperatorCall,
    Pid, RegisterAgent, SchedulerCall, SchedulerEvent, ToAgent, UpdateAgent,
};
use resources::{OperationKind, Resources};
use testkit::master::{
    Applied, Master, Scheduler, apply, apply_as, framework_info, register, reregister, reserve, reserved,
    resources, unreserve,
};

use crate::reservations::of_role;

const TOTAL: &str = "cpus:4;mem:1024";

struct Scene {
    master: Master,
    agent: AgentId,
    pid: Pid,
    scheduler: Scheduler,
    /// A RESERVE with the name `op`.
    applied: Applied,
}

fn scene() -> Scene {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", TOTAL);
    let scheduler = master.subscribe(of_role("f", "web"));
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [apply_as("op", reserve(&reserved("cpus:1", "web")))]);
    let [applied]: [Applied; 1] = master.operations_to(&pid).try_into().unwrap();
    Scene { master, agent, pid, scheduler, applied }
}

impl Scene {
    fn tell(&mut self, state: OperationState) {
        let message = self.applied.status(&self.agent, state, 7);
        self.master.from_agent(&self.pid, message);
    }

    fn acknowledge(&mut self, mark: u8) {
        let call = SchedulerCall::AcknowledgeOperationStatus {
            operation_id: "op".into(),
            agent_id: Some(self.agent.clone()),
            uuid: Uuid::from_bytes([mark; 16]),
        };
        self.master.call(&self.scheduler, call);
    }

    fn reconcile(&mut self, operations: &[(&str, Option<&AgentId>)]) {
        let operations = operations.iter().map(|(id, agent)| ((*id).into(), agent.cloned())).collect();
        self.master.call(&self.scheduler, SchedulerCall::ReconcileOperations(operations));
    }

    fn known(&self) -> usize {
        let snapshot = self.master.core.snapshot(self.master.now);
        snapshot.agents.iter().map(|agent| agent.operations.len()).sum()
    }

    fn total(&self) -> Resources {
        self.master.core.snapshot(self.master.now).agents[0].total.clone()
    }

    fn count(&self, state: OperationState) -> u64 {
        self.master.core.metrics().operations.get(OperationKind::Reserve, state)
    }

    fn update(&mut self, operations: Vec<Operation>) {
        let update = UpdateAgent {
            agent_id: self.agent.clone(),
            oversubscribed: None,
            resource_version: None,
            operations: Some(operations.into_iter().map(Arc::new).collect()),
        };
        self.master.from_agent(&self.pid, FromAgent::Update(Box::new(update)));
    }

    fn come_back(&mut self, agent: RegisterAgent) {
        let message = reregister(&self.agent, agent);
        self.master.from_agent(&self.pid, FromAgent::Reregister(Box::new(message)));
    }

    /// The agent comes back with `total`.
    fn reregister(&mut self, total: &Resources) {
        self.reregister_as(1, total);
    }

    /// The same, with another version of its resources.
    fn reregister_as(&mut self, version: u8, total: &Resources) {
        let mut agent = register("h", TOTAL);
        agent.total = total.clone();
        agent.resource_version = Some(Uuid::from_bytes([version; 16]));
        self.come_back(agent);
    }

    /// The agent comes back as one that can do less.
    fn reregister_without(&mut self, change: impl FnOnce(&mut AgentCapabilities)) {
        let mut agent = register("h", TOTAL);
        agent.total = self.total();
        change(&mut agent.capabilities);
        self.come_back(agent);
    }

    fn is_acknowledged(&mut self) -> bool {
        let messages = self.master.messages_to(&self.pid);
        messages.iter().any(|message| {
            matches!(message, ToAgent::AcknowledgeOperation { operation_uuid, .. } if *operation_uuid == self.applied.uuid)
        })
    }
}

#[test]
fn the_end_of_an_operation_is_told_and_acknowledged() {
    let mut s = scene();
    assert_eq!((s.count(OperationState::Pending), s.known()), (1, 1));
    s.tell(OperationState::Finished);
    let told = s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    assert_eq!((told.uuid, told.agent_id.as_ref()), (Some(Uuid::from_bytes([7; 16])), Some(&s.agent)));
    // The agent repeats it; the scheduler is told again and the master takes no second note.
    s.tell(OperationState::Finished);
    s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    s.acknowledge(8);
    assert!(!s.is_acknowledged(), "there is no such status");
    s.acknowledge(7);
    assert!(s.is_acknowledged());
    assert_eq!((s.count(OperationState::Pending), s.count(OperationState::Finished), s.known()), (0, 1, 0));
    s.acknowledge(7);
    assert!(!s.is_acknowledged());
    let metrics = s.master.core.metrics();
    assert_eq!(metrics.valid_operation_status_updates, 2);
    assert_eq!(metrics.valid_operation_status_update_acknowledgements, 1);
    assert_eq!(metrics.invalid_operation_status_update_acknowledgements, 2);
}

#[test]
fn an_operation_without_a_name_is_nobodys_business() {
    let mut s = scene();
    s.tell(OperationState::Finished);
    s.acknowledge(7);
    s.master.events_of(&s.scheduler);
    s.master.call(&s.scheduler.clone(), SchedulerCall::Revive(Vec::new()));
    let offer = s.master.offer(&s.scheduler);
    s.master.accept(&s.scheduler, &offer.id, [apply(reserve(&reserved("cpus:1", "web")))]);
    let [applied]: [Applied; 1] = s.master.operations_to(&s.pid).try_into().unwrap();
    s.master.from_agent(&s.pid.clone(), applied.status(&s.agent, OperationState::Finished, 1));
    s.master.expect_silence(&s.scheduler);
    assert_eq!(s.known(), 0);
}

#[test]
fn a_status_that_nobody_repeats_ends_the_operation() {
    let mut s = scene();
    let mut message = s.applied.status(&s.agent, OperationState::Dropped, 1);
    if let FromAgent::OperationStatus(update) = &mut message {
        // As in the answer to a question of the master.
        update.framework_id = None;
        for status in [Some(&mut update.status), update.latest_status.as_mut()].into_iter().flatten() {
            (status.uuid, status.operation_id) = (None, None);
        }
    }
    s.master.from_agent(&s.pid.clone(), message);
    let told = s.master.expect_operation(&s.scheduler, "op", OperationState::Dropped);
    assert_eq!((told.uuid, told.body.as_ref()), (None, None), "the name is not in what the agent wrote");
    assert_eq!((s.known(), s.count(OperationState::Dropped)), (0, 1));
}

#[test]
fn known_operations_are_reconciled() {
    let mut s = scene();
    s.reconcile(&[]);
    let pending = s.master.expect_operation(&s.scheduler, "op", OperationState::Pending);
    assert_eq!((pending.uuid, pending.agent_id.as_ref()), (None, Some(&s.agent)));
    s.tell(OperationState::Finished);
    s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    let agent = s.agent.clone();
    s.reconcile(&[("op", None), ("op", Some(&agent)), ("nope", Some(&agent))]);
    for _ in 0..2 {
        let finished = s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
        assert_eq!(finished.uuid, None, "there is nothing to acknowledge in it");
    }
    let unknown = s.master.expect_operation(&s.scheduler, "nope", OperationState::Unknown);
    assert_eq!(unknown.message.as_deref(), Some("Reconciliation: Operation is unknown"));
    s.acknowledge(7);
    s.reconcile(&[]);
    s.master.expect_silence(&s.scheduler);
}

#[test]
fn unknown_operations_are_answered_by_what_is_known_of_the_agent() {
    let mut s = scene();
    let agent = s.agent.clone();
    s.reconcile(&[("x", None), ("x", Some(&"nowhere".into()))]);
    for text in [
        "Reconciliation: Operation is unknown and no 'agent_id' was provided",
        "Reconciliation: Both operation and agent are unknown",
    ] {
        let told = s.master.expect_operation(&s.scheduler, "x", OperationState::Unknown);
        assert_eq!(told.message.as_deref(), Some(text));
    }
    s.master.advance(Duration::from_secs(75));
    s.master.events_of(&s.scheduler);
    s.reconcile(&[("x", Some(&agent))]);
    let told = s.master.expect_operation(&s.scheduler, "x", OperationState::Unreachable);
    assert_eq!(told.message.as_deref(), Some("Reconciliation: Agent is unreachable"));
    s.master.operator(OperatorCall::MarkAgentGone(agent.clone())).unwrap();
    s.reconcile(&[("x", Some(&agent))]);
    let told = s.master.expect_operation(&s.scheduler, "x", OperationState::GoneByOperator);
    assert_eq!(told.message.as_deref(), Some("Reconciliation: Agent marked gone by operator"));
}

#[test]
fn operations_go_with_their_agent() {
    for gone in [true, false] {
        let mut s = scene();
        let (state, text) = if gone {
            s.master.operator(OperatorCall::MarkAgentGone(s.agent.clone())).unwrap();
            (OperationState::GoneByOperator, "Agent has been marked gone")
        } else {
            s.master.advance(Duration::from_secs(75));
            (OperationState::Unreachable, "Agent was marked unreachable")
        };
        let told = s.master.events_of(&s.scheduler).into_iter().find_map(|event| match event {
            SchedulerEvent::UpdateOperationStatus(status) => Some(status),
            _ => None,
        });
        let told = told.expect("a status of the operation");
        assert_eq!((told.state, told.message.as_deref(), told.uuid), (state, Some(text), None));
        assert_eq!((s.count(OperationState::Pending), s.count(state), s.known()), (0, 1, 0));
        s.reconcile(&[]);
        s.master.expect_silence(&s.scheduler);
    }
}

#[test]
fn a_new_master_learns_of_operations_from_agents() {
    let mut s = scene();
    s.tell(OperationState::Finished);
    let total = s.total();
    s.master = Master::default();
    s.reregister(&total);
    let told = s.applied.described(&s.agent, OperationState::Finished, 7);
    s.update(vec![told]);
    assert_eq!((s.known(), s.total()), (1, total));
    // Its scheduler may be on its way: the agent goes on repeating for its sake.
    s.master.messages_to(&s.pid);
    s.tell(OperationState::Finished);
    assert!(!s.is_acknowledged());
    s.scheduler = s.master.subscribe_as(Some(&s.scheduler.id.clone()), of_role("f", "web"));
    s.master.events_of(&s.scheduler);
    s.reconcile(&[]);
    let newest = s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    assert_eq!(newest.uuid, None);
    s.tell(OperationState::Finished);
    s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    s.acknowledge(7);
    assert!(s.is_acknowledged());
    assert_eq!(s.known(), 0);
}

/// It told of an operation, by way of a slow connection or after a slow write, before it was reached by the acknowledgement.
#[test]
fn an_agent_that_has_not_heard_of_an_acknowledgement_brings_no_operation_back() {
    let mut s = scene();
    let total = s.total();
    s.reregister(&total);
    s.tell(OperationState::Finished);
    s.acknowledge(7);
    assert!(s.is_acknowledged());
    s.master.events_of(&s.scheduler);
    let told = s.applied.described(&s.agent, OperationState::Finished, 7);
    s.update(vec![told]);
    assert_eq!(s.known(), 0, "nothing would ever end it");
    // If the acknowledgement was lost, the agent repeats the status until it has one.
    s.tell(OperationState::Finished);
    s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    assert!(s.is_acknowledged());
}

#[test]
fn an_operation_whose_framework_does_not_come_is_adopted() {
    let mut s = scene();
    let total = s.total();
    s.master = Master::default();
    s.reregister(&total);
    let told = s.applied.described(&s.agent, OperationState::Finished, 7);
    s.update(vec![told]);
    let answer = |s: &mut Scene| {
        s.master.from_agent(&s.pid.clone(), FromAgent::Pong);
        s.tell(OperationState::Finished);
        s.is_acknowledged()
    };
    for _ in 0..60 {
        s.master.advance(Duration::from_secs(10));
        s.master.from_agent(&s.pid.clone(), FromAgent::Pong);
    }
    assert!(answer(&mut s));
    assert_eq!(s.known(), 0);
}

/// The agent tells only of what is under way when a later attempt to register is answered.
#[test]
fn an_operation_that_is_not_told_of_and_whose_framework_does_not_come_is_over_some_time() {
    let mut s = scene();
    let total = s.total();
    s.master = Master::default();
    s.reregister(&total);
    s.tell(OperationState::Finished);
    assert!(!s.is_acknowledged(), "its scheduler may be on its way");
    for _ in 0..60 {
        s.master.advance(Duration::from_secs(10));
        s.master.from_agent(&s.pid.clone(), FromAgent::Pong);
    }
    s.tell(OperationState::Finished);
    assert!(s.is_acknowledged(), "it would be repeated for ever");
}

#[test]
fn an_operation_of_an_ended_framework_is_acknowledged_by_the_master() {
    let mut s = scene();
    s.master.call(&s.scheduler.clone(), SchedulerCall::Teardown);
    assert_eq!(s.known(), 1, "the agent still has it");
    s.tell(OperationState::Finished);
    assert!(s.is_acknowledged());
    assert_eq!((s.known(), s.count(OperationState::Finished)), (0, 1));
}

#[test]
fn a_status_for_a_scheduler_that_is_away_waits_for_it() {
    let mut s = scene();
    s.master.input(Input::SchedulerGone(s.scheduler.connection));
    s.tell(OperationState::Finished);
    assert!(!s.is_acknowledged());
    s.scheduler = s.master.subscribe_as(Some(&s.scheduler.id.clone()), of_role("f", "web"));
    s.master.events_of(&s.scheduler);
    s.tell(OperationState::Finished);
    s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    s.acknowledge(7);
    assert!(s.is_acknowledged());
}

#[test]
fn a_status_of_an_unknown_operation_is_passed_on_and_not_repeated_for_ever() {
    let mut s = scene();
    s.applied.uuid = Uuid::from_bytes([99; 16]);
    s.tell(OperationState::Finished);
    s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    assert!(s.is_acknowledged());
    s.applied.framework_id = Some("never-heard-of".into());
    s.tell(OperationState::Finished);
    assert!(!s.is_acknowledged(), "who has been away may want to hear of it");
}

#[test]
fn operations_that_did_not_arrive_are_asked_about_and_leave_no_trace() {
    let mut s = scene();
    let rest = s.master.subscribe(framework_info("g"));
    let with_reservation = s.total();
    s.master.input(Input::AgentDisconnected(s.pid.clone()));
    s.reregister(&resources(TOTAL));
    assert_eq!(s.total(), with_reservation, "it may still be on its way");
    s.update(Vec::new());
    let asked = s.master.messages_to(&s.pid);
    let of = |message: &ToAgent| matches!(message, ToAgent::ReconcileOperations(uuids) if *uuids == [s.applied.uuid]);
    assert!(asked.iter().any(of), "{asked:?}");
    let offer = s.master.offer(&rest);
    s.tell(OperationState::Dropped);
    assert_eq!(s.total(), resources(TOTAL));
    let rescinded = s.master.next_event(&rest);
    assert!(matches!(&rescinded, Some(SchedulerEvent::Rescind(id)) if *id == offer.id), "{rescinded:?}");
}

#[test]
fn an_agent_that_was_restarted_has_what_it_says() {
    let mut s = scene();
    s.reregister_as(2, &resources(TOTAL));
    assert_eq!(s.total(), resources(TOTAL), "what was meant for the agent before is dropped when it arrives");
    s.tell(OperationState::Dropped);
    assert_eq!(s.total(), resources(TOTAL));
}

#[test]
fn operations_that_arrive_after_all_stay() {
    let mut s = scene();
    let total = s.total();
    s.reregister(&resources(TOTAL));
    s.update(Vec::new());
    s.tell(OperationState::Finished);
    assert_eq!(s.total(), total);
    // What the agent has counts, whatever the master believed.
    s.reregister(&resources(TOTAL));
    assert_eq!(s.total(), resources(TOTAL));
}

#[test]
fn of_several_operations_those_that_arrived_stay() {
    let mut s = scene();
    s.master.call(&s.scheduler.clone(), SchedulerCall::Revive(Vec::new()));
    let offer = s.master.offer(&s.scheduler);
    let of_second = reserved("cpus:1", "web");
    s.master.accept(
        &s.scheduler,
        &offer.id,
        [apply_as("second", reserve(&of_second)), apply_as("third", unreserve(&reserved("cpus:2", "web")))],
    );
    let [second, third]: [Applied; 2] = s.master.operations_to(&s.pid).try_into().unwrap();
    assert_eq!(s.total(), resources(TOTAL), "the third takes back what the others reserve");
    let mut first_only = resources("cpus:3;mem:1024");
    first_only += &reserved("cpus:1", "web");
    s.reregister(&first_only);
    s.master.from_agent(&s.pid.clone(), second.status(&s.agent, OperationState::Dropped, 9));
    assert_eq!(s.total(), first_only, "without the second, the third has nothing to take back");
    s.master.from_agent(&s.pid.clone(), third.status(&s.agent, OperationState::Failed, 9));
    s.tell(OperationState::Finished);
    assert_eq!(s.total(), first_only);
}

#[test]
fn what_an_agent_said_to_have_done_is_in_what_it_has() {
    let mut s = scene();
    s.master.call(&s.scheduler.clone(), SchedulerCall::Revive(Vec::new()));
    let offer = s.master.offer(&s.scheduler);
    s.master.accept(&s.scheduler, &offer.id, [apply_as("same", reserve(&reserved("cpus:1", "web")))]);
    let [same]: [Applied; 1] = s.master.operations_to(&s.pid).try_into().unwrap();
    // The first was lost, and the second does the same.
    s.master.from_agent(&s.pid.clone(), same.status(&s.agent, OperationState::Finished, 9));
    let mut one = resources("cpus:3;mem:1024");
    one += &reserved("cpus:1", "web");
    s.reregister(&one);
    s.tell(OperationState::Dropped);
    assert_eq!(s.total(), one);
}

#[test]
fn an_operation_that_fails_leaves_no_trace() {
    for state in [OperationState::Failed, OperationState::Error, OperationState::Dropped] {
        let mut s = scene();
        s.tell(state);
        s.master.expect_operation(&s.scheduler, "op", state);
        assert_eq!(s.total(), resources(TOTAL));
    }
}

#[test]
fn who_sends_operations_without_end_is_stopped() {
    let mut s = scene();
    let free = reserved("cpus:0.001", "web");
    s.master.call(&s.scheduler.clone(), SchedulerCall::Revive(Vec::new()));
    let offer = s.master.offer(&s.scheduler);
    let operations = (0..1100).map(|number| apply_as(&format!("op{number}"), reserve(&free)));
    s.master.accept(&s.scheduler, &offer.id, operations);
    let refused = s.master.expect_operation(&s.scheduler, "op1023", OperationState::Error);
    let text = "Too many operations on agent master-S0 are under way or not acknowledged";
    assert_eq!(refused.message.as_deref(), Some(text));
    assert_eq!(s.known(), 1024);
}

#[test]
fn no_operation_takes_the_name_of_another() {
    let mut s = scene();
    let again = |s: &mut Scene| {
        s.master.call(&s.scheduler.clone(), SchedulerCall::Revive(Vec::new()));
        let offer = s.master.offer(&s.scheduler);
        let cpu = || apply_as("op", reserve(&reserved("cpus:1", "web")));
        s.master.accept(&s.scheduler, &offer.id, [cpu(), cpu()]);
        let refused = s.master.expect_operation(&s.scheduler, "op", OperationState::Error);
        let text =
            "Operation ID 'op' is that of an operation which has not ended or whose end is not acknowledged";
        assert_eq!(refused.message.as_deref(), Some(text));
    };
    again(&mut s);
    assert_eq!(s.known(), 1);
    s.tell(OperationState::Finished);
    s.master.events_of(&s.scheduler);
    s.acknowledge(7);
    assert_eq!(s.known(), 0);
    // The name is free again, for one of them.
    again(&mut s);
    assert_eq!(s.known(), 1);
}

#[test]
fn an_agent_is_drained_when_its_operations_are_over() {
    let mut s = scene();
    let config = DrainConfig { max_grace_period: None, mark_gone: false };
    s.master.operator(OperatorCall::DrainAgent { agent_id: s.agent.clone(), config }).unwrap();
    let state = |s: &Scene| s.master.core.snapshot(s.master.now).agents[0].drain.unwrap().state;
    assert_eq!(state(&s), DrainState::Draining);
    s.tell(OperationState::Finished);
    assert_eq!(state(&s), DrainState::Draining);
    s.acknowledge(7);
    assert_eq!(state(&s), DrainState::Drained);
}

/// After `MasterTest.AckOperationsAfterAgentCapabilityChange`: an agent that carries out no operations any more still has the end
/// of one to tell, and is told that its framework knows.
#[test]
fn what_ended_before_an_agent_lost_its_resource_providers_is_acknowledged() {
    let mut s = scene();
    s.tell(OperationState::Finished);
    s.master.events_of(&s.scheduler);
    s.reregister_without(|capabilities| capabilities.resource_provider = false);
    s.tell(OperationState::Finished);
    s.master.expect_operation(&s.scheduler, "op", OperationState::Finished);
    assert_eq!(s.known(), 1);
    s.acknowledge(7);
    assert!(s.is_acknowledged());
    assert_eq!(s.known(), 0);
}

/// After `MasterTest.CleanupOperationsAfterAgentDowngrade`: to an agent that takes no acknowledgements nobody could send one.
#[test]
fn what_ended_on_an_agent_that_takes_no_acknowledgements_any_more_is_over() {
    let mut s = scene();
    s.tell(OperationState::Finished);
    s.master.events_of(&s.scheduler);
    assert_eq!(s.known(), 1);
    s.reregister_without(|capabilities| capabilities.agent_operation_feedback = false);
    assert_eq!((s.known(), s.count(OperationState::Finished)), (0, 1));
    s.reconcile(&[]);
    s.master.expect_silence(&s.scheduler);
    // One that is under way goes on.
    let mut s = scene();
    s.reregister_without(|capabilities| capabilities.agent_operation_feedback = false);
    assert_eq!(s.known(), 1);
}

//! Operations that operators want.

use std::sync::Arc;

use base::AgentId;
use master_core::{
    FromAgent, Offer, OperationState, OperatorCall, OperatorError, Pid, SchedulerEvent, TaskState, ToAgent,
};
use resources::{Operation, Resource, Resources};
use testkit::master::{
    Applied, Master, Scheduler, apply, create, destroy, launch, reserve, reserved, resources, shared, status,
    task, unreserve, volume,
};

use crate::reservations::of_role;

struct Scene {
    master: Master,
    agent: AgentId,
    pid: Pid,
}

fn scene() -> Scene {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:1024;disk:1000");
    Scene { master, agent, pid }
}

impl Scene {
    fn apply_as(&mut self, operation: Operation, principal: Option<&str>) -> Result<(), OperatorError> {
        let principal = principal.map(Into::into);
        let agent_id = self.agent.clone();
        self.master.operator(OperatorCall::ApplyOperation { agent_id, operation, principal })
    }

    fn apply(&mut self, operation: Operation) -> Result<(), OperatorError> {
        self.apply_as(operation, None)
    }

    fn total(&self) -> Resources {
        self.master.core.snapshot(self.master.now).agents[0].total.clone()
    }
}

fn bad(text: &str) -> Result<(), OperatorError> {
    Err(OperatorError::BadRequest(text.to_owned()))
}

fn plain(offer: &Offer) -> Resources {
    offer.resources.clone().unallocated()
}

#[test]
fn what_is_free_is_reserved_made_a_volume_and_given_back() {
    let mut s = scene();
    let v = volume(100, "web", "v");
    assert_eq!(s.apply(reserve(&reserved("cpus:1;disk:200", "web"))), Ok(()));
    assert_eq!(s.apply(create(&v)), Ok(()));
    let applied = s.master.operations_to(&s.pid);
    assert!(applied.iter().all(|applied| applied.framework_id.is_none() && applied.id.is_none()));
    let scheduler = s.master.subscribe(of_role("f", "web"));
    let offer = s.master.offer(&scheduler);
    let mut expected = resources("cpus:3;mem:1024;disk:800");
    expected += &reserved("cpus:1;disk:100", "web");
    expected.add(v.clone());
    assert_eq!((plain(&offer), s.total()), (expected.clone(), expected));
    assert_eq!(s.apply(destroy(&v)), Ok(()));
    assert_eq!(s.apply(unreserve(&reserved("cpus:1;disk:200", "web"))), Ok(()));
    assert_eq!(s.total(), resources("cpus:4;mem:1024;disk:1000"));
    for applied in applied {
        s.master.from_agent(&s.pid.clone(), applied.status(&s.agent, OperationState::Finished, 1));
    }
    assert_eq!(
        s.master.core.snapshot(s.master.now).agents[0].operations.len(),
        2,
        "the others are under way"
    );
}

#[test]
fn offers_are_withdrawn_only_where_that_is_needed_and_helps() {
    let mut s = scene();
    let scheduler = s.master.subscribe(of_role("f", "web"));
    let offer = s.master.offer(&scheduler);
    let info = task("t", &s.agent, "cpus:1;mem:512;disk:500");
    s.master.accept(&scheduler, &offer.id, [launch([info])]);
    s.master.call(&scheduler, master_core::SchedulerCall::Revive(Vec::new()));
    let offer = s.master.offer(&scheduler);
    assert_eq!(plain(&offer), resources("cpus:3;mem:512;disk:500"));
    // More than what is offered and free together.
    let text = "cpus:3; mem:512; disk:500 does not contain cpus:4";
    let refused = s.apply(reserve(&reserved("cpus:4", "db")));
    assert_eq!(refused, Err(OperatorError::Conflict(text.to_owned())));
    s.master.expect_silence(&scheduler);
    let ended = status(&scheduler.id, &s.agent, &"t".into(), TaskState::Finished, 1);
    s.master.from_agent(&s.pid.clone(), FromAgent::StatusUpdate(ended));
    s.master.expect_status(&scheduler, TaskState::Finished);
    // What is free is enough.
    assert_eq!(s.apply(reserve(&reserved("cpus:1", "db"))), Ok(()));
    s.master.expect_silence(&scheduler);
    assert_eq!(s.apply(reserve(&reserved("cpus:1", "db"))), Ok(()));
    assert!(matches!(s.master.next_event(&scheduler), Some(SchedulerEvent::Rescind(id)) if id == offer.id));
    assert_eq!(plain(&s.master.offer(&scheduler)), resources("cpus:2;mem:1024;disk:1000"));
}

#[test]
fn what_is_not_valid_is_refused_in_the_words_of_mesos() {
    let mut s = scene();
    let on = "on agent master-S0 at slave(1)@h:5051 (h)";
    let unknown = OperatorCall::ApplyOperation {
        agent_id: "nowhere".into(),
        operation: reserve(&reserved("cpus:1", "web")),
        principal: None,
    };
    assert_eq!(s.master.operator(unknown), bad("No agent found with specified ID"));
    assert_eq!(
        s.apply(reserve(&resources("cpus:1"))),
        bad(&format!("Invalid RESERVE operation {on}: Resource cpus:1 is not dynamically reserved"))
    );
    assert_eq!(
        s.apply(unreserve(&resources("cpus:1"))),
        bad("Invalid UNRESERVE operation: Resource cpus:1 is not dynamically reserved")
    );
    assert_eq!(
        s.apply(destroy(&volume(1, "web", "v"))),
        bad("Invalid DESTROY operation: Persistent volumes not found")
    );
    let Err(OperatorError::BadRequest(text)) = s.apply_as(reserve(&reserved("cpus:1", "web")), Some("alice"))
    else {
        panic!("reserved as nobody");
    };
    assert!(text.starts_with(&format!(
        "Invalid RESERVE operation {on}: A reserve operation was attempted by principal"
    )));
    assert_eq!(
        s.apply(create(&volume(1, "web", "v"))),
        Err(OperatorError::Conflict(format!(
            "cpus:4; mem:1024; disk:1000 does not contain {}",
            reserved("disk:1", "web")
        )))
    );
    assert!(s.master.messages_to(&s.pid).is_empty());
}

#[test]
fn a_reservation_is_handed_from_role_to_role() {
    let mut s = scene();
    let each = |resources: &Resources| resources.iter().cloned().collect::<Vec<Resource>>();
    assert_eq!(s.apply(reserve(&reserved("cpus:1", "web"))), Ok(()));
    let hand_over = |to: &str| Operation::Reserve {
        source: each(&reserved("cpus:1", "web")),
        resources: each(&reserved("cpus:1", to)),
    };
    assert_eq!(s.apply(hand_over("db")), Ok(()));
    let mut expected = resources("cpus:3;mem:1024;disk:1000");
    expected += &reserved("cpus:1", "db");
    assert_eq!(s.total(), expected);
    assert!(
        matches!(s.apply(hand_over("ads")), Err(OperatorError::Conflict(_))),
        "it is not for web any more"
    );
}

fn holder(s: &mut Scene) -> (Scheduler, Arc<Offer>) {
    let scheduler = s.master.subscribe(of_role("f", "web"));
    let offer = s.master.offer(&scheduler);
    (scheduler, offer)
}

#[test]
fn a_volume_that_is_offered_is_destroyed_and_one_in_use_is_not() {
    let mut s = scene();
    let v = volume(100, "web", "v");
    let (scheduler, offer) = holder(&mut s);
    let reserve = apply(reserve(&reserved("disk:100", "web")));
    let mut info = task("t", &s.agent, "cpus:1;mem:32");
    info.resources.add(v.clone());
    s.master.accept(&scheduler, &offer.id, [reserve, apply(create(&v)), launch([info])]);
    assert_eq!(s.apply(destroy(&v)), bad("Invalid DESTROY operation: Persistent volumes in use"));
    let ended = status(&scheduler.id, &s.agent, &"t".into(), TaskState::Finished, 1);
    s.master.from_agent(&s.pid.clone(), FromAgent::StatusUpdate(ended));
    s.master.events_of(&scheduler);
    let offer = s.master.offer(&scheduler);
    assert!(plain(&offer).contains_one(&v));
    s.master.messages_to(&s.pid);
    assert_eq!(s.apply(destroy(&v)), Ok(()));
    assert!(matches!(s.master.next_event(&scheduler), Some(SchedulerEvent::Rescind(id)) if id == offer.id));
    let messages = s.master.messages_to(&s.pid);
    let applied: Vec<Applied> = messages.iter().filter_map(Applied::from_message).collect();
    assert!(matches!((applied.as_slice(), messages.as_slice()), ([_], [ToAgent::ApplyOperation { .. }])));
    assert!(!s.total().contains_one(&v));
}

#[test]
fn a_shared_volume_and_another_one_in_the_same_offer_are_destroyed_together() {
    let mut s = scene();
    let (v, w) = (shared(volume(100, "web", "v")), volume(100, "web", "w"));
    assert_eq!(s.apply(reserve(&reserved("disk:200", "web"))), Ok(()));
    for volume in [&v, &w] {
        assert_eq!(s.apply(create(volume)), Ok(()));
    }
    let mut info = of_role("f", "web");
    info.capabilities.shared_resources = true;
    let scheduler = s.master.subscribe(info);
    let offer = s.master.offer(&scheduler);
    assert!(plain(&offer).contains(&[v.clone(), w.clone()].into_iter().collect()));
    assert_eq!(s.apply(Operation::Destroy { volumes: vec![v, w] }), Ok(()));
    let told = s.master.events_of(&scheduler);
    assert!(matches!(told.as_slice(), [SchedulerEvent::Rescind(id), ..] if *id == offer.id), "{told:?}");
    assert!(s.total().persistent_volumes().is_empty());
}

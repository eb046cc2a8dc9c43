//! RESERVE and UNRESERVE in ACCEPT.

use std::time::Duration;

use base::AgentId;
use master_core::{
    AcceptOperation, FrameworkInfo, Offer, OperationState, Pid, SchedulerCall, SchedulerEvent, TaskState,
    ToAgent,
};
use resources::{Label, Labels, Operation, OperationKind, Reservation, Resources};
use testkit::master::{
    Applied, Master, Scheduler, apply, apply_as, create, framework_info, launch, register, reserve, reserved,
    resources, task, unreserve, volume,
};

pub(super) fn of_role(name: &str, role: &str) -> FrameworkInfo {
    FrameworkInfo { roles: [role.into()].into(), ..framework_info(name) }
}

struct Scene {
    master: Master,
    agent: AgentId,
    pid: Pid,
    scheduler: Scheduler,
}

/// A framework of the role `web` and an agent.
fn scene(total: &str) -> Scene {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", total);
    let scheduler = master.subscribe(of_role("f", "web"));
    Scene { master, agent, pid, scheduler }
}

impl Scene {
    fn offer(&mut self) -> std::sync::Arc<Offer> {
        self.master.offer(&self.scheduler)
    }

    /// Accepts; what is left is offered again at once.
    fn accept(&mut self, offer: &Offer, operations: impl IntoIterator<Item = AcceptOperation>) {
        let call = SchedulerCall::Accept {
            offer_ids: vec![offer.id.clone()],
            operations: operations.into_iter().collect(),
            refuse: Duration::ZERO,
        };
        self.master.call(&self.scheduler, call);
    }

    fn total(&self) -> Resources {
        self.master.core.snapshot(self.master.now).agents[0].total.clone()
    }
}

fn plain(offer: &Offer) -> Resources {
    offer.resources.clone().unallocated()
}

#[test]
fn what_is_reserved_is_offered_so_until_it_is_unreserved() {
    let mut s = scene("cpus:2;mem:1024");
    let half = reserved("cpus:1;mem:512", "web");
    let offer = s.offer();
    s.accept(&offer, [apply(reserve(&half))]);
    let [applied]: [Applied; 1] = s.master.operations_to(&s.pid).try_into().unwrap();
    assert_eq!((applied.framework_id.as_ref(), applied.id.as_ref()), (Some(&s.scheduler.id), None));
    assert!(applied.operation.resources().all(|resource| resource.allocation == Some("web".into())));
    let offer = s.offer();
    let mut expected = resources("cpus:1;mem:512");
    expected += &half;
    assert_eq!((plain(&offer), s.total()), (expected.clone(), expected));
    s.accept(&offer, [apply(unreserve(&half))]);
    let offer = s.offer();
    assert_eq!((plain(&offer), s.total()), (resources("cpus:2;mem:1024"), resources("cpus:2;mem:1024")));
}

#[test]
fn a_reservation_can_grow_twice_over() {
    let mut s = scene("cpus:24;mem:4096");
    for _ in 0..2 {
        let offer = s.offer();
        s.accept(&offer, [apply(reserve(&reserved("cpus:8.25", "web")))]);
    }
    let mut expected = resources("cpus:7.5;mem:4096");
    expected += &reserved("cpus:16.5", "web");
    assert_eq!((plain(&s.offer()), s.total()), (expected.clone(), expected));
}

#[test]
fn a_task_is_launched_on_what_the_same_call_reserves() {
    let mut s = scene("cpus:1;mem:512");
    let all = reserved("cpus:1;mem:512", "web");
    let offer = s.offer();
    let mut info = task("t", &s.agent, "");
    info.resources = all.clone();
    s.accept(&offer, [apply(reserve(&all)), launch([info])]);
    let messages = s.master.messages_to(&s.pid);
    let [
        ToAgent::ApplyOperation { resource_version, .. },
        ToAgent::RunTask { resource_version: of_task, .. },
    ] = messages.as_slice()
    else {
        panic!("not an operation and a task but {messages:?}");
    };
    assert_eq!(
        Some(*resource_version),
        *of_task,
        "the agent sees whether the task was meant for what it has"
    );
    s.master.expect_silence(&s.scheduler);
    let ended = testkit::master::status(&s.scheduler.id, &s.agent, &"t".into(), TaskState::Finished, 1);
    s.master.from_agent(&s.pid.clone(), master_core::FromAgent::StatusUpdate(ended));
    s.master.expect_status(&s.scheduler, TaskState::Finished);
    let offer = s.offer();
    assert_eq!(plain(&offer), all);
    s.accept(&offer, [apply(unreserve(&all))]);
    assert_eq!(plain(&s.offer()), resources("cpus:1;mem:512"));
}

#[test]
fn what_one_framework_reserves_another_of_its_role_can_use_and_no_other_role() {
    let mut s = scene("cpus:1;mem:512");
    let all = reserved("cpus:1;mem:512", "web");
    let offer = s.offer();
    s.accept(&offer, [apply(reserve(&all))]);
    let offer = s.offer();
    let decline =
        SchedulerCall::Decline { offer_ids: vec![offer.id.clone()], refuse: Duration::from_secs(10_000) };
    s.master.call(&s.scheduler, decline);
    let other = s.master.subscribe(of_role("g", "db"));
    s.master.settle();
    s.master.expect_silence(&other);
    let same = s.master.subscribe(of_role("h", "web"));
    assert_eq!(plain(&s.master.offer(&same)), all);
}

#[test]
fn a_reservation_that_is_too_large_is_dropped_and_the_rest_goes_on() {
    let mut s = scene("cpus:1;mem:512");
    let offer = s.offer();
    let too_large = reserve(&reserved("cpus:1;mem:1024", "web"));
    s.accept(
        &offer,
        [
            apply(too_large.clone()),
            apply_as("op", too_large),
            apply_as("fits", reserve(&reserved("cpus:1", "web"))),
            apply(create(&volume(1, "web", "v"))),
            launch([task("t", &s.agent.clone(), "mem:512")]),
        ],
    );
    let refused = s.master.expect_operation(&s.scheduler, "op", OperationState::Error);
    let text = "cpus(allocated: web):1; mem(allocated: web):512 does not contain cpus(allocated: web):1; \
                mem(allocated: web):1024";
    assert_eq!(refused.message.as_deref(), Some(text));
    assert_eq!((refused.uuid, refused.agent_id.as_ref()), (None, None));
    s.master.expect_silence(&s.scheduler);
    let messages = s.master.messages_to(&s.pid);
    assert!(
        matches!(messages.as_slice(), [ToAgent::ApplyOperation { id: Some(id), .. }, ToAgent::RunTask { .. }] if id.as_str() == "fits"),
        "{messages:?}"
    );
    let count = |kind, state| s.master.core.metrics().operations.get(kind, state);
    assert_eq!(count(OperationKind::Reserve, OperationState::Error), 2);
    assert_eq!(count(OperationKind::Reserve, OperationState::Pending), 1);
    assert_eq!(count(OperationKind::Create, OperationState::Error), 1);
}

#[test]
fn a_framework_reserves_for_the_role_of_the_offer_and_as_itself() {
    let mut master = Master::default();
    master.agent("h", "cpus:4;mem:1024");
    let mut info = of_role("f", "web");
    info.roles.insert("db".into());
    info.principal = Some("alice".to_owned());
    let scheduler = master.subscribe(info);
    master.settle();
    let Some(SchedulerEvent::Offers(offers)) = master.next_event(&scheduler) else { panic!("no offer") };
    let offer = &offers[0];
    let other = if offer.role.as_str() == "web" { "db" } else { "web" };
    let by = |role: &str, principal: Option<&str>| {
        let reservation = Reservation::dynamic(role.into(), principal.map(Into::into));
        reserve(&resources("cpus:1").map(|r| r.clone().reserved_by(reservation.clone())))
    };
    let role = offer.role.as_str().to_owned();
    master.accept(
        &scheduler,
        &offer.id,
        [
            apply_as("role", by(other, Some("alice"))),
            apply_as("nobody", by(&role, None)),
            apply_as("bob", by(&role, Some("bob"))),
            apply_as("alice", by(&role, Some("alice"))),
        ],
    );
    for (id, text) in [
        ("role", "but the resource was allocated to role"),
        ("nobody", "with no principal set; on agent master-S0 at slave(1)@h:5051 (h)"),
        ("bob", "which does not match a reserved resource in the request with principal 'bob'"),
    ] {
        let refused = master.expect_operation(&scheduler, id, OperationState::Error);
        assert!(refused.message.as_ref().is_some_and(|message| message.contains(text)), "{refused:?}");
    }
    master.expect_silence(&scheduler);
}

#[test]
fn a_reservation_can_be_made_another_without_being_free_in_between() {
    let mut s = scene("cpus:2;mem:1024");
    let old = reserved("cpus:1", "web");
    let labels = Labels(vec![Label { key: "for".into(), value: Some("db".into()) }]);
    let labelled = Reservation { labels: Some(labels), ..Reservation::dynamic("web".into(), None) };
    let new = resources("cpus:1").map(|resource| resource.clone().reserved_by(labelled.clone()));
    let again = |from: &Resources, to: &Resources| Operation::Reserve {
        source: from.iter().cloned().collect(),
        resources: to.iter().cloned().collect(),
    };
    let offer = s.offer();
    s.accept(&offer, [apply(reserve(&old)), apply(again(&old, &new))]);
    let operations = s.master.operations_to(&s.pid);
    assert!(matches!(&*operations[1].operation, Operation::Reserve { source, .. } if source.len() == 1));
    let mut expected = resources("cpus:1;mem:1024");
    expected += &new;
    let offer = s.offer();
    assert_eq!((plain(&offer), s.total()), (expected.clone(), expected));

    s.accept(&offer, [apply_as("gone", again(&old, &new))]);
    let refused = s.master.expect_operation(&s.scheduler, "gone", OperationState::Error);
    assert!(refused.message.as_ref().is_some_and(|message| message.contains("does not contain")));
}

#[test]
fn what_is_wrong_in_itself_is_refused_before_anything_else() {
    let mut s = scene("cpus:1;mem:512");
    let offer = s.offer();
    let wrong = AcceptOperation::Apply {
        id: Some("wrong".into()),
        kind: OperationKind::Unreserve,
        operation: Err("Invalid scalar resource: value < 0".to_owned()),
    };
    let late = apply_as("late", unreserve(&resources("cpus:1")));
    s.accept(&offer, [late, wrong]);
    let texts = [
        ("wrong", "Operation attempted with invalid resources: Invalid scalar resource: value < 0"),
        (
            "late",
            "Resource cpus(allocated: web):1 is not dynamically reserved; on agent master-S0 at slave(1)@h:5051 (h)",
        ),
    ];
    for (id, text) in texts {
        let refused = s.master.expect_operation(&s.scheduler, id, OperationState::Error);
        assert_eq!(refused.message.as_deref(), Some(text));
    }
}

#[test]
fn operations_on_invalid_offers_are_refused() {
    let mut s = scene("cpus:1;mem:512");
    let operation = apply_as("op", reserve(&reserved("cpus:1", "web")));
    s.master.accept(&s.scheduler, &"gone".into(), [operation]);
    let refused = s.master.expect_operation(&s.scheduler, "op", OperationState::Error);
    let text = "Operation attempted with invalid offers: Offer gone is no longer valid";
    assert_eq!(refused.message.as_deref(), Some(text));
}

#[test]
fn an_agent_that_takes_no_operations_is_told_all_that_is_reserved() {
    let mut master = Master::default();
    let mut message = register("h", "cpus:4;mem:1024");
    message.capabilities.resource_provider = false;
    let pid = Pid::from("slave(1)@h:5051");
    master.from_agent(&pid, master_core::FromAgent::Register(Box::new(message)));
    let scheduler = master.subscribe(of_role("f", "web"));
    let offer = master.offer(&scheduler);
    master.messages_to(&pid);
    let reserve = |text| reserve(&reserved(text, "web"));
    master.accept(
        &scheduler,
        &offer.id,
        [apply(reserve("cpus:1")), apply(reserve("mem:512")), apply_as("op", reserve("cpus:1"))],
    );
    let told: Vec<Resources> = master
        .messages_to(&pid)
        .into_iter()
        .map(|message| match message {
            ToAgent::CheckpointResources(resources) => resources,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [reserved("cpus:1", "web"), reserved("cpus:1;mem:512", "web")]);
    let refused = master.expect_operation(&scheduler, "op", OperationState::Error);
    let text = "Operation requested feedback, but agent master-S0 does not have the required RESOURCE_PROVIDER \
                capability";
    assert_eq!(refused.message.as_deref(), Some(text));
}

#[test]
fn what_was_reserved_is_offered_at_once_whatever_is_refused() {
    let mut s = scene("cpus:2;mem:1024");
    let half = reserved("cpus:1;mem:512", "web");
    let offer = s.offer();
    s.master.accept(&s.scheduler, &offer.id, [apply(reserve(&half))]);
    // More than what was refused for ten minutes: that is no part of it.
    assert!(plain(&s.offer()).contains(&half));
}

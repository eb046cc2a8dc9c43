//! Agents that register, do not answer, or leave.

use std::time::Duration;

use base::Time;
use master_core::{FromAgent, Input, Reason, SchedulerEvent, TaskState, ToAgent};
use testkit::master::{Master, framework_info, launch, register, resources, task};

#[test]
fn a_registration_that_is_repeated_is_answered_again() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:1;mem:64");
    assert!(master.linked.contains(&pid));
    master.from_agent(&pid, FromAgent::Register(Box::new(register("h", "cpus:1;mem:64"))));
    assert_eq!(master.messages_to(&pid), [ToAgent::Registered(agent)]);
    assert_eq!(master.core.snapshot(master.now).agents.len(), 1);
}

#[test]
fn a_new_agent_at_an_address_removes_the_old_one() {
    let mut master = Master::default();
    let (old, pid) = master.agent("h", "cpus:1;mem:64");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &old, "cpus:1;mem:32")])]);
    master.input(Input::AgentDisconnected(pid.clone()));
    master.messages_to(&pid);
    master.from_agent(&pid, FromAgent::Register(Box::new(register("h", "cpus:1;mem:64"))));
    let status = master.expect_status(&scheduler, TaskState::Lost);
    assert_eq!(
        status.message.as_deref(),
        Some("Agent h removed: a new agent registered at the same address")
    );
    assert!(matches!(
        master.next_event(&scheduler),
        Some(SchedulerEvent::Failure { agent_id, executor_id: None, status: None }) if agent_id == old
    ));
    assert!(matches!(
        master.messages_to(&pid).as_slice(),
        [ToAgent::Ping { .. }, ToAgent::Registered(new)] if *new != old
    ));
    assert!(master.linked.contains(&pid));
}

#[test]
fn an_agent_is_asked_every_interval_and_lost_after_five() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:1;mem:64");
    let scheduler = master.framework("f");
    master.offer(&scheduler);
    for _ in 0..10 {
        master.advance(Duration::from_secs(15));
        assert_eq!(master.messages_to(&pid), [ToAgent::Ping { connected: true }]);
        master.from_agent(&pid, FromAgent::Pong);
    }
    master.advance(Duration::from_secs(15 * 5));
    master.expect_silence(&scheduler);
    master.advance(Duration::from_secs(15));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Rescind(_))));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Failure { .. })));
    let snapshot = master.core.snapshot(master.now);
    assert!(snapshot.agents.is_empty());
    assert_eq!(snapshot.unreachable.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&agent]);
    assert!(!master.linked.contains(&pid));
    assert_eq!(snapshot.metrics.agent_removals_unhealthy, 1);
}

#[test]
fn tasks_of_an_agent_that_does_not_answer_are_lost_or_unreachable() {
    for (partition_aware, state) in [(false, TaskState::Lost), (true, TaskState::Unreachable)] {
        let mut master = Master::default();
        let (agent, _) = master.agent("h", "cpus:1;mem:64");
        let mut info = framework_info("f");
        info.capabilities.partition_aware = partition_aware;
        let scheduler = master.subscribe(info);
        let offer = master.offer(&scheduler);
        master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
        master.advance(Duration::from_secs(15 * 5));
        let status = master.expect_status(&scheduler, state);
        assert_eq!(status.message.as_deref(), Some("health check timed out"));
        assert_eq!(status.reason, Some(Reason::AGENT_REMOVED));
        assert_eq!(status.unreachable_time, Some(status.timestamp));
        assert_ne!(status.timestamp, Time::EPOCH);
        let framework = master.core.snapshot(master.now).frameworks[0].clone();
        assert_eq!((framework.tasks.len(), framework.unreachable_tasks.len()), (0, 1));
    }
}

#[test]
fn a_broken_connection_takes_offers_and_tasks_without_checkpoints() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let checkpointed = master.framework("f");
    let offer = master.offer(&checkpointed);
    let mut info = framework_info("g");
    info.checkpoint = false;
    let other = master.subscribe(info);
    let call = master_core::SchedulerCall::Accept {
        offer_ids: vec![offer.id.clone()],
        operations: vec![launch([task("t", &agent, "cpus:1;mem:32")])],
        refuse: Duration::from_secs(600),
    };
    master.call(&checkpointed, call);
    let rest = master.offer(&other);
    master.accept(&other, &rest.id, [launch([task("u", &agent, "cpus:1;mem:32")])]);
    master.input(Input::AgentDisconnected(pid.clone()));
    master.expect_silence(&checkpointed);
    let status = master.expect_status(&other, TaskState::Lost);
    assert_eq!(status.message.as_deref(), Some("Agent h disconnected"));
    assert_eq!(status.reason, Some(Reason::AGENT_DISCONNECTED));
    let snapshot = master.core.snapshot(master.now);
    assert!(!snapshot.agents[0].active && !snapshot.agents[0].connected);
    // It is told that it has to reregister, and lost if it does not.
    master.messages_to(&pid);
    master.advance(Duration::from_secs(15));
    assert_eq!(master.messages_to(&pid), [ToAgent::Ping { connected: false }]);
    for _ in 0..45 {
        master.from_agent(&pid, FromAgent::Pong);
        master.advance(Duration::from_secs(15));
    }
    let status = master.expect_status(&checkpointed, TaskState::Lost);
    assert_eq!(status.message.as_deref(), Some("agent did not reregister within 10mins after disconnecting"));
}

#[test]
fn an_agent_that_leaves_is_removed() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    master.offer(&scheduler);
    master.from_agent(&"slave(1)@other:5051".into(), FromAgent::Unregister(agent.clone()));
    master.expect_silence(&scheduler);
    master.from_agent(&pid, FromAgent::Unregister(agent));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Rescind(_))));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Failure { .. })));
    assert!(master.core.snapshot(master.now).unreachable.is_empty());
}

#[test]
fn what_an_agent_can_spare_is_offered_to_those_who_take_it() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let mut spare = resources::Resources::new();
    for resource in resources("cpus:2").iter() {
        let details = resources::Details { revocable: true, ..resources::Details::default() };
        spare.add(resource.clone().with_details(details));
    }
    let mut info = framework_info("f");
    info.capabilities.revocable_resources = true;
    let scheduler = master.subscribe(info);
    let offer = master.offer(&scheduler);
    let update = |spare: &resources::Resources| {
        FromAgent::Update(Box::new(master_core::UpdateAgent {
            agent_id: agent.clone(),
            oversubscribed: Some(spare.clone()),
            resource_version: None,
            operations: None,
        }))
    };
    // What it could not take back is not lent.
    let mut told = spare.clone();
    told += &resources("mem:1024");
    master.from_agent(&pid, update(&told));
    let more = master.offer(&scheduler);
    assert_eq!(more.resources.clone().unallocated(), spare);
    assert_ne!(more.id, offer.id);
    master.from_agent(&pid, update(&resources::Resources::new()));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Rescind(id)) if id == more.id));
    master.settle();
    master.expect_silence(&scheduler);
}

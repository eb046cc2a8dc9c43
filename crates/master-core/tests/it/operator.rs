//! What operators do.

use std::time::Duration;

use base::Uuid;
use master_core::{
    AgentRecord, DrainConfig, DrainState, FromAgent, Input, OperatorCall, OperatorError, Quota,
    SchedulerCall, SchedulerEvent, TaskState, ToAgent,
};
use testkit::master::{Master, framework_info, launch, register, resources, status, task};

const CONFIG: DrainConfig = DrainConfig { max_grace_period: Some(Duration::from_secs(1)), mark_gone: false };

#[test]
fn unknown_names_are_refused() {
    let mut master = Master::default();
    let bad = |message: &str| Err(OperatorError::BadRequest(message.to_owned()));
    let drain = OperatorCall::DrainAgent { agent_id: "nope".into(), config: CONFIG };
    assert_eq!(master.operator(drain), bad("Unknown agent"));
    assert_eq!(master.operator(OperatorCall::DeactivateAgent("nope".into())), bad("Unknown agent"));
    assert_eq!(
        master.operator(OperatorCall::ReactivateAgent("nope".into())),
        bad("Agent is not deactivated")
    );
    let gone = OperatorCall::MarkAgentGone("nope".into());
    assert_eq!(master.operator(gone), Err(OperatorError::NotFound("Agent 'nope' not found".to_owned())));
    let teardown = OperatorCall::Teardown("nope".into());
    assert_eq!(master.operator(teardown), bad("No framework found with specified ID"));
}

#[test]
fn a_deactivated_agent_is_not_offered_until_reactivated() {
    let mut master = Master::default();
    let (agent, _) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    assert_eq!(master.operator(OperatorCall::DeactivateAgent(agent.clone())), Ok(()));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Rescind(id)) if id == offer.id));
    master.settle();
    master.expect_silence(&scheduler);
    assert!(master.core.snapshot(master.now).agents[0].deactivated);
    assert_eq!(master.operator(OperatorCall::ReactivateAgent(agent)), Ok(()));
    master.offer(&scheduler);
}

#[test]
fn offers_are_withdrawn_when_the_weight_of_a_role_that_somebody_has_changes() {
    let mut master = Master::default();
    master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    assert_eq!(master.operator(OperatorCall::UpdateWeights(vec![("nobodys".into(), 2.0)])), Ok(()));
    master.settle();
    master.expect_silence(&scheduler);
    assert_eq!(master.operator(OperatorCall::UpdateWeights(vec![("*".into(), 2.0)])), Ok(()));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Rescind(id)) if id == offer.id));
    master.offer(&scheduler);
}

fn drained(mark_gone: bool) -> (Master, testkit::master::Scheduler, base::AgentId, master_core::Pid) {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let mut info = framework_info("f");
    info.capabilities.partition_aware = true;
    let scheduler = master.subscribe(info);
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    master.messages_to(&pid);
    let config = DrainConfig { mark_gone, ..CONFIG };
    let drain = OperatorCall::DrainAgent { agent_id: agent.clone(), config };
    assert_eq!(master.operator(drain), Ok(()));
    assert_eq!(master.messages_to(&pid), [ToAgent::Drain(config)]);
    let shown = master.core.snapshot(master.now).agents[0].drain;
    assert_eq!(shown.map(|drain| drain.state), Some(DrainState::Draining));
    assert!(master.operator(OperatorCall::ReactivateAgent(agent.clone())).is_err());
    let killed = status(&scheduler.id, &agent, &"t".into(), TaskState::Killed, 1);
    master.from_agent(&pid, FromAgent::StatusUpdate(killed));
    master.expect_status(&scheduler, TaskState::Killed);
    let acknowledge = SchedulerCall::Acknowledge {
        agent_id: agent.clone(),
        task_id: "t".into(),
        uuid: Uuid::from_bytes([1; 16]),
    };
    master.call(&scheduler, acknowledge);
    (master, scheduler, agent, pid)
}

/// An operator wants it marked gone after all. While that is being written its last task goes; what is written last counts.
#[test]
fn an_agent_that_is_drained_another_way_at_the_last_moment_is_drained_so() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:4;mem:4096");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    let drain = |mark_gone| {
        let config = DrainConfig { mark_gone, ..CONFIG };
        OperatorCall::DrainAgent { agent_id: agent.clone(), config }
    };
    assert_eq!(master.operator(drain(false)), Ok(()));
    master.hold_registry = true;
    let request = master.ask(drain(true));
    let killed = status(&scheduler.id, &agent, &"t".into(), TaskState::Killed, 1);
    master.from_agent(&pid, FromAgent::StatusUpdate(killed));
    let acknowledge = SchedulerCall::Acknowledge {
        agent_id: agent.clone(),
        task_id: "t".into(),
        uuid: Uuid::from_bytes([1; 16]),
    };
    master.call(&scheduler, acknowledge);
    while !master.registry_writes.is_empty() {
        master.write_registry();
    }
    assert_eq!(master.answer(request), Some(Ok(())));
    assert!(matches!(master.registry.agents[&agent], AgentRecord::Gone { .. }));
}

#[test]
fn an_agent_that_cannot_be_drained_is_not() {
    let mut master = Master::default();
    let mut message = register("h", "cpus:4;mem:4096");
    message.capabilities.agent_draining = false;
    let pid = master_core::Pid::from("slave(1)@h:5051");
    master.from_agent(&pid, FromAgent::Register(Box::new(message)));
    master.messages_to(&pid);
    let agent = master.core.snapshot(master.now).agents[0].id.clone();
    let drain = OperatorCall::DrainAgent { agent_id: agent.clone(), config: CONFIG };
    let refused = OperatorError::BadRequest(format!("Agent {agent} is not capable of draining"));
    assert_eq!(master.operator(drain), Err(refused));
    assert!(master.messages_to(&pid).is_empty());
    assert!(!master.core.snapshot(master.now).agents[0].deactivated);
}

#[test]
fn a_drained_agent_stays_and_can_be_reactivated() {
    let (mut master, scheduler, agent, _) = drained(false);
    let shown = master.core.snapshot(master.now).agents[0].drain;
    assert_eq!(shown.map(|drain| drain.state), Some(DrainState::Drained));
    master.settle();
    master.expect_silence(&scheduler);
    assert_eq!(master.operator(OperatorCall::ReactivateAgent(agent)), Ok(()));
    assert_eq!(master.core.snapshot(master.now).agents[0].drain, None);
    master.call(&scheduler, SchedulerCall::Revive(Vec::new()));
    master.offer(&scheduler);
}

#[test]
fn it_is_known_since_when_an_agent_is_as_it_is() {
    let (mut master, _, agent, pid) = drained(false);
    let since = |master: &Master| {
        let shown = &master.core.snapshot(master.now).agents[0];
        (shown.state_time, shown.drain_start)
    };
    let (drained, Some(asked)) = since(&master) else { panic!("it was not asked to drain") };
    assert!(asked <= drained && drained <= master.now);
    for call in [OperatorCall::ReactivateAgent(agent.clone()), OperatorCall::DeactivateAgent(agent.clone())] {
        master.advance(Duration::from_secs(10));
        assert_eq!(master.operator(call), Ok(()));
        assert_eq!(since(&master), (master.now, None));
    }
    master.advance(Duration::from_secs(5));
    let gone_away = master.now;
    master.input(Input::AgentDisconnected(pid));
    assert_eq!(since(&master).0, gone_away);
}

/// By then nobody else knows their hosts.
#[test]
fn hosts_of_lost_agents_are_remembered_by_the_next_master_too() {
    let mut master = Master::default();
    let (lost, _) = master.agent("lost-host", "cpus:1;mem:64");
    let (gone, _) = master.agent("gone-host", "cpus:1;mem:64");
    master.operator(OperatorCall::MarkAgentGone(gone.clone())).unwrap();
    master.advance(Duration::from_secs(600));
    for master in [&master.successor("next"), &master] {
        let shown = |id, hostname: &str, gone| (id, hostname.to_owned(), gone);
        let mut expected = [shown(&lost, "lost-host", false), shown(&gone, "gone-host", true)];
        expected.sort();
        let all = master.core.lost_agents();
        let all: Vec<_> =
            all.iter().map(|agent| (&agent.id, agent.hostname.to_string(), agent.gone)).collect();
        assert_eq!(all, expected);
    }
}

#[test]
fn a_drained_agent_can_be_gone_after_that() {
    let (mut master, scheduler, agent, pid) = drained(true);
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Failure { .. })));
    let snapshot = master.core.snapshot(master.now);
    assert!(snapshot.agents.is_empty());
    assert_eq!(snapshot.gone[0].0, agent);
    let messages = master.messages_to(&pid);
    assert!(
        matches!(messages.as_slice(), [ToAgent::Acknowledge { .. }, ToAgent::Shutdown(_)]),
        "{messages:?}"
    );
}

#[test]
fn limits_hold_a_role_back() {
    let mut master = Master::default();
    master.agent("h", "cpus:4;mem:4096");
    let limits = resources("cpus:1;mem:1024").quantities();
    let limits = limits.iter().map(|(name, amount)| (name.clone(), amount)).collect();
    assert_eq!(
        master.operator(OperatorCall::UpdateQuota {
            quotas: vec![("*".into(), Quota { limits, ..Quota::default() })],
            force: false,
        }),
        Ok(())
    );
    assert_eq!(master.operator(OperatorCall::UpdateWeights(vec![("web".into(), 2.0)])), Ok(()));
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    assert_eq!(offer.resources.clone().unallocated(), resources("cpus:1;mem:1024"));
    let snapshot = master.core.snapshot(master.now);
    assert_eq!((snapshot.weights.len(), snapshot.quotas.len()), (1, 1));
}

//! The registry: written first, told then; and what the next master finds in it.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{AgentId, Time, Uuid};
use master_core::{
    AgentRecord, DrainConfig, DrainState, FromAgent, FromRegistry, Input, OperatorCall, OperatorError,
    Options, Pid, Quota, RegisterAgent, RegistryOperation, SchedulerEvent, TaskState, ToAgent, UpdateAgent,
};
use resources::{Name, Scalar};
use testkit::master::{Master, Scheduler, framework_info, launch, register, reregister, resources, task};

fn options() -> Options {
    Options::new("master".to_owned(), 1)
}

/// An agent that comes back with nothing on it.
pub(crate) fn back(id: &AgentId, hostname: &str, total: &str) -> FromAgent {
    FromAgent::Reregister(Box::new(reregister(id, register(hostname, total))))
}

/// A framework with a task on each of so many agents, which do not answer any more.
pub(crate) fn silent(
    agents: usize,
    partition_aware: bool,
    mut options: Options,
) -> (Master, Scheduler, Vec<(AgentId, Pid)>) {
    options.offer_timeout = None;
    let mut master = Master::new(options);
    let mut info = framework_info("f");
    info.capabilities.partition_aware = partition_aware;
    let scheduler = master.subscribe(info);
    let agents: Vec<_> = (0..agents).map(|i| master.agent(&format!("h{i}"), "cpus:1;mem:64")).collect();
    master.settle();
    for event in master.events_of(&scheduler) {
        let SchedulerEvent::Offers(offers) = event else { panic!("no offers but {event:?}") };
        for offer in offers {
            let at = agents.iter().position(|(agent, _)| *agent == offer.agent_id).expect("an agent of ours");
            let task = task(&format!("t{at}"), &offer.agent_id, "cpus:1;mem:64");
            master.accept(&scheduler, &offer.id, [launch([task])]);
        }
    }
    master.events_of(&scheduler);
    (master, scheduler, agents)
}

#[test]
fn an_agent_is_told_that_it_is_registered_when_the_registry_holds_it() {
    let mut master = Master::default();
    master.hold_registry = true;
    let pid = Pid::from("slave(1)@h:5051");
    let message = || FromAgent::Register(Box::new(register("h", "cpus:1;mem:64")));
    master.from_agent(&pid, message());
    master.from_agent(&pid, message());
    assert!(master.messages_to(&pid).is_empty() && !master.linked.contains(&pid));
    assert_eq!(master.registry_writes.len(), 1, "it asked again meanwhile");
    master.write_registry();
    let [ToAgent::Ping { .. }, ToAgent::Registered(id)] = &master.messages_to(&pid)[..] else {
        panic!("not registered")
    };
    assert!(matches!(master.registry.agents[id], AgentRecord::Admitted { .. }));
    assert_eq!(master.core.metrics().agent_registrations, 1);
}

#[test]
fn tasks_are_told_unreachable_when_the_registry_holds_it() {
    let (mut master, scheduler, agents) = silent(1, true, options());
    let (agent, pid) = &agents[0];
    master.hold_registry = true;
    master.advance(Duration::from_secs(15 * 6));
    master.expect_silence(&scheduler);
    // Too late: the agent has to ask again.
    master.from_agent(pid, back(agent, "h0", "cpus:1;mem:64"));
    master.from_agent(pid, FromAgent::Unregister(agent.clone()));
    assert_eq!(master.registry_writes.len(), 1);
    master.write_registry();
    let status = master.expect_status(&scheduler, TaskState::Unreachable);
    let AgentRecord::Unreachable { since, .. } = master.registry.agents[agent] else { panic!("not lost") };
    assert_eq!(status.unreachable_time, Some(since));
    assert_eq!(master.core.metrics().agent_unreachable_completed, 1);
}

#[test]
fn an_agent_that_leaves_is_removed_when_the_registry_has_forgotten_it() {
    let (mut master, scheduler, agents) = silent(1, false, options());
    let (agent, pid) = &agents[0];
    master.hold_registry = true;
    master.from_agent(pid, FromAgent::Unregister(agent.clone()));
    master.from_agent(pid, FromAgent::Unregister(agent.clone()));
    master.expect_silence(&scheduler);
    master.write_registry();
    master.expect_status(&scheduler, TaskState::Lost);
    assert!(master.registry.agents.is_empty() && master.registry_writes.is_empty());
}

/// After Mesos' `UnregisterThenUnreachableRace`, `UnreachableThenUnregisterRace` and `HealthCheckUnregisterRace`: whichever comes
/// first is written, and nothing else.
#[test]
fn an_agent_leaves_or_is_lost_but_not_both() {
    for leaves_first in [true, false] {
        let (mut master, scheduler, agents) = silent(1, false, options());
        let (agent, pid) = &agents[0];
        let leave = |master: &mut Master| master.from_agent(pid, FromAgent::Unregister(agent.clone()));
        let lose = |master: &mut Master| master.advance(Duration::from_secs(15 * 6));
        master.hold_registry = true;
        if leaves_first {
            leave(&mut master);
            lose(&mut master);
        } else {
            lose(&mut master);
            leave(&mut master);
        }
        assert_eq!(master.registry_writes.len(), 1, "leaves first: {leaves_first}");
        master.expect_silence(&scheduler);
        master.write_registry();
        let status = master.expect_status(&scheduler, TaskState::Lost);
        assert_eq!(status.task_id.as_str(), "t0");
        // What still comes changes nothing.
        leave(&mut master);
        lose(&mut master);
        assert!(master.registry_writes.is_empty());
        let removed = !master.registry.agents.contains_key(agent);
        assert_eq!(removed, leaves_first);
        let metrics = master.core.metrics();
        let counted = (metrics.agent_removals_unregistered, metrics.agent_removals_unhealthy);
        assert_eq!(counted, if leaves_first { (1, 0) } else { (0, 1) });
    }
}

#[test]
fn an_operator_is_answered_when_the_registry_holds_it() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:1;mem:64");
    master.hold_registry = true;
    let config = DrainConfig { max_grace_period: None, mark_gone: false };
    let guarantee = BTreeMap::from([(Name::Cpus, Scalar::whole(1))]);
    let set = OperatorCall::SetQuota { role: "web".into(), guarantee: guarantee.clone(), force: false };
    let calls = [
        OperatorCall::DrainAgent { agent_id: agent.clone(), config },
        OperatorCall::DeactivateAgent(agent.clone()),
        set.clone(),
        OperatorCall::UpdateWeights(vec![("web".into(), 2.0)]),
        OperatorCall::MarkAgentGone(agent.clone()),
    ];
    let requests: Vec<_> = calls.into_iter().map(|call| master.ask(call)).collect();
    assert!(requests.iter().all(|request| master.answer(*request).is_none()), "answered too early");
    assert!(master.messages_to(&pid).is_empty() && master.core.snapshot(master.now).quotas.is_empty());
    // What is decided meanwhile builds upon what is being written.
    let again = master.ask(set);
    assert!(matches!(master.answer(again), Some(Err(OperatorError::BadRequest(_)))), "there is a quota");
    let again = master.ask(OperatorCall::MarkAgentGone(agent.clone()));
    let expected =
        OperatorError::Unavailable(format!("Agent '{agent}' is already being transitioned to gone"));
    assert_eq!(master.answer(again), Some(Err(expected)));
    let again = master.ask(OperatorCall::DrainAgent { agent_id: agent.clone(), config });
    let expected = OperatorError::Conflict("Agent is currently being marked gone".to_owned());
    assert_eq!(master.answer(again), Some(Err(expected)));
    while !master.registry_writes.is_empty() {
        master.write_registry();
    }
    assert!(requests.into_iter().all(|request| master.answer(request) == Some(Ok(()))));
    assert!(matches!(master.registry.agents[&agent], AgentRecord::Gone { .. }));
    assert_eq!(master.registry.quotas["web"], Quota { limits: guarantee.clone(), guarantees: guarantee });
    assert_eq!(master.registry.weights["web"], 2.0);
}

#[test]
fn what_an_agent_says_of_itself_is_written_before_it_counts() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:1;mem:64");
    master.hold_registry = true;
    master.from_agent(&pid, back(&agent, "h", "cpus:1;mem:64"));
    assert!(master.registry_writes.is_empty(), "nothing new");
    master.messages_to(&pid);
    master.from_agent(&pid, back(&agent, "h", "cpus:2;mem:64"));
    assert!(master.messages_to(&pid).is_empty());
    master.write_registry();
    assert!(matches!(master.messages_to(&pid)[0], ToAgent::Reregistered { .. }));
    let total = master.core.snapshot(master.now).agents[0].total.to_string();
    assert!(total.contains("cpus:2"), "{total}");
}

/// It is started anew, with other resources, before it is told that it is registered; or again.
#[test]
fn an_agent_that_asks_anew_with_another_description_is_taken_in_as_it_is_last() {
    let mut master = Master::default();
    master.hold_registry = true;
    let pid = Pid::from("slave(1)@h:5051");
    let written = |master: &mut Master| {
        let mut writes = 0;
        while !master.registry_writes.is_empty() {
            master.write_registry();
            writes += 1;
        }
        (
            writes,
            master.messages_to(&pid).into_iter().filter(|m| !matches!(m, ToAgent::Ping { .. })).collect(),
        )
    };
    for total in ["cpus:1;mem:64", "cpus:2;mem:64"] {
        master.from_agent(&pid, FromAgent::Register(Box::new(register("h", total))));
    }
    let (writes, answers): (_, Vec<ToAgent>) = written(&mut master);
    let [ToAgent::Registered(id)] = &answers[..] else { panic!("not registered: {answers:?}") };
    assert_eq!(writes, 2);
    let has = |master: &Master, total| {
        let agent = master.core.agent(id).expect("it is registered");
        assert_eq!(agent.total, resources(total));
        let known = AgentRecord::admitted(agent.info.clone());
        assert_eq!(master.registry.agents[id], known);
    };
    has(&master, "cpus:2;mem:64");
    for total in ["cpus:3;mem:64", "cpus:4;mem:64"] {
        master.from_agent(&pid, back(id, "h", total));
    }
    let (writes, answers) = written(&mut master);
    assert!(matches!(&answers[..], [ToAgent::Reregistered { .. }]), "{answers:?}");
    assert_eq!(writes, 2);
    has(&master, "cpus:4;mem:64");
}

/// After `MasterSlaveReconciliationTest.SlaveReregistrationRace_MESOS_7187`: what comes while the registry is written is not
/// answered twice, and the version of its resources that the agent told last counts.
#[test]
fn an_agent_that_asks_twice_is_known_by_its_newest_version_mesos_7187() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:1;mem:64");
    master.messages_to(&pid);
    master.hold_registry = true;
    let version = |mark| Some(Uuid::from_bytes([mark; 16]));
    let come = |mark| {
        let info = RegisterAgent { resource_version: version(mark), ..register("h", "cpus:2;mem:64") };
        FromAgent::Reregister(Box::new(reregister(&agent, info)))
    };
    master.from_agent(&pid, come(1));
    master.from_agent(&pid, come(2));
    master.write_registry();
    assert!(master.registry_writes.is_empty());
    let answers = master.messages_to(&pid);
    assert!(matches!(&answers[..], [ToAgent::Reregistered { .. }]), "{answers:?}");
    let update = UpdateAgent {
        agent_id: agent.clone(),
        oversubscribed: None,
        resource_version: version(2),
        operations: None,
    };
    master.from_agent(&pid, FromAgent::Update(Box::new(update)));
    assert_eq!(master.core.agent(&agent).unwrap().resource_version, version(2));
}

#[test]
fn an_agent_at_the_address_of_another_waits_until_the_registry_has_forgotten_that_one() {
    let mut master = Master::default();
    let (old, pid) = master.agent("h", "cpus:1;mem:64");
    master.hold_registry = true;
    // Another agent is being admitted there when the old one comes back to it.
    master.input(Input::AgentDisconnected(pid.clone()));
    master.from_agent(&pid, FromAgent::Register(Box::new(register("h", "cpus:1;mem:64"))));
    let other = AgentId::from("elsewhere-S1");
    master.from_agent(&pid, back(&other, "h", "cpus:1;mem:64"));
    master.messages_to(&pid);
    let mut writes = 0;
    while !master.registry_writes.is_empty() {
        let known: Vec<AgentId> =
            master.core.snapshot(master.now).agents.iter().map(|a| a.id.clone()).collect();
        master.write_registry();
        writes += 1;
        let snapshot = master.core.snapshot(master.now);
        assert!(snapshot.agents.len() <= 1, "two agents at one address");
        for gone in known.iter().filter(|id| snapshot.agents.iter().all(|agent| agent.id != **id)) {
            assert!(
                !master.registry.agents.contains_key(gone),
                "{gone} is removed before the registry says so"
            );
        }
    }
    assert_eq!(writes, 3, "two admissions, and one that had to wait for the removal of the first");
    assert!(!master.registry.agents.contains_key(&old));
    assert_eq!(master.registry.agents.keys().collect::<Vec<_>>(), [&other]);
}

#[test]
fn nobody_is_served_before_the_registry_is_known() {
    let mut master = Master::recovering(options());
    let scheduler = master.subscribe_as(None, framework_info("f"));
    assert!(master.is_closed(&scheduler));
    let pid = Pid::from("slave(1)@h:5051");
    master.from_agent(&pid, FromAgent::Register(Box::new(register("h", "cpus:1;mem:64"))));
    assert!(master.messages_to(&pid).is_empty());
    let refused = master.operator(OperatorCall::UpdateWeights(Vec::new()));
    assert_eq!(refused, Err(OperatorError::Unavailable("Master has not finished recovery".to_owned())));
    assert!(!master.core.leads());
    master.input(Input::Registry(FromRegistry::Recovered(Box::default())));
    assert!(master.core.leads());
    master.framework("f");
}

#[test]
fn a_master_that_leads_no_more_does_nothing() {
    let (mut master, scheduler, agents) = silent(1, true, options());
    master.hold_registry = true;
    master.advance(Duration::from_secs(15 * 6));
    master.input(Input::Registry(FromRegistry::Lost("another one leads".to_owned())));
    assert_eq!(master.resigned.as_deref(), Some("another one leads"));
    // Not even what was about to be written.
    master.write_registry();
    master.from_agent(&agents[0].1, FromAgent::Pong);
    master.advance(Duration::from_secs(3600));
    master.expect_silence(&scheduler);
    master.messages_to(&agents[0].1);
    let refused = master.operator(OperatorCall::MarkAgentGone(agents[0].0.clone()));
    assert!(matches!(refused, Err(OperatorError::Unavailable(_))));
    let late = master.subscribe_as(None, framework_info("late"));
    assert!(master.is_closed(&late));
    assert!(master.registry_writes.is_empty() && master.messages_to(&agents[0].1).is_empty());
}

#[test]
fn what_the_registry_holds_outlives_the_master() {
    let mut master = Master::default();
    let (drained, _) = master.agent("a", "cpus:1;mem:64");
    let (deactivated, _) = master.agent("b", "cpus:1;mem:64");
    let (gone, _) = master.agent("c", "cpus:1;mem:64");
    let config = DrainConfig { max_grace_period: Some(Duration::from_secs(1)), mark_gone: false };
    let quota =
        Quota { guarantees: BTreeMap::new(), limits: BTreeMap::from([(Name::Cpus, Scalar::whole(1))]) };
    for call in [
        OperatorCall::DrainAgent { agent_id: drained.clone(), config },
        OperatorCall::DeactivateAgent(deactivated.clone()),
        OperatorCall::MarkAgentGone(gone.clone()),
        OperatorCall::UpdateQuota { quotas: vec![("web".into(), quota.clone())], force: false },
        OperatorCall::UpdateWeights(vec![("web".into(), 3.0)]),
    ] {
        master.operator(call).unwrap();
    }
    let mut next = master.successor("next");
    let snapshot = next.core.snapshot(next.now);
    assert_eq!(snapshot.recovered.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&drained, &deactivated]);
    assert_eq!(snapshot.gone.iter().map(|(id, _)| id).collect::<Vec<_>>(), [&gone]);
    assert_eq!((snapshot.quotas["web"].clone(), snapshot.weights["web"]), (quota, 3.0));
    for (id, host) in [(&drained, "a"), (&deactivated, "b"), (&gone, "c")] {
        next.from_agent(&Pid::from(format!("slave(1)@{host}:5051")), back(id, host, "cpus:1;mem:64"));
    }
    let snapshot = next.core.snapshot(next.now);
    let agents: BTreeMap<_, _> = snapshot.agents.iter().map(|agent| (agent.id.clone(), agent)).collect();
    assert_eq!(
        agents[&drained].drain.map(|drain| (drain.state, drain.config)),
        Some((DrainState::Drained, config))
    );
    assert!(agents[&deactivated].deactivated && !agents[&deactivated].active);
    let told = next.messages_to(&Pid::from("slave(1)@c:5051"));
    assert_eq!(told, [ToAgent::Shutdown("Agent has been marked gone".to_owned())]);
    assert!(snapshot.recovered.is_empty());
    let scheduler = next.framework("f");
    next.settle();
    next.expect_silence(&scheduler);
}

#[test]
fn weights_in_the_registry_count_more_than_those_of_the_flag() {
    let flag = Options { weights: vec![("web".into(), 5.0)], ..options() };
    let mut master = Master::new(flag.clone());
    assert_eq!(master.registry.weights["web"], 5.0);
    master.operator(OperatorCall::UpdateWeights(vec![("web".into(), 2.0)])).unwrap();
    let next = Master::with_registry(flag, master.registry.clone());
    assert_eq!(next.core.snapshot(next.now).weights["web"], 2.0);
}

#[test]
fn offers_wait_for_most_agents_where_there_are_quotas() {
    let soon = Duration::from_secs(30);
    let mut master = Master::new(Options { allocator_recovery_timeout: soon, ..options() });
    let agents: Vec<_> = (0..5).map(|i| master.agent(&format!("h{i}"), "cpus:1;mem:64").0).collect();
    let limits = BTreeMap::from([(Name::Cpus, Scalar::whole(9))]);
    let quota = Quota { guarantees: BTreeMap::new(), limits };
    master.operator(OperatorCall::UpdateQuota { quotas: vec![("web".into(), quota)], force: true }).unwrap();
    for comes_back in [4, 3] {
        let mut next = master.successor("next");
        let scheduler = next.framework("f");
        for (i, id) in agents.iter().enumerate().take(comes_back) {
            next.expect_silence(&scheduler);
            next.from_agent(
                &Pid::from(format!("slave(1)@h{i}:5051")),
                back(id, &format!("h{i}"), "cpus:1;mem:64"),
            );
            next.settle();
        }
        if comes_back == 3 {
            next.expect_silence(&scheduler);
            next.advance(soon);
            next.settle();
        }
        assert!(
            matches!(next.next_event(&scheduler), Some(SchedulerEvent::Offers(_))),
            "{comes_back} are back"
        );
    }
}

#[test]
fn what_is_written_twice_at_once_counts_as_written_last() {
    let mut master = Master::default();
    master.hold_registry = true;
    for weight in [2.0, 3.0] {
        master.ask(OperatorCall::UpdateWeights(vec![("web".into(), weight)]));
    }
    let weights: Vec<_> = master.registry_writes.iter().flat_map(|write| write.operations.clone()).collect();
    let expected = [2.0, 3.0].map(|weight| RegistryOperation::Weight("web".into(), weight));
    assert_eq!(weights, expected);
    assert_ne!(master.now, Time::EPOCH);
    // One answer may stand for both.
    master.input(Input::Registry(FromRegistry::Written(2)));
    assert_eq!(master.core.snapshot(master.now).weights["web"], 3.0);
}

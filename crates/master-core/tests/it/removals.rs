//! Agents that do not come back: to a new master, at a limited rate, and for how long they are remembered.

use std::time::Duration;

use base::AgentId;
use master_core::{
    AgentRecord, FromAgent, Input, OperatorCall, Options, Pid, Reason, SchedulerCall, SchedulerEvent,
    TaskState, Timer,
};
use testkit::master::{Master, framework_info, register, status};

use crate::registry::{back, silent};

const RESOURCES: &str = "cpus:1;mem:64";

fn options() -> Options {
    Options::new("master".to_owned(), 1)
}

fn ids(agents: &[(AgentId, base::Time)]) -> Vec<&AgentId> {
    agents.iter().map(|(id, _)| id).collect()
}

#[test]
fn an_agent_that_does_not_come_to_the_new_master_is_unreachable_after_its_time() {
    let (master, scheduler, agents) = silent(1, true, options());
    let (agent, pid) = &agents[0];
    let mut next = master.successor("next");
    let mut info = framework_info("f");
    info.capabilities.partition_aware = true;
    let scheduler = next.subscribe_as(Some(&scheduler.id), info);
    next.events_of(&scheduler);
    let ask = |next: &mut Master, agent: Option<&AgentId>| {
        next.call(&scheduler, SchedulerCall::Reconcile(vec![("t0".into(), agent.cloned())]));
    };
    // It may still come, and the task with it.
    ask(&mut next, Some(agent));
    ask(&mut next, None);
    next.advance(Duration::from_secs(599));
    next.expect_silence(&scheduler);
    next.advance(Duration::from_secs(1));
    assert!(
        matches!(next.next_event(&scheduler), Some(SchedulerEvent::Failure { agent_id, .. }) if agent_id == *agent)
    );
    ask(&mut next, Some(agent));
    let status = next.expect_status(&scheduler, TaskState::Unreachable);
    assert_eq!(status.unreachable_time, Some(next.now));
    ask(&mut next, None);
    next.expect_status(&scheduler, TaskState::Unknown);
    let metrics = next.core.metrics();
    assert_eq!((metrics.recovery_agent_removals, metrics.agent_removals_unhealthy), (1, 1));
    assert!(matches!(next.registry.agents[agent], AgentRecord::Unreachable { .. }));
    // And then it comes after all.
    next.from_agent(pid, back(agent, "h0", RESOURCES));
    assert!(matches!(next.registry.agents[agent], AgentRecord::Admitted { .. }));
}

#[test]
fn an_agent_that_comes_to_the_new_master_comes_quietly() {
    let (master, scheduler, agents) = silent(1, true, options());
    let mut next = master.successor("next");
    let scheduler = next.subscribe_as(Some(&scheduler.id), framework_info("f"));
    next.events_of(&scheduler);
    next.hold_registry = true;
    next.from_agent(&agents[0].1, back(&agents[0].0, "h0", RESOURCES));
    assert!(next.registry_writes.is_empty(), "the registry says already what there is to say");
    next.advance(Duration::from_secs(1));
    assert!(next.events_of(&scheduler).iter().all(|event| matches!(event, SchedulerEvent::Offers(_))));
    assert_eq!(next.core.metrics().agent_reregistrations, 1);
}

#[test]
fn a_recovered_agent_can_be_declared_gone() {
    let (master, _, agents) = silent(1, true, options());
    let (agent, pid) = &agents[0];
    let mut next = master.successor("next");
    next.operator(OperatorCall::MarkAgentGone(agent.clone())).unwrap();
    assert!(next.core.snapshot(next.now).recovered.is_empty());
    next.from_agent(pid, back(agent, "h0", RESOURCES));
    assert!(matches!(next.messages_to(pid).as_slice(), [master_core::ToAgent::Shutdown(_)]));
    next.advance(Duration::from_secs(3600));
    assert_eq!(ids(&next.core.snapshot(next.now).gone), [agent]);
}

#[test]
fn a_master_to_which_too_few_agents_come_gives_up() {
    let hour = Duration::from_secs(3600);
    let limited = Options { recovery_agent_removal_limit: 0.5, agent_ping_timeout: hour, ..options() };
    let (master, _, agents) = silent(4, true, limited);
    for (comes_back, gives_up) in [(1, true), (2, false)] {
        let mut next = master.successor("next");
        for (i, (agent, pid)) in agents.iter().enumerate().take(comes_back) {
            next.from_agent(pid, back(agent, &format!("h{i}"), RESOURCES));
            next.from_agent(pid, FromAgent::Pong);
        }
        next.advance(Duration::from_secs(600));
        assert_eq!(next.resigned.is_some(), gives_up, "{:?}", next.resigned);
        if let Some(why) = &next.resigned {
            assert!(why.contains("3 of 4 agents") && why.contains("--recovery_agent_removal_limit"), "{why}");
            assert_eq!(next.registry, master.registry, "nothing was written");
        }
    }
}

#[test]
fn agents_are_marked_unreachable_at_the_limited_rate() {
    let slow = Options { agent_removal_pause: Duration::from_secs(1200), ..options() };
    let (mut master, scheduler, agents) = silent(3, false, slow);
    master.advance(Duration::from_secs(15 * 5));
    master.expect_status(&scheduler, TaskState::Lost);
    master.events_of(&scheduler);
    assert_eq!(master.core.snapshot(master.now).unreachable.len(), 1);
    // The second one answers after all.
    master.from_agent(&agents[1].1, FromAgent::Pong);
    for _ in 0..79 {
        master.from_agent(&agents[1].1, FromAgent::Pong);
        master.advance(Duration::from_secs(15));
    }
    master.expect_silence(&scheduler);
    master.from_agent(&agents[1].1, FromAgent::Pong);
    master.advance(Duration::from_secs(15));
    master.expect_status(&scheduler, TaskState::Lost);
    let (first, third) = (&agents[0].0, &agents[2].0);
    assert_eq!(ids(&master.core.snapshot(master.now).unreachable), [first, third]);
    let metrics = master.core.metrics();
    assert_eq!((metrics.agent_unreachable_scheduled, metrics.agent_unreachable_completed), (3, 2));
    assert_eq!(metrics.agent_unreachable_canceled, 1);
}

/// The turn of those that wait comes at the very moment at which another agent is marked.
#[test]
fn who_waits_to_be_marked_is_not_forgotten_when_another_comes_first() {
    const PING: Duration = Duration::from_secs(15);
    let slow = Options { agent_removal_pause: Duration::from_secs(1200), ..options() };
    let (mut master, _, agents) = silent(4, false, slow);
    let answer = |master: &mut Master, who: &[usize], times: u32| {
        for _ in 0..times {
            for at in who {
                master.from_agent(&agents[*at].1, FromAgent::Pong);
            }
            master.advance(PING);
        }
    };
    let unreachable = |master: &Master| {
        let snapshot = master.core.snapshot(master.now);
        let ids: Vec<AgentId> = snapshot.unreachable.iter().map(|(id, _)| id.clone()).collect();
        agents
            .iter()
            .enumerate()
            .filter(|(_, (id, _))| ids.contains(id))
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    // The first is marked, and the second waits until it answers; its place is kept.
    answer(&mut master, &[2, 3], 5);
    assert_eq!(unreachable(&master), [0]);
    answer(&mut master, &[1, 2, 3], 75);
    answer(&mut master, &[1, 3], 4);
    for at in [1, 3] {
        master.from_agent(&agents[at].1, FromAgent::Pong);
    }
    // The third is given up when the second would have had its turn, just before that.
    master.now = master.now + PING;
    for generation in 0..64 {
        master.input(Input::Timer(Timer::Ping(agents[2].0.clone(), generation)));
    }
    assert_eq!(unreachable(&master), [0, 2]);
    answer(&mut master, &[1], 85);
    assert_eq!(unreachable(&master), [0, 2, 3]);
}

/// While the registry is written in which an agent takes another one's place, the agent is declared gone.
#[test]
fn who_was_displaced_goes_even_if_the_other_one_is_gone_meanwhile() {
    let (master, scheduler, agents) = silent(2, false, options());
    let (mut next, [here, comes]) = (master.successor("next"), [&agents[0], &agents[1]]);
    let scheduler = next.subscribe_as(Some(&scheduler.id), framework_info("f"));
    next.from_agent(&here.1, back(&here.0, "h0", RESOURCES));
    next.events_of(&scheduler);
    next.hold_registry = true;
    next.from_agent(&here.1, back(&comes.0, "h1", RESOURCES));
    next.ask(OperatorCall::MarkAgentGone(comes.0.clone()));
    while !next.registry_writes.is_empty() {
        next.write_registry();
    }
    assert!(!next.registry.agents.contains_key(&here.0), "it was to make room");
    assert!(matches!(next.registry.agents[&comes.0], AgentRecord::Gone { .. }));
    let snapshot = next.core.snapshot(next.now);
    assert!(snapshot.agents.is_empty(), "{:?}", snapshot.agents);
    let lost = next.events_of(&scheduler).into_iter().filter_map(|event| match event {
        SchedulerEvent::Failure { agent_id, .. } => Some(agent_id),
        _ => None,
    });
    assert_eq!(lost.collect::<Vec<_>>(), std::slice::from_ref(&here.0));
}

/// Its first answer is late or lost, and it asks again.
#[test]
fn an_agent_that_is_being_marked_unreachable_is_not_told_that_it_is_registered() {
    let (mut master, _, agents) = silent(1, false, options());
    let (first, pid) = &agents[0];
    let ask = |master: &mut Master| {
        master.messages_to(pid);
        master.from_agent(pid, FromAgent::Register(Box::new(register("h0", RESOURCES))));
        master.messages_to(pid).into_iter().find_map(|message| match message {
            master_core::ToAgent::Registered(id) => Some(id),
            _ => None,
        })
    };
    assert_eq!(ask(&mut master).as_ref(), Some(first));
    master.hold_registry = true;
    master.advance(Duration::from_secs(15 * 5));
    assert_eq!(ask(&mut master), None);
    master.hold_registry = false;
    master.write_registry();
    assert!(ask(&mut master).is_some_and(|id| id != *first), "it is another agent then");
}

/// MESOS-7721.
#[test]
fn the_removal_limit_does_not_hold_back_unreachability_mesos_7721() {
    let slow = Options { agent_removal_pause: Duration::from_secs(7 * 24 * 3600), ..options() };
    let (mut master, scheduler, agents) = silent(2, true, slow);
    master.advance(Duration::from_secs(15 * 5));
    let lost = |master: &mut Master| {
        let events = master.events_of(&scheduler);
        let statuses = events.into_iter().filter_map(|event| match event {
            SchedulerEvent::Update(status) => Some((status.task_id.to_string(), status.state, status.reason)),
            _ => None,
        });
        let mut statuses: Vec<_> = statuses.collect();
        statuses.sort();
        statuses
    };
    let unreachable = |task: &str| (task.to_owned(), TaskState::Unreachable, Some(Reason::AGENT_REMOVED));
    assert_eq!(lost(&mut master), [unreachable("t0"), unreachable("t1")], "both at once");
    assert_eq!(master.core.snapshot(master.now).unreachable.len(), 1, "one is taken out");
    let (held, pid) = &agents[1];
    master.call(&scheduler, SchedulerCall::Reconcile(vec![("t1".into(), Some(held.clone()))]));
    let status = master.expect_status(&scheduler, TaskState::Unreachable);
    assert_eq!(status.reason, Some(Reason::RECONCILIATION));
    // The one that was held back answers, and its task is there again.
    master.from_agent(pid, FromAgent::Pong);
    let status = master.expect_status(&scheduler, TaskState::Staging);
    assert_eq!((status.task_id.as_str(), status.reason), ("t1", Some(Reason::AGENT_REREGISTERED)));
    master.call(&scheduler, SchedulerCall::Reconcile(Vec::new()));
    master.expect_status(&scheduler, TaskState::Staging);
}

/// The same after a failover: a scheduler that asks is answered, though the agent's turn has not come.
#[test]
fn the_removal_limit_does_not_hold_back_reconciliation_after_a_failover() {
    let slow = Options { agent_removal_pause: Duration::from_secs(7 * 24 * 3600), ..options() };
    let (master, scheduler, agents) = silent(2, true, slow);
    let mut next = master.successor("next");
    let mut info = framework_info("f");
    info.capabilities.partition_aware = true;
    let scheduler = next.subscribe_as(Some(&scheduler.id), info);
    next.advance(Duration::from_secs(600));
    assert_eq!(next.core.snapshot(next.now).recovered.len(), 1);
    next.events_of(&scheduler);
    for (agent, _) in &agents {
        next.call(&scheduler, SchedulerCall::Reconcile(vec![("t".into(), Some(agent.clone()))]));
        next.expect_status(&scheduler, TaskState::Unreachable);
    }
}

/// Takes agents out, one an hour.
fn lose(agents: usize, options: Options) -> (Master, Vec<AgentId>) {
    let mut master = Master::new(options);
    let mut lost = Vec::new();
    for i in 0..agents {
        lost.push(master.agent(&format!("h{i}"), RESOURCES).0);
        master.advance(Duration::from_secs(3600));
    }
    (master, lost)
}

/// After `PartitionTest.DisconnectedFramework`.
#[test]
fn a_scheduler_that_was_away_when_its_agent_was_lost_hears_of_it_when_it_asks() {
    let (mut master, scheduler, agents) = silent(1, true, options());
    let mut info = framework_info("f");
    info.capabilities.partition_aware = true;
    info.failover_timeout = Duration::from_secs(3600);
    let scheduler = master.subscribe_as(Some(&scheduler.id), info.clone());
    master.input(Input::SchedulerGone(scheduler.connection));
    let left = master.now;
    master.advance(Duration::from_secs(600));
    assert!(master.core.agent(&agents[0].0).is_none());
    let scheduler = master.subscribe_as(Some(&scheduler.id), info);
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Subscribed(_))));
    master.expect_silence(&scheduler);
    let ask = |agent: Option<&AgentId>| SchedulerCall::Reconcile(vec![("t0".into(), agent.cloned())]);
    master.call(&scheduler, ask(Some(&agents[0].0)));
    let status = master.expect_status(&scheduler, TaskState::Unreachable);
    assert!(status.unreachable_time.is_some_and(|at| at > left), "{status:?}");
    // As in Mesos, who does not say where the task was is told no more, and of all tasks those are told that may run.
    master.call(&scheduler, ask(None));
    master.expect_status(&scheduler, TaskState::Unknown);
    master.call(&scheduler, SchedulerCall::Reconcile(Vec::new()));
    master.expect_silence(&scheduler);
}

/// After `PartitionTest.PartitionedSlaveStatusUpdates` and `PartitionedSlaveExitedExecutor`.
#[test]
fn what_a_lost_agent_still_says_is_dropped_until_it_reregisters() {
    let (mut master, scheduler, agents) = silent(1, true, options());
    let (agent, pid) = &agents[0];
    master.advance(Duration::from_secs(75));
    master.expect_status(&scheduler, TaskState::Unreachable);
    master.events_of(&scheduler);
    master.messages_to(pid);
    let update = status(&scheduler.id, agent, &"t0".into(), TaskState::Finished, 1);
    master.from_agent(pid, FromAgent::StatusUpdate(update));
    let exited = FromAgent::ExitedExecutor {
        agent_id: agent.clone(),
        framework_id: scheduler.id.clone(),
        executor_id: "e".into(),
        status: 0,
    };
    master.from_agent(pid, exited);
    master.expect_silence(&scheduler);
    assert!(master.messages_to(pid).is_empty(), "no acknowledgement: it tells the end again when it is back");
    assert_eq!(master.core.framework(&scheduler.id).unwrap().unreachable_tasks.len(), 1);
    assert_eq!(master.core.metrics().invalid_status_updates, 1);
}

#[test]
fn too_many_unreachable_agents_are_forgotten_oldest_first() {
    let few = Options {
        registry_max_agent_count: 2,
        registry_gc_interval: Duration::from_secs(4 * 3600),
        ..options()
    };
    let (mut master, lost) = lose(4, few);
    assert_eq!(ids(&master.core.snapshot(master.now).unreachable), lost[2..].iter().collect::<Vec<_>>());
    assert_eq!(master.registry.agents.keys().collect::<Vec<_>>(), lost[2..].iter().collect::<Vec<_>>());
    // One that was forgotten may come back, as one that is not known.
    let pid = Pid::from("slave(1)@h0:5051");
    master.from_agent(&pid, back(&lost[0], "h0", RESOURCES));
    assert!(matches!(master.registry.agents[&lost[0]], AgentRecord::Admitted { .. }));
}

#[test]
fn unreachable_and_gone_agents_are_forgotten_when_they_are_old() {
    let short = Options {
        registry_max_agent_age: Duration::from_secs(3 * 3600),
        registry_gc_interval: Duration::from_secs(3600),
        ..options()
    };
    let (mut master, lost) = lose(2, short);
    master.operator(OperatorCall::MarkAgentGone(lost[0].clone())).unwrap();
    master.advance(Duration::from_secs(2 * 3600));
    assert_eq!(ids(&master.core.snapshot(master.now).gone), [&lost[0]]);
    master.advance(Duration::from_secs(3 * 3600));
    assert!(master.registry.agents.is_empty());
    let snapshot = master.core.snapshot(master.now);
    assert!(snapshot.gone.is_empty() && snapshot.unreachable.is_empty());
}

/// After `MasterTest.RegistryGcByCount`.
#[test]
fn of_too_many_gone_agents_the_newest_are_remembered() {
    let one =
        Options { registry_max_agent_count: 1, registry_gc_interval: Duration::from_secs(900), ..options() };
    let mut master = Master::new(one);
    let agents = ["a", "b"].map(|host| {
        let (agent, _) = master.agent(host, RESOURCES);
        master.operator(OperatorCall::MarkAgentGone(agent.clone())).unwrap();
        master.advance(Duration::from_secs(1));
        agent
    });
    master.advance(Duration::from_secs(900));
    let mut info = framework_info("f");
    info.capabilities.partition_aware = true;
    let scheduler = master.subscribe(info);
    for (agent, state) in agents.iter().zip([TaskState::Unknown, TaskState::GoneByOperator]) {
        master.call(&scheduler, SchedulerCall::Reconcile(vec![("t".into(), Some(agent.clone()))]));
        master.expect_status(&scheduler, state);
    }
}

#[test]
fn an_agent_that_comes_back_while_it_is_being_forgotten_stays() {
    let none =
        Options { registry_max_agent_count: 0, registry_gc_interval: Duration::from_secs(7200), ..options() };
    let (mut master, lost) = lose(1, none);
    master.hold_registry = true;
    master.advance(Duration::from_secs(3600));
    assert_eq!(master.registry_writes.len(), 1, "it is being forgotten");
    let pid = Pid::from("slave(1)@h0:5051");
    master.from_agent(&pid, back(&lost[0], "h0", RESOURCES));
    while !master.registry_writes.is_empty() {
        master.write_registry();
    }
    assert!(matches!(master.registry.agents[&lost[0]], AgentRecord::Admitted { .. }));
    assert_eq!(master.core.snapshot(master.now).agents.len(), 1);
    // And the other way round: one that is coming back is not forgotten.
    master
        .from_agent(&Pid::from("slave(1)@h1:5051"), FromAgent::Register(Box::new(register("h1", RESOURCES))));
    assert_eq!(master.registry_writes.len(), 1);
}

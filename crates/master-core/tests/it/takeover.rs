//! A master that takes over: agents and schedulers come back in any order, late, twice, or while the registry is written.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, FrameworkId, Payload};
use master_core::{
    AgentRecord, ExecutorInfo, FromAgent, Options, Pid, Reason, ReregisterAgent, SchedulerCall,
    SchedulerEvent, Task, TaskState, ToAgent,
};
use testkit::master::{
    Master, Scheduler, executor, framework_info, launch, register, reregister_with, resources, running,
    status, task_with_executor,
};

use crate::registry::{back, silent};

const RESOURCES: &str = "cpus:1;mem:64";
const TIMEOUT: Duration = Duration::from_secs(600);
const PING: Duration = Duration::from_secs(15);

fn options() -> Options {
    Options::new("master".to_owned(), 1)
}

/// What agents bring that come to a new master.
struct Agents {
    framework: FrameworkId,
    agents: Vec<(AgentId, Pid)>,
    tasks: Vec<Task>,
    executor: Option<ExecutorInfo>,
}

impl Agents {
    /// The message of the agent with this number.
    fn message(&self, at: usize) -> FromAgent {
        let (agent_id, _) = &self.agents[at];
        let executor = self.executor.iter().map(|info| (self.framework.clone(), Arc::new(info.clone())));
        let agent = register(&format!("h{at}"), "cpus:4;mem:4096");
        let tasks = self.tasks.iter().filter(|task| task.agent_id == *agent_id).cloned().collect();
        FromAgent::Reregister(Box::new(ReregisterAgent {
            executors: executor.collect(),
            ..reregister_with(agent_id, agent, &self.framework, tasks)
        }))
    }

    /// The agent with this number comes to a master.
    fn come(&self, master: &mut Master, at: usize) {
        master.from_agent(&self.agents[at].1, self.message(at));
    }
}

/// A framework with a running task of a custom executor on each of so many agents; and what they bring to the next master.
fn busy(count: usize) -> (Master, Agents) {
    let mut master = Master::new(Options { offer_timeout: None, ..options() });
    let scheduler = master.framework("f");
    let e = executor("e", &scheduler.id, "cpus:1;mem:64");
    let (mut agents, mut tasks, mut allocated) = (Vec::new(), Vec::new(), None);
    for at in 0..count {
        let (agent, pid) = master.agent(&format!("h{at}"), "cpus:4;mem:4096");
        let offer = master.offer(&scheduler);
        let info = task_with_executor(&format!("t{at}"), &agent, "cpus:1;mem:32", e.clone());
        tasks.push(running(&scheduler.id, &agent, &info, &offer));
        master.accept(&scheduler, &offer.id, [launch([info])]);
        allocated =
            Some(ExecutorInfo { resources: e.resources.clone().allocated_to(&offer.role), ..e.clone() });
        agents.push((agent, pid));
    }
    (master, Agents { framework: scheduler.id, agents, tasks, executor: allocated })
}

fn unreachable(master: &Master) -> usize {
    master.core.snapshot(master.now).unreachable.len()
}

/// After `MasterTest.CancelRecoveredSlaveRemoval` and `RateLimitRecoveredSlaveRemoval`.
#[test]
fn an_agent_that_comes_while_its_removal_waits_for_the_limit_stays() {
    let slow = Options { agent_removal_pause: Duration::from_secs(1200), ..options() };
    let (master, scheduler, agents) = silent(2, false, slow);
    let mut next = master.successor("next");
    let scheduler = next.subscribe_as(Some(&scheduler.id), framework_info("f"));
    next.advance(TIMEOUT);
    assert_eq!(unreachable(&next), 1, "the other one waits for its turn");
    let awaited: Vec<_> =
        next.core.snapshot(next.now).recovered.into_iter().map(|(agent, _)| agent).collect();
    let [late] = &awaited[..] else { panic!("{awaited:?}") };
    let at = agents.iter().position(|(agent, _)| agent == late).unwrap();
    next.events_of(&scheduler);
    next.from_agent(&agents[at].1, back(late, &format!("h{at}"), RESOURCES));
    for _ in 0..100 {
        next.advance(PING);
        next.from_agent(&agents[at].1, FromAgent::Pong);
    }
    let events = next.events_of(&scheduler);
    assert!(!events.iter().any(|event| matches!(event, SchedulerEvent::Failure { .. })), "{events:?}");
    assert_eq!(unreachable(&next), 1);
    let metrics = next.core.metrics();
    assert_eq!((metrics.agent_unreachable_scheduled, metrics.agent_unreachable_canceled), (2, 1));
}

/// After `MasterTest.RecoveredSlaveReregisters`.
#[test]
fn an_agent_that_came_in_time_is_not_lost_when_the_time_is_over() {
    let (master, _, agents) = silent(1, false, options());
    let mut next = master.successor("next");
    next.from_agent(&agents[0].1, back(&agents[0].0, "h0", RESOURCES));
    for _ in 0..45 {
        next.advance(PING);
        next.from_agent(&agents[0].1, FromAgent::Pong);
    }
    assert!(next.core.agent(&agents[0].0).is_some_and(|agent| agent.connected));
    let metrics = next.core.metrics();
    assert_eq!((metrics.agent_unreachable_scheduled, metrics.recovery_agent_removals), (0, 0));
}

/// After `MasterTest.RecoveredSlaveReregisterThenUnreachableRace`: while the registry takes down what an agent says of itself now,
/// its time is over.
#[test]
fn an_agent_that_is_being_let_in_when_its_time_is_over_stays() {
    let (master, _, agents) = silent(1, false, options());
    let (agent, pid) = &agents[0];
    let mut next = master.successor("next");
    next.hold_registry = true;
    next.from_agent(pid, back(agent, "h0", "cpus:2;mem:64"));
    assert_eq!(next.registry_writes.len(), 1);
    next.advance(TIMEOUT);
    assert_eq!(next.registry_writes.len(), 1, "nothing else is written");
    next.write_registry();
    assert!(next.core.agent(agent).is_some());
    assert!(next.messages_to(pid).iter().any(|message| matches!(message, ToAgent::Reregistered { .. })));
    assert!(matches!(next.registry.agents[agent], AgentRecord::Admitted { .. }));
    assert_eq!(next.core.metrics().recovery_agent_removals, 0);
}

/// After `MasterTest.AgentReregistrationDuringMarkingUnreachable`.
#[test]
fn an_agent_that_comes_while_it_is_being_marked_unreachable_has_to_ask_again_mesos_10209() {
    let (master, _, agents) = silent(1, false, options());
    let (agent, pid) = &agents[0];
    let mut next = master.successor("next");
    next.hold_registry = true;
    next.advance(TIMEOUT);
    assert_eq!(next.registry_writes.len(), 1, "it is being marked");
    next.from_agent(pid, back(agent, "h0", RESOURCES));
    assert!(next.messages_to(pid).is_empty() && next.registry_writes.len() == 1);
    next.write_registry();
    assert!(next.core.agent(agent).is_none() && next.messages_to(pid).is_empty());
    next.from_agent(pid, back(agent, "h0", RESOURCES));
    next.write_registry();
    assert!(next.messages_to(pid).iter().any(|message| matches!(message, ToAgent::Reregistered { .. })));
    assert!(matches!(next.registry.agents[agent], AgentRecord::Admitted { .. }));
}

/// After `MasterTest.UnreachableTaskAfterFailover`: nobody tells of the task, for this master does not know it, but whoever asks
/// is answered; and when the agent comes after all, the task runs.
#[test]
fn a_task_on_an_agent_that_came_too_late_runs_again_and_counts_once() {
    let (master, agents) = busy(1);
    let agent = agents.agents[0].0.clone();
    let mut next = master.successor("next");
    let scheduler = next.subscribe_as(Some(&agents.framework), framework_info("f"));
    next.events_of(&scheduler);
    next.advance(TIMEOUT);
    let since = next.now;
    let Some(SchedulerEvent::Failure { .. }) = next.next_event(&scheduler) else { panic!("not lost") };
    next.expect_silence(&scheduler);
    next.call(&scheduler, SchedulerCall::Reconcile(vec![("t0".into(), Some(agent))]));
    let told = next.expect_status(&scheduler, TaskState::Lost);
    assert_eq!((told.reason, told.unreachable_time), (Some(Reason::RECONCILIATION), Some(since)));
    agents.come(&mut next, 0);
    let told = next.expect_status(&scheduler, TaskState::Running);
    assert_eq!(told.reason, Some(Reason::AGENT_REREGISTERED));
    let metrics = next.core.metrics();
    assert_eq!((metrics.tasks_lost, metrics.agent_removals, metrics.agent_removals_unhealthy), (0, 1, 1));
    assert_eq!((metrics.agent_removals_unregistered, metrics.recovery_agent_removals), (0, 1));
    let framework = next.core.framework(&agents.framework).unwrap();
    assert_eq!((framework.tasks.len(), framework.unreachable_tasks.len()), (1, 0));
}

/// After `MasterTest.RegistryUpdateAfterReconfiguration` and `RegistryUpdateAfterMasterFailover`.
#[test]
fn the_registry_knows_an_agent_as_it_was_started_last() {
    let (master, _, agents) = silent(1, false, options());
    let (agent, pid) = &agents[0];
    let next = master.successor("next");
    for mut master in [master, next] {
        master.from_agent(pid, back(agent, "h0", "cpus:200;mem:64"));
        let AgentRecord::Admitted { info, .. } = &master.registry.agents[agent] else {
            panic!("not admitted")
        };
        assert_eq!(info.resources, resources("cpus:200;mem:64"));
        assert_eq!(master.core.agent(agent).unwrap().total, resources("cpus:200;mem:64"));
    }
}

/// After `MasterTest.ExecutorMessageToRecoveredHttpFramework` (MESOS-8623).
#[test]
fn a_message_for_a_framework_that_is_not_back_yet_disturbs_nothing() {
    let (master, agents) = busy(1);
    let mut next = master.successor("next");
    agents.come(&mut next, 0);
    let data = Payload::from(vec![1]);
    let message = || FromAgent::ExecutorMessage {
        agent_id: agents.agents[0].0.clone(),
        framework_id: agents.framework.clone(),
        executor_id: "e".into(),
        data: data.clone(),
    };
    next.from_agent(&agents.agents[0].1, message());
    assert_eq!(next.core.metrics().invalid_executor_to_framework_messages, 1);
    assert!(next.core.framework(&agents.framework).unwrap().recovered);
    let scheduler = next.subscribe_as(Some(&agents.framework), framework_info("f"));
    next.events_of(&scheduler);
    next.from_agent(&agents.agents[0].1, message());
    let event = next.next_event(&scheduler);
    assert!(matches!(&event, Some(SchedulerEvent::Message { data: told, .. }) if *told == data), "{event:?}");
}

/// After `MasterTest.OrphanTasksMultipleAgents` (MESOS-4973, MESOS-6461) and `RecoveredFramework`.
#[test]
fn a_framework_of_which_several_agents_tell_is_known_once() {
    let (master, agents) = busy(2);
    let mut next = master.successor("next");
    for at in 0..2 {
        agents.come(&mut next, at);
        let frameworks = next.core.snapshot(next.now).frameworks;
        let [framework] = &frameworks[..] else { panic!("{frameworks:?}") };
        assert!(framework.recovered && !framework.active && !framework.connected());
        assert_eq!(framework.tasks.len(), at + 1);
    }
    let before = next.core.framework(&agents.framework).unwrap().tasks.clone();
    next.subscribe_as(Some(&agents.framework), framework_info("f"));
    let framework = next.core.framework(&agents.framework).unwrap();
    assert!(!framework.recovered && framework.active && framework.connected());
    assert_eq!(framework.tasks, before);
}

/// After `MasterTest.FailoverAgentReregisterFirst`.
#[test]
fn a_framework_is_registered_since_its_scheduler_came() {
    let (master, agents) = busy(1);
    let mut next = master.successor("next");
    agents.come(&mut next, 0);
    let times = |next: &Master| {
        let framework = next.core.framework(&agents.framework).unwrap();
        (framework.registered_time, framework.unregistered_time)
    };
    assert_eq!(times(&next), (base::Time::EPOCH, None));
    next.advance(Duration::from_secs(5));
    next.subscribe_as(Some(&agents.framework), framework_info("f"));
    assert_eq!(times(&next), (next.now, None));
}

/// After `MasterTest.MasterFailoverLongLivedExecutor`.
#[test]
fn an_executor_takes_tasks_from_the_next_master_too() {
    let (master, agents) = busy(1);
    let (agent, pid) = &agents.agents[0];
    let mut next = master.successor("next");
    agents.come(&mut next, 0);
    let scheduler = next.subscribe_as(Some(&agents.framework), framework_info("f"));
    next.next_event(&scheduler);
    let offer = next.offer(&scheduler);
    assert_eq!(offer.executor_ids, ["e".into()]);
    next.messages_to(pid);
    let e = executor("e", &agents.framework, "cpus:1;mem:64");
    let second = task_with_executor("second", agent, "cpus:1;mem:32", e);
    next.accept(&scheduler, &offer.id, [launch([second])]);
    let told = next.messages_to(pid);
    assert!(matches!(&told[..], [ToAgent::RunTask { launch_executor: false, .. }]), "{told:?}");
    let used = next.core.agent(agent).unwrap().used[&agents.framework].clone().unallocated();
    assert_eq!(used, resources("cpus:3;mem:128"), "the executor is paid for once");
}

/// After `MasterTest.DuplicatedSlaveIdWhenSlaveReregister` (MESOS-3351).
#[test]
fn an_agent_that_is_new_to_the_next_master_takes_no_id_of_a_former_one() {
    let (master, _, agents) = silent(1, false, options());
    let mut next = master.successor("next");
    let (new, _) = next.agent("new", RESOURCES);
    next.from_agent(&agents[0].1, back(&agents[0].0, "h0", RESOURCES));
    let snapshot = next.core.snapshot(next.now);
    assert_eq!(snapshot.agents.len(), 2);
    assert_ne!(new, agents[0].0);
}

/// After `MasterTest.RecoverResourcesOrphanedTask`, which Mesos has disabled.
#[test]
fn a_task_that_ends_before_its_scheduler_is_back_frees_what_it_took() {
    let (master, agents) = busy(1);
    let (agent, pid) = &agents.agents[0];
    let mut next = master.successor("next");
    agents.come(&mut next, 0);
    let ended = status(&agents.framework, agent, &"t0".into(), TaskState::Finished, 5);
    next.from_agent(pid, FromAgent::StatusUpdate(ended));
    let used = next.core.agent(agent).unwrap().used[&agents.framework].clone().unallocated();
    assert_eq!(used, resources("cpus:1;mem:64"), "only the executor's");
    let framework = next.core.framework(&agents.framework).unwrap();
    assert_eq!(framework.tasks["t0"].state, TaskState::Finished);
    assert!(framework.completed_tasks.is_empty(), "its end is not acknowledged");
    let other = next.framework("g");
    let offer = next.offer(&other);
    assert_eq!(offer.resources.clone().unallocated(), resources("cpus:3;mem:4032"));
}

/// After `MasterTest.KillUnknownTaskSlaveInTransition`: a task that this master does not know may be on an agent that it awaits,
/// also while the registry is written.
#[test]
fn a_kill_of_a_task_that_may_be_on_an_awaited_agent_is_not_answered() {
    let (master, scheduler, agents) = silent(1, false, options());
    let (agent, pid) = &agents[0];
    let mut next = master.successor("next");
    let scheduler = next.subscribe_as(Some(&scheduler.id), framework_info("f"));
    next.events_of(&scheduler);
    let kill = |next: &mut Master, scheduler: &Scheduler, agent_id: Option<&AgentId>| {
        let call =
            SchedulerCall::Kill { task_id: "unknown".into(), agent_id: agent_id.cloned(), kill_policy: None };
        next.call(scheduler, call);
    };
    next.hold_registry = true;
    next.from_agent(pid, back(agent, "h0", "cpus:2;mem:64"));
    for of in [None, Some(agent)] {
        kill(&mut next, &scheduler, of);
        next.expect_silence(&scheduler);
    }
    next.write_registry();
    kill(&mut next, &scheduler, Some(agent));
    let told = next.expect_status(&scheduler, TaskState::Lost);
    assert_eq!(told.reason, Some(Reason::RECONCILIATION));
}

//! Agents that go and come back under the same master: what is shown of them meanwhile, what becomes of their tasks and roles.

use std::time::Duration;

use master_core::{
    FromAgent, Input, MachineId, OperatorCall, Options, Reason, SchedulerCall, SchedulerEvent, Task,
    TaskState, ToAgent, Unavailability, Window,
};
use testkit::master::{
    Master, executor, framework_info, launch, register, reregister_with, resources, running, status, task,
    task_with_executor,
};

use crate::registry::silent;
use crate::reregistration::{Scene, TOTAL, scene_in};

const PING: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(600);

/// A framework, partition-aware or not, with the running task `t`.
fn scene(partition_aware: bool) -> Scene {
    let options = Options { offer_timeout: None, ..Options::new("master".to_owned(), 1) };
    let mut s = scene_in(Master::new(options), partition_aware);
    let started = status(&s.scheduler.id, &s.agent, &"t".into(), TaskState::Running, 1);
    s.master.from_agent(&s.pid, FromAgent::StatusUpdate(started));
    s.master.expect_status(&s.scheduler, TaskState::Running);
    s.master.messages_to(&s.pid);
    s
}

impl Scene {
    /// The agent comes back with tasks; what it is told.
    fn come_back(&mut self, tasks: Vec<Task>) -> Vec<ToAgent> {
        let message = reregister_with(&self.agent, register("h", TOTAL), &self.scheduler.id, tasks);
        self.master.from_agent(&self.pid, FromAgent::Reregister(Box::new(message)));
        self.master.messages_to(&self.pid)
    }

    /// It answers pings for so long, and does nothing else.
    fn only_answers_pings(&mut self, time: Duration) {
        let end = self.master.now + time;
        while self.master.now < end {
            self.master.from_agent(&self.pid, FromAgent::Pong);
            self.master.advance(PING);
        }
    }
}

/// After `MasterTest.EndpointsForHalfRemovedSlave`: an agent is there until the registry holds that it is not.
#[test]
fn an_agent_is_shown_until_the_registry_holds_that_it_is_unreachable() {
    let (mut master, _, agents) = silent(1, true, Options::new("master".to_owned(), 1));
    master.hold_registry = true;
    master.advance(PING * 6);
    let shown = |master: &Master| {
        let snapshot = master.core.snapshot(master.now);
        let metrics = &snapshot.metrics;
        assert_eq!((metrics.agent_unreachable_scheduled, metrics.agent_unreachable_completed), (1, 1));
        let removals = (metrics.agent_removals, metrics.agent_removals_unhealthy);
        (snapshot.agents.len(), snapshot.unreachable.len(), removals, metrics.agent_removals_unregistered)
    };
    assert_eq!(shown(&master), (1, 0, (0, 0), 0));
    master.write_registry();
    assert_eq!(shown(&master), (0, 1, (1, 1), 0));
    assert!(master.core.agent(&agents[0].0).is_none());
}

/// After `MasterTest.AgentRestartNoReregister`: it answers pings, but its recovery hangs.
#[test]
fn an_agent_that_only_answers_pings_after_its_connection_broke_is_unreachable_until_it_is_back() {
    let mut s = scene(true);
    s.master.input(Input::AgentDisconnected(s.pid.clone()));
    s.master.messages_to(&s.pid);
    s.only_answers_pings(TIMEOUT - PING);
    s.master.expect_silence(&s.scheduler);
    assert!(s.master.messages_to(&s.pid).iter().all(|told| *told == ToAgent::Ping { connected: false }));
    s.only_answers_pings(PING);
    let told = s.master.expect_status(&s.scheduler, TaskState::Unreachable);
    assert_eq!((told.reason, told.unreachable_time), (Some(Reason::AGENT_REMOVED), Some(s.master.now)));
    assert!(matches!(s.master.next_event(&s.scheduler), Some(SchedulerEvent::Failure { .. })));
    s.come_back(vec![s.task.clone()]);
    let told = s.master.expect_status(&s.scheduler, TaskState::Running);
    assert_eq!(told.reason, Some(Reason::AGENT_REREGISTERED));
    let metrics = s.master.core.metrics();
    assert_eq!((metrics.agent_removals, metrics.agent_removals_unhealthy), (1, 1));
    assert_eq!((metrics.recovery_agent_removals, metrics.agent_removals_unregistered), (0, 0));
}

/// After `MasterTest.AgentRestartNoReregisterRateLimit`.
#[test]
fn the_removal_limit_holds_for_agents_whose_connection_broke() {
    let slow = Options { agent_removal_pause: Duration::from_secs(3600), ..Options::new("master".into(), 1) };
    let (mut master, scheduler, agents) = silent(2, false, slow);
    for (_, pid) in &agents {
        master.input(Input::AgentDisconnected(pid.clone()));
    }
    let lost = |master: &mut Master| {
        let events = master.events_of(&scheduler);
        events.iter().filter(|event| matches!(event, SchedulerEvent::Failure { .. })).count()
    };
    master.advance(TIMEOUT);
    assert_eq!(lost(&mut master), 1);
    master.advance(Duration::from_secs(3000));
    assert_eq!(lost(&mut master), 0);
    master.advance(Duration::from_secs(600));
    assert_eq!(lost(&mut master), 1);
}

/// After `MasterTest.NonCheckpointingFrameworkAgentDisconnectionExecutorOnly`: of a framework without checkpoints only an executor
/// is on the agent whose connection breaks; then the framework ends, and then the agent.
#[test]
fn an_executor_without_tasks_goes_with_the_connection_of_its_agent_mesos_9609() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", TOTAL);
    let mut info = framework_info("f");
    info.checkpoint = false;
    let scheduler = master.subscribe(info);
    let offer = master.offer(&scheduler);
    let e = executor("e", &scheduler.id, "cpus:1;mem:64");
    master.accept(&scheduler, &offer.id, [launch([task_with_executor("t", &agent, "cpus:1;mem:32", e)])]);
    let ended = status(&scheduler.id, &agent, &"t".into(), TaskState::Finished, 1);
    master.from_agent(&pid, FromAgent::StatusUpdate(ended));
    let (agent_id, uuid) = (agent.clone(), base::Uuid::from_bytes([1; 16]));
    master.call(&scheduler, SchedulerCall::Acknowledge { agent_id, task_id: "t".into(), uuid });
    let shown = master.core.agent(&agent).unwrap();
    assert_eq!((shown.tasks.len(), shown.executors.len()), (0, 1));
    master.input(Input::AgentDisconnected(pid));
    let shown = master.core.agent(&agent).unwrap();
    assert!(shown.tasks.is_empty() && shown.executors.is_empty() && shown.used.is_empty());
    master.call(&scheduler, SchedulerCall::Teardown);
    assert_eq!(master.core.snapshot(master.now).completed_frameworks.len(), 1);
    assert_eq!(master.operator(OperatorCall::MarkAgentGone(agent)), Ok(()));
    assert!(master.core.snapshot(master.now).agents.is_empty());
}

/// After `MasterTest.MultiRoleSchedulerUnsubscribeFromRole`: the task of a role that its framework has given up keeps the role in
/// use, and brings it no offers.
#[test]
fn a_task_of_a_role_that_its_framework_gave_up_comes_back_with_it() {
    let mut s = scene(true);
    let mut info = framework_info("f");
    info.capabilities.partition_aware = true;
    info.roles = ["other".into()].into();
    s.scheduler = s.master.subscribe_as(Some(&s.scheduler.id.clone()), info);
    s.master.call(&s.scheduler, SchedulerCall::Suppress(Vec::new()));
    let star = |master: &Master| {
        let agents = master.core.snapshot(master.now).agents;
        agents.iter().flat_map(|agent| agent.used.values()).any(|used| !used.is_empty())
    };
    s.master.advance(PING * 6);
    s.master.events_of(&s.scheduler);
    assert!(!star(&s.master), "nobody has the role any more");
    s.come_back(vec![s.task.clone()]);
    s.master.expect_status(&s.scheduler, TaskState::Running);
    assert!(star(&s.master));
    let task = s.master.core.framework(&s.scheduler.id).unwrap().tasks["t"].clone();
    assert_eq!(task.role.as_str(), "*");
    s.master.call(&s.scheduler, SchedulerCall::Revive(Vec::new()));
    let offer = s.master.offer(&s.scheduler);
    assert_eq!(offer.role.as_str(), "other");
    assert_eq!(offer.resources.clone().unallocated(), resources("cpus:3;mem:4064"));
}

/// After `MasterTest.TaskStateMetrics`: a task that runs and one whose end is not acknowledged are counted once, also when their
/// agent is back.
#[test]
fn tasks_are_counted_once_when_their_agent_is_back() {
    let mut s = scene(false);
    s.master.call(&s.scheduler, SchedulerCall::Revive(Vec::new()));
    let offer = s.master.offer(&s.scheduler);
    let second = task("ends", &s.agent, "cpus:1;mem:32");
    let ended = Task { state: TaskState::Finished, ..running(&s.scheduler.id, &s.agent, &second, &offer) };
    s.master.accept(&s.scheduler, &offer.id, [launch([second])]);
    let update = status(&s.scheduler.id, &s.agent, &"ends".into(), TaskState::Finished, 2);
    s.master.from_agent(&s.pid, FromAgent::StatusUpdate(update));
    let counted = |s: &Scene| {
        let framework = s.master.core.framework(&s.scheduler.id).unwrap();
        let states: Vec<_> = framework.tasks.values().map(|task| task.state).collect();
        (s.master.core.metrics().tasks_finished, states, framework.completed_tasks.len())
    };
    let before = (1, vec![TaskState::Finished, TaskState::Running], 0);
    assert_eq!(counted(&s), before);
    s.master.input(Input::AgentDisconnected(s.pid.clone()));
    s.come_back(vec![s.task.clone(), ended]);
    assert_eq!(counted(&s), before);
}

/// After `MasterTest.LostTaskCleanup`: the machine of an agent goes down and comes up, and the task was never ended.
#[test]
fn a_task_that_was_lost_with_its_machine_runs_again_and_is_over_no_more() {
    let mut s = scene(false);
    let machine = MachineId { hostname: Some("h".into()), ip: Some("h".into()) };
    let unavailability = Unavailability { start: 60, duration: None };
    let window = Window { machines: vec![machine.clone()], unavailability };
    s.master.operator(OperatorCall::UpdateMaintenanceSchedule(vec![window])).unwrap();
    s.master.operator(OperatorCall::StartMaintenance(vec![machine.clone()])).unwrap();
    let events = s.master.events_of(&s.scheduler);
    let lost = |event: &SchedulerEvent| matches!(event, SchedulerEvent::Update(told) if told.state == TaskState::Lost);
    assert!(events.iter().any(lost), "{events:?}");
    let framework = s.master.core.framework(&s.scheduler.id).unwrap();
    assert_eq!((framework.tasks.len(), framework.completed_tasks.len()), (0, 1));
    s.master.operator(OperatorCall::StopMaintenance(vec![machine])).unwrap();
    let told = s.come_back(vec![s.task.clone()]);
    assert!(!told.iter().any(|message| matches!(message, ToAgent::KillTask { .. })), "{told:?}");
    let back = s.master.expect_status(&s.scheduler, TaskState::Running);
    assert_eq!(back.source, Some(master_core::Source::Master));
    let framework = s.master.core.framework(&s.scheduler.id).unwrap();
    assert_eq!((framework.tasks.len(), framework.completed_tasks.len()), (1, 0));
}

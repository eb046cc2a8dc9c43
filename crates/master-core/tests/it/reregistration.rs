//! Agents that come back, and masters that are new.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, Uuid};
use master_core::{
    AgentInfo, FromAgent, Input, Observation, OperatorCall, Pid, Reason, ReregisterAgent, SchedulerCall,
    SchedulerEvent, Task, TaskState, ToAgent, UpdateAgent,
};
use testkit::master::{
    Master, Scheduler, executor, framework_info, launch, register, reregister_with, resources, running,
    status, task, task_with_executor,
};

pub(crate) const TOTAL: &str = "cpus:4;mem:4096";

/// The agent `h` with these tasks of the framework.
fn reregister(agent: &AgentId, scheduler: &Scheduler, tasks: Vec<Task>) -> ReregisterAgent {
    reregister_with(agent, register("h", TOTAL), &scheduler.id, tasks)
}

fn back(message: ReregisterAgent) -> FromAgent {
    FromAgent::Reregister(Box::new(message))
}

pub(crate) struct Scene {
    pub(crate) master: Master,
    pub(crate) agent: AgentId,
    pub(crate) pid: Pid,
    pub(crate) scheduler: Scheduler,
    /// As the agent describes it.
    pub(crate) task: Task,
}

/// A framework with the task `t` of one CPU.
fn scene(partition_aware: bool) -> Scene {
    scene_in(Master::default(), partition_aware)
}

/// The same under a master of the test's own.
pub(crate) fn scene_in(mut master: Master, partition_aware: bool) -> Scene {
    let (agent, pid) = master.agent("h", TOTAL);
    let mut info = framework_info("f");
    info.capabilities.partition_aware = partition_aware;
    let scheduler = master.subscribe(info);
    let offer = master.offer(&scheduler);
    let info = task("t", &agent, "cpus:1;mem:32");
    let running = running(&scheduler.id, &agent, &info, &offer);
    master.accept(&scheduler, &offer.id, [launch([info])]);
    master.messages_to(&pid);
    Scene { master, agent, pid, scheduler, task: running }
}

#[test]
fn an_agent_that_was_lost_brings_its_tasks_back() {
    for partition_aware in [true, false] {
        let mut s = scene(partition_aware);
        s.master.advance(Duration::from_secs(75));
        s.master.events_of(&s.scheduler);
        s.master.messages_to(&s.pid);
        s.master.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, vec![s.task.clone()])));
        let status = s.master.expect_status(&s.scheduler, TaskState::Running);
        assert_eq!(status.message.as_deref(), Some("Unreachable agent re-reregistered"));
        assert_eq!(status.reason, Some(Reason::AGENT_REREGISTERED));
        let messages = s.master.messages_to(&s.pid);
        assert!(
            matches!(
                messages.as_slice(),
                [ToAgent::Ping { .. }, ToAgent::Reregistered { .. }, ToAgent::UpdateFramework(_)]
            ),
            "{messages:?}"
        );
        let framework = s.master.core.snapshot(s.master.now).frameworks[0].clone();
        assert_eq!((framework.tasks.len(), framework.unreachable_tasks.len()), (1, 0));
        let offer = s.master.offer(&s.scheduler);
        assert_eq!(offer.resources.clone().unallocated(), resources("cpus:3;mem:4064"));
    }
}

/// An agent asks again while the registry is written for it, and has lost its memory in between.
#[test]
fn what_an_agent_says_last_while_the_registry_is_written_is_what_it_has() {
    let mut s = scene(true);
    s.master.advance(Duration::from_secs(75));
    s.master.events_of(&s.scheduler);
    s.master.hold_registry = true;
    let brings = |tasks| back(reregister(&s.agent, &s.scheduler, tasks));
    s.master.from_agent(&s.pid, brings(vec![s.task.clone()]));
    s.master.from_agent(&s.pid, brings(Vec::new()));
    s.master.write_registry();
    assert!(s.master.registry_writes.is_empty());
    s.master.expect_status(&s.scheduler, TaskState::Gone);
    let framework = s.master.core.snapshot(s.master.now).frameworks[0].clone();
    assert_eq!((framework.tasks.len(), framework.unreachable_tasks.len()), (0, 0));
}

/// Its first attempt is heard and answered, the second is lost with its link; then the first answer comes, and the agent takes it
/// for that to the second. Whatever it was that only the second told has to be told again.
#[test]
fn an_agent_that_believes_to_have_told_what_was_not_heard_is_asked_to_reregister() {
    let mut s = scene(true);
    let ping = |connected| vec![ToAgent::Ping { connected }];
    let attempt = |s: &Scene, version: u8, tasks| {
        let mut message = reregister(&s.agent, &s.scheduler, tasks);
        message.agent.resource_version = Some(Uuid::from_bytes([version; 16]));
        back(message)
    };
    let follow = |s: &Scene, version: u8| {
        FromAgent::Update(Box::new(UpdateAgent {
            agent_id: s.agent.clone(),
            oversubscribed: None,
            resource_version: Some(Uuid::from_bytes([version; 16])),
            operations: Some(Vec::new()),
        }))
    };
    let heard = attempt(&s, 2, vec![s.task.clone()]);
    s.master.from_agent(&s.pid, heard);
    s.master.messages_to(&s.pid);
    s.master.from_agent(&s.pid, follow(&s, 3));
    assert_eq!(s.master.messages_to(&s.pid), ping(false));
    // What is launched now must not be taken for launched upon what the agent told last.
    let agent = s.master.core.agent(&s.agent).expect("it is registered");
    assert_eq!(agent.resource_version, Some(Uuid::from_bytes([2; 16])));
    // The ping may be lost as well.
    s.master.advance(Duration::from_secs(15));
    assert_eq!(s.master.messages_to(&s.pid), ping(false));
    let third = attempt(&s, 4, Vec::new());
    s.master.from_agent(&s.pid, third);
    let answers = s.master.messages_to(&s.pid);
    let asks = |told: &ToAgent| matches!(told, ToAgent::Reregistered { reconciliations, .. } if reconciliations.len() == 1);
    assert!(answers.iter().any(asks), "it is asked about the task that it does not tell of: {answers:?}");
    s.master.from_agent(&s.pid, follow(&s, 4));
    assert_eq!(s.master.messages_to(&s.pid), []);
    s.master.advance(Duration::from_secs(15));
    assert_eq!(s.master.messages_to(&s.pid), ping(true));
}

/// Its end is told once, and by an agent that the master does not know at that moment.
#[test]
fn an_executor_that_ends_while_the_registry_is_written_is_not_counted_on() {
    let mut s = scene(true);
    s.master.advance(Duration::from_secs(75));
    s.master.hold_registry = true;
    let mut message = reregister(&s.agent, &s.scheduler, Vec::new());
    let e = executor("e", &s.scheduler.id, "cpus:1;mem:64");
    let resources = e.resources.allocated_to(&s.task.role);
    message.executors.push((s.scheduler.id.clone(), Arc::new(master_core::ExecutorInfo { resources, ..e })));
    s.master.from_agent(&s.pid, back(message));
    let exited = FromAgent::ExitedExecutor {
        agent_id: s.agent.clone(),
        framework_id: s.scheduler.id.clone(),
        executor_id: "e".into(),
        status: 9,
    };
    s.master.from_agent(&s.pid, exited);
    s.master.events_of(&s.scheduler);
    s.master.write_registry();
    assert!(s.master.core.agent(&s.agent).expect("it is back").executors.is_empty());
    let events = s.master.events_of(&s.scheduler);
    let told = events.iter().any(|event| {
        matches!(event, SchedulerEvent::Failure { executor_id: Some(id), status: Some(9), .. } if id.as_str() == "e")
    });
    assert!(told, "the scheduler hears how it ended: {events:?}");
}

#[test]
fn a_new_master_learns_everything_from_agents_and_schedulers() {
    let s = scene(false);
    let mut master = Master::new(master_core::Options::new("second".to_owned(), 2));
    let mut message = reregister(&s.agent, &s.scheduler, vec![s.task.clone()]);
    let e = executor("e", &s.scheduler.id, "cpus:1;mem:64");
    message.executors.push((
        s.scheduler.id.clone(),
        Arc::new(master_core::ExecutorInfo { resources: e.resources.allocated_to(&s.task.role), ..e }),
    ));
    master.from_agent(&s.pid, back(message));
    let snapshot = master.core.snapshot(master.now);
    assert!(snapshot.frameworks[0].recovered && !snapshot.frameworks[0].active);
    assert_eq!(snapshot.frameworks[0].tasks.len(), 1);
    assert_eq!(master.directory[&s.scheduler.id], None);

    let scheduler = master.subscribe_as(Some(&s.scheduler.id), framework_info("f"));
    assert!(matches!(master.next_event(&scheduler), Some(SchedulerEvent::Subscribed(_))));
    let offer = master.offer(&scheduler);
    assert_eq!(offer.resources.clone().unallocated(), resources("cpus:2;mem:4000"));
    assert_eq!(offer.id.as_str(), "second-O0");
    master.call(&scheduler, SchedulerCall::Reconcile(Vec::new()));
    master.expect_status(&scheduler, TaskState::Running);
    let kill = SchedulerCall::Kill { task_id: "t".into(), agent_id: None, kill_policy: None };
    master.messages_to(&s.pid);
    master.call(&scheduler, kill);
    assert!(matches!(master.messages_to(&s.pid).as_slice(), [ToAgent::KillTask { .. }]));
}

/// After `PartitionTest.PartitionedSlaveReregistrationMasterFailover`.
#[test]
fn an_agent_that_was_lost_comes_to_the_next_master_with_its_tasks() {
    for partition_aware in [true, false] {
        let mut s = scene(partition_aware);
        s.master.advance(Duration::from_secs(75));
        let mut next = s.master.successor("next");
        assert_eq!(next.core.snapshot(next.now).unreachable[0].0, s.agent);
        let mut info = framework_info("f");
        info.capabilities.partition_aware = partition_aware;
        let scheduler = next.subscribe_as(Some(&s.scheduler.id), info);
        next.events_of(&scheduler);
        next.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, vec![s.task.clone()])));
        let status = next.expect_status(&scheduler, TaskState::Running);
        assert_eq!(status.reason, Some(Reason::AGENT_REREGISTERED));
        let messages = next.messages_to(&s.pid);
        let killed = |message: &ToAgent| {
            matches!(message, ToAgent::KillTask { .. } | ToAgent::ShutdownFramework(_) | ToAgent::Shutdown(_))
        };
        assert!(!messages.iter().any(killed), "{messages:?}");
        assert_eq!(next.core.framework(&scheduler.id).unwrap().tasks.len(), 1);
    }
}

#[test]
fn a_framework_that_does_not_come_to_the_new_master_ends_after_its_time() {
    let Scene { master, scheduler, agent, pid, task: running, .. } = scene(true);
    let mut next = master.successor("next");
    next.from_agent(&pid, back(reregister(&agent, &scheduler, vec![running])));
    let frameworks = |next: &Master| next.core.snapshot(next.now).frameworks.len();
    for _ in 0..39 {
        next.advance(Duration::from_secs(15));
        next.from_agent(&pid, FromAgent::Pong);
        assert_eq!(frameworks(&next), 1);
    }
    next.messages_to(&pid);
    next.advance(Duration::from_secs(15));
    assert_eq!(frameworks(&next), 0, "it may be away for a minute, and for as long as agents may");
    assert!(next.messages_to(&pid).contains(&ToAgent::ShutdownFramework(scheduler.id)));
}

#[test]
fn an_agent_that_restarted_is_asked_about_what_it_forgot() {
    let mut s = scene(false);
    s.master.input(Input::AgentDisconnected(s.pid.clone()));
    s.master.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, Vec::new())));
    let messages = s.master.messages_to(&s.pid);
    let [ToAgent::Reregistered { reconciliations, .. }, ToAgent::UpdateFramework(_)] = messages.as_slice()
    else {
        panic!("{messages:?}");
    };
    assert_eq!(reconciliations.len(), 1);
    assert_eq!(reconciliations[0].1[0].task_id.as_str(), "t");
    let snapshot = s.master.core.snapshot(s.master.now);
    assert!(snapshot.agents[0].connected && snapshot.agents[0].active);
    assert_eq!(snapshot.frameworks[0].tasks.len(), 1, "the agent's status decides");
    s.master.advance(Duration::from_secs(1200));
    assert_eq!(s.master.core.snapshot(s.master.now).metrics.agent_removals_unhealthy, 1, "it never answered");
}

#[test]
fn a_kill_that_the_agent_missed_is_repeated() {
    let mut s = scene(false);
    s.master.input(Input::AgentDisconnected(s.pid.clone()));
    let kill = SchedulerCall::Kill { task_id: "t".into(), agent_id: None, kill_policy: None };
    s.master.call(&s.scheduler.clone(), kill);
    assert!(s.master.messages_to(&s.pid).is_empty());
    s.master.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, vec![s.task.clone()])));
    let messages = s.master.messages_to(&s.pid);
    assert!(messages.iter().any(|message| matches!(message, ToAgent::KillTask { .. })), "{messages:?}");
}

#[test]
fn an_executor_that_the_agent_lost_takes_nothing_any_more() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", TOTAL);
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    let e = executor("e", &scheduler.id, "cpus:1;mem:64");
    let info = task_with_executor("t", &agent, "cpus:1;mem:32", e);
    let there = running(&scheduler.id, &agent, &info, &offer);
    master.accept(&scheduler, &offer.id, [launch([info])]);
    master.from_agent(&pid, back(reregister(&agent, &scheduler, vec![there])));
    let used = master.core.snapshot(master.now).agents[0].used[&scheduler.id].clone();
    assert_eq!(used.unallocated(), resources("cpus:1;mem:32"));
}

#[test]
fn a_framework_that_ended_meanwhile_ends_on_the_agent_too() {
    for (lost, with_task) in [(true, true), (false, true), (true, false), (false, false)] {
        let mut s = scene(false);
        if lost {
            s.master.advance(Duration::from_secs(75));
        } else {
            s.master.input(Input::AgentDisconnected(s.pid.clone()));
        }
        s.master.call(&s.scheduler.clone(), SchedulerCall::Teardown);
        s.master.messages_to(&s.pid);
        // Without a task, an executor may still be there.
        let tasks = if with_task { vec![s.task.clone()] } else { Vec::new() };
        s.master.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, tasks)));
        let messages = s.master.messages_to(&s.pid);
        assert!(messages.contains(&ToAgent::ShutdownFramework(s.scheduler.id.clone())), "{messages:?}");
        assert!(s.master.core.snapshot(s.master.now).agents[0].used.is_empty());
    }
}

#[test]
fn an_agent_may_come_back_on_another_port_but_not_another_host() {
    let mut s = scene(false);
    s.master.input(Input::AgentDisconnected(s.pid.clone()));
    let moved: Pid = "slave(1)@h:6000".into();
    s.master.from_agent(&moved, back(reregister(&s.agent, &s.scheduler, vec![s.task.clone()])));
    assert_eq!(s.master.core.snapshot(s.master.now).agents[0].pid, moved);
    assert!(s.master.linked.contains(&moved) && !s.master.linked.contains(&s.pid));
    // What the old address loses is no longer of interest.
    s.master.input(Input::AgentDisconnected(s.pid.clone()));
    assert!(s.master.core.snapshot(s.master.now).agents[0].connected);

    let mut message = reregister(&s.agent, &s.scheduler, Vec::new());
    message.agent.info = Arc::new(AgentInfo { hostname: "x".to_owned(), ..(*message.agent.info).clone() });
    let stranger: Pid = "slave(1)@x:5051".into();
    s.master.from_agent(&stranger, back(message));
    let messages = s.master.messages_to(&stranger);
    assert!(matches!(messages.as_slice(), [ToAgent::Shutdown(_)]), "{messages:?}");
}

#[test]
fn an_agent_that_is_gone_stays_gone() {
    let mut s = scene(true);
    assert_eq!(s.master.operator(OperatorCall::MarkAgentGone(s.agent.clone())), Ok(()));
    let gone = ToAgent::Shutdown("Agent has been marked gone".to_owned());
    assert_eq!(s.master.messages_to(&s.pid), std::slice::from_ref(&gone));
    let status = s.master.expect_status(&s.scheduler, TaskState::GoneByOperator);
    assert_eq!(status.message.as_deref(), Some("Agent has been marked gone"));
    assert_eq!(status.reason, Some(Reason::AGENT_REMOVED_BY_OPERATOR));
    assert!(matches!(s.master.next_event(&s.scheduler), Some(SchedulerEvent::Failure { .. })));
    s.master.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, vec![s.task.clone()])));
    assert_eq!(s.master.messages_to(&s.pid), [gone]);
    assert!(s.master.core.snapshot(s.master.now).agents.is_empty());
}

#[test]
fn tasks_of_a_lost_agent_that_is_declared_gone_are_gone() {
    let mut s = scene(true);
    s.master.advance(Duration::from_secs(75));
    s.master.events_of(&s.scheduler);
    assert_eq!(s.master.operator(OperatorCall::MarkAgentGone(s.agent.clone())), Ok(()));
    s.master.expect_status(&s.scheduler, TaskState::GoneByOperator);
    let framework = s.master.core.snapshot(s.master.now).frameworks[0].clone();
    assert_eq!((framework.unreachable_tasks.len(), framework.completed_tasks.len()), (0, 1));
}

#[test]
fn a_task_whose_id_is_in_use_again_is_not_taken_back() {
    let mut s = scene(false);
    let (second, other) = s.master.agent("h2", "cpus:1;mem:64");
    let offer = s.master.offer(&s.scheduler);
    s.master.from_agent(&s.pid, FromAgent::Unregister(s.agent.clone()));
    s.master.expect_status(&s.scheduler, TaskState::Lost);
    s.master.accept(&s.scheduler.clone(), &offer.id, [launch([task("t", &second, "cpus:1;mem:32")])]);
    s.master.events_of(&s.scheduler);
    s.master.messages_to(&s.pid);
    s.master.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, vec![s.task.clone()])));
    s.master.expect_silence(&s.scheduler);
    let messages = s.master.messages_to(&s.pid);
    assert!(messages.iter().any(|message| matches!(message, ToAgent::KillTask { .. })), "{messages:?}");
    assert!(matches!(s.master.messages_to(&other).as_slice(), [ToAgent::RunTask { .. }]));
}

#[test]
fn a_task_that_was_declared_lost_is_killed_when_the_agent_still_has_it() {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", TOTAL);
    let mut info = framework_info("f");
    info.checkpoint = false;
    let scheduler = master.subscribe(info);
    let offer = master.offer(&scheduler);
    let info = task("t", &agent, "cpus:1;mem:32");
    let there = running(&scheduler.id, &agent, &info, &offer);
    master.accept(&scheduler, &offer.id, [launch([info])]);
    master.input(Input::AgentDisconnected(pid.clone()));
    master.expect_status(&scheduler, TaskState::Lost);
    master.messages_to(&pid);
    master.from_agent(&pid, back(reregister(&agent, &scheduler, vec![there])));
    let messages = master.messages_to(&pid);
    assert!(messages.iter().any(|message| matches!(message, ToAgent::KillTask { .. })), "{messages:?}");
}

#[test]
fn an_agent_that_comes_back_smaller_withdraws_what_it_offered() {
    let mut s = scene(false);
    s.master.call(&s.scheduler.clone(), SchedulerCall::Revive(Vec::new()));
    let offer = s.master.offer(&s.scheduler);
    for total in ["cpus:2;mem:2048", "cpus:0.5;mem:16"] {
        let mut message = reregister(&s.agent, &s.scheduler, vec![s.task.clone()]);
        message.agent = register("h", total);
        s.master.from_agent(&s.pid, back(message));
    }
    assert!(matches!(s.master.next_event(&s.scheduler), Some(SchedulerEvent::Rescind(id)) if id == offer.id));
    s.master.settle();
    s.master.expect_silence(&s.scheduler);
}

#[test]
fn a_status_of_an_operation_of_another_master_is_acknowledged() {
    let mut s = scene(false);
    let uuid = base::Uuid::from_bytes([5; 16]);
    let update = master_core::UpdateOperation {
        framework_id: Some(s.scheduler.id.clone()),
        agent_id: Some(s.agent.clone()),
        operation_uuid: Some(uuid),
        latest_status: None,
        status: master_core::OperationStatus {
            operation_id: None,
            state: master_core::OperationState::Dropped,
            message: None,
            uuid: Some(uuid),
            agent_id: Some(s.agent.clone()),
            body: None,
        },
    };
    s.master.from_agent(&s.pid.clone(), FromAgent::OperationStatus(Box::new(update)));
    let messages = s.master.messages_to(&s.pid);
    assert!(matches!(messages.as_slice(), [ToAgent::AcknowledgeOperation { .. }]), "{messages:?}");
    s.master.expect_silence(&s.scheduler);
}

#[test]
fn an_agent_that_comes_back_at_the_address_of_another_removes_that_one() {
    let mut s = scene(false);
    let other: Pid = "slave(1)@h:6000".into();
    s.master.from_agent(&other, FromAgent::Register(Box::new(register("h", "cpus:1;mem:64"))));
    s.master.input(Input::AgentDisconnected(other.clone()));
    s.master.from_agent(&other, back(reregister(&s.agent, &s.scheduler, vec![s.task.clone()])));
    let agents = s.master.core.snapshot(s.master.now).agents;
    assert_eq!(agents.iter().map(|agent| (&agent.id, &agent.pid)).collect::<Vec<_>>(), [(&s.agent, &other)]);
    assert!(s.master.linked.contains(&other));
}

#[test]
fn a_task_that_a_lost_agent_does_not_bring_back_has_ended() {
    for partition_aware in [true, false] {
        let mut s = scene(partition_aware);
        s.master.advance(Duration::from_secs(75));
        s.master.events_of(&s.scheduler);
        s.master.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, Vec::new())));
        let events = s.master.events_of(&s.scheduler);
        let states = events.iter().filter_map(|event| match event {
            SchedulerEvent::Update(status) => Some((status.state, status.reason)),
            _ => None,
        });
        let expected = if partition_aware { TaskState::Gone } else { TaskState::Lost };
        assert_eq!(states.collect::<Vec<_>>(), [(expected, Some(Reason::AGENT_REREGISTERED))]);
    }
}

/// The end was sent to the scheduler and not acknowledged: it may have been lost with the scheduler's stream, and nobody is left
/// to repeat it.
#[test]
fn an_end_that_was_not_acknowledged_is_told_again_when_its_agent_is_lost() {
    let mut s = scene(true);
    let ended = status(&s.scheduler.id, &s.agent, &"t".into(), TaskState::Finished, 1);
    s.master.from_agent(&s.pid, FromAgent::StatusUpdate(ended));
    s.master.expect_status(&s.scheduler, TaskState::Finished);
    s.master.advance(Duration::from_secs(75));
    let events = s.master.events_of(&s.scheduler);
    let again = events.iter().filter_map(|event| match event {
        SchedulerEvent::Update(status) => Some((status.state, status.uuid, status.reason)),
        _ => None,
    });
    assert_eq!(again.collect::<Vec<_>>(), [(TaskState::Finished, None, Some(Reason::AGENT_REMOVED))]);
}

/// The agent's machine lost its power after it had said, beside an earlier status, how the task had ended. Whoever listens hears
/// of that now, for nobody will say it again: the scheduler, and operators, also when there is no scheduler.
#[test]
fn how_a_task_ended_that_its_agent_forgot_is_told_by_the_master() {
    for away in [false, true] {
        let mut s = scene(true);
        let mut update = status(&s.scheduler.id, &s.agent, &"t".into(), TaskState::Starting, 1);
        update.latest_state = Some(TaskState::Finished);
        s.master.from_agent(&s.pid, FromAgent::StatusUpdate(update));
        s.master.expect_status(&s.scheduler, TaskState::Starting);
        if away {
            s.master.input(Input::SchedulerGone(s.scheduler.connection));
        }
        s.master.observations.clear();
        s.master.from_agent(&s.pid, back(reregister(&s.agent, &s.scheduler, Vec::new())));
        if !away {
            let status = s.master.expect_status(&s.scheduler, TaskState::Finished);
            assert_eq!(status.reason, Some(Reason::RECONCILIATION));
        }
        let told = s.master.observations.iter().filter_map(|observation| match observation {
            Observation::TaskUpdated { status, .. } => Some(status.state),
            _ => None,
        });
        assert_eq!(told.collect::<Vec<_>>(), [TaskState::Finished], "away: {away}");
    }
}

#[test]
fn an_executor_that_is_off_the_books_is_shut_down() {
    let mut s = scene(true);
    let mut message = reregister(&s.agent, &s.scheduler, vec![s.task.clone()]);
    let stranger = executor("e", &s.scheduler.id, "cpus:0.1;mem:32");
    message.executors = vec![(s.scheduler.id.clone(), Arc::new(stranger))];
    s.master.from_agent(&s.pid, back(message));
    let messages = s.master.messages_to(&s.pid);
    let shut = |message: &ToAgent| matches!(message, ToAgent::ShutdownExecutor { executor_id, .. } if executor_id.as_str() == "e");
    assert!(messages.iter().any(shut), "{messages:?}");
}

impl Scene {
    fn update(&mut self, state: TaskState, mark: u8) {
        let update = status(&self.scheduler.id, &self.agent, &"t".into(), state, mark);
        self.master.from_agent(&self.pid, FromAgent::StatusUpdate(update));
    }

    fn acknowledge(&mut self, mark: u8) {
        let (agent_id, uuid) = (self.agent.clone(), base::Uuid::from_bytes([mark; 16]));
        let call = SchedulerCall::Acknowledge { agent_id, task_id: "t".into(), uuid };
        self.master.call(&self.scheduler, call);
    }

    /// The task runs, the scheduler has acknowledged that, and the agent is unreachable.
    fn lost_while_running(&mut self) {
        self.update(TaskState::Running, 1);
        self.master.expect_status(&self.scheduler, TaskState::Running);
        self.acknowledge(1);
        self.master.advance(Duration::from_secs(15 * 5));
        self.master.expect_status(&self.scheduler, TaskState::Unreachable);
    }

    /// The agent comes back with its task in this state.
    fn come_back_in(&mut self, state: TaskState) {
        let message = reregister(&self.agent, &self.scheduler, vec![Task { state, ..self.task.clone() }]);
        self.master.from_agent(&self.pid, back(message));
        self.master.events_of(&self.scheduler);
        self.master.messages_to(&self.pid);
    }
}

/// An agent that is killed before it has written an acknowledgement down tells the status again. The scheduler has it.
#[test]
fn what_was_acknowledged_before_an_agent_came_back_is_not_told_again() {
    let mut s = scene(false);
    s.update(TaskState::Running, 1);
    s.acknowledge(1);
    s.come_back_in(TaskState::Running);
    s.update(TaskState::Running, 1);
    s.master.expect_silence(&s.scheduler);
    let messages = s.master.messages_to(&s.pid);
    assert!(
        matches!(messages.as_slice(), [ToAgent::Acknowledge { uuid, .. }] if uuid.as_bytes() == &[1; 16]),
        "{messages:?}"
    );
    s.update(TaskState::Finished, 2);
    s.master.expect_status(&s.scheduler, TaskState::Finished);
}

#[test]
fn what_was_acknowledged_before_an_agent_was_unreachable_is_not_told_again_when_it_is_back() {
    let mut s = scene(true);
    s.lost_while_running();
    s.come_back_in(TaskState::Running);
    s.update(TaskState::Running, 1);
    s.master.expect_silence(&s.scheduler);
    let messages = s.master.messages_to(&s.pid);
    assert!(
        messages.iter().any(
            |message| matches!(message, ToAgent::Acknowledge { uuid, .. } if uuid.as_bytes() == &[1; 16])
        ),
        "{messages:?}"
    );
}

/// Its acknowledgement came while the agent was away: then it could not be passed on.
#[test]
fn an_end_that_was_acknowledged_while_its_agent_was_away_is_over_when_it_is_back() {
    let mut s = scene(false);
    s.update(TaskState::Finished, 1);
    s.master.input(Input::AgentDisconnected(s.pid.clone()));
    s.acknowledge(1);
    s.come_back_in(TaskState::Finished);
    s.update(TaskState::Finished, 1);
    s.master.expect_silence(&s.scheduler);
    assert!(matches!(s.master.messages_to(&s.pid).as_slice(), [ToAgent::Acknowledge { .. }]));
    let framework = s.master.core.snapshot(s.master.now).frameworks[0].clone();
    assert_eq!((framework.tasks.len(), framework.completed_tasks.len()), (0, 1));
    // It is told once more if the agent missed that too.
    s.update(TaskState::Finished, 1);
    assert!(matches!(s.master.messages_to(&s.pid).as_slice(), [ToAgent::Acknowledge { .. }]));
}

/// Mesos' `TaskCompletedOnPartitionedAgent`: how the task ended is told when its agent is back.
#[test]
fn a_task_that_ended_while_its_agent_was_unreachable_has_its_true_end() {
    let mut s = scene(true);
    s.lost_while_running();
    s.come_back_in(TaskState::Finished);
    s.update(TaskState::Finished, 2);
    s.master.expect_status(&s.scheduler, TaskState::Finished);
    s.acknowledge(2);
    let framework = s.master.core.snapshot(s.master.now).frameworks[0].clone();
    let tasks = (framework.tasks.len(), framework.unreachable_tasks.len(), framework.completed_tasks.len());
    assert_eq!(tasks, (0, 0, 1));
    assert_eq!(framework.completed_tasks.iter().next().map(|task| task.state), Some(TaskState::Finished));
}

#[test]
fn what_nobody_acknowledged_is_told_again_when_the_agent_is_back() {
    let mut s = scene(false);
    let other = s.master.framework("g");
    s.update(TaskState::Running, 1);
    // Of another framework it means nothing.
    let (agent_id, uuid) = (s.agent.clone(), base::Uuid::from_bytes([1; 16]));
    s.master.call(&other, SchedulerCall::Acknowledge { agent_id, task_id: "t".into(), uuid });
    s.come_back_in(TaskState::Running);
    s.update(TaskState::Running, 1);
    s.master.expect_status(&s.scheduler, TaskState::Running);
}

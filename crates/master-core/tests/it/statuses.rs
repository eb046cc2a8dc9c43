//! Statuses, acknowledgements, kills and messages.

use base::{AgentId, Payload, TaskId, Uuid};
use master_core::{FromAgent, Input, Pid, SchedulerCall, SchedulerEvent, TaskState, ToAgent};
use testkit::master::{Master, Scheduler, framework_info, launch, status, task};

struct Scene {
    master: Master,
    agent: AgentId,
    pid: Pid,
    scheduler: Scheduler,
}

/// A framework with the task `t`.
fn scene() -> Scene {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:8;mem:8192");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
    master.messages_to(&pid);
    Scene { master, agent, pid, scheduler }
}

fn t() -> TaskId {
    "t".into()
}

impl Scene {
    fn update(&mut self, state: TaskState, mark: u8) {
        let update = status(&self.scheduler.id, &self.agent, &t(), state, mark);
        self.master.from_agent(&self.pid.clone(), FromAgent::StatusUpdate(update));
    }

    fn acknowledge(&mut self, mark: u8) {
        let call = SchedulerCall::Acknowledge {
            agent_id: self.agent.clone(),
            task_id: t(),
            uuid: Uuid::from_bytes([mark; 16]),
        };
        self.master.call(&self.scheduler.clone(), call);
    }

    fn framework(&self) -> std::sync::Arc<master_core::Framework> {
        self.master.core.snapshot(self.master.now).frameworks[0].clone()
    }
}

#[test]
fn a_status_goes_to_the_scheduler_and_its_acknowledgement_to_the_agent() {
    let mut s = scene();
    s.update(TaskState::Running, 1);
    let status = s.master.expect_status(&s.scheduler, TaskState::Running);
    assert!(status.body.is_some());
    s.acknowledge(1);
    let expected = ToAgent::Acknowledge {
        agent_id: s.agent.clone(),
        framework_id: s.scheduler.id.clone(),
        task_id: t(),
        uuid: Uuid::from_bytes([1; 16]),
    };
    assert_eq!(s.master.messages_to(&s.pid), [expected]);
    assert_eq!(s.framework().tasks[&t()].state, TaskState::Running);
}

#[test]
fn a_task_that_ended_frees_at_once_and_goes_with_its_acknowledgement() {
    let mut s = scene();
    s.update(TaskState::Running, 1);
    s.update(TaskState::Finished, 2);
    assert!(s.master.core.snapshot(s.master.now).agents[0].used.is_empty());
    s.acknowledge(1);
    assert!(s.framework().tasks.contains_key(&t()), "only the last status ends it");
    s.acknowledge(2);
    let framework = s.framework();
    assert!(framework.tasks.is_empty());
    assert_eq!(framework.completed_tasks.len(), 1);
    assert_eq!(s.master.messages_to(&s.pid).len(), 2);
    assert_eq!(s.master.core.metrics().tasks_finished, 1);
    // An acknowledgement that comes twice is passed on: the agent may have missed the first.
    s.acknowledge(2);
    assert_eq!(s.master.messages_to(&s.pid).len(), 1);
}

#[test]
fn doubled_statuses_are_harmless() {
    let mut s = scene();
    s.update(TaskState::Finished, 1);
    s.update(TaskState::Finished, 1);
    s.master.expect_status(&s.scheduler, TaskState::Finished);
    s.master.expect_status(&s.scheduler, TaskState::Finished);
    assert_eq!(s.framework().tasks[&t()].statuses.len(), 1);
    s.acknowledge(1);
    s.update(TaskState::Finished, 1);
    s.master.expect_status(&s.scheduler, TaskState::Finished);
    assert_eq!(s.framework().completed_tasks.len(), 1);
    assert_eq!(s.master.core.metrics().tasks_finished, 1);
}

#[test]
fn the_latest_state_counts_for_the_books_and_the_status_for_the_scheduler() {
    let mut s = scene();
    let mut update = status(&s.scheduler.id, &s.agent, &t(), TaskState::Running, 1);
    update.latest_state = Some(TaskState::Failed);
    s.master.from_agent(&s.pid.clone(), FromAgent::StatusUpdate(update));
    s.master.expect_status(&s.scheduler, TaskState::Running);
    let task = s.framework().tasks[&t()].clone();
    assert_eq!((task.state, task.status_update_state), (TaskState::Failed, Some(TaskState::Running)));
    assert!(s.master.core.snapshot(s.master.now).agents[0].used.is_empty());
    s.acknowledge(1);
    assert!(s.framework().tasks.contains_key(&t()), "its end is not acknowledged yet");
}

#[test]
fn a_status_for_a_scheduler_that_is_away_is_noted_and_waits() {
    let mut s = scene();
    s.master.input(Input::SchedulerGone(s.scheduler.connection));
    s.update(TaskState::Finished, 1);
    s.master.expect_silence(&s.scheduler);
    let task = s.framework().tasks[&t()].clone();
    assert_eq!((task.state, task.status_update_state), (TaskState::Finished, None));
}

#[test]
fn statuses_from_strangers_are_dropped() {
    let mut s = scene();
    let update = status(&s.scheduler.id, &"stranger".into(), &t(), TaskState::Finished, 1);
    s.master.from_agent(&"slave(1)@x:1".into(), FromAgent::StatusUpdate(update));
    s.master.expect_silence(&s.scheduler);
    assert_eq!(s.framework().tasks[&t()].state, TaskState::Staging);
    assert_eq!(s.master.core.metrics().invalid_status_updates, 1);
}

#[test]
fn what_an_agent_cannot_know_is_passed_on_and_frees_nothing() {
    for state in [TaskState::Unreachable, TaskState::Unknown] {
        let mut s = scene();
        s.update(state, 1);
        s.master.expect_status(&s.scheduler, state);
        assert_eq!(s.framework().tasks[&t()].state, TaskState::Staging);
        let used = |s: &Scene| s.master.core.snapshot(s.master.now).agents[0].used.clone();
        assert!(!used(&s).is_empty(), "it may run");
        let mut update = status(&s.scheduler.id, &s.agent, &t(), TaskState::Running, 2);
        update.latest_state = Some(state);
        s.master.from_agent(&s.pid.clone(), FromAgent::StatusUpdate(update));
        assert_eq!(s.framework().tasks[&t()].state, TaskState::Running);
        s.update(TaskState::Finished, 3);
        assert!(used(&s).is_empty());
        assert_eq!(s.master.core.metrics().invalid_status_updates, 1);
    }
}

#[test]
fn a_status_of_an_unknown_task_still_reaches_its_scheduler() {
    let mut s = scene();
    let update = status(&s.scheduler.id, &s.agent, &"other".into(), TaskState::Failed, 1);
    s.master.from_agent(&s.pid.clone(), FromAgent::StatusUpdate(update));
    s.master.expect_status(&s.scheduler, TaskState::Failed);
}

#[test]
fn a_kill_goes_to_the_agent_again_and_again() {
    let mut s = scene();
    let kill =
        SchedulerCall::Kill { task_id: t(), agent_id: None, kill_policy: Some(Payload::from(vec![7])) };
    for _ in 0..2 {
        s.master.call(&s.scheduler.clone(), kill.clone());
        let messages = s.master.messages_to(&s.pid);
        assert!(matches!(messages.as_slice(), [ToAgent::KillTask { kill_policy: Some(_), .. }]));
    }
    let elsewhere = SchedulerCall::Kill { task_id: t(), agent_id: Some("x".into()), kill_policy: None };
    s.master.call(&s.scheduler.clone(), elsewhere);
    assert!(s.master.messages_to(&s.pid).is_empty());
}

#[test]
fn a_kill_of_an_unknown_task_is_answered_with_how_it_stands() {
    let mut s = scene();
    let kill = SchedulerCall::Kill { task_id: "nope".into(), agent_id: None, kill_policy: None };
    s.master.call(&s.scheduler.clone(), kill);
    let status = s.master.expect_status(&s.scheduler, TaskState::Lost);
    assert_eq!(status.message.as_deref(), Some("Reconciliation: Task is unknown"));
    assert_eq!(status.agent_id, None);
}

/// After `FaultToleranceTest.SchedulerFailoverExecutorToFrameworkMessage` and `SchedulerFailoverFrameworkToExecutorMessage`.
#[test]
fn messages_are_those_of_the_scheduler_that_took_over() {
    let mut s = scene();
    let next = s.master.subscribe_as(Some(&s.scheduler.id), framework_info("f"));
    s.master.events_of(&next);
    s.master.events_of(&s.scheduler.clone());
    s.master.messages_to(&s.pid);
    let data = Payload::from(vec![1, 2]);
    let from = FromAgent::ExecutorMessage {
        agent_id: s.agent.clone(),
        framework_id: s.scheduler.id.clone(),
        executor_id: "e".into(),
        data: data.clone(),
    };
    s.master.from_agent(&s.pid.clone(), from);
    let event = s.master.next_event(&next);
    assert!(matches!(event, Some(SchedulerEvent::Message { data: received, .. }) if received == data));
    let call = SchedulerCall::Message { agent_id: s.agent.clone(), executor_id: "e".into(), data };
    s.master.call(&s.scheduler.clone(), call.clone());
    assert!(s.master.messages_to(&s.pid).is_empty(), "of the former one nothing is passed on");
    s.master.call(&next, call);
    assert!(matches!(s.master.messages_to(&s.pid).as_slice(), [ToAgent::Message { .. }]));
}

#[test]
fn messages_pass_in_both_directions() {
    let mut s = scene();
    let data = Payload::from(vec![1, 2]);
    let to = |agent_id| SchedulerCall::Message { agent_id, executor_id: "e".into(), data: data.clone() };
    s.master.call(&s.scheduler.clone(), to(s.agent.clone()));
    assert!(matches!(s.master.messages_to(&s.pid).as_slice(), [ToAgent::Message { .. }]));
    s.master.call(&s.scheduler.clone(), to("nope".into()));
    let from = FromAgent::ExecutorMessage {
        agent_id: s.agent.clone(),
        framework_id: s.scheduler.id.clone(),
        executor_id: "e".into(),
        data: data.clone(),
    };
    s.master.from_agent(&s.pid.clone(), from);
    let event = s.master.next_event(&s.scheduler);
    assert!(matches!(event, Some(SchedulerEvent::Message { data: received, .. }) if received == data));
    let call = SchedulerCall::Shutdown { executor_id: "e".into(), agent_id: s.agent.clone() };
    s.master.call(&s.scheduler.clone(), call);
    assert!(matches!(s.master.messages_to(&s.pid).as_slice(), [ToAgent::ShutdownExecutor { .. }]));
    let metrics = s.master.core.metrics();
    assert_eq!(metrics.valid_framework_to_executor_messages, 1);
    assert_eq!(metrics.invalid_framework_to_executor_messages, 1);
}

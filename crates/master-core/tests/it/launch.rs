//! LAUNCH and LAUNCH_GROUP.

use std::sync::Arc;
use std::time::Duration;

use master_core::{
    AcceptOperation, ExecutorKind, FromAgent, OperationState, Reason, RefusedTask, SchedulerCall,
    SchedulerEvent, TaskInfo, TaskState, ToAgent,
};
use resources::OperationKind;
use testkit::master::{
    Master, Scheduler, executor, framework_info, launch, register, resources, status, task,
    task_with_executor,
};

struct Scene {
    master: Master,
    agent: base::AgentId,
    pid: master_core::Pid,
    scheduler: Scheduler,
    offer: Arc<master_core::Offer>,
}

fn scene() -> Scene {
    let mut master = Master::default();
    let (agent, pid) = master.agent("h", "cpus:8;mem:8192");
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    Scene { master, agent, pid, scheduler, offer }
}

impl Scene {
    fn accept(&mut self, operations: impl IntoIterator<Item = AcceptOperation>) {
        self.master.accept(&self.scheduler, &self.offer.id, operations);
    }

    fn refused(&mut self, operation: AcceptOperation) -> String {
        self.accept([operation]);
        let status = self.master.expect_status(&self.scheduler, TaskState::Error);
        assert_eq!(status.uuid, None, "nobody repeats it, so it is not to be acknowledged");
        self.master.expect_silence(&self.scheduler);
        assert!(self.master.messages_to(&self.pid).is_empty());
        status.message.clone().unwrap_or_default()
    }
}

#[test]
fn an_agent_that_knows_no_limits_gets_no_task_that_has_some() {
    let mut master = Master::default();
    let mut message = register("h", "cpus:8;mem:8192");
    message.capabilities.task_resource_limits = false;
    let pid = master_core::Pid::from("slave(1)@h:5051");
    master.from_agent(&pid, FromAgent::Register(Box::new(message)));
    master.messages_to(&pid);
    let scheduler = master.framework("f");
    let offer = master.offer(&scheduler);
    let agent = offer.agent_id.clone();
    let limited = TaskInfo { limited: true, ..task("t", &agent, "cpus:1;mem:32") };
    let mut s = Scene { master, agent, pid, scheduler, offer };
    assert_eq!(s.refused(launch([limited.clone()])), "Agent is not capable of handling task resource limits");
    s.master.call(&s.scheduler, SchedulerCall::Revive(Vec::new()));
    s.offer = s.master.offer(&s.scheduler);
    let group = AcceptOperation::LaunchGroup {
        executor: Arc::new(executor("e", &s.scheduler.id, "cpus:1;mem:32")),
        tasks: vec![Arc::new(limited)],
        refused: None,
    };
    assert_eq!(
        s.refused(group),
        "Task 't' is invalid: Agent is not capable of handling task resource limits"
    );
}

#[test]
fn a_task_goes_to_its_agent_with_allocated_resources() {
    let mut s = scene();
    s.accept([launch([task("t", &s.agent, "cpus:1;mem:32")])]);
    let messages = s.master.messages_to(&s.pid);
    let [ToAgent::RunTask { framework, task, launch_executor, .. }] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!(framework.id, s.scheduler.id);
    assert!(*launch_executor);
    assert_eq!(task.resources, resources("cpus:1;mem:32").allocated_to(&s.offer.role));
    s.master.expect_silence(&s.scheduler);
}

#[test]
fn the_rest_of_the_offer_is_refused_as_long_as_the_accept_says() {
    let mut s = scene();
    let call = SchedulerCall::Accept {
        offer_ids: vec![s.offer.id.clone()],
        operations: vec![launch([task("t", &s.agent, "cpus:1;mem:32")])],
        refuse: Duration::from_secs(5),
    };
    s.master.call(&s.scheduler.clone(), call);
    s.master.advance(Duration::from_secs(4));
    s.master.expect_silence(&s.scheduler);
    s.master.advance(Duration::from_secs(2));
    let rest = s.master.offer(&s.scheduler);
    assert_eq!(rest.resources.clone().unallocated(), resources("cpus:7;mem:8160"));
}

#[test]
fn two_offers_of_an_agent_carry_one_task() {
    let mut s = scene();
    let call = SchedulerCall::Accept {
        offer_ids: vec![s.offer.id.clone()],
        operations: vec![launch([task("a", &s.agent, "cpus:4;mem:32")])],
        refuse: Duration::ZERO,
    };
    s.master.call(&s.scheduler.clone(), call);
    let rest = s.master.offer(&s.scheduler);
    s.master.from_agent(
        &s.pid.clone(),
        FromAgent::StatusUpdate(status(&s.scheduler.id, &s.agent, &"a".into(), TaskState::Finished, 1)),
    );
    s.master.expect_status(&s.scheduler, TaskState::Finished);
    let freed = s.master.offer(&s.scheduler);
    let call = SchedulerCall::Accept {
        offer_ids: vec![rest.id.clone(), freed.id.clone()],
        operations: vec![launch([task("b", &s.agent, "cpus:8;mem:8192")])],
        refuse: Duration::ZERO,
    };
    s.master.call(&s.scheduler.clone(), call);
    s.master.settle();
    s.master.expect_silence(&s.scheduler);
}

#[test]
fn a_task_that_asks_for_too_much_is_refused() {
    let mut s = scene();
    let message = s.refused(launch([task("t", &s.agent, "cpus:100000;mem:32")]));
    assert_eq!(
        message,
        "Total resources cpus(allocated: *):100000; mem(allocated: *):32 required by task and its executor is more \
         than available cpus(allocated: *):8; mem(allocated: *):8192"
    );
}

#[test]
fn a_task_for_another_agent_is_refused() {
    let mut s = scene();
    let message = s.refused(launch([task("t", &"nope".into(), "cpus:1;mem:32")]));
    assert_eq!(message, format!("Task uses invalid agent nope while agent {} is expected", s.agent));
}

#[test]
fn of_two_tasks_with_one_id_the_first_runs() {
    let mut s = scene();
    s.accept([launch([task("t", &s.agent, "cpus:1;mem:32"), task("t", &s.agent, "cpus:1;mem:32")])]);
    let status = s.master.expect_status(&s.scheduler, TaskState::Error);
    assert_eq!(status.message.as_deref(), Some("Task has duplicate ID: t"));
    assert_eq!(status.reason, Some(Reason::TASK_INVALID));
    assert_eq!(s.master.messages_to(&s.pid).len(), 1);
}

#[test]
fn what_the_description_shows_is_passed_on() {
    let mut s = scene();
    let refused = RefusedTask {
        task_id: "a/b".into(),
        agent_id: s.agent.clone(),
        message: "'a/b' contains invalid characters".to_owned(),
    };
    let message = s.refused(AcceptOperation::Launch(vec![Err(refused)]));
    assert_eq!(message, "'a/b' contains invalid characters");
}

#[test]
fn an_executor_is_paid_for_once() {
    let mut s = scene();
    let e = executor("e", &s.scheduler.id, "cpus:1;mem:64");
    s.accept([launch([
        task_with_executor("a", &s.agent, "cpus:1;mem:32", e.clone()),
        task_with_executor("b", &s.agent, "cpus:1;mem:32", e),
    ])]);
    let launches: Vec<bool> = s
        .master
        .messages_to(&s.pid)
        .iter()
        .map(|message| matches!(message, ToAgent::RunTask { launch_executor: true, .. }))
        .collect();
    assert_eq!(launches, [true, false]);
    let snapshot = s.master.core.snapshot(s.master.now);
    let used = snapshot.agents[0].used[&s.scheduler.id].clone().unallocated();
    assert_eq!(used, resources("cpus:3;mem:128"));

    let exited = FromAgent::ExitedExecutor {
        agent_id: s.agent.clone(),
        framework_id: s.scheduler.id.clone(),
        executor_id: "e".into(),
        status: 256,
    };
    s.master.from_agent(&s.pid.clone(), exited);
    assert!(matches!(
        s.master.next_event(&s.scheduler),
        Some(SchedulerEvent::Failure { executor_id: Some(_), status: Some(256), .. })
    ));
    let snapshot = s.master.core.snapshot(s.master.now);
    assert_eq!(snapshot.agents[0].used[&s.scheduler.id].clone().unallocated(), resources("cpus:2;mem:64"));
}

#[test]
fn another_executor_of_the_same_id_is_refused() {
    let mut s = scene();
    let e = executor("e", &s.scheduler.id, "cpus:1;mem:64");
    let mut other = e.clone();
    other.body = base::Payload::from(vec![9]);
    s.accept([launch([
        task_with_executor("a", &s.agent, "cpus:1;mem:32", e),
        task_with_executor("b", &s.agent, "cpus:1;mem:32", other),
    ])]);
    let status = s.master.expect_status(&s.scheduler, TaskState::Error);
    assert!(status.message.as_deref().is_some_and(|m| m.contains("is not compatible with existing")));
    let mut stranger = executor("s", &"someone-else".into(), "cpus:1;mem:64");
    stranger.kind = ExecutorKind::Custom;
    let offer = {
        s.master.call(&s.scheduler.clone(), SchedulerCall::Revive(Vec::new()));
        s.master.offer(&s.scheduler)
    };
    assert_eq!(offer.executor_ids, ["e".into()]);
    let tasks = [task_with_executor("c", &s.agent, "cpus:1;mem:32", stranger)];
    s.master.accept(&s.scheduler.clone(), &offer.id, [launch(tasks)]);
    let status = s.master.expect_status(&s.scheduler, TaskState::Error);
    let expected = "ExecutorInfo has an invalid FrameworkID (Actual: someone-else vs Expected: master-0000)";
    assert_eq!(status.message.as_deref(), Some(expected));
}

fn group(s: &Scene, tasks: [master_core::TaskInfo; 2], refused: Option<&str>) -> AcceptOperation {
    let mut e = executor("pod", &s.scheduler.id, "cpus:1;mem:64");
    e.kind = ExecutorKind::Default;
    AcceptOperation::LaunchGroup {
        executor: Arc::new(e),
        tasks: tasks.map(Arc::new).to_vec(),
        refused: refused.map(str::to_owned),
    }
}

#[test]
fn a_group_goes_as_one() {
    let mut s = scene();
    let tasks = [task("a", &s.agent, "cpus:1;mem:32"), task("b", &s.agent, "cpus:1;mem:32")];
    s.accept([group(&s, tasks, None)]);
    let messages = s.master.messages_to(&s.pid);
    let [ToAgent::RunTaskGroup { tasks, launch_executor: true, executor, .. }] = messages.as_slice() else {
        panic!("{messages:?}");
    };
    assert_eq!(tasks.len(), 2);
    assert_eq!(executor.resources, resources("cpus:1;mem:64").allocated_to(&s.offer.role));
    let snapshot = s.master.core.snapshot(s.master.now);
    assert_eq!(snapshot.agents[0].used[&s.scheduler.id].clone().unallocated(), resources("cpus:3;mem:128"));
}

#[test]
fn one_wrong_task_refuses_the_group() {
    for (second, refused, expected) in [
        ("a", None, "Task 'a' is invalid: Task has duplicate ID: a"),
        ("b", Some("Executor 'pod' uses no disk"), "Executor 'pod' uses no disk"),
    ] {
        let mut s = scene();
        let tasks = [task("a", &s.agent, "cpus:1;mem:32"), task(second, &s.agent, "cpus:1;mem:32")];
        s.accept([group(&s, tasks, refused)]);
        for _ in 0..2 {
            let status = s.master.expect_status(&s.scheduler, TaskState::Error);
            assert_eq!(status.message.as_deref(), Some(expected));
            assert_eq!(status.reason, Some(Reason::TASK_GROUP_INVALID));
        }
        assert!(s.master.messages_to(&s.pid).is_empty());
    }
    let mut s = scene();
    let tasks = [task("a", &s.agent, "cpus:4;mem:32"), task("b", &s.agent, "cpus:4;mem:32")];
    s.accept([group(&s, tasks, None)]);
    let status = s.master.expect_status(&s.scheduler, TaskState::Error);
    assert_eq!(
        status.message.as_deref(),
        Some(
            "Total resources cpus(allocated: *):9; mem(allocated: *):128 required by task group and its executor are \
             more than available cpus(allocated: *):8; mem(allocated: *):8192"
        )
    );
}

#[test]
fn an_operation_that_is_not_carried_out_is_refused_and_the_rest_goes_on() {
    let mut s = scene();
    let reserve = |id: Option<&str>| AcceptOperation::Apply {
        id: id.map(Into::into),
        kind: OperationKind::Reserve,
        operation: Err("no".to_owned()),
    };
    s.accept([reserve(Some("op1")), reserve(None), launch([task("t", &s.agent, "cpus:1;mem:32")])]);
    let Some(SchedulerEvent::UpdateOperationStatus(status)) = s.master.next_event(&s.scheduler) else {
        panic!("no status of the operation");
    };
    assert_eq!((status.state, status.uuid), (OperationState::Error, None));
    s.master.expect_silence(&s.scheduler);
    assert_eq!(s.master.messages_to(&s.pid).len(), 1);
    assert_eq!(s.master.core.metrics().operations.get(OperationKind::Reserve, OperationState::Error), 2);
}

#[test]
fn an_accept_without_operations_gives_the_offer_back() {
    let mut s = scene();
    s.accept([]);
    s.master.advance(Duration::from_secs(60));
    s.master.expect_silence(&s.scheduler);
    let other = s.master.subscribe(framework_info("g"));
    assert_eq!(s.master.offer(&other).resources, s.offer.resources);
}

/// After `MasterTest.MultipleExecutors`.
#[test]
fn tasks_of_two_executors_go_each_with_its_own() {
    let mut s = scene();
    let tasks = ["a", "b"].map(|id| {
        let own = executor(&format!("e-{id}"), &s.scheduler.id, "cpus:1;mem:64");
        task_with_executor(id, &s.agent, "cpus:1;mem:512", own)
    });
    s.accept([launch(tasks)]);
    let told = s.master.messages_to(&s.pid);
    let launched: Vec<_> = told
        .iter()
        .filter_map(|message| match message {
            ToAgent::RunTask { task, launch_executor: true, .. } => {
                Some((task.task_id.as_str(), task.executor.as_ref()?.executor_id.as_str()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(launched, [("a", "e-a"), ("b", "e-b")]);
    let used = s.master.core.agent(&s.agent).unwrap().used[&s.scheduler.id].clone().unallocated();
    assert_eq!(used, resources("cpus:4;mem:1152"));
}

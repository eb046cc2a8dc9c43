//! Agents that are drained: idle ones, busy ones, and such as are away while an operator decides.

use std::time::Duration;

use base::{AgentId, Uuid};
use master_core::{
    AgentRecord, DrainConfig, DrainState, FromAgent, Input, OperatorCall, OperatorError, Options, Pid,
    SchedulerCall, SchedulerEvent, Task, TaskState, ToAgent,
};
use testkit::master::{
    Master, Scheduler, framework_info, launch, register, reregister_with, running, status, task,
};

const TOTAL: &str = "cpus:4;mem:4096";
const CONFIG: DrainConfig = DrainConfig { max_grace_period: Some(Duration::from_secs(10)), mark_gone: false };

struct Scene {
    master: Master,
    agent: AgentId,
    pid: Pid,
    scheduler: Scheduler,
    /// What runs on the agent.
    tasks: Vec<Task>,
}

/// A partition-aware framework, and an agent on which nothing is or its task `t`.
fn scene(busy: bool) -> Scene {
    let mut master = Master::new(Options { offer_timeout: None, ..Options::new("master".to_owned(), 1) });
    let (agent, pid) = master.agent("h", TOTAL);
    let mut info = framework_info("f");
    info.capabilities.partition_aware = true;
    let scheduler = master.subscribe(info);
    let mut tasks = Vec::new();
    if busy {
        let offer = master.offer(&scheduler);
        let info = task("t", &agent, "cpus:1;mem:32");
        tasks.push(running(&scheduler.id, &agent, &info, &offer));
        master.accept(&scheduler, &offer.id, [launch([info])]);
        let started = status(&scheduler.id, &agent, &"t".into(), TaskState::Running, 1);
        master.from_agent(&pid, FromAgent::StatusUpdate(started));
        master.expect_status(&scheduler, TaskState::Running);
    }
    master.messages_to(&pid);
    Scene { master, agent, pid, scheduler, tasks }
}

impl Scene {
    fn drain(&mut self, config: DrainConfig) -> Result<(), OperatorError> {
        self.master.operator(OperatorCall::DrainAgent { agent_id: self.agent.clone(), config })
    }

    fn reactivate(&mut self) -> Result<(), OperatorError> {
        self.master.operator(OperatorCall::ReactivateAgent(self.agent.clone()))
    }

    /// How the agent is shown: how far its draining is, and whether it is deactivated.
    fn shown(&self) -> (Option<DrainState>, bool) {
        let agent = self.master.core.agent(&self.agent).expect("it is registered");
        (agent.drain.map(|drain| drain.state), agent.deactivated)
    }

    /// Its connection breaks.
    fn disconnect(&mut self) {
        self.master.input(Input::AgentDisconnected(self.pid.clone()));
        self.master.messages_to(&self.pid);
        self.master.events_of(&self.scheduler);
    }

    /// It comes back with what runs on it, and knows of no operations; what it is told.
    fn come_back(&mut self) -> Vec<ToAgent> {
        let agent = register("h", TOTAL);
        let message = reregister_with(&self.agent, agent, &self.scheduler.id, self.tasks.clone());
        self.master.from_agent(&self.pid, FromAgent::Reregister(Box::new(message)));
        let update = master_core::UpdateAgent {
            agent_id: self.agent.clone(),
            oversubscribed: None,
            resource_version: None,
            operations: Some(Vec::new()),
        };
        self.master.from_agent(&self.pid, FromAgent::Update(Box::new(update)));
        self.master.messages_to(&self.pid)
    }

    /// The task ends because of the draining, and its scheduler says that it knows.
    fn end_task(&mut self, state: TaskState) {
        let ended = status(&self.scheduler.id, &self.agent, &"t".into(), state, 9);
        self.master.from_agent(&self.pid, FromAgent::StatusUpdate(ended));
        self.master.expect_status(&self.scheduler, state);
        let call = SchedulerCall::Acknowledge {
            agent_id: self.agent.clone(),
            task_id: "t".into(),
            uuid: Uuid::from_bytes([9; 16]),
        };
        self.master.call(&self.scheduler, call);
    }

    /// The framework gets an offer of it, and a task runs there.
    fn assert_usable(&mut self) {
        self.master.call(&self.scheduler, SchedulerCall::Revive(Vec::new()));
        let offer = self.master.offer(&self.scheduler);
        assert_eq!(offer.agent_id, self.agent);
        self.master.messages_to(&self.pid);
        self.master.accept(&self.scheduler, &offer.id, [launch([task("new", &self.agent, "cpus:1;mem:32")])]);
        let told = self.master.messages_to(&self.pid);
        assert!(matches!(&told[..], [ToAgent::RunTask { .. }]), "{told:?}");
    }
}

fn is_drain(message: &ToAgent) -> bool {
    *message == ToAgent::Drain(CONFIG)
}

/// After `MasterAlreadyDrainedTest.DrainAgent` and `DrainAgentMarkGone`.
#[test]
fn an_idle_agent_is_drained_at_once() {
    let mut s = scene(false);
    assert_eq!(s.drain(CONFIG), Ok(()));
    assert_eq!(s.master.messages_to(&s.pid), [ToAgent::Drain(CONFIG)]);
    assert_eq!(s.shown(), (Some(DrainState::Drained), true));
    assert_eq!(s.master.core.agent(&s.agent).unwrap().drain_start, Some(s.master.now));
    assert_eq!(s.master.registry.agents[&s.agent].treatment().0.map(|drain| drain.config), Some(CONFIG));
    assert_eq!(s.reactivate(), Ok(()));
    assert_eq!(s.shown(), (None, false));
    assert_eq!(s.master.core.agent(&s.agent).unwrap().drain_start, None);
    s.assert_usable();

    let mut s = scene(false);
    let gone = DrainConfig { mark_gone: true, ..CONFIG };
    assert_eq!(s.drain(gone), Ok(()));
    let told = s.master.messages_to(&s.pid);
    assert_eq!(told, [ToAgent::Drain(gone), ToAgent::Shutdown("Agent has been marked gone".to_owned())]);
    assert!(matches!(s.master.registry.agents[&s.agent], AgentRecord::Gone { .. }));
}

/// After `MasterAlreadyDrainedTest.ReactivateDisconnectedAgent`.
#[test]
fn an_agent_that_is_away_when_it_is_reactivated_is_offered_when_it_is_back_mesos_10116() {
    let mut s = scene(false);
    s.drain(CONFIG).unwrap();
    s.disconnect();
    assert_eq!(s.reactivate(), Ok(()));
    s.master.call(&s.scheduler, SchedulerCall::Revive(Vec::new()));
    s.master.advance(Duration::from_secs(5));
    s.master.expect_silence(&s.scheduler);
    assert!(!s.come_back().iter().any(is_drain), "it is not drained any more");
    s.assert_usable();
}

/// After `DrainAgentDisconnected` of `MasterAlreadyDrainedTest` and of `MasterDrainingTest`.
#[test]
fn an_agent_that_is_away_is_drained_when_it_is_back() {
    for busy in [false, true] {
        let mut s = scene(busy);
        s.disconnect();
        assert_eq!(s.shown(), (None, false));
        assert_eq!(s.drain(CONFIG), Ok(()));
        assert!(s.shown().1);
        let told = s.come_back();
        assert!(told.iter().any(is_drain), "{told:?}");
        if busy {
            assert_eq!(s.shown().0, Some(DrainState::Draining));
            s.end_task(TaskState::Killed);
        }
        assert_eq!(s.shown(), (Some(DrainState::Drained), true));
        s.master.advance(Duration::from_secs(5));
        s.master.expect_silence(&s.scheduler);
        assert_eq!(s.reactivate(), Ok(()));
        s.assert_usable();
    }
}

/// After `DrainAgentUnreachable` of `MasterAlreadyDrainedTest` and of `MasterDrainingTest`.
#[test]
fn an_agent_that_is_unreachable_is_drained_when_it_is_back() {
    for busy in [false, true] {
        let mut s = scene(busy);
        s.disconnect();
        s.master.advance(Duration::from_secs(600));
        assert!(s.master.core.agent(&s.agent).is_none());
        if busy {
            s.master.expect_status(&s.scheduler, TaskState::Unreachable);
        }
        s.master.events_of(&s.scheduler);
        assert_eq!(s.drain(CONFIG), Ok(()));
        let told = s.come_back();
        assert!(told.iter().any(is_drain), "{told:?}");
        if busy {
            // What it brings is there again first, and ends then.
            s.master.expect_status(&s.scheduler, TaskState::Running);
            assert_eq!(s.shown(), (Some(DrainState::Draining), true));
            s.end_task(TaskState::Killed);
        }
        assert_eq!(s.shown(), (Some(DrainState::Drained), true));
        assert_eq!(s.reactivate(), Ok(()));
        s.assert_usable();
    }
}

/// After `MasterDrainingTest.DrainAgent` and `MasterDrainingTest2.DisallowReactivationWhileDraining`.
#[test]
fn a_busy_agent_is_drained_when_its_last_task_is_acknowledged_and_not_reactivated_before_mesos_10096() {
    let mut s = scene(true);
    assert_eq!(s.drain(CONFIG), Ok(()));
    let refused = OperatorError::BadRequest("Agent is still in the DRAINING state".to_owned());
    assert_eq!(s.reactivate(), Err(refused.clone()));
    let ended = status(&s.scheduler.id, &s.agent, &"t".into(), TaskState::Killed, 8);
    s.master.from_agent(&s.pid, FromAgent::StatusUpdate(ended));
    s.master.expect_status(&s.scheduler, TaskState::Killed);
    assert_eq!(s.shown(), (Some(DrainState::Draining), true), "nobody has acknowledged the end");
    assert_eq!(s.reactivate(), Err(refused));
    s.end_task(TaskState::Killed);
    assert_eq!(s.shown(), (Some(DrainState::Drained), true));
    assert_eq!(s.reactivate(), Ok(()));
    s.assert_usable();
}

/// After `MasterDrainingTest.DrainAgentMarkGone`.
#[test]
fn a_busy_agent_is_gone_when_its_last_task_is_acknowledged() {
    let mut s = scene(true);
    s.drain(DrainConfig { mark_gone: true, ..CONFIG }).unwrap();
    s.master.messages_to(&s.pid);
    s.end_task(TaskState::GoneByOperator);
    let told = s.master.messages_to(&s.pid);
    assert!(matches!(&told[..], [ToAgent::Acknowledge { .. }, ToAgent::Shutdown(_)]), "{told:?}");
    assert!(matches!(s.master.registry.agents[&s.agent], AgentRecord::Gone { .. }));
    let Some(SchedulerEvent::Failure { agent_id, .. }) = s.master.next_event(&s.scheduler) else {
        panic!("no word of the agent's end")
    };
    assert_eq!(agent_id, s.agent);
}

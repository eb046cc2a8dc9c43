//! Custom executors: processes of a framework that run its tasks by themselves and speak the executor API.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::{ContainerSpec, ExecutorCall, ExecutorEvent, ExecutorUpdate, StreamId, TaskState};
use base::{ContainerId, ExecutorId, FrameworkId, TaskId, Time};

use super::AgentHost;
use super::containers::Machine;
use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::happening::Happening;
use crate::node::Node;
use crate::queue::Due;

/// How long an executor tries to reach an agent that died.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(900);
const RETRY: Duration = Duration::from_millis(700);

/// A custom executor's process.
#[derive(Debug)]
pub(crate) struct Executor {
    framework_id: FrameworkId,
    executor_id: ExecutorId,
    checkpoints: bool,
    /// Where it hears from the agent.
    stream: Option<StreamId>,
    /// It has asked to be subscribed and not heard yet.
    asks: Option<StreamId>,
    /// Since when it cannot reach the agent.
    alone_since: Option<Time>,
    /// Tasks that it was given, until their last update is acknowledged; `true` once they have ended.
    tasks: BTreeMap<TaskId, bool>,
    /// Tasks of which no update was acknowledged.
    unacknowledged: Vec<TaskId>,
    /// What the agent has not acknowledged, oldest first.
    updates: Vec<ExecutorUpdate>,
    ending: bool,
}

impl Executor {
    pub(crate) fn new(spec: &ContainerSpec) -> Self {
        Self {
            framework_id: spec.framework_id.clone(),
            executor_id: spec.executor_id.clone(),
            checkpoints: spec.survives,
            stream: None,
            asks: None,
            alone_since: None,
            tasks: BTreeMap::new(),
            unacknowledged: Vec::new(),
            updates: Vec::new(),
            ending: false,
        }
    }
}

impl Machine {
    /// The agent died: executors that live on try to reach the next one.
    pub(super) fn executors_orphaned(&mut self, fabric: &mut Fabric) {
        let mut alone = Vec::new();
        for (id, executor) in &mut self.executors {
            executor.stream = None;
            executor.asks = None;
            executor.alone_since = Some(fabric.now);
            alone.push(id.clone());
        }
        for id in alone {
            self.due(fabric, RETRY, &id, Due::Subscribes);
        }
    }

    /// The agent answers a call. True if it subscribed the executor.
    pub(super) fn answered(
        &mut self,
        fabric: &mut Fabric,
        id: &ContainerId,
        request: StreamId,
        yes: bool,
    ) -> bool {
        let Some(executor) = self.executors.get_mut(id).filter(|executor| executor.asks == Some(request))
        else {
            return false;
        };
        executor.asks = None;
        if yes {
            executor.stream = Some(request);
        } else {
            self.exits(fabric, id, 1);
        }
        yes
    }

    /// The agent ends a stream.
    pub(crate) fn close_stream(&mut self, id: &ContainerId, stream: StreamId) {
        if let Some(executor) = self.executors.get_mut(id)
            && executor.stream == Some(stream)
        {
            executor.stream = None;
        }
    }
}

impl AgentHost {
    /// Something is due about an executor.
    pub(crate) fn executor_due(&mut self, fabric: &mut Fabric, id: &ContainerId, due: Due) {
        match due {
            Due::Subscribes => self.subscribe(fabric, id),
            Due::TaskEnds(task, well) => {
                let state = if well { TaskState::Finished } else { TaskState::Failed };
                self.end_task(fabric, id, &task, state);
            }
            _ => {}
        }
    }

    fn subscribe(&mut self, fabric: &mut Fabric, id: &ContainerId) {
        let alive = self.machine.listener().is_some();
        let Some(executor) = self.machine.executors.get_mut(id) else { return };
        if executor.stream.is_some() || executor.asks.is_some() || executor.ending {
            return;
        }
        if !alive {
            let since = *executor.alone_since.get_or_insert(fabric.now);
            if !executor.checkpoints || fabric.now.since(since) > RECOVERY_TIMEOUT {
                return self.machine.exits(fabric, id, 1);
            }
            return self.machine.due(fabric, RETRY, id, Due::Subscribes);
        }
        let who = (executor.framework_id.clone(), executor.executor_id.clone());
        let (tasks, updates) = (executor.unacknowledged.clone(), executor.updates.clone());
        let next = self.next_stream();
        if let Some(executor) = self.machine.executors.get_mut(id) {
            executor.asks = Some(next);
            executor.alone_since = None;
        }
        self.call(fabric, id, who, |stream| ExecutorCall::Subscribe {
            stream,
            unacknowledged_tasks: tasks,
            unacknowledged_updates: updates,
        });
    }

    /// What came up while the subscription was under way is told now; the agent knows doubles.
    pub(super) fn repeat_updates(&mut self, fabric: &mut Fabric, id: &ContainerId) {
        let Some(executor) = self.machine.executors.get(id) else { return };
        let who = (executor.framework_id.clone(), executor.executor_id.clone());
        for update in executor.updates.clone() {
            self.call(fabric, id, who.clone(), |_| ExecutorCall::Update(Box::new(update)));
        }
    }

    /// An executor hears something over a stream.
    pub(crate) fn executor_hears(
        &mut self,
        fabric: &mut Fabric,
        id: &ContainerId,
        stream: StreamId,
        event: ExecutorEvent,
    ) {
        let Some(executor) = self.machine.executors.get_mut(id) else { return };
        if executor.stream != Some(stream) {
            return;
        }
        match event {
            ExecutorEvent::Subscribed { .. } | ExecutorEvent::Message(_) => {}
            ExecutorEvent::Launch(task) => self.run_task(fabric, id, &task),
            ExecutorEvent::LaunchGroup(tasks) => {
                for task in tasks {
                    self.run_task(fabric, id, &task);
                }
            }
            ExecutorEvent::Kill { task_id, .. } => self.end_task(fabric, id, &task_id, TaskState::Killed),
            ExecutorEvent::Acknowledged { task_id, uuid } => {
                executor.updates.retain(|update| update.uuid != uuid);
                executor.unacknowledged.retain(|task| *task != task_id);
            }
            ExecutorEvent::Shutdown | ExecutorEvent::Error(_) => {
                executor.ending = true;
                self.machine.exits(fabric, id, 0);
            }
        }
    }

    fn run_task(
        &mut self,
        fabric: &mut Fabric,
        id: &ContainerId,
        task: &std::sync::Arc<agent_core::TaskInfo>,
    ) {
        let Some(executor) = self.machine.executors.get_mut(id) else { return };
        let task_id = task.task_id.clone();
        executor.tasks.insert(task_id.clone(), false);
        executor.unacknowledged.push(task_id.clone());
        fabric.tell(Happening::TaskGiven {
            agent: self.index,
            framework_id: executor.framework_id.clone(),
            task_id: task_id.clone(),
        });
        if let Some(plan) = Machine::plan(fabric, task)
            && let Some(life) = plan.life
        {
            self.machine.due(fabric, life, id, Due::TaskEnds(task_id.clone(), plan.status == 0));
        }
        self.report(fabric, id, &task_id, TaskState::Running);
    }

    fn end_task(&mut self, fabric: &mut Fabric, id: &ContainerId, task: &TaskId, state: TaskState) {
        let Some(executor) = self.machine.executors.get_mut(id) else { return };
        let Some(ended) = executor.tasks.get_mut(task) else { return };
        if !std::mem::replace(ended, true) {
            self.report(fabric, id, task, state);
        }
    }

    fn report(&mut self, fabric: &mut Fabric, id: &ContainerId, task: &TaskId, state: TaskState) {
        let uuid = self.machine.rng.uuid();
        let Some(executor) = self.machine.executors.get_mut(id) else { return };
        let update = ExecutorUpdate {
            task_id: task.clone(),
            state,
            uuid,
            timestamp: None,
            has_addresses: false,
            container_id: None,
            body: base::Payload::default(),
        };
        executor.updates.push(update.clone());
        fabric.note(Node::Agent(self.index), "executor reports", task.as_str());
        if executor.stream.is_none() {
            return;
        }
        let who = (executor.framework_id.clone(), executor.executor_id.clone());
        self.call(fabric, id, who, |_| ExecutorCall::Update(Box::new(update)));
    }

    /// An executor's stream breaks, or its process does.
    pub(crate) fn disturb_executor(&mut self, fabric: &mut Fabric, crash: bool) {
        let ids: Vec<ContainerId> = self.machine.executors.keys().cloned().collect();
        let Some(id) = self.machine.rng.pick(&ids).cloned() else { return };
        if crash {
            return self.machine.exits(fabric, &id, 139);
        }
        let Some(executor) = self.machine.executors.get_mut(&id) else { return };
        let Some(stream) = executor.stream.take() else { return };
        self.stream_closed(fabric, stream);
        self.machine.due(fabric, RETRY, &id, Due::Subscribes);
    }
}

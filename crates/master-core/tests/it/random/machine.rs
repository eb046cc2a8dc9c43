//! A machine with an agent on it, as the agent itself sees it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::{AgentId, FrameworkId, TaskId, Uuid};
use master_core::{
    ExecutorInfo, FromAgent, OperationState, Task, TaskBody, TaskInfo, TaskState, ToAgent, UpdateAgent,
};
use resources::Resources;
use testkit::master::Applied;

/// A machine with an agent on it, as the agent itself sees it.
pub(super) struct Machine {
    pub(super) id: Option<AgentId>,
    pub(super) tasks: BTreeMap<(FrameworkId, TaskId), Task>,
    pub(super) executors: BTreeMap<FrameworkId, Vec<Arc<ExecutorInfo>>>,
    /// What it has, with the operations that it has carried out.
    pub(super) total: Resources,
    /// Counts restarts: operations that were meant for an earlier one are dropped.
    pub(super) restarts: u8,
    /// Messages that are on their way to it.
    pub(super) inbox: VecDeque<ToAgent>,
    /// Operations whose end is not acknowledged.
    pub(super) unacknowledged: BTreeMap<Uuid, (Applied, OperationState)>,
}

impl Machine {
    pub(super) fn new(total: &Resources) -> Self {
        Self {
            id: None,
            tasks: BTreeMap::new(),
            executors: BTreeMap::new(),
            total: total.clone(),
            restarts: 0,
            inbox: VecDeque::new(),
            unacknowledged: BTreeMap::new(),
        }
    }

    /// The version of its resources.
    pub(super) fn version(&self) -> Uuid {
        Uuid::from_bytes([self.restarts; 16])
    }

    /// It starts anew and remembers its resources, its tasks and its operations, but not what was on its way.
    pub(super) fn restart(&mut self) {
        self.restarts = self.restarts.wrapping_add(1);
        self.inbox.clear();
    }

    /// The next message that it handles now. An operation may keep it waiting, and all that comes behind.
    pub(super) fn next_message(&mut self, wait: impl FnOnce() -> bool) -> Option<ToAgent> {
        let waits = matches!(self.inbox.front()?, ToAgent::ApplyOperation { .. }) && wait();
        if waits { None } else { self.inbox.pop_front() }
    }

    /// Handles an operation; what is to be said about it.
    pub(super) fn apply(&mut self, applied: Applied) -> Option<FromAgent> {
        let id = self.id.clone()?;
        let state = self.carry_out(&applied);
        let message = status(&applied, &id, state);
        if applied.id.is_some() && state != OperationState::Dropped {
            self.unacknowledged.insert(applied.uuid, (applied, state));
        }
        Some(message)
    }

    /// Answers a question about operations: those that it does not know are dropped.
    pub(super) fn reconcile(&self, uuids: Vec<Uuid>) -> Vec<FromAgent> {
        let Some(id) = &self.id else { return Vec::new() };
        let unknown = uuids.into_iter().filter(|uuid| !self.unacknowledged.contains_key(uuid));
        unknown.map(|uuid| dropped(id, uuid)).collect()
    }

    fn carry_out(&mut self, applied: &Applied) -> OperationState {
        if applied.resource_version != self.version() {
            return OperationState::Dropped;
        }
        match self.total.apply(&applied.operation.as_ref().clone().unallocated()) {
            Ok(()) => OperationState::Finished,
            // What it builds on was lost with a connection.
            Err(_) => OperationState::Failed,
        }
    }

    /// What it tells of an operation again.
    pub(super) fn repeat(&self, uuid: Uuid) -> Option<FromAgent> {
        let (applied, state) = self.unacknowledged.get(&uuid)?;
        Some(status(applied, self.id.as_ref()?, *state))
    }

    /// Which operations it knows, as it tells after each registration.
    pub(super) fn update(&self) -> Option<FromAgent> {
        let id = self.id.as_ref()?;
        let known = self.unacknowledged.values();
        let operations = known.map(|(applied, state)| Arc::new(applied.described(id, *state, 1))).collect();
        Some(FromAgent::Update(Box::new(UpdateAgent {
            agent_id: id.clone(),
            oversubscribed: None,
            resource_version: Some(self.version()),
            operations: Some(operations),
        })))
    }

    /// Whether it has the reservations and volumes that a task wants.
    pub(super) fn knows(&self, wanted: &Resources) -> bool {
        self.total.contains(&wanted.checkpointed().unallocated())
    }

    pub(super) fn launch(
        &mut self,
        framework: &FrameworkId,
        info: &TaskInfo,
        executor: Option<Arc<ExecutorInfo>>,
    ) {
        let Some(agent_id) = self.id.clone() else { return };
        if let Some(executor) = executor {
            self.executors.entry(framework.clone()).or_default().push(executor);
        }
        let role = info.resources.iter().find_map(|r| r.allocation.clone()).expect("resources are allocated");
        let task = Task {
            task_id: info.task_id.clone(),
            framework_id: framework.clone(),
            agent_id,
            executor_id: info.executor.as_ref().map(|executor| executor.executor_id.clone()),
            name: info.name.clone(),
            role,
            resources: info.resources.clone(),
            state: TaskState::Staging,
            status_update_state: None,
            status_update_uuid: None,
            statuses: Vec::new(),
            body: TaskBody::Recovered(info.body.clone()),
        };
        self.tasks.insert((framework.clone(), info.task_id.clone()), task);
    }
}

/// A status as its agent sends it. Dropped operations are not remembered, and so not told of twice.
fn status(applied: &Applied, id: &AgentId, state: OperationState) -> FromAgent {
    let mut message = applied.status(id, state, 1);
    if let (FromAgent::OperationStatus(update), OperationState::Dropped) = (&mut message, state) {
        (update.status.uuid, update.latest_status) = (None, None);
    }
    message
}

fn dropped(id: &AgentId, uuid: Uuid) -> FromAgent {
    let nobodys = Applied {
        framework_id: None,
        id: None,
        operation: Arc::new(resources::Operation::Unreserve { resources: Vec::new() }),
        uuid,
        resource_version: uuid,
    };
    nobodys.status(id, OperationState::Dropped, 1)
}

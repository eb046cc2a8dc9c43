//! Tasks and executors: as a scheduler describes them, and as the master keeps them.

use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, Payload, TaskId, Uuid};
use resources::{Resources, Role};

use crate::types::{TaskState, TaskStatus};

/// A task as a scheduler wants it.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskInfo {
    /// Its id; unique among the framework's active tasks.
    pub task_id: TaskId,
    /// For people.
    pub name: String,
    /// Where it shall run: the agent of the offer.
    pub agent_id: AgentId,
    /// What it takes, without that of its executor.
    pub resources: Resources,
    /// Whether it has limits beyond its resources.
    pub limited: bool,
    /// Its executor; `None` for a command task.
    pub executor: Option<Arc<ExecutorInfo>>,
    /// The `mesos.v1.TaskInfo` without `resources` and without `executor.resources`. To encode the whole: these bytes,
    /// then field 4 for each resource, then an embedded field 5 that has nothing but the executor's resources.
    pub body: Payload,
}

/// Which program runs the tasks of an executor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExecutorKind {
    /// Not said: a custom one, from schedulers older than the field.
    Unknown,
    /// The agent's own, for task groups.
    Default,
    /// One that the scheduler brings.
    Custom,
}

/// An executor as a scheduler wants it.
#[derive(Clone, PartialEq, Debug)]
pub struct ExecutorInfo {
    /// Its id; unique within the framework and agent.
    pub executor_id: ExecutorId,
    /// The framework that it names, if it names one.
    pub framework_id: Option<FrameworkId>,
    /// Which program.
    pub kind: ExecutorKind,
    /// What it takes beside its tasks.
    pub resources: Resources,
    /// The `mesos.v1.ExecutorInfo` without `resources`.
    pub body: Payload,
}

impl ExecutorInfo {
    /// Whether two descriptions mean the same executor, so that a task may join the one that runs.
    #[must_use]
    pub fn is_compatible(&self, other: &Self) -> bool {
        self.executor_id == other.executor_id
            && self.kind == other.kind
            && self.body == other.body
            && self.resources.clone().unallocated() == other.resources.clone().unallocated()
    }
}

/// What is carried of a task's description, in one of the two forms that it comes in.
#[derive(Clone, PartialEq, Debug)]
pub enum TaskBody {
    /// From a scheduler: a `mesos.v1.TaskInfo`, see [`TaskInfo::body`].
    Info(Payload),
    /// From an agent that reregistered: a `mesos.v1.Task` without `resources`, `statuses`, `state`,
    /// `status_update_state` and `status_update_uuid`.
    Recovered(Payload),
}

/// A task that was sent to an agent.
#[derive(Clone, PartialEq, Debug)]
pub struct Task {
    /// Its id.
    pub task_id: TaskId,
    /// Whose.
    pub framework_id: FrameworkId,
    /// Where.
    pub agent_id: AgentId,
    /// In which executor; `None` for a command task.
    pub executor_id: Option<ExecutorId>,
    /// For people.
    pub name: String,
    /// To which role its resources are allocated.
    pub role: Role,
    /// What it takes, allocated to `role`.
    pub resources: Resources,
    /// The newest state that the agent knows, which may be ahead of what the scheduler has acknowledged.
    pub state: TaskState,
    /// The state of the status that the agent is sending, until acknowledged.
    pub status_update_state: Option<TaskState>,
    /// The uuid of that status.
    pub status_update_uuid: Option<Uuid>,
    /// What was reported, oldest first; of statuses in the same state only the newest.
    pub statuses: Vec<Arc<TaskStatus>>,
    /// The rest of its description.
    pub body: TaskBody,
}

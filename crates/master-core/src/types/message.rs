//! Messages of agents.

use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, Payload, TaskId, Uuid};
use resources::Resources;

use crate::types::{
    AgentCapabilities, AgentInfo, ExecutorInfo, FrameworkInfo, Operation, OperationStatus, Task, TaskState,
    TaskStatus,
};

/// `RegisterSlaveMessage`.
#[derive(Clone, PartialEq, Debug)]
pub struct RegisterAgent {
    /// What it says of itself.
    pub info: Arc<AgentInfo>,
    /// What it has, with the changes that it remembers (reservations, volumes) applied.
    pub total: Resources,
    /// Its version.
    pub version: String,
    /// What it can do.
    pub capabilities: AgentCapabilities,
    /// See [`crate::types::Agent::capabilities_body`].
    pub capabilities_body: Payload,
    /// The version of its resources.
    pub resource_version: Option<Uuid>,
}

/// A framework that ended on an agent, with its tasks.
#[derive(Clone, PartialEq, Debug)]
pub struct ArchivedFramework {
    /// Its id.
    pub id: FrameworkId,
    /// What it said of itself.
    pub info: Arc<FrameworkInfo>,
    /// Its tasks.
    pub tasks: Vec<Arc<Task>>,
}

/// `ReregisterSlaveMessage`.
#[derive(Clone, PartialEq, Debug)]
pub struct ReregisterAgent {
    /// As when it registered.
    pub agent: RegisterAgent,
    /// Under which id.
    pub agent_id: AgentId,
    /// Frameworks with something on it.
    pub frameworks: Vec<(FrameworkId, Arc<FrameworkInfo>)>,
    /// Executors on it, each with its framework; those that the agent made for command tasks are not among them.
    pub executors: Vec<(FrameworkId, Arc<ExecutorInfo>)>,
    /// Tasks on it whose end is not acknowledged; their resources are allocated to a role.
    pub tasks: Vec<Arc<Task>>,
    /// Frameworks that ended on it.
    pub completed_frameworks: Vec<ArchivedFramework>,
}

/// A task that the agent does not know although the master does (`SlaveReregisteredMessage.reconciliations`).
#[derive(Clone, PartialEq, Debug)]
pub struct ReconciledTask {
    /// Which task.
    pub task_id: TaskId,
    /// The master's newest state.
    pub state: TaskState,
    /// Its executor.
    pub executor_id: Option<ExecutorId>,
}

/// `StatusUpdateMessage`.
#[derive(Clone, PartialEq, Debug)]
pub struct StatusUpdate {
    /// Whose task.
    pub framework_id: FrameworkId,
    /// The status; its body has `agent_id`, `executor_id`, `timestamp` and `uuid` of the update merged in. It has a
    /// uuid unless the sender wants no acknowledgement.
    pub status: Arc<TaskStatus>,
    /// The newest state that the agent knows, where it is ahead of the status.
    pub latest_state: Option<TaskState>,
}

/// `UpdateSlaveMessage`.
#[derive(Clone, PartialEq, Debug)]
pub struct UpdateAgent {
    /// Which agent.
    pub agent_id: AgentId,
    /// What may be taken back at any time, if the message says something about it.
    pub oversubscribed: Option<Resources>,
    /// The version of its resources.
    pub resource_version: Option<Uuid>,
    /// The operations that it knows, with `agent_id` set, if the message says something about them.
    pub operations: Option<Vec<Arc<Operation>>>,
}

/// `UpdateOperationStatusMessage`.
#[derive(Clone, PartialEq, Debug)]
pub struct UpdateOperation {
    /// Where.
    pub agent_id: Option<AgentId>,
    /// Whose operation, unless an operator's.
    pub framework_id: Option<FrameworkId>,
    /// The operation's uuid; it is missing in an answer to a framework's question that the master passed on.
    pub operation_uuid: Option<Uuid>,
    /// How it stands, for its scheduler.
    pub status: OperationStatus,
    /// The newest status that the agent knows, where it says.
    pub latest_status: Option<OperationStatus>,
}

//! Statuses of tasks, and the updates that carry them to the master.

use std::sync::Arc;

use base::{AgentId, ContainerId, ExecutorId, FrameworkId, Payload, TaskId, Time, Uuid};
use resources::Resources;

use super::{CheckStatus, TaskState};

/// Who says so (`TaskStatus.Source`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusSource {
    /// The agent.
    Agent,
    /// The executor, also a built-in one.
    Executor,
}

/// Why, where the agent is the one who says so (`TaskStatus.Reason`). What executors give as a reason travels unread in
/// [`TaskStatus::body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the documentation: they are Mesos' own, REASON_ left out")]
pub enum Reason {
    AgentRestarted,
    ContainerLaunchFailed,
    ContainerUpdateFailed,
    ContainerLimitation,
    ContainerLimitationDisk,
    ContainerLimitationMemory,
    ExecutorRegistrationTimeout,
    ExecutorReregistrationTimeout,
    ExecutorTerminated,
    InvalidOffers,
    MaxCompletionTimeReached,
    Reconciliation,
    /// `REASON_AGENT_DRAINING`.
    AgentDraining,
    /// `REASON_TASK_CHECK_STATUS_UPDATED`.
    TaskCheckStatusUpdated,
    /// `REASON_TASK_HEALTH_CHECK_STATUS_UPDATED`.
    TaskHealthCheckStatusUpdated,
    TaskInvalid,
    TaskKilledDuringLaunch,
}

/// What the agent knows of the container that a status is about (`ContainerStatus`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerStatus {
    /// The container; written `parent.child` if nested.
    pub container_id: ContainerId,
    /// Its first process (`executor_pid`), while it has one.
    pub pid: Option<u32>,
    /// Whether the agent's own address is to be written as the container's (`network_infos`).
    pub agent_address: bool,
}

/// A task's status (`TaskStatus`).
///
/// To encode: `body` first, then every typed field that is set. Later fields win over earlier ones and messages merge,
/// so what the agent says completes what the executor said. `container_status.agent_address` is false where the body
/// brings addresses of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskStatus {
    /// The task.
    pub task_id: TaskId,
    /// The task's state.
    pub state: TaskState,
    /// In words, where the agent says so.
    pub message: Option<Arc<str>>,
    /// Who says so.
    pub source: StatusSource,
    /// Why, where the agent says so.
    pub reason: Option<Reason>,
    /// The agent.
    pub agent_id: AgentId,
    /// The executor, where there is one.
    pub executor_id: Option<ExecutorId>,
    /// When the status arose.
    pub timestamp: Time,
    /// Names the update that is to be acknowledged.
    pub uuid: Uuid,
    /// Of its container.
    pub container_status: Option<ContainerStatus>,
    /// Whether its health check was passed (`healthy`).
    pub healthy: Option<bool>,
    /// What its check found (`check_status`).
    pub check_status: Option<CheckStatus>,
    /// What its container went beyond (`limitation.resources`); mostly nothing.
    pub limitation: Resources,
    /// What the task's own executor sent, encoded; empty if the agent or a built-in executor made the status.
    pub body: Payload,
}

/// A status on its way to the master (`StatusUpdate`).
#[derive(Clone, Debug, PartialEq)]
pub struct StatusUpdate {
    /// The framework.
    pub framework_id: FrameworkId,
    /// The status; it names task, agent, executor and uuid.
    pub status: Arc<TaskStatus>,
    /// The newest state that the agent knows, which may be further than the status (`latest_state`).
    pub latest_state: TaskState,
    /// Whether it was sent before in this life of the agent.
    pub again: bool,
}

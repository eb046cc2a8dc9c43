//! Everything that can happen to the agent.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, ContainerId, ExecutorId, FrameworkId, Payload, TaskId, Time, Uuid};
use resources::Resources;

use crate::types::{CheckId, CheckOutcome, ExecutorInfo, FrameworkInfo, Reason, TaskInfo, TaskState};

base::id_type!(
    /// A libprocess address, `id@ip:port`.
    Pid
);

/// Names one executor's event stream, chosen by the server; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// Names one executor API request that waits for its answer, chosen by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What the core reacts to.
#[derive(Clone, Debug)]
pub enum Input {
    /// The leading master is known, has changed, or is lost (`None`).
    MasterDetected(Option<Pid>),
    /// The connection to that process broke, or could not be made.
    PeerLost(Pid),
    /// A message of a master arrived.
    FromMaster {
        /// Who sent it.
        from: Pid,
        /// What it says.
        message: FromMaster,
    },
    /// An executor asks something over HTTP. Answered by exactly one [`Output::ExecutorReply`](crate::Output).
    ExecutorCall(ExecutorRequest),
    /// An executor's event stream ended on the executor's side, or broke.
    ExecutorStreamClosed(StreamId),
    /// Something happened to a container.
    Container {
        /// Which.
        container_id: ContainerId,
        /// What.
        event: ContainerEvent,
    },
    /// A check that [`Output::PerformCheck`](crate::Output) asked for has ended.
    CheckEnded {
        /// Which.
        check: CheckId,
        /// How.
        outcome: CheckOutcome,
    },
    /// Directories of volumes were made and removed as [`Output::ChangeVolumes`](crate::Output) asked for.
    VolumesChanged {
        /// On behalf of which operation.
        operation: Uuid,
        /// Why not all of it could be done, in one line. What was made stays.
        result: Result<(), String>,
    },
    /// The time asked for by [`Output::SetTimer`](crate::Output) has come. Harmless when early or doubled.
    TimerFired,
    /// The operator ends the agent for good (a signal): unregister, stop every executor, then terminate.
    Shutdown {
        /// Why, in one line, for the log.
        reason: String,
    },
}

/// A container's life. For each `LaunchContainer` come: `NoSandbox` or `LaunchFailed`, or `Launched` and later `Exited`;
/// `Exited` without `Launched` if it was destroyed before. Nothing comes after these, and when one of them comes every
/// process of the container is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerEvent {
    /// Everything is fetched and the command runs.
    Launched {
        /// Its first process; `None` for a container without one.
        pid: Option<u32>,
    },
    /// It never ran, for the sandbox of an executor, or of a command task, could not be made: its user is unknown, say.
    NoSandbox {
        /// Why, in one line.
        message: String,
    },
    /// It never ran.
    LaunchFailed {
        /// Why, in one line (`Failed to fetch all URIs for container '...': ...`).
        message: String,
    },
    /// It ran and is gone.
    Exited {
        /// The first process' raw wait status; `None` if unknown or if there was no process.
        status: Option<i32>,
        /// Set where the agent ended it for exceeding a limit.
        limitation: Option<Limitation>,
    },
}

/// Why a container had to be ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limitation {
    /// Which limit.
    pub reason: Reason,
    /// In words.
    pub message: String,
    /// The resources that it went beyond; none where it is not about any.
    pub resources: Resources,
}

/// Messages of a master, and of its agent observer.
#[derive(Clone, Debug)]
pub enum FromMaster {
    /// `SlaveRegisteredMessage`.
    Registered {
        /// The id for life.
        agent_id: AgentId,
        /// After so long without a ping the master is considered lost.
        total_ping_timeout: Option<Duration>,
    },
    /// `SlaveReregisteredMessage`.
    Reregistered {
        /// Must be the agent's own.
        agent_id: AgentId,
        /// As above.
        total_ping_timeout: Option<Duration>,
        /// Tasks that the master knows and did not find in the reregistration.
        reconciliations: Vec<Reconciliation>,
    },
    /// `PingSlaveMessage`; comes from the observer, not from the master's own process.
    Ping {
        /// Whether the master believes the agent connected.
        connected: bool,
    },
    /// `RunTaskMessage`.
    RunTask(Box<RunTask>),
    /// `RunTaskGroupMessage`.
    RunTaskGroup(Box<RunTaskGroup>),
    /// `KillTaskMessage`.
    KillTask {
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// Overrides the task's own (`kill_policy.grace_period`).
        grace: Option<Duration>,
    },
    /// `StatusUpdateAcknowledgementMessage`.
    AcknowledgeStatus {
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// Which update; `None` where the bytes on the wire were no UUID.
        uuid: Option<Uuid>,
    },
    /// `ShutdownFrameworkMessage`.
    ShutdownFramework(FrameworkId),
    /// `ShutdownExecutorMessage`.
    ShutdownExecutor {
        /// Whose.
        framework_id: FrameworkId,
        /// Which.
        executor_id: ExecutorId,
    },
    /// `FrameworkToExecutorMessage`.
    Message {
        /// From whom.
        framework_id: FrameworkId,
        /// To whom.
        executor_id: ExecutorId,
        /// What.
        data: Payload,
    },
    /// `UpdateFrameworkMessage`.
    UpdateFramework(Arc<FrameworkInfo>),
    /// `ShutdownMessage`: the agent is no longer wanted.
    Shutdown {
        /// Why.
        message: String,
    },
    /// `ApplyOperationMessage`.
    ApplyOperation(Box<ApplyOperation>),
    /// `AcknowledgeOperationStatusMessage`.
    AcknowledgeOperation {
        /// Names the status.
        status_uuid: Option<Uuid>,
        /// Names the operation.
        operation_uuid: Option<Uuid>,
    },
    /// `ReconcileOperationsMessage`.
    ReconcileOperations(ReconcileOperations),
    /// `CheckpointResourcesMessage`: the whole set of reserved resources and volumes, from an old master.
    CheckpointResources(Resources),
    /// `DrainSlaveMessage`.
    Drain {
        /// The longest grace period for any task.
        max_grace: Option<Duration>,
        /// Whether the agent is marked gone afterwards.
        mark_gone: bool,
    },
}

/// Tasks of one framework that the master asks about (`ReconcileTasksMessage`).
#[derive(Clone, Debug)]
pub struct Reconciliation {
    /// The framework.
    pub framework_id: FrameworkId,
    /// From the framework that the message carries.
    pub partition_aware: bool,
    /// The tasks.
    pub task_ids: Vec<TaskId>,
}

/// A task to launch.
#[derive(Clone, Debug)]
pub struct RunTask {
    /// Its framework.
    pub framework: Arc<FrameworkInfo>,
    /// The task.
    pub task: Arc<TaskInfo>,
    /// What the master took for the agent's resource version; `None` if it said nothing.
    pub resource_version: Option<Uuid>,
    /// Whether the master expects this task to start its executor; `None` from masters that do not say.
    pub launch_executor: Option<bool>,
}

/// A task group to launch.
#[derive(Clone, Debug)]
pub struct RunTaskGroup {
    /// Its framework.
    pub framework: Arc<FrameworkInfo>,
    /// Who executes it.
    pub executor: Arc<ExecutorInfo>,
    /// The tasks.
    pub tasks: Vec<Arc<TaskInfo>>,
    /// As in [`RunTask`].
    pub resource_version: Option<Uuid>,
    /// As in [`RunTask`].
    pub launch_executor: Option<bool>,
}

/// An operation on the agent's resources.
#[derive(Clone, Debug)]
pub struct ApplyOperation {
    /// Whose; `None` for an operator's.
    pub framework_id: Option<FrameworkId>,
    /// The framework's own name for it, if it wants to hear about it.
    pub operation_id: Option<base::OperationId>,
    /// The master's name for it.
    pub operation_uuid: Uuid,
    /// What is to be done, or why the server could make no sense of it, in one line.
    pub operation: Result<resources::Operation, String>,
    /// The whole `Offer.Operation`, encoded.
    pub body: Payload,
    /// What the master took for the agent's resource version; `None` if it said nothing.
    pub resource_version: Option<Uuid>,
}

/// Operations that the master asks about.
#[derive(Clone, Debug)]
pub struct ReconcileOperations {
    /// The framework that wants to know; `None` where the master itself does.
    pub framework_id: Option<FrameworkId>,
    /// By the master's name, or by the framework's own.
    pub operations: Vec<(Option<Uuid>, Option<base::OperationId>)>,
}

/// One request of the executor API.
#[derive(Clone, Debug)]
pub struct ExecutorRequest {
    /// Names the answer.
    pub request: RequestId,
    /// Who says it is calling.
    pub framework_id: FrameworkId,
    /// Who says it is calling.
    pub executor_id: ExecutorId,
    /// What it wants.
    pub call: ExecutorCall,
}

/// What an executor wants.
#[derive(Clone, Debug)]
pub enum ExecutorCall {
    /// `SUBSCRIBE`; events go to the stream once the reply has said yes.
    Subscribe {
        /// The new stream.
        stream: StreamId,
        /// Tasks it was given and has had no update acknowledged for.
        unacknowledged_tasks: Vec<TaskId>,
        /// Updates it has had no acknowledgement for, oldest first.
        unacknowledged_updates: Vec<ExecutorUpdate>,
    },
    /// `UPDATE`, already valid by itself.
    Update(Box<ExecutorUpdate>),
    /// `MESSAGE` to the framework.
    Message(Payload),
}

/// A status that a custom executor reports.
#[derive(Clone, Debug)]
pub struct ExecutorUpdate {
    /// The task.
    pub task_id: TaskId,
    /// Its state.
    pub state: TaskState,
    /// Names the update.
    pub uuid: Uuid,
    /// When, by the executor's clock; now if it did not say.
    pub timestamp: Option<Time>,
    /// Whether `body` has `container_status.network_infos`.
    pub has_addresses: bool,
    /// The container that `body` names, if it names one.
    pub container_id: Option<ContainerId>,
    /// The whole status, encoded.
    pub body: Payload,
}

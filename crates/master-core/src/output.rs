//! All that the core wants done.

use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, OfferId, OperationId, Payload, TaskId, Time, Uuid};
use resources::{Operation, Resources};

use crate::input::Timer;
use crate::types::{
    Agent, ConnectionId, DrainConfig, ExecutorInfo, Framework, FrameworkInfo, InverseOffer, Offer,
    OperationStatus, OperatorError, Pid, ReconciledTask, RegistryWrite, RequestId, StreamId, Task, TaskInfo,
    TaskState, TaskStatus,
};

/// One output. They are to be carried out in their order; those for one connection or one agent must stay in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send an event to a scheduler.
    Event {
        /// Over which stream.
        connection: ConnectionId,
        /// What.
        event: SchedulerEvent,
    },
    /// End a scheduler's stream after the events that were given before.
    Close(ConnectionId),
    /// Send a message to an agent.
    ToAgent {
        /// To whom.
        to: Pid,
        /// What.
        message: ToAgent,
    },
    /// Watch the connection to an agent from now on and tell of its loss.
    Link(Pid),
    /// The agent is no longer of interest; its connection may go when what was sent has gone out.
    Unlink(Pid),
    /// Give this timer back at that time.
    SetTimer {
        /// When.
        at: Time,
        /// Which.
        timer: Timer,
    },
    /// Write this to the registry; [`crate::FromRegistry`] says how that went. Other outputs do not wait for it.
    Registry(RegistryWrite),
    /// This master leads no more: end, or begin anew. The core does nothing any more. In one line, why.
    Resign(String),
    /// Answer a request.
    Reply {
        /// Which.
        request: RequestId,
        /// How.
        result: Result<(), OperatorError>,
    },
    /// What the server needs to know to refuse scheduler calls without asking the core.
    Directory(Directory),
    /// Something that who watches the cluster may want to see.
    Observed(Observation),
}

/// Changes of the table from frameworks to streams. A framework that is not in it "cannot be found".
#[derive(Clone, PartialEq, Debug)]
pub enum Directory {
    /// The framework is subscribed over this stream.
    Subscribed {
        /// Which framework.
        framework_id: FrameworkId,
        /// Which stream.
        stream: StreamId,
    },
    /// The framework is known but has no stream.
    Disconnected(FrameworkId),
    /// The framework is gone.
    Removed(FrameworkId),
}

/// Events of the scheduler API.
#[derive(Clone, PartialEq, Debug)]
pub enum SchedulerEvent {
    /// The subscription stands. The server adds master info and heartbeat interval.
    Subscribed(FrameworkId),
    /// New offers.
    Offers(Vec<Arc<Offer>>),
    /// An offer is withdrawn.
    Rescind(OfferId),
    /// Agents that the framework uses will not be there for a while.
    InverseOffers(Vec<Arc<InverseOffer>>),
    /// An inverse offer is void.
    RescindInverse(OfferId),
    /// A task's status.
    Update(Arc<TaskStatus>),
    /// An operation's status.
    UpdateOperationStatus(Arc<OperationStatus>),
    /// Bytes from an executor.
    Message {
        /// From where.
        agent_id: AgentId,
        /// From which.
        executor_id: ExecutorId,
        /// What.
        data: Payload,
    },
    /// An executor ended (with `executor_id` and `status`), or an agent was removed (without).
    Failure {
        /// Where.
        agent_id: AgentId,
        /// Which.
        executor_id: Option<ExecutorId>,
        /// How, as `wait` gives it.
        status: Option<i32>,
    },
    /// The subscription ends.
    Error(String),
}

impl SchedulerEvent {
    /// Its name in the API, such as `OFFERS`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Subscribed(_) => "SUBSCRIBED",
            Self::Offers(_) => "OFFERS",
            Self::Rescind(_) => "RESCIND",
            Self::InverseOffers(_) => "INVERSE_OFFERS",
            Self::RescindInverse(_) => "RESCIND_INVERSE_OFFER",
            Self::Update(_) => "UPDATE",
            Self::UpdateOperationStatus(_) => "UPDATE_OPERATION_STATUS",
            Self::Message { .. } => "MESSAGE",
            Self::Failure { .. } => "FAILURE",
            Self::Error(_) => "ERROR",
        }
    }
}

/// A framework, as far as a message to an agent tells of it.
#[derive(Clone, PartialEq, Debug)]
pub struct FrameworkRef {
    /// Its id; to be merged into the info as its `id`.
    pub id: FrameworkId,
    /// What it says of itself.
    pub info: Arc<FrameworkInfo>,
}

/// Messages to agents.
#[derive(Clone, PartialEq, Debug)]
pub enum ToAgent {
    /// `PingSlaveMessage`, from `slave-observer(N)`.
    Ping {
        /// Whether the master holds the agent to be connected.
        connected: bool,
    },
    /// `SlaveRegisteredMessage`. The server adds the total ping timeout.
    Registered(AgentId),
    /// `SlaveReregisteredMessage`. The server adds the total ping timeout.
    Reregistered {
        /// Its id.
        agent_id: AgentId,
        /// Tasks that the agent did not mention: it answers each with a status. By framework.
        reconciliations: Vec<(FrameworkRef, Vec<ReconciledTask>)>,
    },
    /// `RunTaskMessage`.
    RunTask {
        /// Whose.
        framework: FrameworkRef,
        /// What; its resources and those of its executor are allocated to the role.
        task: Arc<TaskInfo>,
        /// Whether the executor has to be started for it.
        launch_executor: bool,
        /// The version of the agent's resources.
        resource_version: Option<Uuid>,
    },
    /// `RunTaskGroupMessage`.
    RunTaskGroup {
        /// Whose.
        framework: FrameworkRef,
        /// In which executor, with allocated resources.
        executor: Arc<ExecutorInfo>,
        /// What, with allocated resources.
        tasks: Vec<Arc<TaskInfo>>,
        /// Whether the executor has to be started for it.
        launch_executor: bool,
        /// The version of the agent's resources.
        resource_version: Option<Uuid>,
    },
    /// `KillTaskMessage`.
    KillTask {
        /// Whose.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// Encoded `mesos.v1.KillPolicy`.
        kill_policy: Option<Payload>,
    },
    /// `StatusUpdateAcknowledgementMessage`.
    Acknowledge {
        /// Where.
        agent_id: AgentId,
        /// Whose.
        framework_id: FrameworkId,
        /// Which task.
        task_id: TaskId,
        /// Which status.
        uuid: Uuid,
    },
    /// `ApplyOperationMessage`.
    ApplyOperation {
        /// Whose, unless an operator's.
        framework_id: Option<FrameworkId>,
        /// By which its framework wants to hear of it.
        id: Option<OperationId>,
        /// What.
        operation: Arc<Operation>,
        /// Under which name master and agent know it.
        uuid: Uuid,
        /// The version of the agent's resources.
        resource_version: Uuid,
    },
    /// `CheckpointResourcesMessage`, to an agent that takes no operations: all of its reservations and volumes.
    CheckpointResources(Resources),
    /// `ReconcileOperationsMessage`: operations, by their uuids, that the agent did not mention.
    ReconcileOperations(Vec<Uuid>),
    /// `AcknowledgeOperationStatusMessage`.
    AcknowledgeOperation {
        /// Which status.
        status_uuid: Uuid,
        /// Which operation.
        operation_uuid: Uuid,
    },
    /// `FrameworkToExecutorMessage`.
    Message {
        /// Where.
        agent_id: AgentId,
        /// Whose.
        framework_id: FrameworkId,
        /// To which.
        executor_id: ExecutorId,
        /// What.
        data: Payload,
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
    /// `UpdateFrameworkMessage`; `pid` is empty, as for every scheduler of the HTTP API.
    UpdateFramework(FrameworkRef),
    /// `DrainSlaveMessage`.
    Drain(DrainConfig),
    /// `ShutdownMessage`: the agent shall end.
    Shutdown(String),
}

/// What changed, for those who watch.
#[derive(Clone, Debug)]
pub enum Observation {
    /// A task was launched or recovered.
    TaskAdded(Arc<Task>),
    /// A task's state changed.
    TaskUpdated {
        /// Whose task.
        framework_id: FrameworkId,
        /// Its newest state, which may be ahead of the status.
        state: TaskState,
        /// The status that changed it.
        status: Arc<TaskStatus>,
    },
    /// A framework subscribed for the first time, or was recovered.
    FrameworkAdded(Arc<Framework>),
    /// A framework subscribed again, went away or changed.
    FrameworkUpdated(Arc<Framework>),
    /// A framework ended.
    FrameworkRemoved(Arc<Framework>),
    /// An agent registered.
    AgentAdded(Arc<Agent>),
    /// An agent was removed.
    AgentRemoved {
        /// Which.
        id: AgentId,
        /// Where it was.
        hostname: String,
    },
    /// An operation was refused.
    OperationRefused {
        /// Whose.
        framework_id: FrameworkId,
        /// Which.
        operation_id: Option<OperationId>,
        /// Why.
        message: String,
    },
    /// A message or call was not acted upon.
    Dropped {
        /// What it was, such as `ACCEPT`.
        what: &'static str,
        /// From whom: a framework id or an address.
        from: String,
        /// Why.
        why: String,
    },
}

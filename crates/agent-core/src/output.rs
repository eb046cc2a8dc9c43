//! Everything that the agent may want done.

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, ContainerId, ExecutorId, FrameworkId, Payload, TaskId, Time, Uuid};
use resources::Resources;

use crate::checkpoint::Write;
use crate::input::{Pid, RequestId, StreamId};
use crate::types::{
    CheckId, CheckOrder, ContainerSpec, ExecutorInfo, FrameworkInfo, FrameworkView, Operation,
    OperationUpdate, ResourceLimits, StatusUpdate, Task, TaskInfo, VolumeDirectory, VolumeLink,
};

/// What the server does for the core, in the order of the list.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Write down, together with the other writes that come of the same input. Nothing that follows is carried out before
    /// it is durable; [`SetTimer`](Self::SetTimer) and answers to pings excepted, which depend on nothing.
    Checkpoint(Box<Write>),
    /// Make the directories of volumes, and remove others with all that is in them. What is there already stays as it is;
    /// what is gone already is as good. Answered by [`Input::VolumesChanged`](crate::Input).
    ChangeVolumes {
        /// On behalf of which operation.
        operation: Uuid,
        /// To be there.
        make: Vec<VolumeDirectory>,
        /// To be gone; of a mount all that is in it.
        remove: Vec<VolumeDirectory>,
    },
    /// Link these volumes into the sandbox of a container that runs, and unlink those that it had and that are not among
    /// them. Harmless if it is gone.
    LinkVolumes {
        /// Which container.
        container_id: ContainerId,
        /// All its volumes.
        volumes: Vec<VolumeLink>,
    },
    /// Change what a container may use that was launched with less or more: it holds before what follows is carried out.
    /// Harmless if it is gone.
    UpdateContainer {
        /// Which container.
        container_id: ContainerId,
        /// What is allocated to it now.
        resources: Resources,
        /// How far it may go beyond.
        limits: ResourceLimits,
    },
    /// Send to a master's process (or its observer: the answer to a ping). Lost if it cannot be delivered.
    Send {
        /// To whom.
        to: Pid,
        /// What.
        message: ToMaster,
    },
    /// Launch; events come back as [`Input::Container`](crate::Input).
    LaunchContainer(Box<ContainerSpec>),
    /// Send a signal to every process of the container. Harmless if it is gone or not yet up.
    SignalContainer {
        /// Which.
        container_id: ContainerId,
        /// `SIGTERM` is 15.
        signal: i32,
    },
    /// End the container by force, whatever runs in it, nested containers too; also while it is being launched.
    /// Harmless if it is gone.
    DestroyContainer(ContainerId),
    /// How the container ended is written down; nobody needs to remember it elsewhere.
    ForgetContainer(ContainerId),
    /// Check a task. Answered by exactly one [`Input::CheckEnded`](crate::Input), unless it is called off.
    PerformCheck(Box<CheckOrder>),
    /// Nobody wants to know how that check ends: stop it, with every process that it has started. Harmless if it has ended.
    CancelCheck(CheckId),
    /// Answer to a request of an executor.
    ExecutorReply {
        /// Which request.
        request: RequestId,
        /// Yes (`200` and the stream for a subscription, `202` for the rest), or why not.
        reply: Result<(), ExecutorRefusal>,
    },
    /// Send an event on an executor's stream. The server adds heartbeats by itself.
    ExecutorEvent {
        /// Which stream.
        stream: StreamId,
        /// What.
        event: ExecutorEvent,
    },
    /// End an executor's stream after what was sent before. No `ExecutorStreamClosed` is expected for it.
    CloseExecutorStream(StreamId),
    /// Give `TimerFired` at (or after) that time. Replaces what was set before: there is one timer.
    SetTimer(Time),
    /// Terminate the process: nothing is left to wait for.
    Terminate {
        /// Why, in one line.
        reason: String,
    },
}

impl Output {
    pub(crate) fn checkpoint(write: Write) -> Self {
        Self::Checkpoint(Box::new(write))
    }
}

/// Why an executor's request was refused; `Display` is the body of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorRefusal {
    /// `400`.
    UnknownFramework,
    /// `400`.
    UnknownExecutor,
    /// `403`.
    NotSubscribed,
}

impl std::fmt::Display for ExecutorRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::UnknownFramework => "Framework cannot be found",
            Self::UnknownExecutor => "Executor cannot be found",
            Self::NotSubscribed => "Executor is not subscribed",
        })
    }
}

/// Messages to a master. The server adds what never changes: the agent's own description, version, capabilities, pid.
#[derive(Clone, Debug, PartialEq)]
pub enum ToMaster {
    /// `RegisterSlaveMessage`.
    Register {
        /// Reserved resources and volumes that operations made.
        checkpointed: Resources,
        /// Names the present state of the resources.
        resource_version: Uuid,
    },
    /// `ReregisterSlaveMessage`.
    Reregister(Box<Reregister>),
    /// `UpdateSlaveMessage`, as after each registration: no oversubscription, no resource providers.
    UpdateAgent {
        /// The agent.
        agent_id: AgentId,
        /// Names the present state of the resources.
        resource_version: Uuid,
        /// Operations that have not ended, or whose end is not yet acknowledged.
        operations: Vec<Arc<Operation>>,
    },
    /// `UnregisterSlaveMessage`.
    Unregister {
        /// The agent.
        agent_id: AgentId,
    },
    /// `StatusUpdateMessage`.
    StatusUpdate(StatusUpdate),
    /// `ExitedExecutorMessage`.
    ExitedExecutor {
        /// The agent.
        agent_id: AgentId,
        /// Whose.
        framework_id: FrameworkId,
        /// Which.
        executor_id: ExecutorId,
        /// The raw wait status, -1 if unknown.
        status: i32,
    },
    /// `ExecutorToFrameworkMessage`.
    Message {
        /// The agent.
        agent_id: AgentId,
        /// To whom.
        framework_id: FrameworkId,
        /// From whom.
        executor_id: ExecutorId,
        /// What.
        data: Payload,
    },
    /// `UpdateOperationStatusMessage`.
    OperationStatus(OperationUpdate),
    /// `PongSlaveMessage`.
    Pong,
}

/// What the agent tells a master that does not know it (any more).
#[derive(Clone, Debug, PartialEq)]
pub struct Reregister {
    /// The agent.
    pub agent_id: AgentId,
    /// As in [`ToMaster::Register`].
    pub checkpointed: Resources,
    /// As in [`ToMaster::Register`].
    pub resource_version: Uuid,
    /// Frameworks with something on this agent.
    pub frameworks: Vec<Arc<FrameworkInfo>>,
    /// Executors that live, those of command tasks left out.
    pub executors: Vec<(FrameworkId, Arc<ExecutorInfo>)>,
    /// Tasks that have not ended, or whose end the master has not acknowledged. Those queued are in `Staging`.
    pub tasks: Vec<Arc<Task>>,
    /// Frameworks that are through, with their executors and tasks.
    pub completed_frameworks: Vec<Arc<FrameworkView>>,
}

/// Events of the executor API.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutorEvent {
    /// `SUBSCRIBED`; the server adds the agent's own description.
    Subscribed {
        /// The executor.
        executor: Arc<ExecutorInfo>,
        /// Its framework.
        framework: Arc<FrameworkInfo>,
        /// The agent.
        agent_id: AgentId,
        /// Its container.
        container_id: ContainerId,
    },
    /// `LAUNCH`.
    Launch(Arc<TaskInfo>),
    /// `LAUNCH_GROUP`.
    LaunchGroup(Vec<Arc<TaskInfo>>),
    /// `KILL`.
    Kill {
        /// Which task.
        task_id: TaskId,
        /// Overrides the task's own grace period.
        grace: Option<Duration>,
    },
    /// `ACKNOWLEDGED`.
    Acknowledged {
        /// Which task.
        task_id: TaskId,
        /// Which update.
        uuid: Uuid,
    },
    /// `MESSAGE`.
    Message(Payload),
    /// `SHUTDOWN`.
    Shutdown,
    /// `ERROR`.
    Error(String),
}

//! What an executor is told.

use bytes::Bytes;
use proto::v1::{
    AgentInfo, ContainerId, ExecutorInfo, FrameworkInfo, KillPolicy, TaskGroupInfo, TaskId, TaskInfo,
};

/// One event, in the order in which the agent sent them. Acknowledgements are dealt with by the client.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an executor sees few events; boxes would only burden its author"
)]
pub enum Event {
    /// The executor is subscribed, for the first time or again.
    Subscribed(Subscribed),
    /// The agent is away, and the client looks for it. Tasks should go on.
    Disconnected {
        /// What happened, for people.
        reason: String,
    },
    /// A task is to be started.
    Launch(TaskInfo),
    /// Tasks are to be started together, and to end together when one of them fails.
    LaunchGroup(TaskGroupInfo),
    /// A task is to be killed.
    Kill {
        /// Which.
        task_id: TaskId,
        /// How, if not as the task's own policy says.
        kill_policy: Option<KillPolicy>,
    },
    /// The framework sent a message.
    Message(Bytes),
    /// All tasks are to be killed, and the process is to end; the agent kills it after the grace period. The last event.
    Shutdown,
    /// The agent will not have this executor. The last event.
    Error(String),
}

/// The details of a subscription.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// The executor, as the framework described it.
    pub executor_info: ExecutorInfo,
    /// The framework.
    pub framework_info: FrameworkInfo,
    /// The agent.
    pub agent_info: AgentInfo,
    /// The container that the executor runs in.
    pub container_id: Option<ContainerId>,
}

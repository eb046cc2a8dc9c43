//! An executor as a scheduler described it.

use base::{ExecutorId, Payload};
use resources::Resources;

use super::CommandInfo;

/// Who executes the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutorKind {
    /// One command task, run by the agent itself; the executor's id is the task's.
    Command,
    /// Task groups, run by the agent itself (`ExecutorInfo.type` `DEFAULT`).
    Default,
    /// A process of the framework's own that speaks the executor API.
    Custom,
}

/// An executor (`ExecutorInfo`): what the agent decides upon, and the message as the master sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecutorInfo {
    /// Its id.
    pub executor_id: ExecutorId,
    /// Who executes. `Command` is made by the agent for a task without an executor, and has an empty `body`.
    pub kind: ExecutorKind,
    /// What a custom executor runs.
    pub command: Option<CommandInfo>,
    /// What is allocated to the executor itself, without its tasks.
    pub resources: Resources,
    /// How long it may take to shut down (`shutdown_grace_period`); the agent's own setting if unset.
    pub shutdown_grace: Option<std::time::Duration>,
    /// What it or its command asks for that the server cannot give, in one line. It is then not launched.
    pub unsupported: Option<std::sync::Arc<str>>,
    /// The whole message, encoded; empty for `Command`.
    pub body: Payload,
}

//! Tasks: what is to be run, and how far it has come.

use std::sync::Arc;
use std::time::Duration;

use base::{FrameworkId, Payload, TaskId, Uuid};
use resources::Resources;

use super::{Check, CommandInfo, ExecutorInfo, HealthCheck, ResourceLimits, TaskStatus};

/// A task to run (`TaskInfo`): what the agent decides upon, and the message as the master sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskInfo {
    /// Its id, unique in its framework while it lives.
    pub task_id: TaskId,
    /// Its name, for people.
    pub name: Arc<str>,
    /// What is allocated to it.
    pub resources: Resources,
    /// How far it may go beyond.
    pub limits: ResourceLimits,
    /// The executor it names; unset for a command task, set for every task of a group.
    pub executor: Option<Arc<ExecutorInfo>>,
    /// What it runs; unset where a custom executor knows what to do.
    pub command: Option<CommandInfo>,
    /// Time between a polite and a forced kill (`kill_policy.grace_period`).
    pub kill_grace: Option<Duration>,
    /// How long it may run; `None` also where the scheduler wrote zero.
    pub max_completion_time: Option<Duration>,
    /// What is looked at while a built-in executor runs it.
    pub check: Option<Check>,
    /// The same, judged: it is killed when it is unhealthy for long.
    pub health_check: Option<HealthCheck>,
    /// What it or its command asks for that the server cannot give, in one line. Unless a custom executor runs it, it is
    /// then not launched.
    pub unsupported: Option<Arc<str>>,
    /// The whole message, encoded.
    pub body: Payload,
}

/// A task's state (`TaskState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the documentation: they are Mesos' own")]
pub enum TaskState {
    Staging,
    Starting,
    Running,
    Killing,
    Finished,
    Failed,
    Killed,
    Error,
    Lost,
    Dropped,
    Unreachable,
    Gone,
    GoneByOperator,
    Unknown,
}

impl TaskState {
    /// Whether no other state follows. As in Mesos `Unreachable` and `Unknown` are not terminal.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Finished
                | Self::Failed
                | Self::Killed
                | Self::Error
                | Self::Lost
                | Self::Dropped
                | Self::Gone
                | Self::GoneByOperator
        )
    }

    /// Whether an executor can tell of it: not of what came before it, nor of what only a master can know.
    #[must_use]
    pub fn is_for_executors(self) -> bool {
        !matches!(self, Self::Staging | Self::Unreachable | Self::Unknown)
    }
}

/// A task on this agent, with its history.
#[derive(Clone, Debug, PartialEq)]
pub struct Task {
    /// What it is.
    pub info: Arc<TaskInfo>,
    /// Its framework.
    pub framework_id: FrameworkId,
    /// The newest state that the agent knows.
    pub state: TaskState,
    /// One status for each state it went through, oldest first; of several in one state the newest.
    pub statuses: Vec<Arc<TaskStatus>>,
    /// State and id of the update that was last sent to the master, acknowledged or not.
    pub last_sent: Option<(TaskState, Uuid)>,
}

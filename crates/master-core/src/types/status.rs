//! What is known of a task at one moment.

use std::sync::Arc;

use base::{AgentId, ExecutorId, Payload, TaskId, Time, Uuid};

use crate::types::TaskState;

/// Who made a status, numbered as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Source {
    /// The master.
    Master = 0,
    /// The agent.
    Agent = 1,
    /// The executor.
    Executor = 2,
}

impl Source {
    /// The source of a wire number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        match number {
            0 => Some(Self::Master),
            1 => Some(Self::Agent),
            2 => Some(Self::Executor),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }
}

/// Why a task came to a state: the wire's number. The named ones are those that the master itself gives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reason(pub i32);

impl Reason {
    /// The offers that were accepted are gone.
    pub const INVALID_OFFERS: Self = Self(6);
    /// The answer to a question.
    pub const RECONCILIATION: Self = Self(9);
    /// The agent's connection broke and the framework has no checkpoints.
    pub const AGENT_DISCONNECTED: Self = Self(10);
    /// The agent was removed.
    pub const AGENT_REMOVED: Self = Self(11);
    /// The agent has lost its memory.
    pub const AGENT_RESTARTED: Self = Self(12);
    /// The task's description is wrong.
    pub const TASK_INVALID: Self = Self(14);
    /// The task group's description is wrong.
    pub const TASK_GROUP_INVALID: Self = Self(25);
    /// An operator marked the agent gone.
    pub const AGENT_REMOVED_BY_OPERATOR: Self = Self(31);
    /// The agent came back.
    pub const AGENT_REREGISTERED: Self = Self(32);
    /// The framework was removed.
    pub const FRAMEWORK_REMOVED: Self = Self(3);

    /// Whether the status tells of a check or health check and not of a change of state.
    #[must_use]
    pub const fn is_check(self) -> bool {
        matches!(self, Self(28 | 29))
    }
}

/// A task's status. One that came from an agent carries its wire form; one that the master made has none and is
/// encoded from these fields.
#[derive(Clone, PartialEq, Debug)]
pub struct TaskStatus {
    /// Which task.
    pub task_id: TaskId,
    /// On which agent, where that is known.
    pub agent_id: Option<AgentId>,
    /// In which executor.
    pub executor_id: Option<ExecutorId>,
    /// The state.
    pub state: TaskState,
    /// Who says so.
    pub source: Option<Source>,
    /// Why.
    pub reason: Option<Reason>,
    /// Why, in one line.
    pub message: Option<String>,
    /// To be repeated in the acknowledgement; only statuses from agents have it and are to be acknowledged.
    pub uuid: Option<Uuid>,
    /// When.
    pub timestamp: Time,
    /// Result of the health check.
    pub healthy: Option<bool>,
    /// Since when the agent does not answer.
    pub unreachable_time: Option<Time>,
    /// The whole status as `mesos.v1.TaskStatus`, ready for the scheduler, if it came from an agent. For a status
    /// made by the master it is `None`.
    pub body: Option<Payload>,
    /// For a status made by the master that repeats an older one: the older one, from whose body `healthy`, `labels`,
    /// `check_status` and `container_status` are to be copied.
    pub repeats: Option<Arc<TaskStatus>>,
}

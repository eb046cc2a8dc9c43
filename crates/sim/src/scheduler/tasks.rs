//! What a scheduler knows of its tasks.

use base::{AgentId, ExecutorId};
use master_core::TaskState;

/// A task, as its scheduler knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Known {
    /// Where it was launched.
    pub(crate) agent_id: AgentId,
    /// In which executor, unless it is a command task.
    pub(crate) executor_id: Option<ExecutorId>,
    /// What was told last; `None` before anything was.
    pub(crate) state: Option<TaskState>,
}

impl Known {
    /// Whether the scheduler counts on it.
    pub(crate) fn is_over(&self) -> bool {
        self.state.is_some_and(|state| state.is_terminal() || state == TaskState::Unknown)
    }
}

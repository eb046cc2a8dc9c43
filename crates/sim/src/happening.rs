//! What checkers are told of a step.

use base::{AgentId, ExecutorId, FrameworkId, OfferId, TaskId, Uuid};
use master_core::{OperatorCall, TaskState};

/// Something that happened in a step.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// A master sent a task to an agent: it is accepted.
    TaskSent {
        /// Which master, and which life of it.
        master: (usize, u64),
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// Where to.
        agent_id: AgentId,
    },
    /// A master told how a task ended. If its scheduler was not there, it asks when it is.
    EndTold {
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// The agent said so, and repeats it; else the master gave the task up.
        by_agent: bool,
    },
    /// A master ordered a task away, or all of a framework's or an executor's.
    Condemned {
        /// Whose.
        framework_id: FrameworkId,
        /// Which, if not all.
        executor_id: Option<ExecutorId>,
        /// Which, if not all.
        task_id: Option<TaskId>,
    },
    /// An agent sent a status for the first time or again.
    StatusSent {
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// The status.
        uuid: Uuid,
        /// Which agent, and which life of it.
        agent: (usize, u64),
        /// The task is on its disk.
        written: bool,
    },
    /// A scheduler received a status.
    StatusSeen {
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// The status; only those of agents have one.
        uuid: Option<Uuid>,
        /// What it says.
        state: TaskState,
    },
    /// A scheduler acknowledged a status.
    Acknowledged {
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// The status.
        uuid: Uuid,
    },
    /// An agent was told that a status is acknowledged.
    AcknowledgementCame {
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
        /// The status.
        uuid: Uuid,
    },
    /// The container of a task runs.
    TaskStarted {
        /// On which machine.
        agent: usize,
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
    },
    /// A custom executor was given a task.
    TaskGiven {
        /// On which machine.
        agent: usize,
        /// Whose task.
        framework_id: FrameworkId,
        /// Which.
        task_id: TaskId,
    },
    /// A scheduler was offered something.
    Offered {
        /// Whose.
        framework_id: FrameworkId,
        /// Which.
        offer_id: OfferId,
        /// Of an agent of which it wants offers.
        wanted: bool,
    },
    /// A framework is over, or will never be heard of again.
    FrameworkOver(FrameworkId),
    /// An operator asked for something.
    Asked(OperatorCall),
    /// An operator was told that what it asked for is done.
    Granted(OperatorCall),
    /// A master told an agent to end for good.
    Dismissed(usize),
    /// A master took an agent in.
    Admitted {
        /// In which session of the service it leads.
        session: Option<u64>,
        /// Which agent.
        agent_id: AgentId,
    },
}

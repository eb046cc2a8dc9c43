//! Operations on resources: what is kept of one from its acceptance until its end is acknowledged.

use std::sync::Arc;

use base::{AgentId, FrameworkId, OperationId, Payload, Uuid};

/// An operation on an agent's resources that is under way, or whose end is not acknowledged yet.
#[derive(Clone, PartialEq, Debug)]
pub struct Operation {
    /// Under which name master and agent know it.
    pub uuid: Uuid,
    /// By which its framework wants to hear of it. Without one nobody but the master takes note of its statuses.
    pub id: Option<OperationId>,
    /// Whose, unless an operator's.
    pub framework_id: Option<FrameworkId>,
    /// Where.
    pub agent_id: AgentId,
    /// What; a framework's with its resources allocated to a role.
    pub info: Arc<resources::Operation>,
    /// The newest status that the agent knows, which may be ahead of what was reported.
    pub latest_status: Arc<OperationStatus>,
    /// What was reported, oldest first.
    pub statuses: Vec<Arc<OperationStatus>>,
}

/// An operation whose changes are counted as made although its agent has not said so.
#[derive(Clone, PartialEq, Debug)]
pub struct Unconfirmed {
    /// Under which name master and agent know it.
    pub uuid: Uuid,
    /// What, with resources allocated to nobody.
    pub info: Arc<resources::Operation>,
    /// The agent has said so, but not yet how one that was sent before it has ended.
    pub finished: bool,
}

/// How an operation stands, numbered as on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum OperationState {
    /// A state that the sender did not know.
    Unsupported = 0,
    /// On its way.
    Pending = 1,
    /// Carried out.
    Finished = 2,
    /// Tried in vain.
    Failed = 3,
    /// Refused: what it asks for is wrong or cannot be done.
    Error = 4,
    /// Never carried out: something passing was in the way.
    Dropped = 5,
    /// Its agent does not answer.
    Unreachable = 6,
    /// Its agent is gone by an operator's word.
    GoneByOperator = 7,
    /// The agent has not told yet.
    Recovering = 8,
    /// Nobody knows of it.
    Unknown = 9,
}

impl OperationState {
    /// All states, by number.
    pub const ALL: [Self; 10] = [
        Self::Unsupported,
        Self::Pending,
        Self::Finished,
        Self::Failed,
        Self::Error,
        Self::Dropped,
        Self::Unreachable,
        Self::GoneByOperator,
        Self::Recovering,
        Self::Unknown,
    ];

    /// The state of a wire number; `None` for a number that we do not know.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The name on the wire, such as `OPERATION_FINISHED`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsupported => "OPERATION_UNSUPPORTED",
            Self::Pending => "OPERATION_PENDING",
            Self::Finished => "OPERATION_FINISHED",
            Self::Failed => "OPERATION_FAILED",
            Self::Error => "OPERATION_ERROR",
            Self::Dropped => "OPERATION_DROPPED",
            Self::Unreachable => "OPERATION_UNREACHABLE",
            Self::GoneByOperator => "OPERATION_GONE_BY_OPERATOR",
            Self::Recovering => "OPERATION_RECOVERING",
            Self::Unknown => "OPERATION_UNKNOWN",
        }
    }

    /// Whether an operation in this state has ended for good.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Error | Self::Dropped | Self::GoneByOperator)
    }
}

/// A status of an operation, for its scheduler.
#[derive(Clone, PartialEq, Debug)]
pub struct OperationStatus {
    /// Which operation, by the scheduler's id.
    pub operation_id: Option<OperationId>,
    /// How it stands.
    pub state: OperationState,
    /// Why, in one line.
    pub message: Option<String>,
    /// To be repeated in the acknowledgement; only statuses that their agent repeats have it.
    pub uuid: Option<Uuid>,
    /// On which agent.
    pub agent_id: Option<AgentId>,
    /// The `mesos.v1.OperationStatus` as an agent sent it, if these fields are what it says.
    pub body: Option<Payload>,
}

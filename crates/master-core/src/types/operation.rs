//! Operations on resources. Until they are carried out, only their refusal is told.

use base::{AgentId, OperationId, Payload, Uuid};

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
    /// To be repeated in the acknowledgement.
    pub uuid: Option<Uuid>,
    /// On which agent.
    pub agent_id: Option<AgentId>,
    /// The `mesos.v1.OperationStatus` as an agent sent it.
    pub body: Option<Payload>,
}

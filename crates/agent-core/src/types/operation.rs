//! Operations on the agent's resources, until the master has acknowledged how they ended.

use std::sync::Arc;

use base::{AgentId, FrameworkId, OperationId, Payload, Uuid};

/// How an operation stands (`UpdateOperationStatusMessage`).
#[derive(Clone, Debug, PartialEq)]
pub struct OperationUpdate {
    /// Whose; `None` for an operator's.
    pub framework_id: Option<FrameworkId>,
    /// The agent.
    pub agent_id: AgentId,
    /// The framework's own name for it.
    pub operation_id: Option<OperationId>,
    /// The master's name for it.
    pub operation_uuid: Uuid,
    /// How it stands.
    pub state: OperationState,
    /// Why, if it went wrong.
    pub message: Option<Arc<str>>,
    /// Names the status that is to be acknowledged; `None` if no acknowledgement is wanted.
    pub status_uuid: Option<Uuid>,
}

/// How an operation stands (`OperationState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationState {
    /// `OPERATION_PENDING`: its volumes are being made or removed.
    Pending,
    /// `OPERATION_FINISHED`.
    Finished,
    /// `OPERATION_FAILED`.
    Failed,
    /// `OPERATION_ERROR`.
    Error,
    /// `OPERATION_DROPPED`.
    Dropped,
}

/// An operation that the agent has taken on (`Operation`).
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// How it stands.
    pub update: OperationUpdate,
    /// What it is: the whole `Offer.Operation`, encoded.
    pub body: Payload,
}

//! A framework as the agent knows it.

use std::sync::Arc;

use base::{FrameworkId, Payload};

/// A framework (`FrameworkInfo`): what the agent decides upon, and the message as the master sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrameworkInfo {
    /// Its id.
    pub id: FrameworkId,
    /// Whom its commands run as unless they say otherwise.
    pub user: Arc<str>,
    /// Whether its executors are to survive the agent.
    pub checkpoint: bool,
    /// Whether it wants `TASK_KILLING` (capability `TASK_KILLING_STATE`).
    pub task_killing: bool,
    /// Whether it tells `TASK_DROPPED` and its like from `TASK_LOST` (capability `PARTITION_AWARE`).
    pub partition_aware: bool,
    /// The whole message, encoded, with the id.
    pub body: Payload,
}

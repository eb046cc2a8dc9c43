//! What can go wrong with a call.

use std::time::Duration;

/// Why a call was not answered with what it asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// A key was not as the transaction expects. Nothing was done.
    #[error("'{key}' has changed meanwhile")]
    Conflict {
        /// Which key.
        key: String,
    },
    /// Who writes does not lead any more. Nothing was done, and nothing ever will be with this fence.
    #[error("deposed: epoch {epoch} of '{election}' is over")]
    Fenced {
        /// Which election.
        election: String,
        /// The epoch that is over.
        epoch: u64,
    },
    /// The store is out of reach. A write may have been done or not. Worth trying again.
    #[error("{store} is unavailable: {reason}")]
    Unavailable {
        /// Which store; no password in it.
        store: String,
        /// What was tried and failed.
        reason: String,
    },
    /// The store did not answer in time. A write may have been done or not. Worth trying again.
    #[error("{store} did not answer within {after:?}")]
    Timeout {
        /// Which store; no password in it.
        store: String,
        /// For how long it was waited.
        after: Duration,
    },
    /// The store does not let us in, or not there. Not worth trying again.
    #[error("{store} refuses: {reason}")]
    Denied {
        /// Which store; no password in it.
        store: String,
        /// What it said.
        reason: String,
    },
    /// No store takes so much at once. Nothing was done.
    #[error(
        "a transaction of {ops} keys and {bytes} bytes is too large: at most {most_ops} keys and {most_bytes} bytes"
    )]
    TooLarge {
        /// How many keys.
        ops: usize,
        /// How large keys and values are together.
        bytes: usize,
        /// The most keys.
        most_ops: usize,
        /// The most bytes.
        most_bytes: usize,
    },
    /// Not a key. Nothing was done.
    #[error("not a key: '{key}' (expected: table/name)")]
    Key {
        /// What was given.
        key: String,
    },
    /// A transaction names a key twice. Nothing was done.
    #[error("'{key}' is twice in one transaction")]
    Twice {
        /// Which key.
        key: String,
    },
}

impl KvError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Timeout { .. })
    }
}

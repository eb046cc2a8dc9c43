//! What every other crate stands on: ids, dense indexes, time, seeds, bounded queues and `never!`.
//!
//! Nothing here knows of Mesos, of a wire or of IO, and it stays small: a type that serves one concern only belongs
//! to that concern's crate.

mod bounded;
mod bytes;
mod id;
mod index;
mod never;
mod payload;
mod seed;
mod time;
mod uuid;

pub use bounded::Ring;
pub use bytes::{bytes_from_text, bytes_text};
pub use id::{
    AgentId, ContainerId, ExecutorId, FrameworkId, InvalidId, OfferId, OperationId, TaskId, validate_id,
};
pub use index::{Index, IndexVec};
pub use payload::Payload;
pub use seed::Rng;
pub use time::{Time, duration_text};
pub use uuid::Uuid;

// Used by `never!` in other crates, so that they need not name the logging library themselves.
#[doc(hidden)]
pub use never::__note_broken_assumption;
pub use never::{Broken, broken_assumptions, broken_assumptions_in_all};
#[doc(hidden)]
pub use tracing as __tracing;

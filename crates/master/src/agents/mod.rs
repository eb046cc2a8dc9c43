//! Messages from and to agents, over [`transport`].

mod admission;
mod inbox;
mod old_drivers;
mod outbox;

pub(crate) use admission::Domains;
pub(crate) use inbox::AgentInbox;
pub use inbox::{MessageError, decode_message};
pub(crate) use outbox::ToAgentMessage;
pub use outbox::encode_message;

/// The master's own process id.
pub(crate) const MASTER: &str = "master";

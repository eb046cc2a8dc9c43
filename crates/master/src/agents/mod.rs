//! Messages from and to agents, over [`transport`].

mod inbox;
mod old_drivers;
mod outbox;

pub(crate) use inbox::{AgentInbox, Domains};
pub(crate) use outbox::ToAgentMessage;

/// The master's own process id.
pub(crate) const MASTER: &str = "master";

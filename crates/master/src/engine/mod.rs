//! The thread that owns the core, and the way to it.
//!
//! Everything that concerns the core is a [`Work`] in one bounded queue. The thread takes as much as is there, lets the
//! core handle it, and then carries out what came of it: events go into the queues of the schedulers' connections,
//! messages into those of the agents' connections, where they are encoded.

mod agents;
mod execute;
mod run;
mod streams;
mod timers;
mod waits;
mod work;

pub(crate) use run::{Engine, EngineFigures, EngineOptions};
pub(crate) use streams::{Backlog, EventSender, StreamEvent};
pub(crate) use waits::Waits;
pub(crate) use work::{CoreHandle, Gone, Work};

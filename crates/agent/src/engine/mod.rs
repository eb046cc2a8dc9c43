//! The thread that owns the core, and the way to it.
//!
//! Whatever concerns the core is a [`Work`] in one bounded queue; what containers do comes by a queue of its own. The
//! thread takes as much as is there, lets the core handle it, and then carries out what came of it.

mod clock;
mod containers;
mod disks;
mod execute;
mod garbage;
mod limitation;
mod run;
mod streams;
mod work;

pub(crate) use clock::Clock;
pub(crate) use containers::{Containers, Fate, launch_spec};
pub(crate) use disks::Disks;
pub(crate) use garbage::{Garbage, GarbageOptions, leftovers};
pub(crate) use run::{Ended, Engine, EngineOptions};
pub(crate) use streams::EventReceiver;
pub(crate) use work::{AgentView, CoreHandle, Work};

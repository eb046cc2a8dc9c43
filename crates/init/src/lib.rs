//! The first process of a container: what it is told, what it does, and what it leaves behind.
//!
//! `meseta-init` is one small program. It reads a [`Spec`], takes the [`Step`]s in it one after the other (cgroups,
//! namespaces, mounts), starts the task with its user, limits and filters, passes signals on to it, waits for every
//! process that loses its parent, moves what the task writes into [files of bounded size](log), and at last writes the
//! task's [`exit status`](record) to disk. It decides nothing: whoever wrote the spec did.
//!
//! There is one of these for each container, so memory is what counts: no async runtime, no threads, nothing held but
//! what is needed until the end. The library is for those who write specs and read records; the program is a call of
//! [`run`].

mod codec;
mod enter;
pub mod log;
mod mounts;
mod output;
mod proc;
pub mod record;
mod run;
mod spec;
mod steps;
mod task;
mod wait;

pub use codec::Malformed;
pub use run::{FD_CONTAINER, FD_READY, FD_SANDBOX, FD_SPEC, run};
pub use spec::{Bind, Capabilities, Mount, Namespaces, Outputs, Rlimit, Source, Spec, Step, Task, User};

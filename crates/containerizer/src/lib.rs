//! Runs containers on this machine: launches, watches, measures and destroys them, and fetches what they need.
//!
//! The kernel is behind the narrow trait [`Launcher`]; [`PosixLauncher`] implements it with plain processes. Whatever
//! a container does comes back as a [`ContainerEvent`]. Nothing here knows of tasks, executors or frameworks.
//!
//! A container's files are in its *sandbox*, a directory of its own. Its processes carry the sandbox' path in their
//! environment as `MESOS_SANDBOX`, by which they are found again whatever they forked and wherever init put them.

mod fetcher;
mod launcher;
mod posix;
mod procs;
mod sandbox;
mod user;

pub use fetcher::{
    ArchiveError, FetchError, FetchLimits, FetchRequest, Fetcher, HttpError, SourceError, Uri, UriError,
};
pub use launcher::{Command, ContainerEvent, EventSink, LaunchError, LaunchSpec, Launcher, Usage};
pub use posix::{PosixLauncher, PosixOptions};
pub use rustix::process::Signal;
pub use sandbox::{SandboxError, create_sandbox, remove_sandbox};
pub use user::{User, UserError, own_user_name};

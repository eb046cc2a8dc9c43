//! Runs containers on this machine: launches, watches, measures and destroys them, and fetches what they need.
//!
//! The kernel is behind the narrow trait [`Launcher`]; [`PosixLauncher`] implements it with plain processes. Whatever
//! a container does comes back as a [`ContainerEvent`]. Nothing here knows of tasks, executors or frameworks.
//!
//! A container's files are in its *sandbox*, a directory of its own. Its processes carry the sandbox' path in their
//! environment as `MESOS_SANDBOX`, by which they are found again whatever they forked and wherever init put them.

mod cgroups;
mod children;
mod fetcher;
mod isolation;
mod launcher;
mod limitation;
mod linux;
mod machine;
mod open_files;
mod output;
mod posix;
mod procs;
mod sandbox;
mod usage;
mod user;
mod visits;

pub use cgroups::CgroupError;
pub use fetcher::{
    ArchiveError, CacheUsage, FetchError, FetchLimits, FetchRequest, Fetcher, Fetching, Hadoop, HttpError,
    Scheme, Sink, SinkError, SourceError, Uri, UriError,
};
pub use init::Outputs;
pub use init::log::{MIN_SIZE as MIN_OUTPUT_SIZE, Rotation};
pub use isolation::{
    Ipc, Limit, Limits, Rlimit, Seccomp, Volume, VolumeFrom, VolumeLimit, Wishes, capability,
};
pub use launcher::{
    Command, ContainerEvent, EventSink, GroupSpec, Known, LaunchError, LaunchSpec, Launcher, Recovered,
    Status,
};
pub use limitation::{Limitation, LimitationKind};
pub use linux::{
    Isolation, IsolationError, Isolator, LinuxError, LinuxLauncher, LinuxOptions, ProjectIds, QuotaError,
    RecordMoment,
};
pub use posix::{PosixLauncher, PosixOptions};
pub use rustix::process::Signal;
pub use sandbox::{SandboxError, create_sandbox, remove_sandbox, touch_sandbox};
pub use usage::{Block, Memory, Pressure, Throttling, Transfers, Usage, VolumeUsage};
pub use user::{User, UserError, own_user_name};
pub use visits::{Visit, VisitDone, VisitEnd};

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

//! What a launcher is: the narrow border to the kernel. No launcher knows why a container runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base::ContainerId;
use rustix::process::Signal;

use crate::user::UserError;

/// What the first process of a container executes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A line for `/bin/sh -c`.
    Shell(String),
    /// A program with its arguments, the first of which is the name that the program sees as its own.
    Exec {
        /// A path, or a name to look for in the container's `PATH`.
        path: String,
        /// The whole argument vector, `argv[0]` included.
        argv: Vec<String>,
    },
}

/// Everything that is needed to start a container.
#[derive(Clone, Debug)]
pub struct LaunchSpec {
    /// The container's name; unique on this machine and never used again.
    pub container_id: ContainerId,
    /// What it runs.
    pub command: Command,
    /// Its directory, which exists and in which it starts. `stdout` and `stderr` are written there.
    pub sandbox: PathBuf,
    /// Its whole environment. `MESOS_SANDBOX` is always the sandbox, whatever is given here.
    pub environment: BTreeMap<String, String>,
    /// The user to run as; without one, the user of this process.
    pub user: Option<String>,
}

/// What happened to a container. For one container the order is: launched (or launch failed), exited, destroyed;
/// a container that is destroyed in between still exits first.
#[derive(Debug)]
pub enum ContainerEvent {
    /// It runs.
    Launched {
        /// Which one.
        container_id: ContainerId,
        /// Its first process.
        pid: u32,
    },
    /// It was never started, and nothing of it is left.
    LaunchFailed {
        /// Which one.
        container_id: ContainerId,
        /// Why.
        error: LaunchError,
    },
    /// Its first process ended; others that it started may still run until it is destroyed.
    Exited {
        /// Which one.
        container_id: ContainerId,
        /// As `wait(2)` reports it.
        status: i32,
    },
    /// No process of it is left, or there never was such a container.
    Destroyed {
        /// Which one.
        container_id: ContainerId,
    },
}

/// Where events go. Called on the launcher's threads: it must be quick.
pub type EventSink = Arc<dyn Fn(ContainerEvent) + Send + Sync>;

/// Why a container could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The user to run as cannot be used.
    #[error("cannot run as the task's user")]
    User(#[from] UserError),
    /// The files for its output cannot be opened.
    #[error("cannot open '{path}'")]
    Output {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The system gives us no process.
    #[error("cannot start a process")]
    Fork(#[source] std::io::Error),
    /// The launcher is being shut down.
    #[error("the launcher is shutting down")]
    ShuttingDown,
}

/// What a container uses now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// How many processes it has.
    pub processes: u32,
    /// How many threads they have.
    pub threads: u32,
    /// Time on a processor in user mode, of its living processes and of those that they waited for.
    pub cpu_user: Duration,
    /// The same in the kernel.
    pub cpu_system: Duration,
    /// Resident memory, in bytes; pages shared by processes count for each.
    pub memory_rss: u64,
}

/// Starts and ends containers. All calls return at once; what comes of them is told by events.
pub trait Launcher: Send + Sync {
    /// Starts a container. Ends in [`ContainerEvent::Launched`] or [`ContainerEvent::LaunchFailed`].
    fn launch(&self, spec: LaunchSpec);

    /// Sends a signal to every process of the container. An unknown container is ignored.
    fn signal(&self, container_id: &ContainerId, signal: Signal);

    /// Kills every process of the container, however often it forks. Ends in [`ContainerEvent::Destroyed`].
    fn destroy(&self, container_id: &ContainerId);

    /// What each of the containers that run uses. Reads all of `/proc`: not for hot paths.
    fn usage(&self) -> BTreeMap<ContainerId, Usage>;
}

//! What a launcher is: the narrow border to the kernel. No launcher knows why a container runs.
//!
//! An agent that starts calls [`Launcher::recover`] once, with what its checkpoint knows, before anything else. It then
//! launches; is told what happens; destroys what has ended; and at last, when it has written down how it ended, lets
//! go of it with [`Launcher::forget`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ContainerId;
use init::Outputs;
use rustix::process::Signal;

use crate::cgroups::CgroupError;
use crate::isolation::{Limits, Wishes};
use crate::limitation::Limitation;
use crate::linux::{ProjectIds, QuotaError};
use crate::usage::Usage;
use crate::user::UserError;
use crate::visits::{Visit, VisitDone};

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
    /// Its directory, which exists and in which it starts. `stdout` and `stderr` are there.
    pub sandbox: PathBuf,
    /// Its whole environment. `MESOS_SANDBOX` is always the sandbox, whatever is given here.
    pub environment: BTreeMap<String, String>,
    /// The user to run as; without one, the user of this process.
    pub user: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// What else it asks for.
    pub wishes: Wishes,
    /// How much is kept of its output; without it its files grow as they will.
    pub outputs: Option<Outputs>,
    /// Whether it goes on when this process ends, for the next one to [recover](Launcher::recover).
    pub survives: bool,
}

/// A container without a process of its own: other containers are nested in it.
#[derive(Clone, Debug)]
pub struct GroupSpec {
    /// The container's name; unique on this machine and never used again.
    pub container_id: ContainerId,
    /// Its directory, which exists.
    pub sandbox: PathBuf,
    /// What those in it may use together.
    pub limits: Limits,
    /// What else it asks for. Of that, only whose shared memory and processes those in it see is of concern.
    pub wishes: Wishes,
}

/// A container that an earlier launcher has started, as the agent remembers it.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its name.
    pub container_id: ContainerId,
    /// Its directory.
    pub sandbox: PathBuf,
    /// What it may use.
    pub limits: Limits,
    /// Whether it has no process of its own.
    pub group: bool,
}

/// What was found of an earlier launcher's containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Those known that run still, with their first processes. Events tell the rest of their lives.
    pub running: Vec<(ContainerId, u32)>,
    /// Those known that have ended, with how, as `wait(2)` reports it. They are to be destroyed.
    pub ended: Vec<(ContainerId, i32)>,
    /// Those known of which nothing was found.
    pub lost: Vec<ContainerId>,
    /// Those known that never started, unless the machine was started anew: nothing is left of them.
    pub unstarted: Vec<ContainerId>,
    /// What nobody knew. It was removed.
    pub removed: Vec<String>,
}

/// What happened to a container. For one container the order is: launched (or launch failed), exited, destroyed;
/// a container that is destroyed in between still exits first. Between launched and exited it may once be limited.
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
    /// It went beyond what it may use, and is ended for it.
    Limited {
        /// Which one.
        container_id: ContainerId,
        /// Beyond what.
        limitation: Limitation,
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
    /// What it asks for cannot be given.
    #[error("cannot give the container what it asks for: {0}")]
    Wish(String),
    /// What it holds cannot be limited.
    #[error("cannot limit the disk use of the container")]
    Quota(#[from] QuotaError),
    /// Its control groups cannot be made or set.
    #[error("cannot isolate the container")]
    Cgroup(#[from] CgroupError),
    /// Its first process cannot prepare what the task needs.
    #[error("cannot prepare the container: {0}")]
    Prepare(String),
    /// What the container leaves behind cannot be recorded.
    #[error("cannot write '{path}'")]
    Record {
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The launcher is being shut down.
    #[error("the launcher is shutting down")]
    ShuttingDown,
}

/// Where a container is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its first process.
    pub pid: Option<u32>,
    /// Its control groups, below the agent's root.
    pub cgroup: Option<PathBuf>,
}

/// Starts and ends containers. All calls return at once; what comes of them is told by events.
pub trait Launcher: Send + Sync {
    /// Limits what a sandbox and the volumes of a container may hold, where the file system does that: before anything is
    /// put there, for one that is nested in none. May wait for disks.
    ///
    /// # Errors
    /// If the system refuses.
    fn prepare(&self, sandbox: &Path, limits: &Limits) -> Result<(), LaunchError> {
        let _ = (sandbox, limits);
        Ok(())
    }

    /// How many directories can be limited by their file system, if that is done at all.
    fn project_ids(&self) -> Option<ProjectIds> {
        None
    }

    /// How many containers were not gone when their time to be destroyed was over. They are tried further.
    fn destroy_errors(&self) -> u64 {
        0
    }

    /// Starts a container. Ends in [`ContainerEvent::Launched`] or [`ContainerEvent::LaunchFailed`].
    fn launch(&self, spec: LaunchSpec);

    /// Sends a signal to every process of the container. An unknown container is ignored.
    fn signal(&self, container_id: &ContainerId, signal: Signal);

    /// Kills every process of the container, however often it forks, and removes what was made for it. Ends in
    /// [`ContainerEvent::Destroyed`].
    fn destroy(&self, container_id: &ContainerId);

    /// Makes a container without a process, for others to be nested in. It is there when this returns.
    ///
    /// # Errors
    /// If the system refuses; nothing of it is left then.
    fn launch_group(&self, spec: GroupSpec) -> Result<(), LaunchError>;

    /// Runs a command in a container that runs. `done` is told once how it ended.
    fn enter(&self, visit: Visit, done: VisitDone);

    /// Kills what was [entered](Self::enter) under that number, with everything that it has started; nobody is told of its
    /// end. Harmless if it has ended.
    fn expel(&self, number: u64);

    /// Changes what a container may use. It holds when this returns. An unknown container is ignored.
    ///
    /// # Errors
    /// If the system refuses; what the container may use is then partly as before.
    fn update(&self, container_id: &ContainerId, limits: &Limits) -> Result<(), LaunchError>;

    /// Takes over the containers that are known, and removes those that are not. Blocks until it is done. To be called
    /// once, before anything is launched.
    fn recover(&self, known: Vec<Known>) -> Recovered;

    /// Removes the record of how a destroyed container ended: somebody else has it.
    fn forget(&self, container_id: &ContainerId);

    /// Where a container is.
    fn status(&self, container_id: &ContainerId) -> Status;

    /// What each of the containers that run uses, groups too. May read all of `/proc`: not for hot paths.
    fn usage(&self) -> BTreeMap<ContainerId, Usage>;

    /// Destroys every container and ends the launcher's threads. Blocks until nothing is left, or what is left has not
    /// ended for a minute; the last events are still delivered.
    fn shutdown(&self);

    /// Ends the launcher's threads; containers that [survive](LaunchSpec::survives) go on.
    fn leave(&self);
}

//! What an init is told to do.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::log::Rotation;

/// All that an init does, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spec {
    /// Directory of the container's record; the exit status is written there. Opened before the first step. Who has none
    /// ends as its task does.
    pub record: Option<PathBuf>,
    /// Whether everything in the container is killed when the thread that started the init ends.
    pub dies_with_parent: bool,
    /// Whether the init is the first process of a pid namespace. Signals then go to everybody in it.
    pub owns_pids: bool,
    /// What is done before the task starts, by the init itself with all its rights.
    pub steps: Vec<Step>,
    /// Whether there is no task: it stays for others to be born into its pid namespace, and reaps whom they lose.
    pub holds: bool,
    /// How the task's output is kept. Without it the task writes to the init's own standard output and error.
    pub outputs: Option<Outputs>,
    /// What is run at last.
    pub task: Task,
}

/// How much is kept of each output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Of standard output.
    pub stdout: Rotation,
    /// Of standard error.
    pub stderr: Rotation,
}

/// One thing that an init does before it starts its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Joins a cgroup: its `cgroup.procs` file.
    JoinCgroup(PathBuf),
    /// Enters namespaces of the process behind [`FD_CONTAINER`](crate::FD_CONTAINER).
    Enter(Namespaces),
    /// Enters the namespace that a file stands for: what keeps it is mounted there.
    EnterFile(PathBuf),
    /// Makes new namespaces and enters them. Pids are not among them: an init is born into those.
    Unshare(Namespaces),
    /// Keeps mounts made from here on from reaching the namespace we came from; those made there still arrive.
    DetachMounts,
    /// Mounts a file system.
    Mount(Mount),
    /// Makes a directory or file appear at a second place.
    Bind(Bind),
}

/// Kinds of namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces {
    /// Mounts.
    pub mount: bool,
    /// System V IPC and POSIX message queues.
    pub ipc: bool,
    /// Process ids. Who enters those of another is not there itself, only what it forks.
    pub pid: bool,
    /// Network devices, addresses and ports.
    pub network: bool,
    /// Host name.
    pub uts: bool,
}

/// A file system to mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mount {
    /// What the kernel calls it, such as `proc` or `tmpfs`.
    pub kind: String,
    /// Where; it exists.
    pub target: PathBuf,
    /// Its own options, such as `size=1m`.
    pub options: String,
    /// Whether devices, programs and set-user-id bits on it work.
    pub trusted: bool,
}

/// Where the content of a bind mount comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A path of the host, as it is.
    Host(PathBuf),
    /// A path below a directory that a task may write to: no link is followed below it, and nothing above it reached.
    Below {
        /// The directory.
        root: PathBuf,
        /// The path in it.
        path: PathBuf,
    },
}

/// A bind mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// What is to be seen.
    pub source: Source,
    /// Where it is to be seen. Of [`Source::Below`], what is missing is made, for the directory's owner.
    pub target: Source,
    /// Whether writing through the new place is refused.
    pub read_only: bool,
}

/// What is run in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// A path, or a name to look for in the `PATH` of `environment`.
    pub program: OsString,
    /// The whole argument vector, the program's own name included.
    pub arguments: Vec<OsString>,
    /// The whole environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub directory: PathBuf,
    /// Its resource limits, as far as they differ from the init's.
    pub rlimits: Vec<Rlimit>,
    /// Whom it runs as; the init's own user if unset.
    pub user: Option<User>,
    /// What root's rights are cut down to.
    pub capabilities: Option<Capabilities>,
    /// Whether executing a file can never give it more rights.
    pub no_new_privileges: bool,
    /// Filters of system calls, as programs for the kernel (`struct sock_filter` in the machine's byte order), all of
    /// which must agree.
    pub filters: Vec<Vec<u8>>,
    /// Whether it is killed when its init is.
    pub dies_with_init: bool,
    /// How readily the kernel picks it when memory runs out.
    pub oom_score_adj: Option<i32>,
}

/// A resource limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rlimit {
    /// The kernel's number of it (`RLIMIT_NOFILE` is 7).
    pub resource: u32,
    /// The limit that holds; unlimited without.
    pub soft: Option<u64>,
    /// How far the task may raise it; unlimited without.
    pub hard: Option<u64>,
}

/// A user, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// Its own group.
    pub gid: u32,
    /// All its groups.
    pub groups: Vec<u32>,
}

/// Sets of capabilities, as bits by the kernel's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What the task has, also as a user; unset, root has the whole bound and a user nothing.
    pub effective: Option<u64>,
    /// What it can get at most.
    pub bounding: u64,
}

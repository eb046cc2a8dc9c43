//! What a container is given and what it asks for, in the terms of the kernel. Which of it holds is up to the
//! isolators that the agent runs with.

use std::path::PathBuf;

pub use init::Rlimit;

/// What a container may use. Requests are what was allocated to it; limits are how far it may go beyond.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Processors that it gets when everybody wants some.
    pub cpus: Option<f64>,
    /// Processors that it gets at most.
    pub cpus_limit: Limit<f64>,
    /// Whether its processors may be taken back, so that others go first.
    pub cpus_revocable: bool,
    /// Bytes of memory that were allocated to it.
    pub memory: Option<u64>,
    /// Bytes of memory at which it is ended.
    pub memory_limit: Limit<u64>,
    /// Bytes of disk in its sandbox.
    pub disk: Option<u64>,
    /// What its volumes may hold.
    pub volumes: Vec<VolumeLimit>,
    /// Ports that it may listen on: first and last of each range.
    pub ports: Vec<(u16, u16)>,
}

/// What a volume may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeLimit {
    /// Where it is, as a path of the host.
    pub path: PathBuf,
    /// Bytes.
    pub bytes: u64,
    /// Whether it is a disk of its own, which the file system itself bounds.
    pub is_mount: bool,
}

/// How far beyond its request something may go.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Limit<T> {
    /// As the agent is set up: mostly not at all.
    #[default]
    Request,
    /// So far.
    At(T),
    /// As far as the machine goes.
    Unlimited,
}

/// What a container asks for beside resources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Files and directories that it sees at other places.
    pub volumes: Vec<Volume>,
    /// Its resource limits.
    pub rlimits: Vec<Rlimit>,
    /// What of root's rights it has, as bits by the kernel's numbers.
    pub effective_capabilities: Option<u64>,
    /// What of root's rights it can get.
    pub bounding_capabilities: Option<u64>,
    /// Which system calls it may make.
    pub seccomp: Seccomp,
    /// Whether it sees the processes of whatever it is nested in, or of the machine.
    pub shares_pids: bool,
    /// Whose shared memory it sees.
    pub ipc: Ipc,
    /// Size of its own `/dev/shm` in bytes.
    pub shm_size: Option<u64>,
    /// Whether the limits of a nested container are those of the one around it; otherwise it has its own within.
    pub shares_limits: bool,
}

/// Which system calls a container may make.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seccomp {
    /// Those that the agent's profile allows, if it has one.
    #[default]
    Default,
    /// All.
    Unconfined,
    /// Those that this profile in the agent's directory allows.
    Profile(String),
}

/// Whose System V IPC and shared memory a container sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipc {
    /// A namespace of its own, or that of the container it is nested in; the machine's `/dev/shm`.
    #[default]
    Unset,
    /// A namespace and a `/dev/shm` of its own.
    Private,
    /// Those of the container it is nested in, or of the machine.
    ShareParent,
}

/// A file or directory that a container sees at another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// What it is.
    pub source: VolumeFrom,
    /// Where it is seen: absolute, or in the sandbox.
    pub container_path: PathBuf,
    /// Whether it may not be written to.
    pub read_only: bool,
}

/// Where a volume comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeFrom {
    /// A path of the machine (`HOST_PATH`).
    Host(PathBuf),
    /// A path in the container's own sandbox (`SANDBOX_PATH`, `SELF`).
    Sandbox(PathBuf),
    /// A path in the sandbox of the container it is nested in (`SANDBOX_PATH`, `PARENT`).
    ParentSandbox(PathBuf),
}

/// The bit of a capability, by its name without `CAP_`.
#[must_use]
pub fn capability(name: &str) -> Option<u64> {
    rustix::thread::CapabilitySet::from_name(name).map(|capability| capability.bits())
}

//! How the Linux launcher is set up, and which isolators it runs with.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How the launcher works.
#[derive(Clone, Debug)]
pub struct LinuxOptions {
    /// What holds for containers.
    pub isolation: Isolation,
    /// Where the records of containers are kept; this launcher's alone.
    pub runtime_dir: PathBuf,
    /// Below which control groups are looked for first.
    pub cgroups_hierarchy: PathBuf,
    /// The group below which those of containers are made.
    pub cgroups_root: String,
    /// Whether a container gets no more processor time than it requested, also where there is some.
    pub cfs: bool,
    /// Whether the memory limit counts what is swapped out.
    pub limit_swap: bool,
    /// Whether containers with revocable processors give way to others.
    pub revocable_cpus_give_way: bool,
    /// How many processes and threads a container may have.
    pub pids_limit: Option<u64>,
    /// Devices that containers may use beside the usual ones, as the kernel writes them (`c 10:229 rw`).
    pub devices: Vec<String>,
    /// How long ending a container may take before it is reported. It is tried on.
    pub destroy_timeout: Duration,
    /// What of root's rights containers have that say nothing.
    pub effective_capabilities: Option<u64>,
    /// What of root's rights any container can get.
    pub bounding_capabilities: Option<u64>,
    /// Where profiles of system calls are.
    pub seccomp_config_dir: Option<PathBuf>,
    /// The profile of containers that name none.
    pub seccomp_profile: Option<String>,
    /// Size of a container's own `/dev/shm` in bytes where it says nothing.
    pub shm_size: Option<u64>,
    /// Whether no container may share the machine's IPC namespace.
    pub forbid_sharing_ipc: bool,
    /// Whether no container may share the machine's pid namespace.
    pub forbid_sharing_pids: bool,
    /// Directories below which paths of the machine that a container wants to see are made if they are not there.
    pub host_paths_made_below: Vec<PathBuf>,
    /// How often the disk use of containers is looked at.
    pub disk_interval: Duration,
    /// Whether a container that uses more disk than it may is ended.
    pub enforce_disk: bool,
    /// Of the isolator `disk/xfs`: which numbers of projects are there for containers, first and last of each range.
    pub project_ids: Vec<(u32, u32)>,
    /// Whether a container that goes beyond the quota of its disk is ended; otherwise it cannot write any more.
    pub end_beyond_quota: bool,
    /// How many bytes more such a container may write until it is seen.
    pub quota_headroom: u64,
    /// Directories on all file systems on which there are sandboxes and volumes.
    pub quota_roots: Vec<PathBuf>,
    /// How often it is looked whether projects are not needed any more.
    pub project_interval: Duration,
    /// How often it is looked which ports containers listen on.
    pub ports_interval: Duration,
    /// Whether a container that listens on ports that are not its own is ended.
    pub enforce_ports: bool,
    /// The ports that are looked after; all without.
    pub isolated_ports: Option<Vec<(u16, u16)>>,
    /// How many containers are started, ended and removed at a time.
    pub threads: usize,
    /// Told before and after each change of a container's record.
    pub record_watch: Option<fn(RecordMoment)>,
}

/// When a container's record changes; whoever wants to know what becomes of an agent that is killed there can do so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordMoment {
    /// Nothing of the change is on the disk.
    Before,
    /// It is made, and nobody was told.
    After,
}

impl LinuxOptions {
    /// With Mesos' defaults.
    #[must_use]
    pub fn new(isolation: Isolation, runtime_dir: PathBuf) -> Self {
        Self {
            isolation,
            runtime_dir,
            cgroups_hierarchy: "/sys/fs/cgroup".into(),
            cgroups_root: "mesos".to_owned(),
            cfs: false,
            limit_swap: false,
            revocable_cpus_give_way: true,
            pids_limit: None,
            devices: Vec::new(),
            destroy_timeout: Duration::from_secs(60),
            effective_capabilities: None,
            bounding_capabilities: None,
            seccomp_config_dir: None,
            seccomp_profile: None,
            shm_size: None,
            forbid_sharing_ipc: false,
            forbid_sharing_pids: false,
            host_paths_made_below: Vec::new(),
            disk_interval: Duration::from_secs(15),
            enforce_disk: false,
            project_ids: vec![(5000, 10000)],
            end_beyond_quota: false,
            quota_headroom: 10 << 20,
            quota_roots: Vec::new(),
            project_interval: Duration::from_secs(60),
            ports_interval: Duration::from_secs(30),
            enforce_ports: false,
            isolated_ports: None,
            threads: 4,
            record_watch: None,
        }
    }
}

macro_rules! isolators {
    ($($variant:ident = $name:literal, $what:literal;)*) => {
        /// Something that keeps a container from the rest of the machine, by Mesos' names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Isolator {
            $(#[doc = $what] $variant,)*
        }

        impl Isolator {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name in `--isolation`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

isolators! {
    PosixCpu = "posix/cpu", "Processor time is measured.";
    PosixMem = "posix/mem", "Memory is measured.";
    PosixRlimits = "posix/rlimits", "Resource limits.";
    FilesystemPosix = "filesystem/posix", "The machine's files.";
    FilesystemLinux = "filesystem/linux", "A mount namespace.";
    VolumeHostPath = "volume/host_path", "Paths of the machine at other places.";
    VolumeSandboxPath = "volume/sandbox_path", "Paths of sandboxes at other places.";
    NamespacesPid = "namespaces/pid", "A pid namespace.";
    NamespacesIpc = "namespaces/ipc", "An IPC namespace.";
    DiskDu = "disk/du", "The size of sandboxes is measured, and limited.";
    DiskXfs = "disk/xfs", "What sandboxes hold is accounted and limited by the file system.";
    NetworkPorts = "network/ports", "Listening on other ports than one's own is found out.";
    LinuxCapabilities = "linux/capabilities", "Root's rights are cut down.";
    LinuxSeccomp = "linux/seccomp", "System calls are filtered.";
    LinuxNnp = "linux/nnp", "Executing a file never gives more rights.";
    CgroupsBlkio = "cgroups/blkio", "Block devices are measured.";
    CgroupsCpu = "cgroups/cpu", "Processor time is shared out and limited.";
    CgroupsCpuset = "cgroups/cpuset", "A group of its own of processors and memory nodes.";
    CgroupsDevices = "cgroups/devices", "Only some devices can be used.";
    CgroupsHugetlb = "cgroups/hugetlb", "Huge pages are accounted for.";
    CgroupsMem = "cgroups/mem", "Memory is limited.";
    CgroupsNetCls = "cgroups/net_cls", "A group of its own for network classes.";
    CgroupsNetPrio = "cgroups/net_prio", "A group of its own for network priorities.";
    CgroupsPerfEvent = "cgroups/perf_event", "A group of its own for performance counters.";
    CgroupsPids = "cgroups/pids", "The number of processes is limited.";
}

/// The isolators that an agent runs with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Isolation {
    isolators: BTreeSet<Isolator>,
    /// Every controller that the machine has.
    all_cgroups: bool,
}

/// Why a list of isolators cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IsolationError {
    /// There is no such isolator here.
    #[error("unknown isolator '{name}': there are {}, cgroups/all", names())]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// It is there twice.
    #[error("isolator '{0}' is given twice")]
    Twice(String),
    /// It needs another one.
    #[error("isolator '{0}' needs 'filesystem/linux', which keeps its mounts from the machine")]
    NeedsMounts(&'static str),
    /// Only one of two can be had.
    #[error("only one of 'filesystem/posix' and 'filesystem/linux' can be used")]
    TwoFilesystems,
    /// Only one of two can be had.
    #[error("only one of 'disk/du' and 'disk/xfs' can be used")]
    TwoDisks,
}

fn names() -> String {
    Isolator::ALL.iter().map(|isolator| isolator.name()).collect::<Vec<_>>().join(", ")
}

impl Isolation {
    /// From Mesos' `--isolation`: names with commas between, older names too.
    ///
    /// # Errors
    /// If there is no such isolator, or they do not go together.
    pub fn parse(text: &str) -> Result<Self, IsolationError> {
        let mut own = Self::default();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let found: &[Isolator] = match name {
                "cgroups/all" => {
                    own.all_cgroups = true;
                    continue;
                }
                // These do nothing that could be seen: secrets in environments and networks come with what uses them.
                "environment_secret" => continue,
                "process" => &[Isolator::PosixCpu, Isolator::PosixMem],
                "cgroups" => &[Isolator::CgroupsCpu, Isolator::CgroupsMem],
                "posix/disk" => &[Isolator::DiskDu],
                name => {
                    let known = Isolator::ALL.iter().position(|isolator| isolator.name() == name);
                    let index = known.ok_or_else(|| IsolationError::Unknown { name: name.to_owned() })?;
                    &Isolator::ALL[index..=index]
                }
            };
            for isolator in found {
                if !own.isolators.insert(*isolator) {
                    return Err(IsolationError::Twice(name.to_owned()));
                }
            }
        }
        own.complete()
    }

    /// What Mesos' agent runs with where nothing is said: processor time and memory are measured, and no more.
    #[must_use]
    pub fn usual() -> Self {
        let isolators = [Isolator::PosixCpu, Isolator::PosixMem, Isolator::FilesystemPosix];
        Self { isolators: isolators.into(), all_cgroups: false }
    }

    fn complete(mut self) -> Result<Self, IsolationError> {
        let mounts = self.has(Isolator::FilesystemLinux);
        if mounts && self.has(Isolator::FilesystemPosix) {
            return Err(IsolationError::TwoFilesystems);
        }
        if self.has(Isolator::DiskDu) && self.has(Isolator::DiskXfs) {
            return Err(IsolationError::TwoDisks);
        }
        if !mounts {
            let needing = [Isolator::NamespacesPid, Isolator::NamespacesIpc, Isolator::VolumeHostPath];
            if let Some(needy) = needing.into_iter().find(|isolator| self.has(*isolator)) {
                return Err(IsolationError::NeedsMounts(needy.name()));
            }
            self.isolators.insert(Isolator::FilesystemPosix);
        } else {
            // Volumes have always come with it.
            self.isolators.extend([Isolator::VolumeHostPath, Isolator::VolumeSandboxPath]);
        }
        Ok(self)
    }

    /// Whether an isolator is among them.
    #[must_use]
    pub fn has(&self, isolator: Isolator) -> bool {
        self.isolators.contains(&isolator) || self.all_cgroups && isolator.name().starts_with("cgroups/")
    }

    /// Whether any of them can be had with the Linux launcher only.
    #[must_use]
    pub fn needs_linux(&self) -> bool {
        use Isolator::{FilesystemPosix, PosixCpu, PosixMem};
        let plain = |isolator: &Isolator| matches!(isolator, PosixCpu | PosixMem | FilesystemPosix);
        self.all_cgroups || !self.isolators.iter().all(plain)
    }

    /// Whether every controller that the machine has is to be used.
    pub(crate) fn all_cgroups(&self) -> bool {
        self.all_cgroups
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.all_cgroups.then_some("cgroups/all");
        // What is there without being asked for need not be said.
        let said = self.isolators.iter().filter(|isolator| **isolator != Isolator::FilesystemPosix);
        let names: Vec<&str> = all.into_iter().chain(said.map(|own| own.name())).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn isolators_are_known_by_their_names_old_and_new() {
        let isolation =
            Isolation::parse("cgroups/cpu, cgroups/mem,filesystem/linux,namespaces/pid").expect("known");
        for isolator in [Isolator::CgroupsCpu, Isolator::NamespacesPid, Isolator::VolumeHostPath] {
            assert!(isolation.has(isolator), "{isolator:?}");
        }
        assert!(!isolation.has(Isolator::CgroupsPids));
        assert_eq!(Isolation::parse("cgroups"), Isolation::parse("cgroups/mem,cgroups/cpu"));
        assert_eq!(Isolation::parse("process"), Isolation::parse("posix/cpu,posix/mem"));
        assert_eq!(Isolation::parse("posix/cpu,posix/mem"), Ok(Isolation::usual()));
        assert!(Isolation::parse("cgroups/all").expect("known").has(Isolator::CgroupsPids));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (text, reason) in [
            ("cgroups/gpu", "unknown isolator 'cgroups/gpu'"),
            ("cgroups/cpu,cgroups/cpu", "given twice"),
            ("namespaces/pid", "'namespaces/pid' needs 'filesystem/linux'"),
            ("filesystem/linux,filesystem/posix", "only one"),
            ("posix/disk,disk/xfs", "only one of 'disk/du' and 'disk/xfs'"),
        ] {
            let error = Isolation::parse(text).expect_err(text).to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}

//! Control groups, version 1 and version 2, behind one face.
//!
//! [`Cgroups`] is what this machine has, found by looking; a [`Group`] is one container's group in every hierarchy that
//! is used. Which files a controller has differs between the versions; who sets them asks [`Group::version`].
//!
//! A container's group is `<root>/<container>`, one nested in it `<root>/<parent>/mesos/<child>`, where Mesos' tools
//! look for it.

mod annex;
mod blocks;
mod find;
mod group;
mod memory;
mod pressure;
mod processes;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base::ContainerId;
use rustix::fd::OwnedFd;
use rustix::fs::{CWD, FlockOperation, Mode, OFlags, chmod, flock, openat};
use rustix::io::Errno;

pub(crate) use annex::Annex;
pub(crate) use find::Mounts;
pub(crate) use group::{Group, entry};
pub(crate) use pressure::PressureGauge;

/// The name between a container's group and those nested in it.
const NESTED: &str = "mesos";

/// How long the root may be locked by somebody who looks at what is below it.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Between two attempts to lock it.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// Which of the kernel's two interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// A kind of resource that the kernel accounts for and limits, by its name in version 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the kernel's")]
pub(crate) enum Controller {
    Blkio,
    Cpu,
    Cpuacct,
    Cpuset,
    Devices,
    Freezer,
    Hugetlb,
    Memory,
    NetCls,
    NetPrio,
    PerfEvent,
    Pids,
}

impl Controller {
    pub(crate) const ALL: [Self; 12] = [
        Self::Blkio,
        Self::Cpu,
        Self::Cpuacct,
        Self::Cpuset,
        Self::Devices,
        Self::Freezer,
        Self::Hugetlb,
        Self::Memory,
        Self::NetCls,
        Self::NetPrio,
        Self::PerfEvent,
        Self::Pids,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Blkio => "blkio",
            Self::Cpu => "cpu",
            Self::Cpuacct => "cpuacct",
            Self::Cpuset => "cpuset",
            Self::Devices => "devices",
            Self::Freezer => "freezer",
            Self::Hugetlb => "hugetlb",
            Self::Memory => "memory",
            Self::NetCls => "net_cls",
            Self::NetPrio => "net_prio",
            Self::PerfEvent => "perf_event",
            Self::Pids => "pids",
        }
    }

    /// What has to be switched on for it in version 2. Some have no switch: they are always there, or work by programs
    /// attached to a group.
    fn switch(self) -> Option<&'static str> {
        match self {
            Self::Blkio => Some("io"),
            Self::Cpu => Some("cpu"),
            Self::Cpuset => Some("cpuset"),
            Self::Hugetlb => Some("hugetlb"),
            Self::Memory => Some("memory"),
            Self::Pids => Some("pids"),
            Self::Cpuacct
            | Self::Devices
            | Self::Freezer
            | Self::NetCls
            | Self::NetPrio
            | Self::PerfEvent => None,
        }
    }
}

/// Why the groups of this machine cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The kernel or the system's set-up has not got it.
    #[error(
        "cgroups: no '{0}' here: its controller is neither mounted (version 1) nor available (version 2)"
    )]
    Missing(&'static str),
    /// A file of a group cannot be read, written or made.
    #[error("cgroups: cannot {action} '{path}'")]
    File {
        /// What was tried.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl CgroupError {
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }
}

/// The groups that one agent keeps.
#[derive(Debug)]
pub(crate) struct Cgroups {
    version: Version,
    /// For each controller in use the directory of the agent's root group. In version 2 they are all the same.
    roots: BTreeMap<Controller, PathBuf>,
    /// Where each hierarchy is mounted.
    mounts: BTreeMap<Controller, PathBuf>,
    /// Held, together with all others who keep containers below the same root, while this agent lives.
    lock: Option<OwnedFd>,
    /// What was below the root when nobody held it.
    ownerless: Option<Vec<ContainerId>>,
}

impl Cgroups {
    /// Makes the root group with the controllers wanted. The freezer is always among them: it is what containers are
    /// found and ended by.
    pub(crate) fn open(mounts: &Mounts, root: &str, wanted: &[Controller]) -> Result<Self, CgroupError> {
        let version = mounts.version();
        let (mut roots, mut places) = (BTreeMap::new(), BTreeMap::new());
        for controller in wanted.iter().chain([&Controller::Freezer]) {
            let mount = mounts.of(*controller).ok_or(CgroupError::Missing(controller.name()))?;
            roots.insert(*controller, mount.join(root.trim_start_matches('/')));
            places.insert(*controller, mount.to_owned());
        }
        let mut cgroups = Self { version, roots, mounts: places, lock: None, ownerless: None };
        if version == Version::V2 {
            let mount = mounts.of(Controller::Freezer).ok_or(CgroupError::Missing("freezer"))?;
            // A controller has to be switched on in every group above the one that it is to control.
            let mut directory = mount.to_owned();
            cgroups.switch_on(&directory)?;
            for part in Path::new(root.trim_start_matches('/')).components() {
                directory.push(part);
                make(&directory)?;
                cgroups.switch_on(&directory)?;
            }
        } else {
            let mut roots: Vec<(&Controller, &PathBuf)> = cgroups.roots.iter().collect();
            roots.dedup_by_key(|(_, root)| (*root).clone());
            for (controller, directory) in roots {
                let mount = mounts.of(*controller).ok_or(CgroupError::Missing(controller.name()))?;
                let mut path = mount.to_owned();
                for part in Path::new(root.trim_start_matches('/')).components() {
                    path.push(part);
                    make(&path)?;
                    group::inherit_cpuset(&path)?;
                }
                debug_assert_eq!(&path, directory);
            }
            if let Some(root) = cgroups.roots.get(&Controller::Blkio) {
                blocks::begin_counting(root);
            }
        }
        cgroups.lock().map_err(CgroupError::file("lock", cgroups.root()))?;
        Ok(cgroups)
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Containers that had a group here when nobody kept any below the same root: left behind, or this agent's own. `None`
    /// if somebody else was there.
    pub(crate) fn ownerless(&self) -> Option<&[ContainerId]> {
        self.ownerless.as_deref()
    }

    /// The directory of the root group in which containers are found and ended.
    pub(crate) fn root(&self) -> &Path {
        &self.roots[&Controller::Freezer]
    }

    /// Joins those who hold the root; if there are none, looks first at what they left.
    fn lock(&mut self) -> io::Result<()> {
        let file = lock_file(self.root(), self.version)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            self.ownerless = Some(self.containers()?);
        }
        // Who looks at this moment is soon done. A task that runs as root may hold it for ever, but not keep us waiting.
        let end = Instant::now() + LOCK_PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockShared) {
                Ok(()) => break,
                Err(Errno::WOULDBLOCK) if Instant::now() < end => std::thread::sleep(LOCK_PAUSE),
                Err(Errno::WOULDBLOCK) => {
                    tracing::error!(root = %self.root().display(), "somebody keeps the root group locked");
                    self.ownerless = None;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.lock = Some(file);
        Ok(())
    }

    /// The group of a container, whether it is there or not.
    pub(crate) fn group(&self, container_id: &ContainerId) -> Group {
        let mut relative = PathBuf::new();
        for (depth, part) in container_id.as_str().split('.').enumerate() {
            if depth > 0 {
                relative.push(NESTED);
            }
            relative.push(part);
        }
        self.below(&relative)
    }

    fn below(&self, relative: &Path) -> Group {
        let directories =
            self.roots.iter().map(|(controller, root)| (*controller, root.join(relative))).collect();
        Group::new(self.version, directories)
    }

    /// Makes the group of a container; that of its parent is there.
    pub(crate) fn create(&self, container_id: &ContainerId) -> Result<Group, CgroupError> {
        let group = self.group(container_id);
        let nested = container_id.as_str().contains('.');
        for directory in group.directories() {
            if nested && let Some(between) = directory.parent() {
                make(between)?;
                group::inherit_cpuset(between)?;
                if self.version == Version::V2 {
                    if let Some(parent) = between.parent() {
                        self.switch_on(parent)?;
                    }
                    self.switch_on(between)?;
                }
            }
            make(directory)?;
            group::inherit_cpuset(directory)?;
        }
        Ok(group)
    }

    /// What the kernel calls a group: its path in its hierarchy.
    pub(crate) fn name_of(&self, group: &Group, controller: Controller) -> Option<String> {
        let (directory, mount) = (group.file(controller, "")?, self.mounts.get(&controller)?);
        let name = directory.strip_prefix(mount).ok()?.to_str()?;
        Some(format!("/{}", name.trim_end_matches('/')))
    }

    /// Every container that has a group here.
    fn containers(&self) -> io::Result<Vec<ContainerId>> {
        let mut found = Vec::new();
        collect(self.root(), None, &mut found)?;
        Ok(found)
    }

    fn switch_on(&self, directory: &Path) -> Result<(), CgroupError> {
        let path = directory.join("cgroup.subtree_control");
        let now = std::fs::read_to_string(&path).map_err(CgroupError::file("read", &path))?;
        for name in self.roots.keys().filter_map(|controller| controller.switch()) {
            if !now.split_ascii_whitespace().any(|on| on == name) {
                std::fs::write(&path, format!("+{name}")).map_err(CgroupError::file("write", &path))?;
            }
        }
        Ok(())
    }
}

/// What is locked: a file of the root group that only its owner can open from here on. Anybody could lock the directory.
fn lock_file(root: &Path, version: Version) -> io::Result<OwnedFd> {
    let path = root.join(match version {
        Version::V1 => "notify_on_release",
        Version::V2 => "cgroup.max.depth",
    });
    chmod(&path, Mode::RUSR | Mode::WUSR)?;
    Ok(openat(CWD, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

fn collect(directory: &Path, parent: Option<&ContainerId>, found: &mut Vec<ContainerId>) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let container_id = match parent {
            None => ContainerId::from(name.as_str()),
            Some(parent) => parent.nested(&name),
        };
        let nested = entry.path().join(NESTED);
        if nested.is_dir() {
            collect(&nested, Some(&container_id), found)?;
        }
        found.push(container_id);
    }
    Ok(())
}

fn make(directory: &Path) -> Result<(), CgroupError> {
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(CgroupError::file("make", directory)(error))
        }
        _ => Ok(()),
    }
}

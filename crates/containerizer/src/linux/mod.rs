//! The Linux launcher: a container is a control group, namespaces and a small `init` of its own.
//!
//! The init does what has to be done from inside (see the crate `init`); this side decides what that is, and watches.
//! Containers go on when this process ends, unless they are not to: the next launcher finds them by their records.
//!
//! | thread | what it does |
//! | --- | --- |
//! | `container-N` | starts, ends and removes containers; they live as long as the launcher, because containers that are not to survive it end with the thread that started them |
//! | `container-watch` | waits, for all containers, for their inits to be ready and to end, and for memory to run out |
//! | `container-visit` | starts, awaits and ends commands that visit containers |
//! | `look-...` | look from time to time at what nobody tells: disk use, ports, which projects are in use |
//! | `look-worker` | finds out what a directory holds; as many as directories whose disks do not answer, and one |
//!
//! A container's life is `Queued`, `Starting`, `Running`, `Ended`, see [`table::Phase`]; each step is a file here.

mod crew;
mod disk;
mod enter;
mod finish;
mod image;
mod isolators;
mod kernel_log;
mod launch;
mod look;
mod options;
mod pids;
mod ports;
mod queue;
mod quota;
mod record;
mod recover;
mod remove;
mod shared;
mod spawn;
mod statistics;
mod table;
mod walk;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use base::ContainerId;
use rustix::process::Signal;

pub use options::{Isolation, IsolationError, Isolator, LinuxOptions, RecordMoment};
pub use quota::{ProjectIds, QuotaError};

use crate::cgroups::{CgroupError, Cgroups, Controller, Mounts, Version};
use crate::isolation::Limits;
use crate::launcher::{
    ContainerEvent, EventSink, GroupSpec, Known, LaunchError, LaunchSpec, Launcher, Recovered, Status,
};
use crate::open_files;
use crate::usage::Usage;
use crate::visits::{Visit, VisitDone, Visits};
use image::Image;
use isolators::Profiles;
use kernel_log::KernelLog;
use queue::{Job, Queue};
use quota::Quotas;
use record::Records;
use table::{Phase, Table};
use watch::Watch;

/// Why there can be no such launcher here.
#[derive(Debug, thiserror::Error)]
pub enum LinuxError {
    /// Only root can.
    #[error("the Linux launcher needs root")]
    NotRoot,
    /// The control groups are not as needed.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The devices that containers may use are not said as they are to be.
    #[error("{0}")]
    Devices(String),
    /// The capabilities of containers contradict each other.
    #[error("{0}")]
    Capabilities(String),
    /// The file system cannot account for containers as it is to.
    #[error(transparent)]
    Quota(#[from] QuotaError),
    /// The profiles of system calls cannot be used.
    #[error("{0}")]
    Seccomp(String),
    /// The records of containers cannot be kept.
    #[error("cannot keep records in '{path}'")]
    Records {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The system has no threads, descriptors or memory left.
    #[error("cannot start the launcher")]
    System(#[from] std::io::Error),
}

/// What the threads share.
pub(super) struct Shared {
    options: LinuxOptions,
    image: Image,
    records: Records,
    cgroups: Cgroups,
    profiles: Profiles,
    /// Where disk use is limited by the file system.
    quotas: Option<Quotas>,
    table: Table,
    queue: Queue,
    watch: Watch,
    log: Mutex<KernelLog>,
    /// Held while a group gets a process.
    making: Mutex<()>,
    /// Containers that were not gone in time.
    destroy_errors: AtomicU64,
    sink: EventSink,
}

/// Runs containers in control groups and namespaces.
pub struct LinuxLauncher {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    look: look::Look,
    visits: Visits,
}

impl LinuxLauncher {
    /// Whether this process may, and this machine can, run containers like this.
    #[must_use]
    pub fn available() -> bool {
        rustix::process::geteuid().is_root()
            && Mounts::find("/sys/fs/cgroup".as_ref())
                .is_ok_and(|mounts| mounts.of(Controller::Freezer).is_some())
    }

    /// Opens control groups and records, and starts the launcher's threads.
    ///
    /// # Errors
    /// If this machine has not got what the isolators need.
    pub fn new(options: LinuxOptions, sink: EventSink) -> Result<Self, LinuxError> {
        if !rustix::process::geteuid().is_root() {
            return Err(LinuxError::NotRoot);
        }
        open_files::hide_inherited();
        open_files::raise();
        let mounts = Mounts::find(&options.cgroups_hierarchy)?;
        let cgroups = Cgroups::open(&mounts, &options.cgroups_root, &controllers(&options, &mounts))?;
        isolators::check_devices(&options).map_err(LinuxError::Devices)?;
        isolators::check_capabilities(&options).map_err(LinuxError::Capabilities)?;
        let profiles = Profiles::open(&options).map_err(|error| LinuxError::Seccomp(crate::chain(&error)))?;
        let quotas = Quotas::open(&options)?;
        let records = Records::open(&options.runtime_dir, options.record_watch)
            .map_err(|source| LinuxError::Records { path: options.runtime_dir.clone(), source })?;
        let shared = Arc::new(Shared {
            image: Image::new()?,
            records,
            cgroups,
            profiles,
            quotas,
            table: Table::default(),
            queue: Queue::default(),
            watch: Watch::new()?,
            log: Mutex::new(KernelLog::open()),
            making: Mutex::new(()),
            destroy_errors: AtomicU64::new(0),
            sink,
            options,
        });
        let mut threads = vec![watch::start(Arc::clone(&shared))?];
        for number in 0..shared.options.threads.max(1) {
            let shared = Arc::clone(&shared);
            threads.push(
                std::thread::Builder::new()
                    .name(format!("container-{number}"))
                    .spawn(move || shared.work())?,
            );
        }
        let look = look::Look::start(&shared)?;
        let visits = Visits::start(Arc::clone(&shared))?;
        Ok(Self { shared, threads: Mutex::new(threads), look, visits })
    }

    /// Which interface of control groups is used: 1 or 2.
    #[must_use]
    pub fn cgroups_version(&self) -> u8 {
        match self.shared.cgroups.version() {
            Version::V1 => 1,
            Version::V2 => 2,
        }
    }

    fn stop(&self) {
        self.visits.stop();
        self.shared.queue.close();
        self.shared.watch.stop();
        self.look.stop();
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            if thread.join().is_err() {
                tracing::error!("a thread of the launcher had panicked");
            }
        }
    }
}

/// The controllers that the isolators need.
fn controllers(options: &LinuxOptions, mounts: &Mounts) -> Vec<Controller> {
    let isolation = &options.isolation;
    if isolation.all_cgroups() {
        let there = |controller: &Controller| mounts.of(*controller).is_some();
        return Controller::ALL.into_iter().filter(there).collect();
    }
    let mut wanted = Vec::new();
    for controller in Controller::ALL {
        let name = format!("cgroups/{}", controller.name());
        // Mesos calls the isolators of some controllers otherwise.
        let named = Isolator::ALL.iter().any(|isolator| isolation.has(*isolator) && isolator.name() == name);
        let otherwise = match controller {
            Controller::Memory => isolation.has(Isolator::CgroupsMem),
            Controller::Cpuacct => isolation.has(Isolator::CgroupsCpu),
            _ => false,
        };
        if named || otherwise {
            wanted.push(controller);
        }
    }
    wanted
}

impl Shared {
    fn tell(&self, event: ContainerEvent) {
        (self.sink)(event);
    }

    /// Does jobs until there are none any more.
    fn work(&self) {
        while let Some(job) = self.queue.pop() {
            match job {
                Job::Launch(container_id) => self.launch(&container_id),
                Job::Finish(container_id, status) => self.finish(&container_id, status),
                Job::OutOfMemory(container_id) => self.out_of_memory(&container_id),
                Job::Kill(container_id) => self.kill(&container_id),
                Job::KillInit(container_id) => self.kill_init(&container_id),
                Job::Bound(container_id, strictly) => self.bound_again(&container_id, strictly),
                Job::Remove(container_id, tries) => self.remove(&container_id, tries),
            }
        }
    }
}

impl Launcher for LinuxLauncher {
    fn launch(&self, spec: LaunchSpec) {
        let container_id = spec.container_id.clone();
        let (sandbox, limits) = (spec.sandbox.clone(), spec.limits.clone());
        let phase = Phase::Queued(Box::new(spec));
        self.shared.table.lock().insert(&container_id, phase, sandbox, limits);
        self.shared.queue.push(Job::Launch(container_id));
    }

    fn prepare(&self, sandbox: &Path, limits: &Limits) -> Result<(), LaunchError> {
        Ok(self.shared.quotas.as_ref().map_or(Ok(()), |quotas| quotas.bound_all(sandbox, limits))?)
    }

    fn project_ids(&self) -> Option<ProjectIds> {
        self.shared.quotas.as_ref().map(Quotas::ids)
    }

    fn destroy_errors(&self) -> u64 {
        self.shared.destroy_errors.load(Ordering::Relaxed)
    }

    fn launch_group(&self, spec: GroupSpec) -> Result<(), LaunchError> {
        self.shared.launch_group(spec)
    }

    fn enter(&self, visit: Visit, done: VisitDone) {
        self.visits.enter(visit, done);
    }

    fn expel(&self, number: u64) {
        self.visits.expel(number);
    }

    fn update(&self, container_id: &ContainerId, limits: &Limits) -> Result<(), LaunchError> {
        let (group, shares_limits) = {
            let mut containers = self.shared.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else { return Ok(()) };
            container.limits = limits.clone();
            let Some(group) = &container.group else { return Ok(()) };
            (group.clone(), container.shares_limits)
        };
        if self.shared.quotas.is_some() {
            // Disks are not waited for here.
            self.shared.queue.push(Job::Bound(container_id.clone(), true));
        }
        match isolators::limit(&self.shared.options, &group, limits, shares_limits, false) {
            // One that ends meanwhile needs no limits.
            Err(_) if !group.exists() => Ok(()),
            other => other,
        }
    }

    fn signal(&self, container_id: &ContainerId, signal: Signal) {
        // Here and now, so that no order to kill that is given later overtakes it.
        self.shared.signal(container_id, signal);
    }

    fn destroy(&self, container_id: &ContainerId) {
        self.shared.destroy(container_id);
    }

    fn recover(&self, known: Vec<Known>) -> Recovered {
        self.shared.recover(known)
    }

    fn forget(&self, container_id: &ContainerId) {
        self.shared.records.remove(container_id);
    }

    fn status(&self, container_id: &ContainerId) -> Status {
        let containers = self.shared.table.lock();
        let Some(container) = containers.by_id.get(container_id) else { return Status::default() };
        let pid = container.process().and_then(|process| u32::try_from(process.first.pid).ok());
        let cgroup = container.group.as_ref().map(|group| group.main().to_owned());
        Status { pid, cgroup }
    }

    fn usage(&self) -> BTreeMap<ContainerId, Usage> {
        self.shared.usage()
    }

    fn shutdown(&self) {
        let ids: Vec<ContainerId> = self.shared.table.lock().by_id.keys().cloned().collect();
        for container_id in ids {
            self.shared.destroy(&container_id);
        }
        if !self.shared.table.wait_until_empty(self.shared.options.destroy_timeout) {
            let left: Vec<ContainerId> = self.shared.table.lock().by_id.keys().cloned().collect();
            tracing::error!(?left, "containers do not end and are left behind");
        }
        self.stop();
    }

    fn leave(&self) {
        self.stop();
    }
}

impl Drop for LinuxLauncher {
    fn drop(&mut self) {
        self.stop();
    }
}

//! Which containers there are, shared by the launcher's threads. Nothing is done here that could wait.

use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::ContainerId;
use nix::sys::inotify::WatchDescriptor;

use super::record::First;
use crate::cgroups::{Group, PressureGauge};
use crate::isolation::Limits;
use crate::launcher::{LaunchError, LaunchSpec};

/// Names a container to the kernel's queue of events; never used again.
pub(super) type Number = u64;

/// The first process of a container, as we hold it.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) first: First,
    /// Names the process for good, whatever becomes of its number.
    pub(super) handle: Arc<OwnedFd>,
    /// Whether we have started it ourselves, and so are who waits for it.
    pub(super) own_child: bool,
}

/// The container that one is nested in.
pub(super) fn parent(container_id: &ContainerId) -> Option<ContainerId> {
    container_id.as_str().rsplit_once('.').map(|(parent, _)| ContainerId::from(parent))
}

/// Where a container is in its life.
#[derive(Debug)]
pub(super) enum Phase {
    /// Waits for a thread to start it.
    Queued(Box<LaunchSpec>),
    /// Its init prepares. What it says is collected.
    Starting { process: Option<Process>, ready: Option<Arc<OwnedFd>> },
    /// Its task runs.
    Running(Process),
    /// Its init has ended; what that means is being found out.
    Ending,
    /// It has ended, and that was told.
    Ended,
    /// It has no process.
    Group,
}

#[derive(Debug)]
pub(super) struct Container {
    pub(super) number: Number,
    pub(super) phase: Phase,
    pub(super) sandbox: PathBuf,
    pub(super) limits: Limits,
    /// Whether it has no limits of its own within the container that it is nested in.
    pub(super) shares_limits: bool,
    pub(super) group: Option<Group>,
    /// Of one without a task: the first process of the pid namespace that those in it share.
    pub(super) pids: Option<Arc<OwnedFd>>,
    /// It is to end.
    pub(super) doomed: bool,
    /// Why there will be no task, as its init said.
    pub(super) failure: Option<String>,
    /// It never ran, for this reason; what was made for it is being removed.
    pub(super) refused: Option<LaunchError>,
    /// It was told that it went beyond something; once is enough.
    pub(super) limited: bool,
    /// Tells that memory ran out.
    pub(super) memory_notice: Option<Arc<OwnedFd>>,
    /// The same in version 2.
    pub(super) memory_watch: Option<WatchDescriptor>,
    /// Somebody is about to look whether memory ran out.
    pub(super) memory_pending: bool,
    /// What its sandbox held when that was last looked.
    pub(super) disk_used: Option<u64>,
    /// The same of its volumes.
    pub(super) volumes_used: BTreeMap<PathBuf, u64>,
    /// Counts how often it was short of memory.
    pub(super) pressure: Option<Arc<PressureGauge>>,
    /// Ports that were complained about.
    pub(super) foreign_ports: Vec<u16>,
}

impl Container {
    pub(super) fn new(number: Number, phase: Phase, sandbox: PathBuf, limits: Limits) -> Self {
        Self {
            number,
            phase,
            sandbox,
            limits,
            shares_limits: false,
            group: None,
            pids: None,
            doomed: false,
            failure: None,
            refused: None,
            limited: false,
            memory_notice: None,
            memory_watch: None,
            memory_pending: false,
            disk_used: None,
            volumes_used: BTreeMap::new(),
            pressure: None,
            foreign_ports: Vec::new(),
        }
    }

    /// Its first process, while it is not known to have ended.
    pub(super) fn process(&self) -> Option<&Process> {
        match &self.phase {
            Phase::Starting { process, .. } => process.as_ref(),
            Phase::Running(process) => Some(process),
            Phase::Queued(_) | Phase::Ending | Phase::Ended | Phase::Group => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Containers {
    pub(super) by_id: HashMap<ContainerId, Container>,
    pub(super) by_number: HashMap<Number, ContainerId>,
    newest: Number,
}

impl Containers {
    pub(super) fn insert(
        &mut self,
        container_id: &ContainerId,
        phase: Phase,
        sandbox: PathBuf,
        limits: Limits,
    ) -> &mut Container {
        self.newest += 1;
        let number = self.newest;
        self.by_number.insert(number, container_id.clone());
        let container = Container::new(number, phase, sandbox, limits);
        self.by_id.entry(container_id.clone()).insert_entry(container).into_mut()
    }

    pub(super) fn numbered(&mut self, number: Number) -> Option<(ContainerId, &mut Container)> {
        let container_id = self.by_number.get(&number)?.clone();
        let container = self.by_id.get_mut(&container_id)?;
        Some((container_id, container))
    }

    pub(super) fn remove(&mut self, container_id: &ContainerId) -> Option<Container> {
        let container = self.by_id.remove(container_id)?;
        self.by_number.remove(&container.number);
        Some(container)
    }
}

#[derive(Debug, Default)]
pub(super) struct Table {
    containers: Mutex<Containers>,
    emptied: Condvar,
}

impl Table {
    /// The containers also after another thread panicked: what we keep is consistent after each statement.
    pub(super) fn lock(&self) -> MutexGuard<'_, Containers> {
        self.containers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn remove(&self, container_id: &ContainerId) -> Option<Container> {
        let mut containers = self.lock();
        let container = containers.remove(container_id);
        if containers.by_id.is_empty() {
            self.emptied.notify_all();
        }
        container
    }

    /// Waits until there is none; whether it came to that in time.
    pub(super) fn wait_until_empty(&self, patience: Duration) -> bool {
        let waited = self.emptied.wait_timeout_while(self.lock(), patience, |left| !left.by_id.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.by_id.is_empty()
    }
}

//! Which containers there are, shared by the launcher's threads.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use base::ContainerId;

use super::lock;

/// The container's first process and what its other processes are known by.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) container_id: ContainerId,
    /// The first process: it leads the container's session. Ended and reaped if `exited`.
    pub(super) leader: i32,
    /// When the leader started, in clock ticks after boot.
    pub(super) started: u64,
    /// The value of `MESOS_SANDBOX` that every process of the container inherits.
    pub(super) sandbox: String,
    pub(super) exited: bool,
}

#[derive(Debug)]
enum Entry {
    /// Waiting for a spawn thread, or being started by one.
    Launching {
        sandbox: String,
        doomed: bool,
    },
    Running {
        running: Running,
        doomed: bool,
    },
}

/// What the one who wants a container destroyed has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Doomed {
    Unknown,
    Launching,
    Running,
    Already,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Mutex<HashMap<ContainerId, Entry>>,
    emptied: Condvar,
}

impl Table {
    pub(super) fn begin(&self, container_id: &ContainerId, sandbox: &Path) {
        let sandbox = sandbox.to_string_lossy().into_owned();
        lock(&self.entries).insert(container_id.clone(), Entry::Launching { sandbox, doomed: false });
    }

    /// The container runs now. Returns whether it has been doomed meanwhile.
    pub(super) fn started(&self, container_id: &ContainerId, leader: i32, started: u64) -> bool {
        let mut entries = lock(&self.entries);
        let Some(Entry::Launching { sandbox, doomed }) = entries.remove(container_id) else { return false };
        let running = Running { container_id: container_id.clone(), leader, started, sandbox, exited: false };
        entries.insert(container_id.clone(), Entry::Running { running, doomed });
        doomed
    }

    pub(super) fn exited(&self, container_id: &ContainerId) {
        if let Some(Entry::Running { running, .. }) = lock(&self.entries).get_mut(container_id) {
            running.exited = true;
        }
    }

    pub(super) fn doom(&self, container_id: &ContainerId) -> Doomed {
        match lock(&self.entries).get_mut(container_id) {
            None => Doomed::Unknown,
            Some(Entry::Launching { doomed, .. }) => {
                *doomed = true;
                Doomed::Launching
            }
            Some(Entry::Running { doomed: true, .. }) => Doomed::Already,
            Some(Entry::Running { doomed, .. }) => {
                *doomed = true;
                Doomed::Running
            }
        }
    }

    pub(super) fn remove(&self, container_id: &ContainerId) {
        let mut entries = lock(&self.entries);
        entries.remove(container_id);
        if entries.is_empty() {
            self.emptied.notify_all();
        }
    }

    pub(super) fn get(&self, container_id: &ContainerId) -> Option<Running> {
        match lock(&self.entries).get(container_id)? {
            Entry::Running { running, .. } => Some(running.clone()),
            Entry::Launching { .. } => None,
        }
    }

    /// Whether a container runs and nobody has begun to end it.
    pub(super) fn goes_on(&self, container_id: &ContainerId) -> bool {
        match lock(&self.entries).get(container_id) {
            Some(Entry::Running { running, doomed }) => !doomed && !running.exited,
            Some(Entry::Launching { .. }) | None => false,
        }
    }

    /// All containers whose first process was started, ordered by id.
    pub(super) fn running(&self) -> Vec<Running> {
        let mut running: Vec<Running> = lock(&self.entries)
            .values()
            .filter_map(|entry| match entry {
                Entry::Running { running, .. } => Some(running.clone()),
                Entry::Launching { .. } => None,
            })
            .collect();
        running.sort_by(|a, b| a.container_id.cmp(&b.container_id));
        running
    }

    pub(super) fn ids(&self) -> Vec<ContainerId> {
        lock(&self.entries).keys().cloned().collect()
    }

    /// Waits until there is none.
    pub(super) fn wait_until_empty(&self) {
        let mut entries = lock(&self.entries);
        while !entries.is_empty() {
            entries = self.emptied.wait(entries).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The same, but not for ever; whether it came to that in time.
    pub(super) fn wait_until_empty_for(&self, patience: Duration) -> bool {
        let entries = lock(&self.entries);
        let waited = self.emptied.wait_timeout_while(entries, patience, |left| !left.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_empty()
    }
}

//! Making and removing the directories of volumes, on threads of the runtime: a disk may be slow, and one that does not
//! answer at all keeps nobody waiting.
//!
//! What the master sends after a change waits for it, since it may be about what the change makes. So a change has its time;
//! when that is over the operation has failed, and if the disk comes back and the change is done after all, it is undone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_core::{VolumeDirectory, VolumeLink};
use base::{Uuid, duration_text};

use crate::volumes;

/// What is known of the disks of volumes.
pub(crate) struct Disks {
    patience: Duration,
    /// Where a change has not ended in its time.
    silent: Mutex<BTreeSet<PathBuf>>,
}

/// What there is to do.
struct Change {
    make: Vec<VolumeDirectory>,
    remove: Vec<VolumeDirectory>,
    operation: Uuid,
    /// Set by who says first how it ended: the change itself, or that its time is over.
    told: AtomicBool,
}

impl Disks {
    pub(crate) fn new(patience: Duration) -> Self {
        Self { patience, silent: Mutex::default() }
    }

    fn silent(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        self.silent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes and removes directories. Returns when that is done, has failed, or its time is over.
    pub(super) async fn change(
        self: Arc<Self>,
        operation: Uuid,
        make: Vec<VolumeDirectory>,
        remove: Vec<VolumeDirectory>,
    ) -> Result<(), String> {
        let places = volumes::places(make.iter().chain(&remove));
        if let Some(place) = self.silent().intersection(&places).next() {
            // One thread that hangs there is enough.
            return Err(format!(
                "the disk of '{}' does not answer: an earlier change has not ended",
                place.display()
            ));
        }
        let change = Arc::new(Change { make, remove, operation, told: AtomicBool::new(false) });
        let (disks, working) = (Arc::clone(&self), Arc::clone(&change));
        let mut work = tokio::task::spawn_blocking(move || disks.carry_out(&working));
        if let Ok(done) = tokio::time::timeout(self.patience, &mut work).await {
            return done.map_err(|error| error.to_string())?;
        }
        self.silent().extend(places.iter().cloned());
        if change.told.swap(true, Ordering::AcqRel) {
            // It was done in this very moment.
            self.silent().retain(|place| !places.contains(place));
            return work.await.map_err(|error| error.to_string())?;
        }
        let path =
            change.make.iter().chain(&change.remove).map(|volume| &*volume.path).next().unwrap_or_default();
        let text = duration_text(self.patience);
        tracing::error!(path, "the disk of a volume does not answer; giving up the change");
        Err(format!("the disk of '{path}' does not answer: not done within {text}"))
    }

    /// On a thread that may wait for the disk as long as it takes.
    fn carry_out(&self, change: &Change) -> Result<(), String> {
        let Change { make, remove, operation, .. } = change;
        let result = volumes::change(make, remove, &operation.to_string());
        if change.told.swap(true, Ordering::AcqRel) {
            tracing::warn!(%operation, "a disk answers again; undoing the change that was given up");
            volumes::put_back(remove, &operation.to_string());
            let places = volumes::places(make.iter().chain(remove));
            self.silent().retain(|place| !places.contains(place));
            return Ok(());
        }
        result.map_err(|error| crate::report(&error))
    }
}

/// Gives volumes to a container that runs. The task that wants them is told to start next, so that this is waited for, but
/// not for ever.
pub(super) fn link(sandbox: &Path, wanted: &[VolumeLink], before: &[VolumeLink]) -> Result<(), String> {
    /// What the core can be kept from all else for.
    const PATIENCE: Duration = Duration::from_secs(2);
    let (sandbox, wanted, before) = (sandbox.to_owned(), wanted.to_vec(), before.to_vec());
    let (sender, receiver) = std::sync::mpsc::channel();
    let work = move || {
        let linked = volumes::link(&sandbox, &wanted, &before).map_err(|error| crate::report(&error));
        // Nobody waits any more for what took too long.
        let _ = sender.send(linked);
    };
    let started = std::thread::Builder::new().name("volume-link".to_owned()).spawn(work);
    started.map_err(|error| error.to_string())?;
    receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("the disk of a volume does not answer".to_owned()))
}

/// Gives volumes to a container that is being made.
pub(super) async fn link_new(sandbox: PathBuf, volumes: Vec<VolumeLink>) -> Result<(), String> {
    if volumes.is_empty() {
        return Ok(());
    }
    let work = move || volumes::link(&sandbox, &volumes, &[]).map_err(|error| crate::report(&error));
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?
}

//! Acknowledgements of status updates, noted as soon as they come.
//!
//! What follows from an acknowledgement is written down with everything else, and is durable when the disk says so. An agent that
//! is killed before that would tell the status again. So the update's name is put into a file of a fixed size at once, and the
//! message is answered then, not when the disk is ready. The file outlives the process, though perhaps not the machine; what the
//! next life finds in it counts as acknowledged. A name is of no use to anybody once what follows from it is durable, so that the
//! oldest are overwritten. All names are equally long and none is made twice: what a fall of the machine has left of the file can
//! be read as it is, and at worst says too little.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use base::Uuid;

/// In the directory for what is remembered.
const FILE: &str = "acknowledged";

/// So many acknowledgements are noted: more than can come while something is written.
const PLACES: u64 = 4096;

/// The bytes of a UUID.
const LENGTH: u64 = 16;

/// A disk that takes a note for longer is not waited for: an agent whose disk hangs still answers its master.
const PATIENCE: Duration = Duration::from_millis(100);

/// With so many notes that the disk has not taken, no more are made.
const MAX_UNDER_WAY: usize = 4;

/// Where acknowledgements are noted.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged(Arc<Notes>);

#[derive(Debug)]
struct Notes {
    /// None where there cannot be one.
    file: Option<File>,
    /// How many have been noted.
    count: AtomicU64,
    /// How many are being written.
    under_way: AtomicUsize,
    /// The last could not be made; said once.
    failed: AtomicBool,
}

impl Acknowledged {
    /// Opens the file in this directory, and reads what an earlier life has noted. An agent that cannot have it goes on without:
    /// it tells more than it would have to.
    pub(crate) fn open(directory: &Path) -> (Self, BTreeSet<Uuid>) {
        let path = directory.join(FILE);
        let (file, earlier) = match open(&path) {
            Ok((file, earlier)) => (Some(file), earlier),
            Err(error) => {
                let path = path.display();
                tracing::warn!("acknowledgements cannot be noted in '{path}' as they come: {error}");
                (None, BTreeSet::new())
            }
        };
        let notes = Notes {
            file,
            count: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
        };
        (Self(Arc::new(notes)), earlier)
    }

    /// Notes that this update is acknowledged. When it returns, a kill of this process does not undo that, unless the disk is
    /// full or does not answer.
    pub(crate) async fn note(&self, update: Uuid) {
        if self.0.file.is_none() || self.0.under_way.load(Ordering::Relaxed) >= MAX_UNDER_WAY {
            return;
        }
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        let notes = Arc::clone(&self.0);
        // Not by this thread: only as long as the disk is well is it a matter of memory.
        let writing = tokio::task::spawn_blocking(move || {
            notes.write(update);
            notes.under_way.fetch_sub(1, Ordering::Relaxed);
        });
        // Late or not, there is nothing else to be done about it.
        let _ = tokio::time::timeout(PATIENCE, writing).await;
    }
}

impl Notes {
    fn write(&self, update: Uuid) {
        let Some(file) = &self.file else { return };
        let place = self.count.fetch_add(1, Ordering::Relaxed) % PLACES;
        match file.write_all_at(update.as_bytes(), place * LENGTH) {
            Ok(()) => self.failed.store(false, Ordering::Relaxed),
            Err(error) if !self.failed.swap(true, Ordering::Relaxed) => {
                tracing::warn!("cannot note an acknowledgement: {error}");
            }
            Err(_) => {}
        }
    }
}

fn open(path: &Path) -> io::Result<(File, BTreeSet<Uuid>)> {
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mut bytes = vec![0; usize::try_from(PLACES * LENGTH).unwrap_or_default()];
    let length = file.metadata()?.len();
    if length == PLACES * LENGTH {
        file.read_exact_at(&mut bytes, 0)?;
    } else {
        // All of it now, so that a disk that is full later still takes notes.
        file.set_len(0)?;
        file.write_all_at(&bytes, 0)?;
    }
    let found = bytes.chunks_exact(16).filter_map(Uuid::from_slice);
    Ok((file, found.filter(|uuid| *uuid != Uuid::from_bytes([0; 16])).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uuid(number: u64) -> Uuid {
        let mut bytes = [7; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        Uuid::from_bytes(bytes)
    }

    #[tokio::test]
    async fn the_next_life_finds_the_last_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let (acknowledged, earlier) = Acknowledged::open(directory.path());
        assert_eq!(earlier, BTreeSet::new());
        for number in 0..PLACES + 10 {
            acknowledged.note(uuid(number)).await;
        }
        let (next, earlier) = Acknowledged::open(directory.path());
        assert_eq!(earlier, (10..PLACES + 10).map(uuid).collect());
        next.note(uuid(u64::MAX)).await;
        let (_, earlier) = Acknowledged::open(directory.path());
        assert!(earlier.contains(&uuid(u64::MAX)) && !earlier.contains(&uuid(PLACES)));
    }

    #[tokio::test]
    async fn a_file_that_is_cut_off_or_cannot_be_made_costs_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        std::fs::write(&path, [1; 40]).unwrap();
        let (acknowledged, earlier) = Acknowledged::open(directory.path());
        assert_eq!(earlier, BTreeSet::new());
        acknowledged.note(uuid(1)).await;
        assert_eq!(Acknowledged::open(directory.path()).1, BTreeSet::from([uuid(1)]));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        let (acknowledged, earlier) = Acknowledged::open(directory.path());
        assert_eq!(earlier, BTreeSet::new());
        acknowledged.note(uuid(2)).await;
    }
}

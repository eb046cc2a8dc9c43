//! What was fetched is kept for the next who needs it, within a bound.
//!
//! An entry is known by who fetched it and from where. The first who asks fills it, everybody else who asks meanwhile
//! waits for that. Entries that nobody uses make room for new ones, those that were not used for the longest time
//! first; where that is not enough, nothing is removed and what is fetched goes past the cache. A fetch that failed
//! leaves nothing, and those who waited for it fetch for themselves.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::cache_dir::CacheDirectory;

/// How much of a URI is in that of its file, for people who look.
const SHOWN_NAME: usize = 20;

/// Whose, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) user: Option<String>,
    pub(super) uri: String,
}

/// How much a cache may hold and does, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUsage {
    /// What it may hold.
    pub total: u64,
    /// What it holds, or will when what is being fetched is there.
    pub used: u64,
}

pub(super) struct Cache {
    directory: CacheDirectory,
    capacity: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: u64,
    entries: HashMap<Key, Entry>,
    /// The number of the next entry.
    serial: u64,
    /// Counts uses, to tell which was earlier.
    clock: u64,
}

struct Entry {
    serial: u64,
    file: String,
    /// What it takes of the capacity.
    size: u64,
    /// How many use it, the one who fills it included.
    users: usize,
    last_used: u64,
    /// Who waits for its content holds a receiver. `None` when it is there.
    filling: Option<watch::Receiver<Filled>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    NotYet,
    Done,
    Failed,
}

/// What the cache says to who asks.
pub(super) enum Claim {
    /// It is there.
    Cached(Cached),
    /// It is not there, and to be brought.
    Fill(Filling),
    /// It cannot be had from the cache.
    Bypass,
}

impl Cache {
    pub(super) fn new(directory: PathBuf, capacity: u64) -> Arc<Self> {
        Arc::new(Self { directory: CacheDirectory::new(directory), capacity, state: Mutex::default() })
    }

    pub(super) fn usage(&self) -> CacheUsage {
        CacheUsage { total: self.capacity, used: self.state().used }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whoever panicked with the lock changed nothing by halves.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for an entry, and waits where somebody else is filling it.
    pub(super) async fn claim(self: &Arc<Self>, key: &Key) -> Claim {
        loop {
            let mut filling = match self.look_up(key) {
                Ok(claim) => return claim,
                Err(filling) => filling,
            };
            // Otherwise it is there, and may be gone again; or who was to fill it was given up with its container.
            let filled = filling.wait_for(|filled| *filled != Filled::NotYet).await.map(|filled| *filled);
            if matches!(filled, Ok(Filled::Failed)) {
                return Claim::Bypass;
            }
        }
    }

    fn look_up(self: &Arc<Self>, key: &Key) -> Result<Claim, watch::Receiver<Filled>> {
        let mut state = self.state();
        state.clock += 1;
        let now = state.clock;
        if let Some(entry) = state.entries.get_mut(key) {
            if let Some(filling) = &entry.filling {
                return Err(filling.clone());
            }
            if let Some(file) = self.whole(entry) {
                entry.users += 1;
                entry.last_used = now;
                let pin = Pin { cache: Arc::clone(self), key: key.clone(), serial: entry.serial };
                return Ok(Claim::Cached(Cached { file, pin }));
            }
            tracing::warn!(uri = key.uri, file = entry.file, "a file of the cache was removed or changed");
            self.remove(&mut state, key);
        }
        let serial = state.serial;
        state.serial += 1;
        let (done, filling) = watch::channel(Filled::NotYet);
        let file = format!("c{serial}-{}", shown(&key.uri));
        let entry =
            Entry { serial, file: file.clone(), size: 0, users: 1, last_used: now, filling: Some(filling) };
        state.entries.insert(key.clone(), entry);
        let (cache, key) = (Arc::clone(self), key.clone());
        let (reserved, unusable) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Claim::Fill(Filling { cache, key, serial, file, done, reserved, unusable }))
    }

    /// The file of an entry, if it is still what was put there.
    fn whole(&self, entry: &Entry) -> Option<File> {
        let file = self.directory.open(&entry.file).ok()?;
        let found = file.metadata().ok()?;
        (found.is_file() && found.len() == entry.size).then_some(file)
    }

    fn remove(&self, state: &mut State, key: &Key) {
        if let Some(entry) = state.entries.remove(key) {
            state.used -= entry.size;
            self.directory.remove(&entry.file);
        }
    }

    /// Makes an entry take `size` bytes, at the cost of others; whether there is room.
    fn resize(&self, key: &Key, serial: u64, size: u64) -> bool {
        let mut state = self.state();
        let Some(entry) = state.entries.get(key).filter(|entry| entry.serial == serial) else { return false };
        let Some(used) = (state.used - entry.size).checked_add(size) else { return false };
        let mut missing = used.saturating_sub(self.capacity);
        if missing > 0 {
            let mut idle: Vec<(u64, u64, Key)> = (state.entries.iter())
                .filter(|(_, entry)| entry.users == 0)
                .map(|(key, entry)| (entry.last_used, entry.size, key.clone()))
                .collect();
            idle.sort_unstable_by_key(|(last_used, ..)| *last_used);
            let mut victims = Vec::new();
            for (_, size, key) in idle {
                if missing == 0 {
                    break;
                }
                missing = missing.saturating_sub(size);
                victims.push(key);
            }
            if missing > 0 {
                return false;
            }
            for victim in victims {
                tracing::debug!(uri = victim.uri, "evicted from the cache");
                self.remove(&mut state, &victim);
            }
        }
        if let Some(entry) = state.entries.get_mut(key) {
            let before = std::mem::replace(&mut entry.size, size);
            state.used = state.used - before + size;
        }
        true
    }
}

/// The beginning and the end of the last part of a URI, without what could not be in a name.
fn shown(uri: &str) -> String {
    let name = uri.rsplit('/').next().unwrap_or_default();
    let letters: Vec<char> = name.chars().filter(|letter| !letter.is_control()).collect();
    if letters.len() <= SHOWN_NAME {
        return letters.into_iter().collect();
    }
    let (begin, end) = (&letters[..SHOWN_NAME / 2], &letters[letters.len() - SHOWN_NAME / 2..]);
    begin.iter().chain(&['_']).chain(end).collect()
}

/// Something in the cache that stays as long as this lives.
pub(super) struct Cached {
    /// Its content, from the beginning.
    pub(super) file: File,
    pub(super) pin: Pin,
}

/// Keeps an entry from being evicted.
pub(super) struct Pin {
    cache: Arc<Cache>,
    key: Key,
    serial: u64,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut state = self.cache.state();
        state.clock += 1;
        let now = state.clock;
        if let Some(entry) = state.entries.get_mut(&self.key).filter(|entry| entry.serial == self.serial) {
            entry.users -= 1;
            entry.last_used = now;
        }
    }
}

/// An entry that is ours to fill. Dropped before it is filled, it is given up, and the next who asks fills it.
pub(super) struct Filling {
    cache: Arc<Cache>,
    key: Key,
    serial: u64,
    file: String,
    done: watch::Sender<Filled>,
    reserved: AtomicU64,
    unusable: AtomicBool,
}

impl Filling {
    /// The file to write into.
    pub(super) fn create(&self) -> io::Result<File> {
        self.cache.directory.create(&self.file).inspect_err(|error| {
            tracing::warn!(uri = self.key.uri, %error, "the fetcher's cache cannot be used");
            self.refuse();
        })
    }

    /// Takes room for so much in all; whether there is that much.
    pub(super) fn reserve(&self, size: u64) -> bool {
        let room = self.cache.resize(&self.key, self.serial, size);
        if room {
            self.reserved.store(size, Ordering::Relaxed);
        } else {
            self.refuse();
        }
        room
    }

    /// Takes room for so much in all unless that was taken already; whether there is that much.
    pub(super) fn reserve_at_least(&self, size: u64) -> bool {
        size <= self.reserved.load(Ordering::Relaxed) || self.reserve(size)
    }

    /// The cache cannot take it, which is not the source's fault.
    pub(super) fn refuse(&self) {
        self.unusable.store(true, Ordering::Relaxed);
    }

    /// Whether the cache cannot take it.
    pub(super) fn is_refused(&self) -> bool {
        self.unusable.load(Ordering::Relaxed)
    }

    /// It is all there, so many bytes; `None` if it is not to be had from the cache in spite of that.
    pub(super) fn complete(self, size: u64) -> Option<Cached> {
        let cached = self.settle(size);
        self.done.send_replace(if cached.is_some() { Filled::Done } else { Filled::Failed });
        cached
    }

    fn settle(&self, size: u64) -> Option<Cached> {
        if !self.reserve(size) {
            return None;
        }
        let mut state = self.cache.state();
        let entry = state.entries.get_mut(&self.key).filter(|entry| entry.serial == self.serial)?;
        let file = self.cache.whole(entry)?;
        entry.filling = None;
        // Who filled it is its first user.
        let pin = Pin { cache: Arc::clone(&self.cache), key: self.key.clone(), serial: self.serial };
        Some(Cached { file, pin })
    }

    /// It cannot be fetched through the cache.
    pub(super) fn fail(self) {
        self.done.send_replace(Filled::Failed);
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let mut state = self.cache.state();
        let ours = |entry: &&Entry| entry.serial == self.serial && entry.filling.is_some();
        if state.entries.get(&self.key).filter(ours).is_some() {
            self.cache.remove(&mut state, &self.key);
        }
    }
}

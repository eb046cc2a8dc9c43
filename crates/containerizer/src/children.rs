//! Children of this process that somebody waits for.
//!
//! A process that adopts orphans has children that nobody has started and nobody waits for. Whoever reaps those has to know all
//! others; and since children belong to the process as a whole, so does what is known of them.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Read-locked by whoever forks, until it is known who waits for the child.
static FORKING: RwLock<()> = RwLock::new(());
static AWAITED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn set() -> MutexGuard<'static, BTreeSet<i32>> {
    AWAITED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To be held from before a fork until the child is [`Awaited`], or known otherwise.
pub(crate) fn forking() -> RwLockReadGuard<'static, ()> {
    FORKING.read().unwrap_or_else(PoisonError::into_inner)
}

/// While this is held, every child that this process has forked is known. `None` while somebody forks.
pub(crate) fn all_known() -> Option<RwLockWriteGuard<'static, ()>> {
    FORKING.try_write().ok()
}

/// All that somebody waits for.
pub(crate) fn awaited() -> BTreeSet<i32> {
    set().clone()
}

/// A child that somebody waits for as long as this lives.
#[derive(Debug)]
pub(crate) struct Awaited(i32);

impl Awaited {
    pub(crate) fn new(pid: i32) -> Self {
        set().insert(pid);
        Self(pid)
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        set().remove(&self.0);
    }
}

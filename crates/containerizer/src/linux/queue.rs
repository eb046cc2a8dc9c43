//! What is to be done, by whichever thread is free. There are never more than a few jobs for each container there is.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::ContainerId;

/// Something to be done for a container.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Job {
    /// Start it.
    Launch(ContainerId),
    /// Its first process ended, with this wait status if it was our child.
    Finish(ContainerId, Option<i32>),
    /// Memory ran out in it.
    OutOfMemory(ContainerId),
    /// Limit what its sandbox and its volumes may hold as it is now; whether it is ended if that fails.
    Bound(ContainerId, bool),
    /// Kill all its processes, so that its init ends.
    Kill(ContainerId),
    /// Kill its init, which should have ended by now.
    KillInit(ContainerId),
    /// Remove what was made for it. Was tried so often before.
    Remove(ContainerId, u32),
}

#[derive(Debug, Default)]
struct Jobs {
    now: VecDeque<Job>,
    later: BinaryHeap<Reverse<(Instant, Job)>>,
    closed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    jobs: Mutex<Jobs>,
    changed: Condvar,
}

impl Queue {
    pub(super) fn push(&self, job: Job) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).now.push_back(job);
        self.changed.notify_one();
    }

    pub(super) fn push_later(&self, job: Job, wait: Duration) {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.later.push(Reverse((Instant::now() + wait, job)));
        drop(jobs);
        self.changed.notify_one();
    }

    /// The next job; waits for one. `None` once the queue is closed.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if jobs.closed {
                return None;
            }
            let now = Instant::now();
            if jobs.later.peek().is_some_and(|Reverse((due, _))| *due <= now) {
                return jobs.later.pop().map(|Reverse((_, job))| job);
            }
            if let Some(job) = jobs.now.pop_front() {
                return Some(job);
            }
            jobs = match jobs.later.peek() {
                Some(Reverse((due, _))) => {
                    let wait = due.saturating_duration_since(now);
                    self.changed.wait_timeout(jobs, wait).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(jobs).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Lets every thread go. What was not begun is not done.
    pub(super) fn close(&self) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }
}

//! Doing something with each of many containers that may take for ever: whoever hangs costs nobody else.
//!
//! Usually one thread does all. As long as nothing gets done another one joins in, so that each container that hangs holds
//! one thread and the others go on. Who hangs is left out until it is over.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base::ContainerId;

/// How long nothing may get done before another thread joins in.
const PATIENCE: Duration = Duration::from_secs(1);

type Task = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Work {
    waiting: VecDeque<(ContainerId, Task)>,
    under_way: BTreeSet<ContainerId>,
    threads: usize,
    done: u64,
    closed: bool,
}

/// Threads that come and go as they are needed.
#[derive(Default)]
pub(super) struct Crew {
    work: Mutex<Work>,
    changed: Condvar,
}

impl Crew {
    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does all that; returns when everything is done or under way.
    pub(super) fn round(self: &Arc<Self>, tasks: impl IntoIterator<Item = (ContainerId, Task)>) {
        let mut work = self.lock();
        if work.closed {
            return;
        }
        for (container_id, task) in tasks {
            if !work.under_way.contains(&container_id) {
                work.waiting.push_back((container_id, task));
            }
        }
        while !work.waiting.is_empty() && !work.closed {
            let done = work.done;
            if work.under_way.len() == work.threads && !self.join_in(&mut work) && work.threads == 0 {
                work.waiting.clear();
                return;
            }
            let undone = |work: &mut Work| work.done == done && !work.waiting.is_empty() && !work.closed;
            work = self
                .changed
                .wait_timeout_while(work, PATIENCE, undone)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Begins a thread; whether that was possible.
    fn join_in(self: &Arc<Self>, work: &mut Work) -> bool {
        let crew = Arc::clone(self);
        let started = std::thread::Builder::new().name("look-worker".to_owned()).spawn(move || crew.work());
        match started {
            Ok(_) => work.threads += 1,
            Err(error) => tracing::warn!(%error, "there is no thread to look at containers"),
        }
        work.threads > 0
    }

    fn work(&self) {
        let mut work = self.lock();
        while let Some((container_id, task)) = work.waiting.pop_front() {
            work.under_way.insert(container_id.clone());
            drop(work);
            task();
            work = self.lock();
            work.under_way.remove(&container_id);
            work.done += 1;
            self.changed.notify_all();
        }
        work.threads -= 1;
        self.changed.notify_all();
    }

    /// Nothing more is begun. Waits a moment for what is under way; what hangs is left.
    pub(super) fn close(&self) {
        let mut work = self.lock();
        work.closed = true;
        work.waiting.clear();
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(work, PATIENCE, |work| work.threads > 0);
        let left = waited.unwrap_or_else(PoisonError::into_inner).0.under_way.clone();
        if !left.is_empty() {
            tracing::warn!(?left, "the disks of containers do not answer");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn task(name: &'static str, done: &Sender<&'static str>) -> (ContainerId, Task) {
        let done = done.clone();
        (ContainerId::from(name), Box::new(move || done.send(name).expect("the test waits")))
    }

    /// One that ends when the other end of the channel is dropped.
    fn hanging(name: &'static str, until: Receiver<()>, done: &Sender<&'static str>) -> (ContainerId, Task) {
        let done = done.clone();
        let task = move || {
            until.recv().expect_err("nothing is sent");
            done.send(name).expect("the test waits");
        };
        (ContainerId::from(name), Box::new(task))
    }

    #[test]
    fn who_hangs_costs_nobody_else() {
        let crew = Arc::new(Crew::default());
        let (done, heard) = channel();
        let (release_a, a) = channel();
        let (release_b, b) = channel();
        crew.round([hanging("a", a, &done), hanging("b", b, &done), task("c", &done), task("d", &done)]);
        assert_eq!([heard.recv(), heard.recv()], [Ok("c"), Ok("d")]);
        // Who hangs is not begun again, and the others do not wait for it.
        crew.round([task("a", &done), task("b", &done), task("c", &done)]);
        assert_eq!(heard.recv(), Ok("c"));
        drop(release_a);
        assert_eq!(heard.recv(), Ok("a"));
        drop(release_b);
        assert_eq!(heard.recv(), Ok("b"));
        crew.close();
        assert!(crew.lock().under_way.is_empty());
        assert_eq!(crew.lock().threads, 0);
    }

    #[test]
    fn what_hangs_does_not_keep_it_from_being_closed() {
        let crew = Arc::new(Crew::default());
        let (done, heard) = channel();
        let (release, until) = channel();
        crew.round([hanging("a", until, &done)]);
        crew.close();
        assert!(heard.try_recv().is_err());
        crew.round([task("b", &done)]);
        drop(release);
        assert_eq!(heard.recv(), Ok("a"));
        drop(done);
        assert!(heard.recv().is_err(), "nothing is begun after the end");
    }
}

//! What nobody tells and therefore has to be looked at from time to time: disk use and ports.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use super::options::Isolator;
use super::{Shared, disk, ports};

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

/// The thread that looks.
pub(super) struct Look {
    stop: Arc<Stop>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Look {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let (shared, stop) = (Arc::clone(shared), Arc::new(Stop::default()));
        let wanted =
            [Isolator::DiskDu, Isolator::NetworkPorts].iter().any(|own| shared.options.isolation.has(*own));
        let thread = if wanted {
            let stop = Arc::clone(&stop);
            let body = move || look(&shared, &stop);
            Some(std::thread::Builder::new().name("container-look".to_owned()).spawn(body)?)
        } else {
            None
        };
        Ok(Self { stop, thread: Mutex::new(thread) })
    }

    pub(super) fn stop(&self) {
        *self.stop.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that looks at disks and ports had panicked");
        }
    }
}

fn look(shared: &Shared, stop: &Stop) {
    let options = &shared.options;
    let has = |isolator| options.isolation.has(isolator);
    let first = Instant::now();
    let mut disk_due = has(Isolator::DiskDu).then(|| first + options.disk_interval);
    let mut ports_due = has(Isolator::NetworkPorts).then(|| first + options.ports_interval);
    let mut stopped = stop.stopped.lock().unwrap_or_else(PoisonError::into_inner);
    while !*stopped {
        let Some(due) = [disk_due, ports_due].into_iter().flatten().min() else { return };
        let now = Instant::now();
        if due > now {
            stopped = stop.changed.wait_timeout(stopped, due - now).unwrap_or_else(PoisonError::into_inner).0;
            continue;
        }
        drop(stopped);
        if disk_due.is_some_and(|due| due <= now) {
            disk::look(shared);
            disk_due = Some(Instant::now() + options.disk_interval);
        }
        if ports_due.is_some_and(|due| due <= now) {
            ports::look(shared);
            ports_due = Some(Instant::now() + options.ports_interval);
        }
        stopped = stop.stopped.lock().unwrap_or_else(PoisonError::into_inner);
    }
}

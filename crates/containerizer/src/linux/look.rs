//! What nobody tells and therefore has to be looked at from time to time: disk use, and ports. One thread for each, so that
//! none waits for another.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::crew::Crew;
use super::options::Isolator;
use super::{Shared, disk, ports, quota};

#[derive(Debug, Default)]
struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits so long; whether it is to go on.
    fn wait(&self, interval: Duration) -> bool {
        let due = Instant::now() + interval;
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        while !*stopped {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            stopped = self.changed.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

/// The threads that look.
pub(super) struct Look {
    stop: Arc<Stop>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    disks: Arc<Crew>,
}

impl Look {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let own = Self { stop: Arc::default(), threads: Mutex::default(), disks: Arc::default() };
        let options = &shared.options;
        if options.isolation.has(Isolator::DiskDu) {
            let disks = Arc::clone(&own.disks);
            own.every("look-disk", options.disk_interval, shared, move |shared| disk::look(shared, &disks))?;
        }
        if options.isolation.has(Isolator::NetworkPorts) {
            own.every("look-ports", options.ports_interval, shared, |shared| ports::look(shared))?;
        }
        if let Some(quotas) = &shared.quotas {
            if quotas.ends() {
                own.every("look-quota", options.disk_interval, shared, |shared| quota::look(shared))?;
            }
            own.every("look-projects", options.project_interval, shared, |shared| {
                shared.quotas.iter().for_each(quota::Quotas::reclaim);
            })?;
        }
        Ok(own)
    }

    fn every(
        &self,
        name: &str,
        interval: Duration,
        shared: &Arc<Shared>,
        look: impl Fn(&Arc<Shared>) + Send + 'static,
    ) -> io::Result<()> {
        let (shared, stop) = (Arc::clone(shared), Arc::clone(&self.stop));
        let body = move || {
            while stop.wait(interval) {
                look(&shared);
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(body)?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    pub(super) fn stop(&self) {
        *self.stop.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        self.disks.close();
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            if thread.join().is_err() {
                tracing::error!("a thread that looks at disks or ports had panicked");
            }
        }
    }
}

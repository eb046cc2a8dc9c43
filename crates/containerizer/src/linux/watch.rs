//! One thread that waits for all containers.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::Shared;
use super::queue::Job;
use super::table::{Number, Phase};
use crate::cgroups::{Controller, Group, Version};
use crate::launcher::ContainerEvent;

/// What a descriptor tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The init says something, or that it is done.
    Ready = 0,
    /// The init has ended.
    Process = 1,
    /// Memory ran out.
    Memory = 2,
}

const KINDS: u64 = 4;
const STOP: u64 = u64::MAX;
const FILES: u64 = u64::MAX - 1;
/// How many events are taken at a time.
const BATCH: usize = 256;

/// The kernel's queue of events.
#[derive(Debug)]
pub(super) struct Watch {
    queue: OwnedFd,
    stop: OwnedFd,
    files: Inotify,
    watched: Mutex<HashMap<WatchDescriptor, Number>>,
}

impl Watch {
    pub(super) fn new() -> io::Result<Self> {
        let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        let files = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        epoll::add(&queue, &stop, EventData::new_u64(STOP), EventFlags::IN)?;
        epoll::add(&queue, files.as_fd(), EventData::new_u64(FILES), EventFlags::IN)?;
        Ok(Self { queue, stop, files, watched: Mutex::default() })
    }

    /// Watches a descriptor until it is closed. What happens to the init is told once.
    pub(super) fn add(&self, descriptor: &OwnedFd, number: Number, kind: Kind) -> io::Result<()> {
        let once = if kind == Kind::Process { EventFlags::ONESHOT } else { EventFlags::ET };
        let data = EventData::new_u64(number * KINDS + kind as u64);
        Ok(epoll::add(&self.queue, descriptor, data, EventFlags::IN | once)?)
    }

    /// Watches the files of a group that tell that memory ran out; none in version 1. It does not end with the group.
    fn add_group(&self, group: &Group, number: Number) -> io::Result<Option<WatchDescriptor>> {
        if group.version() == Version::V2
            && let Some(events) = group.file(Controller::Memory, "memory.events")
        {
            // Held so that no event comes before we know whose it is.
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            let watch = self.files.add_watch(&events, AddWatchFlags::IN_MODIFY)?;
            watched.insert(watch, number);
            return Ok(Some(watch));
        }
        Ok(None)
    }

    /// Ends what [`Shared::watch_memory`] began: the kernel keeps it although the file is gone, and has only so many.
    pub(super) fn remove_group(&self, watch: WatchDescriptor) {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).remove(&watch);
        // Fails only if it has ended by itself.
        let _ = self.files.rm_watch(watch);
    }

    pub(super) fn stop(&self) {
        // Fails only if it was told so often before that the counter is full.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }
}

pub(super) fn start(shared: Arc<Shared>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("container-watch".to_owned()).spawn(move || {
        let mut events = Vec::with_capacity(BATCH);
        loop {
            events.clear();
            match epoll::wait(&shared.watch.queue, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "containers cannot be watched any more");
                    return;
                }
            }
            for event in &events {
                match event.data.u64() {
                    STOP => return,
                    FILES => shared.files_changed(),
                    data => shared.happened(data / KINDS, data % KINDS),
                }
            }
        }
    })
}

impl Shared {
    fn happened(&self, number: Number, kind: u64) {
        if kind == Kind::Memory as u64 {
            return self.memory_changed(number);
        }
        let container_id = {
            let mut containers = self.table.lock();
            let Some((container_id, _)) = containers.numbered(number) else { return };
            container_id
        };
        match kind {
            kind if kind == Kind::Ready as u64 => self.ready(&container_id),
            kind if kind == Kind::Process as u64 => self.ended(&container_id),
            _ => {}
        }
    }

    /// Has somebody look whether memory ran out in a container. It can be at its limit thousands of times a second.
    fn memory_changed(&self, number: Number) {
        let container_id = {
            let mut containers = self.table.lock();
            let Some((container_id, container)) = containers.numbered(number) else { return };
            if std::mem::replace(&mut container.memory_pending, true) {
                return;
            }
            container_id
        };
        self.queue.push(Job::OutOfMemory(container_id));
    }

    /// Has the kernel tell when memory runs out in a container. Of one that cannot be watched it is told when it ends.
    pub(super) fn watch_memory(&self, container_id: &base::ContainerId, group: &Group, number: Number) {
        match self.watch.add_group(group, number) {
            Ok(watch) => {
                if let Some(container) = self.table.lock().by_id.get_mut(container_id) {
                    container.memory_watch = watch;
                }
            }
            Err(error) => {
                tracing::warn!(%container_id, %error, "it cannot be watched whether a container runs out of memory");
            }
        }
    }

    fn ended(&self, container_id: &base::ContainerId) {
        // What it had to say comes first.
        self.ready(container_id);
        let process = {
            let mut containers = self.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else { return };
            let Some(process) = container.process().cloned() else { return };
            if matches!(container.phase, Phase::Starting { .. }) && container.failure.is_none() {
                // It was killed while it prepared, and could not say so: as if its task had been.
                let pid = u32::try_from(process.first.pid).unwrap_or(0);
                self.tell(ContainerEvent::Launched { container_id: container_id.clone(), pid });
            }
            container.phase = Phase::Ending;
            process
        };
        let status = if process.own_child { wait(&process.handle) } else { None };
        self.queue.push(Job::Finish(container_id.clone(), status));
    }

    fn files_changed(&self) {
        let Ok(events) = self.watch.files.read_events() else { return };
        let mut watched = self.watch.watched.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                watched.remove(&event.wd);
            } else if let Some(number) = watched.get(&event.wd) {
                self.memory_changed(*number);
            }
        }
    }
}

/// The wait status of a child that has ended; it is gone for good then.
fn wait(handle: &OwnedFd) -> Option<i32> {
    let status = waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED).ok()??;
    status.terminating_signal().or_else(|| status.exit_status().map(|code| (code & 0xff) << 8))
}

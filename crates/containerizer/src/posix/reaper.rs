//! Waiting for the first processes of containers: one thread, one descriptor for each process.
//!
//! Only processes that are named are waited for, so that other children of this process are left alone.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use base::ContainerId;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::process::{Pid, PidfdFlags, WaitOptions, pidfd_open, waitpid};

use super::lock;
use super::table::Table;
use crate::launcher::{ContainerEvent, EventSink};

/// The event data of the descriptor that wakes the thread to end; no process has this number.
const WAKE: u64 = 0;
/// How many ends are taken note of at a time.
const BATCH: usize = 64;

struct Watched {
    container_id: ContainerId,
    descriptor: OwnedFd,
}

pub(super) struct Reaper {
    epoll: OwnedFd,
    wake: OwnedFd,
    stopped: AtomicBool,
    watched: Mutex<HashMap<i32, Watched>>,
    table: Arc<Table>,
    sink: EventSink,
}

impl Reaper {
    pub(super) fn new(table: Arc<Table>, sink: EventSink) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), epoll::EventFlags::IN)?;
        Ok(Self { epoll, wake, stopped: AtomicBool::new(false), watched: Mutex::default(), table, sink })
    }

    /// Waits for a child of ours from now on.
    pub(super) fn watch(&self, container_id: &ContainerId, pid: i32) {
        let Some(process) = Pid::from_raw(pid) else { return };
        let add = || -> io::Result<()> {
            let descriptor = pidfd_open(process, PidfdFlags::empty())?;
            let mut watched = lock(&self.watched);
            let data = epoll::EventData::new_u64(u64::try_from(pid).unwrap_or(WAKE));
            epoll::add(&self.epoll, &descriptor, data, epoll::EventFlags::IN)?;
            watched.insert(pid, Watched { container_id: container_id.clone(), descriptor });
            Ok(())
        };
        if let Err(error) = add() {
            // Out of descriptors or memory. The child must not go unnoticed: a thread of its own waits for it.
            tracing::error!(%container_id, pid, %error, "cannot watch a process by descriptor, a thread waits for it");
            let (table, sink, container_id) =
                (Arc::clone(&self.table), Arc::clone(&self.sink), container_id.clone());
            let wait = move || {
                let status = loop {
                    match waitpid(Some(process), WaitOptions::empty()) {
                        Ok(Some((_, status))) => break status.as_raw(),
                        Err(rustix::io::Errno::INTR) | Ok(None) => {}
                        Err(_) => break 0,
                    }
                };
                table.exited(&container_id);
                sink(ContainerEvent::Exited { container_id, status });
            };
            if let Err(error) = std::thread::Builder::new().name("reap-one".to_owned()).spawn(wait) {
                tracing::error!(pid, %error, "no thread either: the end of this process will not be noticed");
            }
        }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        // Fails only if the counter would overflow, which wakes as well.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }

    fn run(&self) {
        let mut events = Vec::with_capacity(BATCH);
        while !self.stopped.load(Ordering::Acquire) {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "waiting for processes failed");
                    return;
                }
            }
            for event in &events {
                let data = event.data;
                if let Ok(pid) = i32::try_from(data.u64()) {
                    self.reap(pid);
                }
            }
        }
    }

    fn reap(&self, pid: i32) {
        let Some(process) = Pid::from_raw(pid) else { return };
        let mut watched = lock(&self.watched);
        // A child of ours that was forked meanwhile holds a copy of the descriptor until it executes, so that an event may
        // come again after the descriptor was closed here.
        if !watched.contains_key(&pid) {
            return;
        }
        let status = match waitpid(Some(process), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => status.as_raw(),
            // The event was one of an earlier process of this number.
            Ok(None) | Err(rustix::io::Errno::INTR) => return,
            Err(error) => {
                // Somebody else waited for our child. Its status is lost, its end is not.
                tracing::error!(pid, %error, "the exit status of a container's process was taken by somebody else");
                0
            }
        };
        let Some(ended) = watched.remove(&pid) else { return };
        drop(watched);
        // For the same reason closing it would not be enough. It cannot fail: it is in there.
        let _ = epoll::delete(&self.epoll, &ended.descriptor);
        // In this order: whoever hears of the exit finds it in the table.
        self.table.exited(&ended.container_id);
        (self.sink)(ContainerEvent::Exited { container_id: ended.container_id, status });
    }
}

pub(super) fn start(reaper: Arc<Reaper>) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name("reap".to_owned()).spawn(move || reaper.run())
}

//! Signalling and killing whole containers: one thread, one look at the process table for all that is to be done.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::ContainerId;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, waitid, waitpid};

use super::PosixOptions;
use super::logs::Logs;
use super::table::Table;
use super::tree::{Cookies, Members};
use crate::children;
use crate::launcher::{ContainerEvent, EventSink};
use crate::procs::{self, Process};

/// How long to wait for killed processes to go, at first and at most. What hangs in the kernel goes when it goes.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// After so many rounds of killing, the processes are stopped first: somebody forks faster than we kill.
const ROUNDS_BEFORE_STOPPING: u32 = 2;
/// How often orphans that ended are looked for.
const ORPHANS_INTERVAL: Duration = Duration::from_secs(1);
/// Containers that do not go are reported once this long after the order.
const PATIENCE: Duration = Duration::from_secs(60);

/// After a look at all processes the sweeper rests so many times as long as it took, so that looking never takes more than
/// a part of a processor, however many containers end; but not longer than this.
const REST: u32 = 4;
const LONGEST_REST: Duration = Duration::from_millis(50);

/// What the sweeper is told to do.
#[derive(Debug)]
pub(super) enum Order {
    Signal(ContainerId, Signal),
    Destroy(ContainerId),
}

/// What the end of a container is told to.
pub(super) struct Ending {
    pub(super) table: Arc<Table>,
    pub(super) sink: EventSink,
    pub(super) logs: Arc<Logs>,
}

struct Sweeper {
    ending: Ending,
    options: PosixOptions,
    cookies: Cookies,
    doomed: BTreeSet<ContainerId>,
    /// Rounds of killing since the last order.
    rounds: u32,
    last_order: Instant,
    reported: bool,
    /// Until then the sweeper rests.
    rests_until: Instant,
}

pub(super) fn start(
    ending: Ending,
    options: PosixOptions,
    orders: Receiver<Order>,
) -> io::Result<JoinHandle<()>> {
    let mut sweeper = Sweeper {
        ending,
        options,
        cookies: Cookies::default(),
        doomed: BTreeSet::new(),
        rounds: 0,
        last_order: Instant::now(),
        reported: false,
        rests_until: Instant::now(),
    };
    std::thread::Builder::new().name("sweep".to_owned()).spawn(move || sweeper.run(&orders))
}

impl Sweeper {
    fn run(&mut self, orders: &Receiver<Order>) {
        loop {
            let first = match self.wait() {
                Some(timeout) => orders.recv_timeout(timeout),
                None => orders.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let mut signals = Vec::new();
            match first {
                Ok(order) => {
                    std::thread::sleep(self.rests_until.saturating_duration_since(Instant::now()));
                    // A look at all processes costs the same for one order and for a thousand.
                    for order in std::iter::once(order).chain(orders.try_iter()) {
                        match order {
                            Order::Signal(container_id, signal) => signals.push((container_id, signal)),
                            Order::Destroy(container_id) => {
                                self.doomed.insert(container_id);
                            }
                        }
                    }
                    (self.rounds, self.last_order, self.reported) = (0, Instant::now(), false);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let began = Instant::now();
            self.sweep(&signals);
            let took = began.elapsed();
            self.rests_until = began + took + (took * REST).min(LONGEST_REST);
        }
    }

    /// How long to wait for an order before looking again; for ever if there is nothing to look for.
    fn wait(&self) -> Option<Duration> {
        if !self.doomed.is_empty() {
            Some((FIRST_WAIT * 2_u32.saturating_pow(self.rounds)).min(LONGEST_WAIT))
        } else if self.options.adopt_orphans {
            Some(ORPHANS_INTERVAL)
        } else {
            None
        }
    }

    fn sweep(&mut self, signals: &[(ContainerId, Signal)]) {
        if self.doomed.is_empty() && signals.is_empty() && !has_ended_child() {
            return;
        }
        let containers = self.ending.table.running();
        let processes = procs::scan();
        let members = Members::find(&containers, &processes, &mut self.cookies);
        self.cookies.keep(&processes);
        for (container_id, signal) in signals {
            for process in members.of(container_id).iter().filter(|process| !process.zombie) {
                procs::signal(process, *signal);
            }
        }
        let stop_first = self.rounds >= ROUNDS_BEFORE_STOPPING;
        for container_id in std::mem::take(&mut self.doomed) {
            if !self.destroy(&container_id, members.of(&container_id), stop_first) {
                self.doomed.insert(container_id);
            }
        }
        self.rounds = self.rounds.saturating_add(1);
        if !self.doomed.is_empty() && !self.reported && self.last_order.elapsed() > PATIENCE {
            self.reported = true;
            tracing::error!(containers = ?self.doomed, "killed processes do not end; still trying");
        }
        if self.options.adopt_orphans {
            self.reap_orphans(&processes);
        }
    }

    /// Kills what is there of a container. Returns whether nothing is left.
    fn destroy(&self, container_id: &ContainerId, members: &[Process], stop_first: bool) -> bool {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let Some(container) = self.ending.table.get(container_id) else { return true };
        let living: Vec<&Process> = members.iter().filter(|process| !process.zombie).collect();
        if stop_first {
            for process in &living {
                procs::signal(process, Signal::STOP);
            }
        }
        for process in &living {
            procs::signal(process, Signal::KILL);
        }
        // Orphans of the container that were handed to us are nobody else's to wait for.
        let guests = children::awaited();
        let ended = members.iter().filter(|process| process.zombie && process.parent == own);
        for process in ended.filter(|p| p.pid != container.leader && !guests.contains(&p.pid)) {
            reap(process.pid);
        }
        // The first process is waited for by the reaper; its exit is told before this end.
        if !living.is_empty() || !container.exited {
            return false;
        }
        // Whoever hears of the end finds in the files all that was written.
        self.ending.logs.finish(container_id);
        self.ending.table.remove(container_id);
        (self.ending.sink)(ContainerEvent::Destroyed { container_id: container_id.clone() });
        true
    }

    /// Waits for adopted processes that ended. First processes of containers are the reaper's, and all of them are in the
    /// table while nobody forks; who else waits for one has said so.
    fn reap_orphans(&self, processes: &[Process]) {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let mut ended = processes.iter().filter(|process| process.zombie && process.parent == own).peekable();
        if ended.peek().is_none() {
            return;
        }
        // Somebody forks: they can wait for the next look.
        let Some(_all_entered) = children::all_known() else { return };
        let mut leaders = children::awaited();
        leaders.extend(self.ending.table.running().iter().map(|container| container.leader));
        for process in ended.filter(|process| !leaders.contains(&process.pid)) {
            reap(process.pid);
        }
    }
}

/// Whether some child of this process has ended and was not waited for. It still is not.
fn has_ended_child() -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look), Ok(Some(_)))
}

fn reap(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // Gone already is as good.
        let _ = waitpid(Some(pid), WaitOptions::NOHANG);
    }
}

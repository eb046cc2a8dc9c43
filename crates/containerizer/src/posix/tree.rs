//! Which processes belong to which container.
//!
//! A process belongs to a container if it is its first one, is in the session or group that the first one leads,
//! descends from one that belongs to it, or was started with the container's `MESOS_SANDBOX` in its environment. The
//! last finds daemons that made a session of their own after their parents ended. A daemon that does that *and* clears
//! its environment is found only while a parent of it lives; confining it needs what the kernel has for that.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use base::ContainerId;
use rustix::process::Signal;

use super::spawn::COOKIE;
use super::table::Running;
use crate::procs::{self, Process};

/// What was read of processes' environments, so that no process is read twice: by pid and start.
#[derive(Default)]
pub(super) struct Cookies {
    known: HashMap<(i32, u64), Option<Vec<u8>>>,
}

impl Cookies {
    fn of(&mut self, process: &Process) -> Option<&[u8]> {
        self.known
            .entry((process.pid, process.started))
            .or_insert_with(|| procs::environment_variable(process.pid, COOKIE))
            .as_deref()
    }

    /// Forgets those that are gone.
    pub(super) fn keep(&mut self, processes: &[Process]) {
        if self.known.len() > 2 * processes.len() {
            let living: std::collections::HashSet<(i32, u64)> =
                processes.iter().map(|process| (process.pid, process.started)).collect();
            self.known.retain(|key, _| living.contains(key));
        }
    }
}

/// The processes of containers at one moment.
pub(super) struct Members {
    members: BTreeMap<ContainerId, Vec<Process>>,
}

impl Members {
    /// Finds them among all processes of the machine.
    pub(super) fn find(containers: &[Running], processes: &[Process], cookies: &mut Cookies) -> Self {
        let by_pid: HashMap<i32, &Process> = processes.iter().map(|process| (process.pid, process)).collect();
        let mut leaders: HashMap<i32, usize> = HashMap::new();
        let mut sandboxes: HashMap<&[u8], usize> = HashMap::new();
        for (index, container) in containers.iter().enumerate() {
            sandboxes.insert(container.sandbox.as_bytes(), index);
            // Once its first process was waited for, somebody else may have got its number.
            let taken = by_pid
                .get(&container.leader)
                .is_some_and(|process| container.started != 0 && process.started != container.started);
            if !taken {
                leaders.insert(container.leader, index);
            }
        }
        // Who belongs where, decided for each process by its parents first: `None` while undecided.
        let mut owner: HashMap<i32, Option<usize>> = HashMap::new();
        let mut found: Vec<Vec<Process>> = vec![Vec::new(); containers.len()];
        for process in processes {
            let mut line = Vec::new();
            let mut current = Some(process);
            let mut decided = None;
            // Up the line of parents until one is decided; it is as long as the process tree is deep.
            while let Some(next) = current {
                if let Some(known) = owner.get(&next.pid) {
                    decided = *known;
                    break;
                }
                line.push(next.pid);
                let own = leaders.get(&next.pid).or_else(|| leaders.get(&next.session));
                if let Some(index) = own.or_else(|| leaders.get(&next.group)) {
                    decided = Some(*index);
                    break;
                }
                current = by_pid.get(&next.parent).copied().filter(|_| line.len() <= processes.len());
            }
            if decided.is_none() {
                // Nobody above belongs to a container. Those of the line were not asked themselves yet.
                for pid in line.iter().rev() {
                    let cookie = by_pid.get(pid).and_then(|process| cookies.of(process));
                    decided = decided.or_else(|| cookie.and_then(|cookie| sandboxes.get(cookie)).copied());
                    owner.insert(*pid, decided);
                }
            } else {
                owner.extend(line.into_iter().map(|pid| (pid, decided)));
            }
            if let Some(index) = decided {
                found[index].push(*process);
            }
        }
        let members = containers.iter().map(|container| container.container_id.clone()).zip(found).collect();
        Self { members }
    }

    pub(super) fn of(&self, container_id: &ContainerId) -> &[Process] {
        self.members.get(container_id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn by_container(&self) -> impl Iterator<Item = (&ContainerId, &[Process])> {
        self.members.iter().map(|(container_id, processes)| (container_id, processes.as_slice()))
    }
}

/// Kills every process whose `MESOS_SANDBOX` lies below `directory`, with all their descendants, until none is left or
/// some turn out not to be killable. Returns the sandboxes.
pub(super) fn kill_below(directory: &Path) -> Vec<String> {
    /// A process that was killed and is still there after so many rounds hangs in the kernel.
    const ROUNDS: u32 = 200;
    let mut below = directory.as_os_str().as_bytes().to_vec();
    below.push(b'/');
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let mut sandboxes = std::collections::BTreeSet::new();
    let mut cookies = Cookies::default();
    for _ in 0..ROUNDS {
        let mut left = false;
        for process in procs::scan().iter().filter(|process| !process.zombie && process.pid != own) {
            let Some(cookie) = cookies.of(process).filter(|cookie| cookie.starts_with(&below)) else {
                continue;
            };
            sandboxes.insert(String::from_utf8_lossy(cookie).into_owned());
            left |= procs::signal(process, Signal::KILL);
        }
        if !left {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    sandboxes.into_iter().collect()
}

//! What a container's end means: how its task ended, and whether it went beyond something.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use base::ContainerId;

use super::Shared;
use super::kernel_log::Victim;
use super::queue::Job;
use super::table::Phase;
use crate::cgroups::{Controller, Group, Version};
use crate::launcher::{ContainerEvent, LaunchError};
use crate::limitation::{Bytes, Limitation, LimitationKind};
use crate::procs;

/// As `wait(2)` reports a process that was killed.
const KILLED: i32 = 9;
/// How long the kernel may take to kill after it told that memory ran out, and to write down whom.
const KERNEL_TIME: Duration = Duration::from_millis(200);
/// How often it is looked.
const POLL: Duration = Duration::from_millis(2);

impl Shared {
    /// The init of a container has ended; `status` is its own.
    pub(super) fn finish(&self, container_id: &ContainerId, status: Option<i32>) {
        let (group, failure) = {
            let mut containers = self.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else { return };
            (container.group.clone(), container.failure.take())
        };
        if let Some(failure) = failure {
            return self.refuse(container_id, LaunchError::Prepare(failure));
        }
        let status = self.records.status(container_id).or(status).unwrap_or(KILLED);
        if let Some(limitation) = group.as_ref().and_then(|group| self.beyond(group, status)) {
            self.limit(container_id, limitation);
        }
        let mut containers = self.table.lock();
        let Some(container) = containers.by_id.get_mut(container_id) else { return };
        container.phase = Phase::Ended;
        // Under the lock, so that nobody tells that it is gone before.
        self.tell(ContainerEvent::Exited { container_id: container_id.clone(), status });
        if container.doomed {
            self.queue.push(Job::Remove(container_id.clone(), 0));
        }
    }

    /// There will be no task: that is told when what was made for it is gone.
    pub(super) fn refuse(&self, container_id: &ContainerId, error: LaunchError) {
        let mut containers = self.table.lock();
        let Some(container) = containers.by_id.get_mut(container_id) else { return };
        container.phase = Phase::Ended;
        container.doomed = true;
        container.refused = Some(error);
        self.queue.push(Job::Remove(container_id.clone(), 0));
    }

    /// Memory ran out in a container, or its group is being removed: the kernel tells both alike.
    pub(super) fn out_of_memory(&self, container_id: &ContainerId) {
        let group = {
            let mut containers = self.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else { return };
            // What happens from here on is looked at again.
            container.memory_pending = false;
            if container.limited || container.doomed || container.process().is_none() {
                return;
            }
            container.group.clone()
        };
        let Some(limitation) = group.as_ref().and_then(|group| self.running_beyond_memory(group)) else {
            return;
        };
        // If it has ended meanwhile, that is told together with this; what is killed here is then nobody.
        let runs = self.table.lock().by_id.get(container_id).is_some_and(|now| now.process().is_some());
        if runs {
            self.limit(container_id, limitation);
            self.kill(container_id);
        }
    }

    /// Tells that a container went beyond something, unless it was told before. Returns whether it was told now.
    pub(super) fn limit(&self, container_id: &ContainerId, limitation: Limitation) -> bool {
        {
            let mut containers = self.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else { return false };
            if std::mem::replace(&mut container.limited, true) {
                return false;
            }
            // Under the lock, so that nobody tells of its end first.
            self.tell(ContainerEvent::Limited { container_id: container_id.clone(), limitation });
        }
        true
    }

    /// What a container that has ended went beyond.
    fn beyond(&self, group: &Group, status: i32) -> Option<Limitation> {
        if group.has(Controller::Memory)
            && let Some(limitation) = self.beyond_memory(group)
        {
            return Some(limitation);
        }
        // Who was refused a process and did well nevertheless has nothing to explain.
        if status == 0 || !group.has(Controller::Pids) {
            return None;
        }
        let refused = group.entry(Controller::Pids, "pids.events", "max").filter(|count| *count > 0)?;
        let limit = group.number(Controller::Pids, "pids.max")?.saturating_sub(1);
        let message = format!(
            "Process limit exceeded: at its limit of {limit} processes and threads it was refused another {refused} times"
        );
        Some(Limitation { kind: LimitationKind::Pids, message })
    }

    /// In version 1 the notice comes before the kernel has killed; and also if nobody was killed here, but in a group
    /// beside this one.
    fn running_beyond_memory(&self, group: &Group) -> Option<Limitation> {
        // In version 2 whatever happens at the limit is told: mostly that memory was found after all.
        if group.version() == Version::V2
            && group.entry(Controller::Memory, "memory.events", "oom_kill").unwrap_or(0) == 0
        {
            return None;
        }
        let biggest = biggest(group);
        let end = Instant::now() + KERNEL_TIME;
        while group.version() == Version::V1 && group.out_of_memory().kills == 0 {
            if Instant::now() > end || !group.exists() {
                return None;
            }
            std::thread::sleep(POLL);
        }
        self.beyond_memory_with(group, biggest)
    }

    fn beyond_memory(&self, group: &Group) -> Option<Limitation> {
        self.beyond_memory_with(group, None)
    }

    fn beyond_memory_with(&self, group: &Group, biggest: Option<Victim>) -> Option<Limitation> {
        let found = group.out_of_memory();
        if found.kills == 0 {
            return None;
        }
        let peak = found.peak.or(found.limit).unwrap_or(0);
        let limit = found.limit.map_or_else(String::new, |limit| format!("Requested: {} ", Bytes(limit)));
        let mut message = format!("Memory limit exceeded: {limit}Maximum Used: {}", Bytes(peak));
        if let Some(victim) = self.victim(group).or(biggest) {
            let Victim { pid, name, resident } = victim;
            message.push_str(&format!("; biggest process: {pid} ({name}) with {}", Bytes(resident)));
        }
        if let Some(statistics) = group.read(Controller::Memory, "memory.stat") {
            message.push_str("\n\nMEMORY STATISTICS: \n");
            message.push_str(&statistics);
        }
        Some(Limitation { kind: LimitationKind::Memory { peak }, message })
    }

    /// Whom the kernel killed in a group, as its log says.
    fn victim(&self, group: &Group) -> Option<Victim> {
        let name = self.cgroups.name_of(group, Controller::Memory)?;
        let end = Instant::now() + KERNEL_TIME;
        loop {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            match log.victim(&name) {
                // It limits how much it writes: not every victim is there.
                None if log.readable() && Instant::now() < end => {}
                found => return found,
            }
            drop(log);
            std::thread::sleep(POLL);
        }
    }
}

/// The process of a group that holds the most memory.
fn biggest(group: &Group) -> Option<Victim> {
    let page = rustix::param::page_size() as u64;
    let processes = group.processes().into_iter().filter_map(procs::read);
    let found = processes.max_by_key(|process| process.rss_pages)?;
    let name = std::fs::read_to_string(format!("/proc/{}/comm", found.pid)).unwrap_or_default();
    Some(Victim { pid: found.pid, name: name.trim_end().to_owned(), resident: found.rss_pages * page })
}

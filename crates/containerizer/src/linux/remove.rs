//! Ending a container, and removing all that was made for it.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::ContainerId;
use rustix::process::{Pid, Signal, kill_process, pidfd_send_signal};

use super::Shared;
use super::queue::Job;
use super::shared;
use super::spawn;
use super::table::{Phase, Process};
use crate::cgroups::Group;
use crate::launcher::ContainerEvent;

/// Pauses between attempts: most groups are empty at once, and who hangs in the kernel needs no haste.
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// How often it is looked whether who was killed has ended that is in no group any more.
const PATIENT_TRIES: u32 = 12;

/// After how many tries it is told again that a container is not gone.
const REMINDER: u32 = 64;

/// How long an init may take to say how its task ended.
const INIT_PATIENCE: Duration = Duration::from_secs(1);

impl Shared {
    /// Somebody wants a container ended. Returns at once.
    pub(super) fn destroy(&self, container_id: &ContainerId) {
        let job = {
            let mut containers = self.table.lock();
            let Some(container) = containers.by_id.get_mut(container_id) else {
                drop(containers);
                return self.tell(ContainerEvent::Destroyed { container_id: container_id.clone() });
            };
            if std::mem::replace(&mut container.doomed, true) {
                return;
            }
            match container.phase {
                // Its end, which is on its way, goes on with this; and so does its start.
                Phase::Queued(_) | Phase::Starting { process: None, .. } | Phase::Ending => return,
                // It may prepare for ever: whatever it waits for may not answer.
                Phase::Starting { process: Some(_), .. } => Job::KillInit(container_id.clone()),
                Phase::Running(_) => Job::Kill(container_id.clone()),
                Phase::Ended | Phase::Group => Job::Remove(container_id.clone(), 0),
            }
        };
        self.queue.push(job);
    }

    /// Kills all processes of a container but its init, which says how the task ended and then ends with whoever is left.
    pub(super) fn kill(&self, container_id: &ContainerId) {
        let Some((process, group)) = self.living(container_id) else { return };
        let killed = group.is_some_and(|group| {
            group.kill_others(process.first.pid).unwrap_or_else(|error| {
                tracing::warn!(%container_id, %error, "the processes of a container cannot be frozen to be killed");
                false
            })
        });
        if killed {
            self.queue.push_later(Job::KillInit(container_id.clone()), INIT_PATIENCE);
        } else {
            self.kill_init(container_id);
        }
    }

    /// Kills a container with its init. The kernel ends a pid namespace with its first process, whatever was forked in it.
    pub(super) fn kill_init(&self, container_id: &ContainerId) {
        let Some((process, group)) = self.living(container_id) else { return };
        if !process.first.owns_pids
            && let Some(group) = &group
            && let Err(error) = group.kill()
        {
            tracing::warn!(%container_id, %error, "the processes of a container cannot be frozen to be killed");
        }
        // One that has ended is gone.
        let _ = pidfd_send_signal(&process.handle, Signal::KILL);
    }

    fn living(&self, container_id: &ContainerId) -> Option<(Process, Option<Group>)> {
        let containers = self.table.lock();
        let container = containers.by_id.get(container_id)?;
        Some((container.process()?.clone(), container.group.clone()))
    }

    /// Removes what is left of a container whose init is gone.
    pub(super) fn remove(&self, container_id: &ContainerId, tries: u32) {
        let (group, holds_others, first) = {
            let containers = self.table.lock();
            let Some(container) = containers.by_id.get(container_id) else { return };
            (container.group.clone(), matches!(container.phase, Phase::Group), container.pids.clone())
        };
        let ended = group.map_or(Ok(()), |group| end_group(&group, tries)).and_then(|()| {
            // It ends last in its namespace: when the parents of all others there have heard of their ends.
            let waits = first.is_some_and(|first| tries < PATIENT_TRIES && !spawn::has_ended(&first));
            if waits { Err("who keeps its pid namespace does not end".to_owned()) } else { Ok(()) }
        });
        if let Err(reason) = ended {
            let wait = FIRST_WAIT.saturating_mul(1 << tries.min(9)).min(LONGEST_WAIT);
            let delay = delay(self.options.destroy_timeout, tries);
            if delay == Some(Delay::First) {
                self.destroy_errors.fetch_add(1, Ordering::Relaxed);
            }
            if delay.is_some() {
                tracing::error!(%container_id, reason, "a container cannot be removed; still trying");
            }
            return self.queue.push_later(Job::Remove(container_id.clone(), tries.saturating_add(1)), wait);
        }
        if holds_others {
            shared::release(&self.records.of(container_id));
        }
        let removed = self.table.remove(container_id);
        if let Some(watch) = removed.as_ref().and_then(|container| container.memory_watch) {
            self.watch.remove_group(watch);
        }
        let refused = removed.and_then(|container| container.refused);
        let container_id = container_id.clone();
        self.tell(match refused {
            Some(error) => {
                self.records.remove(&container_id);
                ContainerEvent::LaunchFailed { container_id, error }
            }
            None => ContainerEvent::Destroyed { container_id },
        });
    }

    /// Signals all processes of a container, but not its init.
    pub(super) fn signal(&self, container_id: &ContainerId, signal: Signal) {
        let (process, group) = {
            let containers = self.table.lock();
            let Some(container) = containers.by_id.get(container_id) else { return };
            let Phase::Running(process) = &container.phase else { return };
            (process.clone(), container.group.clone())
        };
        if signal == Signal::KILL || signal == Signal::STOP || !process.first.owns_pids {
            // These two an init cannot pass on; and where processes are not its own, neither the others.
            let processes = group.map(|group| group.processes()).unwrap_or_default();
            for pid in processes.into_iter().filter(|pid| *pid != process.first.pid) {
                // Between being listed and signalled a number can only come to mean another process of the container or
                // of the machine if all others were used meanwhile.
                if let Some(pid) = Pid::from_raw(pid) {
                    let _ = kill_process(pid, signal);
                }
            }
        } else {
            // One that has ended needs no signal.
            let _ = pidfd_send_signal(&process.handle, signal);
        }
    }
}

/// That a container is not gone in time, which is told now and then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delay {
    First,
    Again,
}

/// Whether there is something to tell after so many tries.
fn delay(timeout: Duration, tries: u32) -> Option<Delay> {
    let is_late = |tries: u32| timeout < LONGEST_WAIT * tries;
    if !is_late(tries) || !tries.is_multiple_of(REMINDER) {
        return None;
    }
    Some(if is_late(tries - REMINDER) { Delay::Again } else { Delay::First })
}

/// Kills who is left in a group and removes it. The error says what stands in the way.
pub(super) fn end_group(group: &Group, tries: u32) -> Result<(), String> {
    // In a pid namespace nobody is left: trying first is cheaper than looking.
    let removed = if tries == 0 { group.remove() } else { Ok(()) };
    if tries == 0 && removed.is_ok() {
        return Ok(());
    }
    let killed: io::Result<bool> = group.kill();
    match killed {
        Ok(true) => group.remove().map_err(|error| crate::chain(&error)),
        Ok(false) => Err("killed processes do not end".to_owned()),
        Err(error) => Err(format!("processes cannot be frozen to be killed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_gone_in_time_is_counted_once_and_told_again() {
        for seconds in [0, 1, 31, 32, 60, 3600] {
            let told: Vec<(u32, Delay)> = (0..20_000)
                .filter_map(|tries| Some((tries, delay(Duration::from_secs(seconds), tries)?)))
                .collect();
            let first: Vec<u32> =
                told.iter().filter(|(_, delay)| *delay == Delay::First).map(|(tries, _)| *tries).collect();
            assert_eq!(first.len(), 1, "{seconds}: {first:?}");
            assert_eq!(first[0], told[0].0);
            assert!(u64::from(first[0]) / 2 > seconds, "not before its time");
            assert!(told.windows(2).all(|pair| pair[1].0 - pair[0].0 == REMINDER));
        }
    }
}

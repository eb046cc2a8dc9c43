//! Finding the containers of an earlier launcher: taking over those that are known, removing the others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::ContainerId;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Shared;
use super::queue::Job;
use super::record::{First, Found};
use super::remove::end_group;
use super::table::{Phase, Process};
use super::watch::Kind;
use crate::cgroups::Controller;
use crate::launcher::{Known, Recovered};
use crate::procs;

const KILLED: i32 = 9;

impl Shared {
    pub(super) fn recover(&self, known: Vec<Known>) -> Recovered {
        let mut recovered = Recovered::default();
        let ids: BTreeSet<ContainerId> = known.iter().map(|known| known.container_id.clone()).collect();
        for known in known {
            self.recover_one(known, &mut recovered);
        }
        for container_id in self.unknown(&ids) {
            tracing::warn!(%container_id, "removing a container that an earlier agent left behind");
            if let Found::Running(first) = self.records.read(&container_id) {
                kill(&first);
            }
            self.remove_leftover(&container_id);
            recovered.removed.push(container_id.as_str().to_owned());
        }
        recovered
    }

    fn recover_one(&self, known: Known, recovered: &mut Recovered) {
        let Known { container_id, sandbox, limits, group: is_group } = known;
        let group = self.cgroups.group(&container_id).existing();
        let phase = match self.records.read(&container_id) {
            _ if is_group && group.exists() && self.records.is_whole(&container_id) => Phase::Group,
            Found::Nothing => {
                self.remove_leftover(&container_id);
                return recovered.unstarted.push(container_id);
            }
            Found::Running(first) => match hold(&first) {
                Some(process) => Phase::Running(process),
                None => Phase::Ended,
            },
            Found::Ended(_) => Phase::Ended,
        };
        let process = match &phase {
            Phase::Running(process) => Some(process.clone()),
            _ => None,
        };
        group.clear_annexes();
        let ended = matches!(phase, Phase::Ended);
        let number = {
            let mut containers = self.table.lock();
            let container = containers.insert(&container_id, phase, sandbox, limits);
            container.group = Some(group.clone());
            if is_group {
                let holder = self.records.holder(&container_id).and_then(|first| hold(&first));
                container.pids = holder.map(|process| process.handle);
            }
            if process.is_some() && group.has(Controller::Memory) {
                container.memory_notice = group.out_of_memory_notice().ok().flatten().map(Arc::new);
                if let Some(notice) = &container.memory_notice {
                    self.watch_or_warn(notice, container.number, Kind::Memory);
                }
            }
            container.number
        };
        if !ended {
            self.gauge(&container_id, &group);
            if self.quotas.is_some() {
                self.queue.push(Job::Bound(container_id.clone(), false));
            }
        }
        if let Some(process) = process {
            let pid = u32::try_from(process.first.pid).unwrap_or(0);
            self.watch_memory(&container_id, &group, number);
            self.watch_or_warn(&process.handle, number, Kind::Process);
            recovered.running.push((container_id, pid));
        } else if ended {
            let status = self.records.status(&container_id).unwrap_or(KILLED);
            recovered.ended.push((container_id, status));
        }
    }

    fn watch_or_warn(&self, descriptor: &std::os::fd::OwnedFd, number: u64, kind: Kind) {
        if let Err(error) = self.watch.add(descriptor, number, kind) {
            tracing::error!(%error, "a recovered container cannot be watched");
        }
    }

    /// What has a record or a group and is not known; nested ones first.
    fn unknown(&self, known: &BTreeSet<ContainerId>) -> Vec<ContainerId> {
        let mut found: BTreeSet<ContainerId> = self.records.all().unwrap_or_default().into_iter().collect();
        // Groups without a record are nobody's only if nobody else keeps any below the same root.
        match self.cgroups.ownerless() {
            Some(ownerless) => found.extend(ownerless.iter().cloned()),
            None => tracing::info!(
                "others keep containers below the same group; only those recorded here are looked at"
            ),
        }
        let mut unknown: Vec<ContainerId> = found.into_iter().filter(|id| !known.contains(id)).collect();
        unknown.sort_by_key(|id| std::cmp::Reverse(id.as_str().matches('.').count()));
        unknown
    }

    fn remove_leftover(&self, container_id: &ContainerId) {
        let group = self.cgroups.group(container_id);
        let end = Instant::now() + self.options.destroy_timeout;
        let mut tries = 0;
        while let Err(reason) = end_group(&group, tries) {
            if Instant::now() > end {
                tracing::error!(%container_id, reason, "what an earlier agent left behind cannot be removed");
                return;
            }
            tries = 1;
            std::thread::sleep(Duration::from_millis(2));
        }
        self.records.remove(container_id);
    }
}

/// Holds a process that a record names, if it is still that one.
fn hold(first: &First) -> Option<Process> {
    let handle = pidfd_open(Pid::from_raw(first.pid)?, PidfdFlags::empty()).ok()?;
    // The handle names one process for good; if it is the one of the record now, it stays the one.
    let same = procs::read(first.pid).is_some_and(|process| process.started == first.started);
    same.then(|| Process { first: *first, handle: Arc::new(handle), own_child: false })
}

fn kill(first: &First) {
    if let Some(process) = hold(first) {
        // It ended meanwhile: as good.
        let _ = pidfd_send_signal(&process.handle, Signal::KILL);
    }
}

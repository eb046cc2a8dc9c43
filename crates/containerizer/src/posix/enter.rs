//! Visits: a process that belongs to the container by its sandbox, as all of it do.
//!
//! A visitor has a session of its own. When its first process ends, its process group is killed; when it takes too long, its
//! session and all that descends from it. A daemon that left both stays until its container ends, which finds it by its
//! sandbox.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::Arc;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};

use super::spawn;
use super::table::Table;
use crate::children::{self, Awaited};
use crate::launcher::LaunchError;
use crate::procs::{self, Process};
use crate::user::User;
use crate::visits::{Rooms, Started, Visit, VisitEnd};
use crate::{chain, output};

/// Who forks while it is looked may be missed: it is looked again, at most so often.
const ROUNDS: u32 = 5;

/// A visitor.
pub(crate) struct Guest {
    container_id: base::ContainerId,
    leader: Pid,
    handle: Arc<OwnedFd>,
    awaited: Option<Awaited>,
}

/// Where visits go: the containers.
pub(super) struct Sessions(pub(super) Arc<Table>);

impl Rooms for Sessions {
    type Guest = Guest;

    fn admit(&self, visit: &Visit) -> Result<Started<Guest>, VisitEnd> {
        let container_id = visit.spec.container_id.clone();
        if !self.0.goes_on(&container_id) {
            return Err(VisitEnd::Gone);
        }
        // Held until the child is known, so that nobody takes it for an orphan and waits for it.
        let _forking = children::forking();
        let leader = start(visit).map_err(|error| VisitEnd::Unable(chain(&error)))?;
        let awaited = Awaited::new(leader.as_raw_pid());
        match pidfd_open(leader, PidfdFlags::empty()) {
            Ok(handle) => {
                let handle = Arc::new(handle);
                let guest =
                    Guest { container_id, leader, handle: Arc::clone(&handle), awaited: Some(awaited) };
                Ok(Started { guest, handle })
            }
            Err(error) => {
                let _ = kill_process_group(leader, Signal::KILL);
                let _ = waitid(WaitId::Pid(leader), WaitIdOptions::EXITED);
                drop(awaited);
                Err(VisitEnd::Unable(error.to_string()))
            }
        }
    }

    fn kill(&self, guest: &mut Guest) {
        for _ in 0..ROUNDS {
            let all = procs::scan();
            let own: Vec<&Process> =
                all.iter().filter(|process| belongs(process, &all, guest.leader.as_raw_pid())).collect();
            // The first one last: as long as it lives, the others are found by it.
            for process in own.iter().filter(|process| process.pid != guest.leader.as_raw_pid()) {
                procs::signal(process, Signal::KILL);
            }
            if own.len() <= 1 {
                break;
            }
        }
        // Not yet waited for, so that the number is its own; the same holds for its group.
        let _ = kill_process_group(guest.leader, Signal::KILL);
    }

    fn judge(&self, guest: &mut Guest) -> VisitEnd {
        let _ = kill_process_group(guest.leader, Signal::KILL);
        let status = waitid(WaitId::PidFd(guest.handle.as_fd()), WaitIdOptions::EXITED).ok().flatten();
        guest.awaited = None;
        if !self.0.goes_on(&guest.container_id) {
            return VisitEnd::Gone;
        }
        let status = status.and_then(|status| {
            status.terminating_signal().or_else(|| status.exit_status().map(|code| (code & 0xff) << 8))
        });
        // Somebody else waited for it only if the launcher is going.
        status.map_or(VisitEnd::Gone, VisitEnd::Ended)
    }

    fn clean(&self, _guest: &mut Guest) -> bool {
        true
    }
}

fn start(visit: &Visit) -> Result<Pid, LaunchError> {
    let spec = &visit.spec;
    let user = User::to_become(spec.user.as_deref())?;
    let owner = user.as_ref().filter(|_| visit.output == spec.sandbox);
    let errors = output::open(&visit.output, "stderr", owner)?;
    let copy = errors.try_clone().map_err(LaunchError::Fork)?;
    let mut process = spawn::process(&spec.command);
    spawn::prepare(&mut process, spec, user.as_ref(), Stdio::from(copy), Stdio::from(errors));
    let child = process.spawn().map_err(LaunchError::Fork)?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    pid.ok_or_else(|| LaunchError::Fork(io::Error::other("no pid")))
}

/// Whether a process is in the session or group that the leader began, or descends from it.
fn belongs(process: &Process, all: &[Process], leader: i32) -> bool {
    let mut current = Some(process);
    // The line of parents is as long as the tree is deep.
    for _ in 0..all.len() {
        let Some(next) = current else { return false };
        if next.pid == leader || next.session == leader || next.group == leader {
            return true;
        }
        current = all.iter().find(|other| other.pid == next.parent);
    }
    false
}

//! Visits: a command in the namespaces and control groups of a container that runs.
//!
//! An init of its own joins them, starts the command, and ends as it does. In the hierarchy by which containers are ended a
//! visit has a group below that of its container, so that all its processes can be killed whatever they forked, and so that
//! they end with the container. What an agent leaves that is killed: the command itself dies with it, and what that had
//! started is removed by the next agent, or with the container.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use base::ContainerId;
use init::{Namespaces, Spec, Step};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::Shared;
use super::spawn::{self, Child, Given};
use super::table::{Phase, Process};
use crate::cgroups::Annex;
use crate::launcher::LaunchError;
use crate::user::User;
use crate::visits::{Rooms, Started, Visit, VisitEnd, is_readable};
use crate::{chain, output};

const KILLED: i32 = 9;

/// All kinds that containers may have of their own. Entering those that it shares with us changes nothing.
const ALL_NAMESPACES: Namespaces = Namespaces { mount: true, ipc: true, pid: true, network: true, uts: true };

/// A visitor.
pub(crate) struct Guest {
    container_id: ContainerId,
    /// The container's first process.
    container: Process,
    handle: Arc<OwnedFd>,
    /// Where its init says why there will be no command.
    ready: OwnedFd,
    annex: Annex,
}

impl Rooms for Shared {
    type Guest = Guest;

    fn admit(&self, visit: &Visit) -> Result<Started<Guest>, VisitEnd> {
        let (container, group) = {
            let containers = self.table.lock();
            let found = containers.by_id.get(&visit.spec.container_id).filter(|found| !found.doomed);
            match found.map(|found| (&found.phase, &found.group)) {
                Some((Phase::Running(process), Some(group))) => (process.clone(), group.clone()),
                _ => return Err(VisitEnd::Gone),
            }
        };
        let annex =
            group.annex(&format!("visit-{}", visit.number)).map_err(|error| refused(&container, &error))?;
        match self.send_in(visit, &container, &annex) {
            Ok((handle, ready)) => {
                let container_id = visit.spec.container_id.clone();
                let guest = Guest { container_id, container, handle: Arc::clone(&handle), ready, annex };
                Ok(Started { guest, handle })
            }
            Err(error) => {
                // Nobody is in it, or is about to end.
                let _ = annex.clear();
                Err(refused(&container, &error))
            }
        }
    }

    fn kill(&self, guest: &mut Guest) {
        if let Err(error) = guest.annex.kill() {
            tracing::warn!(%error, "the processes of a command in a container cannot be frozen to be killed");
        }
        // Had it not joined yet, the group was empty.
        let _ = pidfd_send_signal(&guest.handle, Signal::KILL);
    }

    fn judge(&self, guest: &mut Guest) -> VisitEnd {
        let status = waitid(WaitId::PidFd(guest.handle.as_fd()), WaitIdOptions::EXITED);
        let status = status.ok().flatten().and_then(|status| {
            status.terminating_signal().or_else(|| status.exit_status().map(|code| (code & 0xff) << 8))
        });
        if !self.goes_on(&guest.container_id) || is_ending(&guest.container) {
            return VisitEnd::Gone;
        }
        let said = words(&guest.ready);
        match status {
            _ if !said.is_empty() => VisitEnd::Failed(said),
            Some(status) => VisitEnd::Ended(status),
            None => VisitEnd::Ended(KILLED),
        }
    }

    fn clean(&self, guest: &mut Guest) -> bool {
        guest.annex.clear()
    }
}

impl Shared {
    /// Whether nobody has begun to end a container.
    fn goes_on(&self, container_id: &ContainerId) -> bool {
        let containers = self.table.lock();
        let found = containers.by_id.get(container_id);
        found.is_some_and(|found| !found.doomed && !found.limited && matches!(found.phase, Phase::Running(_)))
    }

    fn send_in(
        &self,
        visit: &Visit,
        container: &Process,
        annex: &Annex,
    ) -> Result<(Arc<OwnedFd>, OwnedFd), LaunchError> {
        let user = User::to_become(visit.spec.user.as_deref())?;
        let mut plan = self.plan(&visit.spec, user.as_ref())?;
        plan.task.dies_with_init = true;
        let mut steps: Vec<Step> = annex.doors().into_iter().map(Step::JoinCgroup).collect();
        steps.push(Step::Enter(ALL_NAMESPACES));
        let spec = Spec { dies_with_parent: true, steps, task: plan.task, ..Spec::default() };
        // The file of another container's sandbox is not this user's.
        let owner = user.as_ref().filter(|_| visit.output == visit.spec.sandbox);
        let errors = output::open(&visit.output, "stderr", owner)?;
        let given = Given {
            image: &self.image,
            new_pids: false,
            pids: None,
            output: errors.as_fd(),
            errors: errors.as_fd(),
            sandbox: None,
            container: Some(container.handle.as_fd()),
            label: visit.spec.container_id.as_str(),
        };
        let Child { handle, ready, spec: mut told, .. } = spawn::start(&given).map_err(LaunchError::Fork)?;
        // If nobody reads it, the init has ended, of which we are told in a moment. That it is whole is told by its end.
        let _ = told.write_all(&spec.encode());
        Ok((handle, ready))
    }
}

/// What a failure to begin says of the container.
fn refused(container: &Process, error: &dyn std::error::Error) -> VisitEnd {
    if is_ending(container) { VisitEnd::Gone } else { VisitEnd::Unable(chain(error)) }
}

pub(super) fn words(ready: &OwnedFd) -> String {
    let mut said = Vec::new();
    if let Ok(copy) = ready.try_clone() {
        // The pipe does not block: what is there is read, the rest is of no interest.
        let _ = std::fs::File::from(copy).read_to_end(&mut said);
    }
    String::from_utf8_lossy(&said).trim_end().to_owned()
}

/// Whether a container's first process has ended, or is on its way: from then on its visitors are killed by the kernel,
/// before anybody is told of its end.
fn is_ending(container: &Process) -> bool {
    /// `PF_EXITING` (include/linux/sched.h).
    const EXITING: u64 = 0x4;
    /// Of `flags` among the fields that follow the name, see proc_pid_stat(5).
    const FLAGS: usize = 6;
    if is_readable(&container.handle) {
        return true;
    }
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", container.first.pid)).unwrap_or_default();
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields);
    let flags = fields.and_then(|fields| fields.split(' ').nth(FLAGS)?.parse::<u64>().ok());
    flags.is_none_or(|flags| flags & EXITING != 0)
}

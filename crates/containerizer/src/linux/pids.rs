//! The pid namespace that the containers of a group share, if they want to.
//!
//! It lasts as long as its first process, and a group has none. So it gets one when the first of its containers asks: an
//! init without a task, in the group's own control groups, which does nothing but reap. It goes on without the agent as the
//! containers do, is found again by its record, and ends with the group.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use base::ContainerId;
use init::{Spec, Step};
use nix::libc;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Shared;
use super::enter::words;
use super::record::First;
use super::spawn::{self, Child, Given};
use crate::launcher::LaunchError;
use crate::procs;
use crate::visits::is_readable;

/// How long it may take to be ready: it has to join a few control groups.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the end of a pid namespace may take that has begun.
const LAST_MOMENTS: Duration = Duration::from_secs(5);
/// How often another one is made for who is to be born into one.
const ATTEMPTS: u32 = 3;

impl Shared {
    /// The first process of the pid namespace of a group. It is started if it is not there.
    pub(super) fn pids_of(
        &self,
        group_id: &ContainerId,
        survives: bool,
    ) -> Result<Arc<OwnedFd>, LaunchError> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = || LaunchError::Prepare("the group that it is in is gone".to_owned());
        let (group, there) = {
            let containers = self.table.lock();
            let container = containers.by_id.get(group_id).ok_or_else(gone)?;
            (container.group.clone().ok_or_else(gone)?, container.pids.clone())
        };
        if let Some(first) = there {
            if !is_readable(&first) {
                return Ok(first);
            }
            // Somebody has killed it, and with it all who were there.
            spawn::end(&first);
        }
        let doors = group.inner_doors()?.into_iter().map(Step::JoinCgroup);
        let spec = Spec {
            dies_with_parent: !survives,
            owns_pids: true,
            steps: doors.collect(),
            holds: true,
            ..Spec::default()
        };
        let first = self.start_holder(group_id, &spec)?;
        if let Some(container) = self.table.lock().by_id.get_mut(group_id) {
            container.pids = Some(Arc::clone(&first));
            return Ok(first);
        }
        spawn::end(&first);
        Err(gone())
    }

    /// Starts an init in the pid namespace of a group.
    pub(super) fn start_in(
        &self,
        group_id: &ContainerId,
        survives: bool,
        given: &Given<'_>,
    ) -> Result<Child, LaunchError> {
        let mut left = ATTEMPTS;
        loop {
            let first = self.pids_of(group_id, survives)?;
            left -= 1;
            match spawn::start(&Given { pids: Some(first.as_fd()), ..*given }) {
                // Next time there is another one.
                Err(error) if left > 0 && is_ending(&error, &first) => {}
                other => return other.map_err(LaunchError::Fork),
            }
        }
    }

    fn start_holder(&self, group_id: &ContainerId, spec: &Spec) -> Result<Arc<OwnedFd>, LaunchError> {
        let null = File::options().write(true).open("/dev/null").map_err(LaunchError::Fork)?;
        let given = Given {
            image: &self.image,
            new_pids: true,
            pids: None,
            output: null.as_fd(),
            errors: null.as_fd(),
            sandbox: None,
            container: None,
            label: group_id.as_str(),
        };
        let Child { pid, handle, ready, spec: mut told } = spawn::start(&given).map_err(LaunchError::Fork)?;
        let started = procs::read(pid).map_or(0, |process| process.started);
        let prepared = self.records.write_holder(group_id, &First { pid, started, owns_pids: true });
        let prepared = prepared.and_then(|()| {
            // If nobody reads it, the init has ended, and says why or is silent and is found to have ended.
            let _ = told.write_all(&spec.encode());
            drop(told);
            wait_until_ready(&ready)
        });
        match prepared {
            Ok(()) => Ok(handle),
            Err(error) => {
                spawn::end(&handle);
                Err(error)
            }
        }
    }
}

/// Whether nobody can be born into a pid namespace any more because its first process was killed; waits for its end, which is
/// that of all who are there.
fn is_ending(error: &io::Error, first: &OwnedFd) -> bool {
    let refused = matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENOMEM | libc::EINVAL));
    let patience = Timespec { tv_sec: LAST_MOMENTS.as_secs().cast_signed(), tv_nsec: 0 };
    refused && poll(&mut [PollFd::new(first, PollFlags::IN)], Some(&patience)).is_ok_and(|ended| ended > 0)
}

/// An init that is ready closes its end of this without a word.
fn wait_until_ready(ready: &OwnedFd) -> Result<(), LaunchError> {
    let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    let failed =
        |reason: &str| LaunchError::Prepare(format!("cannot make a pid namespace for a group: {reason}"));
    match poll(&mut [PollFd::new(ready, PollFlags::IN)], Some(&patience)) {
        Ok(0) => return Err(failed("its first process is not ready in time")),
        Ok(_) => {}
        Err(error) => return Err(failed(&error.to_string())),
    }
    match words(ready) {
        said if said.is_empty() => Ok(()),
        said => Err(failed(&said)),
    }
}

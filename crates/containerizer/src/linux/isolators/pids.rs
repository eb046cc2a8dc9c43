//! `cgroups/pids`: how many processes and threads there may be.

use crate::cgroups::{Controller, Group};
use crate::launcher::LaunchError;
use crate::linux::options::LinuxOptions;

pub(super) fn limit(options: &LinuxOptions, group: &Group) -> Result<(), LaunchError> {
    let Some(limit) = options.pids_limit else { return Ok(()) };
    // The init is not the task's.
    group.write(Controller::Pids, "pids.max", &(limit + 1).to_string())?;
    Ok(())
}

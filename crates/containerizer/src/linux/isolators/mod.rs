//! Isolators: each adds to the [`Plan`] of a container what it has to add, and knows nothing of the others.

mod capabilities;
mod cpu;
mod device_program;
mod devices;
mod filesystem;
mod limits;
mod memory;
mod namespaces;
mod pids;
mod seccomp;
mod seccomp_program;
mod volumes;

use std::path::Path;

use init::{Namespaces, Spec, Step};

use super::options::{Isolator, LinuxOptions};
use super::shared::Around;
use crate::cgroups::Group;
use crate::isolation::Limits;
use crate::launcher::{LaunchError, LaunchSpec};

pub(super) use capabilities::check as check_capabilities;
pub(super) use devices::check as check_devices;
pub(super) use namespaces::{check_group, shm_options};
pub(super) use seccomp::Profiles;

/// A container that is about to be started, as the isolators see it.
pub(super) struct Subject<'a> {
    pub(super) options: &'a LinuxOptions,
    pub(super) profiles: &'a Profiles,
    pub(super) spec: &'a LaunchSpec,
    /// The container that it is nested in.
    pub(super) around: Option<&'a Around>,
}

impl Subject<'_> {
    fn has(&self, isolator: Isolator) -> bool {
        self.options.isolation.has(isolator)
    }
}

/// What will be done for a container. The parts are put together in the only order that works, whatever order the
/// isolators came in.
#[derive(Default)]
pub(super) struct Plan {
    /// Whether its init is the first of a new pid namespace.
    pub(super) new_pids: bool,
    /// Whether its init is born into the pid namespace of the group that it is in.
    pub(super) joins_pids: bool,
    /// Namespaces of others that it enters.
    enters: Vec<Step>,
    namespaces: Namespaces,
    mounts: Vec<Step>,
    binds: Vec<Step>,
    pub(super) task: init::Task,
}

impl Plan {
    /// What its init is told. `doors` are the files through which it joins its control groups.
    pub(super) fn into_spec(
        self,
        doors: Vec<std::path::PathBuf>,
        record: &Path,
        launch: &LaunchSpec,
    ) -> Spec {
        let mut steps: Vec<Step> = doors.into_iter().map(Step::JoinCgroup).collect();
        steps.extend(self.enters);
        if self.namespaces != Namespaces::default() {
            steps.push(Step::Unshare(self.namespaces));
        }
        if self.namespaces.mount {
            steps.push(Step::DetachMounts);
        }
        // Volumes first: they are opened by way of the machine's `/proc`.
        steps.extend(self.binds);
        steps.extend(self.mounts);
        Spec {
            record: Some(record.to_owned()),
            dies_with_parent: !launch.survives,
            owns_pids: self.new_pids,
            steps,
            holds: false,
            outputs: launch.outputs,
            task: self.task,
        }
    }
}

/// What holds for a container, by all isolators.
pub(super) fn prepare(subject: &Subject<'_>, plan: &mut Plan) -> Result<(), LaunchError> {
    limits::prepare(subject, plan);
    filesystem::prepare(subject, plan);
    volumes::prepare(subject, plan)?;
    namespaces::prepare(subject, plan)?;
    memory::prepare(subject, plan);
    capabilities::prepare(subject, plan)?;
    seccomp::prepare(subject, plan)?;
    Ok(())
}

/// Sets the limits of a container's control groups, for the first time or anew. Of a nested one that shares the limits
/// of the one around it only the weight is set.
pub(super) fn limit(
    options: &LinuxOptions,
    group: &Group,
    limits: &Limits,
    shares_limits: bool,
    first: bool,
) -> Result<(), LaunchError> {
    let has = |isolator| options.isolation.has(isolator) && group.has(controller(isolator));
    if has(Isolator::CgroupsCpu) {
        cpu::limit(options, group, limits, shares_limits)?;
    }
    if has(Isolator::CgroupsMem) && !shares_limits {
        memory::limit(options, group, limits, first)?;
    }
    if has(Isolator::CgroupsPids) && !shares_limits {
        pids::limit(options, group)?;
    }
    if has(Isolator::CgroupsDevices) && first {
        devices::limit(options, group)?;
    }
    Ok(())
}

fn controller(isolator: Isolator) -> crate::cgroups::Controller {
    use crate::cgroups::Controller;
    match isolator {
        Isolator::CgroupsCpu => Controller::Cpu,
        Isolator::CgroupsMem => Controller::Memory,
        Isolator::CgroupsPids => Controller::Pids,
        Isolator::CgroupsDevices => Controller::Devices,
        _ => Controller::Freezer,
    }
}

//! Steps before the task: cgroups and namespaces.

use std::path::Path;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::UnshareFlags;

use crate::enter;
use crate::mounts;
use crate::run::{Failure, Trying};
use crate::spec::{Namespaces, Step};

/// Takes one step.
pub(crate) fn take(step: &Step) -> Result<(), Failure> {
    match step {
        Step::JoinCgroup(procs) => join(procs),
        Step::Enter(namespaces) => enter::enter(*namespaces),
        Step::Unshare(namespaces) => unshare(*namespaces),
        Step::DetachMounts => {
            let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
            mount_change("/", slave).trying(|| "cannot detach mounts from the host's")
        }
        Step::Mount(mount) => mounts::mount(mount),
        Step::Bind(bind) => mounts::bind(bind),
    }
}

fn join(procs: &Path) -> Result<(), Failure> {
    // To the kernel 0 is whoever writes, whatever its number is in its own namespace.
    std::fs::write(procs, "0").trying(|| format!("cannot join the cgroup {procs:?}"))
}

#[expect(unsafe_code, reason = "leaving shared descriptors behind is unsafe in general")]
fn unshare(namespaces: Namespaces) -> Result<(), Failure> {
    let mut flags = UnshareFlags::empty();
    flags.set(UnshareFlags::NEWNS, namespaces.mount);
    flags.set(UnshareFlags::NEWIPC, namespaces.ipc);
    flags.set(UnshareFlags::NEWNET, namespaces.network);
    flags.set(UnshareFlags::NEWUTS, namespaces.uts);
    // SAFETY: the table of descriptors is not among the flags, so that all of them stay valid.
    unsafe { rustix::thread::unshare_unsafe(flags) }.trying(|| "cannot make namespaces")
}

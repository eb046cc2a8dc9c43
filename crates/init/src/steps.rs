//! Steps before the task: cgroups and namespaces.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{UnshareFlags, move_into_link_name_space};

use crate::enter;
use crate::mounts;
use crate::proc::Proc;
use crate::run::{Failure, Trying};
use crate::spec::{Namespaces, Step};

/// Takes one step.
pub(crate) fn take(step: &Step, proc: &Proc) -> Result<(), Failure> {
    match step {
        Step::JoinCgroup(procs) => join(procs),
        Step::Enter(namespaces) => enter::enter(*namespaces),
        Step::EnterFile(path) => enter_file(path),
        Step::Unshare(namespaces) => unshare(*namespaces),
        Step::DetachMounts => {
            let slave = MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC;
            mount_change("/", slave).trying(|| "cannot detach mounts from the host's")
        }
        Step::Mount(mount) => mounts::mount(mount),
        Step::Bind(bind) => mounts::bind(bind, proc),
    }
}

fn join(procs: &Path) -> Result<(), Failure> {
    // To the kernel 0 is whoever writes, whatever its number is in its own namespace.
    std::fs::write(procs, "0").trying(|| format!("cannot join the cgroup {procs:?}"))
}

fn enter_file(path: &Path) -> Result<(), Failure> {
    let attempt = || format!("cannot enter the namespace of {path:?}");
    let namespace = std::fs::File::open(path).trying(attempt)?;
    move_into_link_name_space(namespace.as_fd(), None).trying(attempt)
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

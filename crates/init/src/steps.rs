//! Steps before the task: cgroups and namespaces.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{ThreadNameSpaceType, UnshareFlags, move_into_thread_name_spaces};

use crate::mounts;
use crate::run::{Failure, Trying};
use crate::spec::{Namespaces, Step};

/// Takes one step.
pub(crate) fn take(step: &Step) -> Result<(), Failure> {
    match step {
        Step::JoinCgroup(procs) => join(procs),
        Step::Enter { pid, namespaces } => enter(*pid, *namespaces),
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

fn enter(pid: u32, namespaces: Namespaces) -> Result<(), Failure> {
    let attempt = || format!("cannot enter the namespaces of process {pid}");
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or("there is no such process").trying(attempt)?;
    let process = pidfd_open(pid, PidfdFlags::empty()).trying(attempt)?;
    move_into_thread_name_spaces(process.as_fd(), kinds(namespaces)).trying(attempt)
}

fn kinds(namespaces: Namespaces) -> ThreadNameSpaceType {
    let mut kinds = ThreadNameSpaceType::empty();
    kinds.set(ThreadNameSpaceType::MOUNT, namespaces.mount);
    kinds.set(ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION, namespaces.ipc);
    kinds.set(ThreadNameSpaceType::PROCESS_ID, namespaces.pid);
    kinds.set(ThreadNameSpaceType::NETWORK, namespaces.network);
    kinds.set(ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME, namespaces.uts);
    kinds
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

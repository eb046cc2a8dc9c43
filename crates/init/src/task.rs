//! Starting the task: fork, limits, user, rights, filters, execute.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::{ForkResult, Pid, fork};
use rustix::process::{Gid, Uid};
use rustix::thread::{CapabilitiesSecureBits, CapabilitySet, CapabilitySets};

use crate::mounts;
use crate::proc::Proc;
use crate::run::{Failure, Trying};
use crate::spec::{Capabilities, Rlimit, Task, User};
use crate::wait;

/// What a shell says of a command that cannot be executed; to the outside the command has failed.
const CANNOT_EXECUTE: i32 = 1;

/// Forks the task. Signals are held back in this process from here on.
#[expect(unsafe_code, reason = "fork duplicates everything")]
pub(crate) fn start(task: &Task, proc: &Proc, ready: &mut File) -> Result<Pid, Failure> {
    wait::hold_signals()?;
    // SAFETY: this process has one thread, so that the child finds every lock free.
    match unsafe { fork() }.trying(|| "cannot fork")? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let failure = become_task(task, proc);
            // Whoever waits for us is told by these words, not by the status.
            let _ = writeln!(ready, "{failure}");
            std::process::exit(CANNOT_EXECUTE);
        }
    }
}

/// Does not return if the task runs, nor if it is the command that cannot be executed.
fn become_task(task: &Task, proc: &Proc) -> Failure {
    match prepare(task, proc) {
        Err(failure) => failure,
        Ok(()) => {
            let error = execute(task);
            // The container was there, and its user reads there what was wrong with the command.
            eprintln!("Failed to execute '{}': {error}", task.program.display());
            std::process::exit(CANNOT_EXECUTE);
        }
    }
}

fn prepare(task: &Task, proc: &Proc) -> Result<(), Failure> {
    rustix::process::setsid().trying(|| "cannot begin a session")?;
    for limit in &task.rlimits {
        set_limit(*limit)?;
    }
    if let Some(score) = task.oom_score_adj {
        proc.write_own("oom_score_adj", &score.to_string())
            .trying(|| format!("cannot set oom_score_adj to {score}"))?;
    }
    mounts::without_links(&task.directory)
        .and_then(rustix::process::fchdir)
        .trying(|| format!("cannot go to {:?}", task.directory))?;
    if !task.no_new_privileges {
        // Needs a right that may be gone below. What the filters forbid is forbidden to the rest of this, too.
        install_filters(&task.filters)?;
    }
    if let Some(capabilities) = &task.capabilities {
        limit_rights(capabilities).trying(|| "cannot limit capabilities")?;
    }
    if let Some(user) = &task.user {
        become_user(user).trying(|| format!("cannot become user {}", user.uid))?;
    }
    if let Some(capabilities) = &task.capabilities {
        take_rights(capabilities).trying(|| "cannot set capabilities")?;
    }
    if task.dies_with_init {
        // After the change of user, which resets it. Had the init died before, its container would end us.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
            .trying(|| "cannot be bound to the agent's life")?;
    }
    if task.no_new_privileges {
        rustix::thread::set_no_new_privs(true).trying(|| "cannot rule out new privileges")?;
        install_filters(&task.filters)?;
    }
    wait::release_signals().trying(|| "cannot let signals in")
}

fn execute(task: &Task) -> io::Error {
    let mut command = Command::new(&task.program);
    if let Some((name, arguments)) = task.arguments.split_first() {
        command.arg0(name).args(arguments);
    }
    command.env_clear().envs(task.environment.iter().map(|(name, value)| (name, value)));
    command.exec()
}

#[expect(unsafe_code, reason = "the limit is known by the kernel's number")]
fn set_limit(limit: Rlimit) -> Result<(), Failure> {
    let value = |limit: Option<u64>| limit.unwrap_or(nix::libc::RLIM_INFINITY);
    let limits = nix::libc::rlimit { rlim_cur: value(limit.soft), rlim_max: value(limit.hard) };
    // SAFETY: the pointer is to a whole struct that outlives the call; an unknown number is an error to the kernel.
    let result = unsafe { nix::libc::setrlimit(limit.resource, &raw const limits) };
    nix::errno::Errno::result(result).map(drop).trying(|| {
        format!("cannot set resource limit {} to {:?}, {:?}", limit.resource, limit.soft, limit.hard)
    })
}

/// What needs the rights of root: the bound of what can be got, and keeping rights over the change of user.
fn limit_rights(capabilities: &Capabilities) -> rustix::io::Result<()> {
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        // The kernel does not know those above the newest one.
        let Ok(there) = rustix::thread::capability_is_in_bounding_set(capability) else { break };
        if there && capabilities.bounding & (1 << number) == 0 {
            rustix::thread::remove_capability_from_bounding_set(capability)?;
        }
    }
    rustix::thread::set_keep_capabilities(true)
}

fn become_user(user: &User) -> rustix::io::Result<()> {
    let groups: Vec<Gid> = user.groups.iter().map(|group| Gid::from_raw(*group)).collect();
    // Groups first: afterwards we may not any more.
    rustix::thread::set_thread_groups(&groups)?;
    let gid = Gid::from_raw(user.gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid)?;
    let uid = Uid::from_raw(user.uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid)
}

fn take_rights(capabilities: &Capabilities) -> rustix::io::Result<()> {
    let own = rustix::thread::capabilities(None)?;
    let bounding = CapabilitySet::from_bits_retain(capabilities.bounding);
    // Without a wish a user has none, and root what the bound leaves.
    let wish = capabilities.effective.map(CapabilitySet::from_bits_retain);
    let root = rustix::process::geteuid().is_root();
    let effective = wish.unwrap_or(if root { bounding } else { CapabilitySet::empty() }) & own.permitted;
    if root && wish.is_some() {
        // Root would get the whole bound back when it executes; with this it has what it was given, like a user.
        rustix::thread::set_capabilities_secure_bits(CapabilitiesSecureBits::NO_ROOT)?;
    }
    // Raised for a moment: what is to be inherited must be permitted or be in the bound.
    let inheritable = bounding & own.permitted;
    rustix::thread::set_capabilities(None, CapabilitySets { effective, permitted: effective, inheritable })?;
    rustix::thread::clear_ambient_capability_set()?;
    if wish.is_some() {
        for capability in effective.iter() {
            rustix::thread::configure_capability_in_ambient_set(capability, true)?;
        }
    }
    Ok(())
}

fn install_filters(filters: &[Vec<u8>]) -> Result<(), Failure> {
    filters.iter().try_for_each(|filter| install_filter(filter).trying(|| "cannot filter system calls"))
}

#[expect(unsafe_code, reason = "seccomp(2) has no wrapper in the libraries used here")]
fn install_filter(filter: &[u8]) -> nix::Result<()> {
    use nix::libc;
    let (instructions, rest) = filter.as_chunks::<{ size_of::<libc::sock_filter>() }>();
    if !rest.is_empty() {
        return Err(nix::errno::Errno::EINVAL);
    }
    let mut instructions: Vec<libc::sock_filter> = instructions
        .iter()
        .map(|[c0, c1, jt, jf, k0, k1, k2, k3]| libc::sock_filter {
            code: u16::from_ne_bytes([*c0, *c1]),
            jt: *jt,
            jf: *jf,
            k: u32::from_ne_bytes([*k0, *k1, *k2, *k3]),
        })
        .collect();
    let len = u16::try_from(instructions.len()).map_err(|_| nix::errno::Errno::E2BIG)?;
    let program = libc::sock_fprog { len, filter: instructions.as_mut_ptr() };
    // SAFETY: the program and its instructions outlive the call, which only reads them.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0 as libc::c_ulong,
            &raw const program,
        )
    };
    nix::errno::Errno::result(result).map(drop)
}

//! Starting an init: as cheaply as a process can be started.
//!
//! The agent is large and has many threads, so it is not copied: the child borrows its memory, and our thread stands
//! still, until the child executes the init (`CLONE_VM | CLONE_VFORK`, what `posix_spawn` does). All else is the init's
//! affair. It reads its spec from a pipe, and we write it only after its pid was recorded: whoever finds no record
//! knows that nothing has run.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use nix::libc;
use nix::sched::{CloneFlags, clone};
use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open, pidfd_send_signal,
    waitid, waitpid,
};
use rustix::thread::{
    LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces,
};

use super::image::Image;

/// The child's stack; it calls a handful of functions.
const STACK: usize = 64 << 10;

/// An init that waits for its spec.
pub(super) struct Child {
    pub(super) pid: i32,
    /// Readable when it has ended.
    pub(super) handle: Arc<OwnedFd>,
    /// What it says: see [`init::FD_READY`].
    pub(super) ready: OwnedFd,
    /// Where its spec is written.
    pub(super) spec: File,
}

/// What a child is given.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    pub(super) image: &'a Image,
    pub(super) new_pids: bool,
    /// The first process of a pid namespace that it is to be born into.
    pub(super) pids: Option<BorrowedFd<'a>>,
    pub(super) output: BorrowedFd<'a>,
    pub(super) errors: BorrowedFd<'a>,
    /// Where both lie, if they are to be rotated.
    pub(super) sandbox: Option<BorrowedFd<'a>>,
    /// The first process of a container that it is to enter: see [`init::FD_CONTAINER`].
    pub(super) container: Option<BorrowedFd<'a>>,
    /// What `ps` shows of it beside its name.
    pub(super) label: &'a str,
}

/// Starts one.
pub(super) fn start(given: &Given<'_>) -> io::Result<Child> {
    let (spec_reader, spec_writer) = pipe()?;
    let (ready_reader, ready_writer) = pipe()?;
    // Copies above all the numbers that the child is to have them under, so that none is overwritten by another.
    let output = above(given.output)?;
    let errors = above(given.errors)?;
    let sandbox = given.sandbox.map(above).transpose()?;
    let container = given.container.map(above).transpose()?;
    let mut streams = vec![
        (spec_reader.as_raw_fd(), init::FD_SPEC),
        (output.as_raw_fd(), 1),
        (errors.as_raw_fd(), 2),
        (ready_writer.as_raw_fd(), init::FD_READY),
    ];
    streams.extend(sandbox.as_ref().map(|sandbox| (sandbox.as_raw_fd(), init::FD_SANDBOX)));
    streams.extend(container.as_ref().map(|container| (container.as_raw_fd(), init::FD_CONTAINER)));
    let pid = execute(given, &streams)?;
    // It cannot be waited for by anybody before we do, so that the number is its own.
    let opened = Pid::from_raw(pid)
        .ok_or_else(|| io::Error::other("no pid"))
        .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
    let handle = match opened {
        Ok(handle) => handle,
        Err(error) => {
            end_without_handle(pid);
            return Err(error);
        }
    };
    if let Err(error) = rustix::io::ioctl_fionbio(&ready_reader, true) {
        end(&handle);
        return Err(error.into());
    }
    Ok(Child { pid, handle: Arc::new(handle), ready: ready_reader, spec: File::from(spec_writer) })
}

/// Ends a child for which there is no descriptor: they are used up.
fn end_without_handle(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // Nobody else waits for it, so that the number is still its own.
        let _ = kill_process(pid, Signal::KILL);
        let _ = waitpid(Some(pid), WaitOptions::empty());
    }
}

/// Ends a child that is not wanted after all.
pub(super) fn end(handle: &OwnedFd) {
    // Both fail only if somebody did it before.
    let _ = pidfd_send_signal(handle, Signal::KILL);
    let _ = waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED);
}

/// Whether a child has ended, which is then waited for; or is none of ours.
pub(super) fn has_ended(handle: &OwnedFd) -> bool {
    let waited = waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    !matches!(waited, Ok(None))
}

fn execute(given: &Given<'_>, streams: &[(RawFd, RawFd)]) -> io::Result<i32> {
    let image = given.image.as_fd().as_raw_fd();
    let label = CString::new(given.label).unwrap_or_default();
    let arguments = [c"meseta-init".as_ptr(), label.as_ptr(), std::ptr::null()];
    let environment = [std::ptr::null()];
    let mut failure = 0;
    let body = Box::new(|| {
        failure = become_init(image, streams, arguments.as_ptr(), environment.as_ptr());
        127
    });
    let mut stack = vec![0_u8; STACK];
    let mut flags = CloneFlags::CLONE_VM | CloneFlags::CLONE_VFORK;
    flags.set(CloneFlags::CLONE_NEWPID, given.new_pids);
    // No handler of ours may run in the child, which has our memory. It keeps signals back, and so does the init.
    let mut before = SigSet::empty();
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), Some(&mut before))?;
    let elsewhere = given.pids.map(Elsewhere::enter).transpose();
    #[expect(unsafe_code, reason = "a child that borrows our memory")]
    // SAFETY: the child runs on a stack of its own while this thread waits for it to execute or end, so that everything
    // it refers to stays as it is. It makes system calls only: no lock, no allocation.
    let cloned = elsewhere.map(|_entered| unsafe { clone(body, &mut stack, flags, Some(libc::SIGCHLD)) });
    nix::sys::signal::pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    let pid = cloned??;
    if failure != 0 {
        // It could not execute, and has ended.
        let _ = waitpid(Pid::from_raw(pid.as_raw()), WaitOptions::empty());
        return Err(io::Error::from_raw_os_error(failure));
    }
    Ok(pid.as_raw())
}

/// While this is there, what the thread forks is born into another pid namespace.
struct Elsewhere {
    own: File,
}

impl Elsewhere {
    fn enter(first: BorrowedFd<'_>) -> io::Result<Self> {
        let own = File::open("/proc/thread-self/ns/pid")?;
        move_into_thread_name_spaces(first, ThreadNameSpaceType::PROCESS_ID)?;
        Ok(Self { own })
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        // What can be missing is memory, for a moment. To go on without would start strangers in a group's namespace.
        while let Err(error) = move_into_link_name_space(self.own.as_fd(), Some(LinkNameSpaceType::ProcessID))
        {
            tracing::error!(%error, "cannot leave a pid namespace; trying again");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

/// Runs in the child. Returns the error's number if it could not execute.
#[expect(unsafe_code, reason = "descriptors by number, and memory that is shared with our parent")]
fn become_init(
    image: RawFd,
    streams: &[(RawFd, RawFd)],
    arguments: *const *const libc::c_char,
    environment: *const *const libc::c_char,
) -> i32 {
    for (from, to) in streams {
        // SAFETY: touches no memory. The low numbers are the child's own: its table of descriptors is a copy.
        if unsafe { libc::dup2(*from, *to) } < 0 {
            return nix::errno::Errno::last_raw();
        }
    }
    // SAFETY: the path and both vectors are terminated and outlive the call.
    unsafe {
        libc::syscall(libc::SYS_execveat, image, c"".as_ptr(), arguments, environment, libc::AT_EMPTY_PATH)
    };
    nix::errno::Errno::last_raw()
}

fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok((lift(reader)?, lift(writer)?))
}

/// Of a process that was started without standard streams the first descriptors it opens have the numbers of those that a
/// child gets, and would be lost in it.
fn lift(descriptor: OwnedFd) -> io::Result<OwnedFd> {
    if descriptor.as_raw_fd() > init::FD_CONTAINER { Ok(descriptor) } else { above(descriptor.as_fd()) }
}

#[expect(unsafe_code, reason = "a descriptor comes as a number")]
pub(super) fn above(descriptor: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: touches no memory; what comes back is a new descriptor that nobody else knows of.
    unsafe {
        let number = libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD_CLOEXEC, init::FD_CONTAINER + 1);
        if number < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(number)) }
    }
}

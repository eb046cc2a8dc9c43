//! Waiting: for the task, for orphans, for signals that are to be passed on, and for what the task writes.

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;
use rustix::io::Errno;
use rustix::process::WaitOptions;

use crate::output::Streams;
use crate::run::{Failure, Trying};

/// What is waited for.
pub(crate) struct Waiting {
    pub(crate) task: Pid,
    /// Signals go to everybody in our namespace, not only to the task's group.
    pub(crate) owns_pids: bool,
}

/// Holds all signals back, so that each is taken where we ask for it. To be called before anybody is forked.
pub(crate) fn hold_signals() -> Result<(), Failure> {
    SigSet::all().thread_block().trying(|| "cannot hold signals back")
}

/// Lets signals in again, for a task.
pub(crate) fn release_signals() -> nix::Result<()> {
    SigSet::empty().thread_set_mask()
}

/// Stays until it is killed. Of whom it inherits nobody is left, since the kernel reaps for who ignores the end of children.
#[expect(unsafe_code, reason = "what a signal does is changed by number")]
pub(crate) fn for_ever() -> ! {
    // SAFETY: no handler is set, and none was.
    unsafe { nix::libc::signal(nix::libc::SIGCHLD, nix::libc::SIG_IGN) };
    loop {
        nix::unistd::pause();
    }
}

impl Waiting {
    /// Waits until the task ended. Returns its wait status as `wait(2)` gives it.
    pub(crate) fn until_ended(&self, streams: &mut Streams) -> Result<i32, Failure> {
        let signals = SignalFd::with_flags(&SigSet::all(), SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .trying(|| "cannot wait for signals")?;
        loop {
            if let Some(status) = self.reap()? {
                return Ok(status);
            }
            streams.move_until(&signals).trying(|| "cannot wait for the task")?;
            while let Ok(Some(told)) = signals.read_signal() {
                // There are signals of which nix has no name; they are the task's library's own affair.
                match i32::try_from(told.ssi_signo).map(Signal::try_from) {
                    Ok(Ok(Signal::SIGCHLD)) | Ok(Err(_)) | Err(_) => {}
                    Ok(Ok(signal)) => self.pass_on(signal),
                }
            }
        }
    }

    /// Waits for everybody who ended.
    fn reap(&self) -> Result<Option<i32>, Failure> {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_pid() == self.task.as_raw() => {
                    return Ok(Some(status.as_raw()));
                }
                Ok(None) => return Ok(None),
                // An orphan.
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Err(error) => return Err(Failure::new("cannot wait for the task", error)),
            }
        }
    }

    fn pass_on(&self, signal: Signal) {
        let group = if self.owns_pids { Pid::from_raw(-1) } else { Pid::from_raw(-self.task.as_raw()) };
        // Nobody is there any more: then its end is what comes next.
        let _ = kill(group, signal);
    }
}

//! Visiting a container: its namespaces, and an end like that of the command that visited it.

use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

use nix::libc;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};

use crate::run::{FD_CONTAINER, Failure, Trying};
use crate::spec::Namespaces;

/// Enters namespaces of the container's first process. Of pids what is forked afterwards is there, not we ourselves.
#[expect(unsafe_code, reason = "the descriptor comes by number from whoever executed us")]
pub(crate) fn enter(namespaces: Namespaces) -> Result<(), Failure> {
    // SAFETY: whoever tells us to enter has executed us with this descriptor, and nobody else here knows of it. Were it not
    // there, the call below would say so.
    let container = unsafe { OwnedFd::from_raw_fd(FD_CONTAINER) };
    move_into_thread_name_spaces(container.as_fd(), kinds(namespaces))
        .trying(|| "cannot enter the namespaces of the container")
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

/// Ends as a process with that wait status has: with its code, or by its signal.
pub(crate) fn end_like(status: i32) -> ExitCode {
    if libc::WIFSIGNALED(status) {
        // Its command may have left a core; ours would be of no use.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
        end_by(libc::WTERMSIG(status));
    }
    u8::try_from(libc::WEXITSTATUS(status)).map_or(ExitCode::FAILURE, ExitCode::from)
}

#[expect(unsafe_code, reason = "signals are known by number here, also those without a name")]
fn end_by(signal: i32) {
    // SAFETY: no handler of ours is replaced, there are none; the set is made by the call that follows its declaration, and
    // no memory but it is touched.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, set.as_ptr(), std::ptr::null_mut());
        libc::raise(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_passed_on() {
        assert_eq!(end_like(0), ExitCode::SUCCESS);
        assert_eq!(end_like(7 << 8), ExitCode::from(7));
        assert_eq!(end_like(255 << 8), ExitCode::from(255));
    }
}

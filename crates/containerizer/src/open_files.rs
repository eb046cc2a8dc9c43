//! Open files: what must not reach containers, and how many there may be. The limit is raised for this process, which
//! holds a few for each container, and not for containers, because some programs suffer from a large one.

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit as it was before it was raised.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Allows this process as many open files as it may have.
pub(crate) fn raise() {
    let before = *BEFORE.get_or_init(|| getrlimit(Resource::Nofile));
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// The limit that this process was started with, if it was raised.
pub(crate) fn before_raised() -> Option<Rlimit> {
    BEFORE.get().copied()
}

/// The same for an init.
pub(crate) fn before() -> Option<init::Rlimit> {
    let before = BEFORE.get()?;
    let resource = nix::libc::RLIMIT_NOFILE;
    Some(init::Rlimit { resource, soft: before.current, hard: before.maximum })
}

/// Keeps descriptors that this process inherited itself, such as those of a build tool or a supervisor, from reaching
/// containers. Those that we open are kept from them when they are opened.
#[expect(unsafe_code, reason = "descriptors that somebody else opened are known by number only")]
pub(crate) fn hide_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    // The directory's own descriptor is among them, and must not be open any more when it is looked at.
    let numbers: Vec<i32> =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // SAFETY: the number is borrowed for two system calls that touch no memory and do not close it. If it was
        // closed meanwhile they fail; if it was opened anew it is one of ours, which have the flag already.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = rustix::io::fcntl_getfd(descriptor) {
            // A descriptor that is gone needs no flag.
            let _ = rustix::io::fcntl_setfd(descriptor, flags | rustix::io::FdFlags::CLOEXEC);
        }
    }
}

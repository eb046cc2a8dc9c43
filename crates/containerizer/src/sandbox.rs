//! A container's directory.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{
    AtFlags, CWD, Dir, Gid, Mode, OFlags, ResolveFlags, Uid, fchmod, fstat, mkdirat, openat, openat2,
    renameat, unlinkat,
};
use rustix::io::Errno;

use crate::user::{User, UserError};

/// Only the task's user, and whoever shares its group, may look into a sandbox.
const MODE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP);
/// The directories above it belong to us, and everybody passes through them to the sandboxes.
const MODE_ABOVE: Mode = Mode::RWXU.union(Mode::RGRP).union(Mode::XGRP).union(Mode::ROTH).union(Mode::XOTH);
/// How deep removing goes at a time: a task nests directories deeper than our stack and our descriptors reach.
const DEPTH: usize = 64;
/// How often a directory is made again that somebody removed because it was empty.
const ATTEMPTS: usize = 4;

/// Why a sandbox could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Its owner cannot be found.
    #[error("cannot make sandbox '{path}'")]
    User {
        /// Which sandbox.
        path: PathBuf,
        /// What is wrong with the owner.
        source: UserError,
    },
    /// The file system refused.
    #[error("cannot make or remove sandbox '{path}'")]
    Io {
        /// Which sandbox.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// Makes a sandbox that belongs to `user` (or to us without one), with all directories above it. One that exists keeps
/// its content. No link is followed on the way: the sandbox of a nested container lies in one whose user may have put
/// links there.
///
/// # Errors
/// If the user is unknown, a link is in the way, or the file system refuses.
pub fn create_sandbox(path: &Path, user: Option<&str>) -> Result<(), SandboxError> {
    let user =
        User::to_become(user).map_err(|source| SandboxError::User { path: path.to_owned(), source })?;
    let create = || -> io::Result<()> {
        let directory = walk(path, true)?;
        fchmod(&directory, MODE)?;
        give_to(&directory, user.as_ref())
    };
    let mut made = create();
    for _ in 1..ATTEMPTS {
        // An empty directory above it was just removed together with the last sandbox in it.
        if made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            made = create();
        }
    }
    made.map_err(|source| SandboxError::Io { path: path.to_owned(), source })
}

/// Opens a directory without following a link on the way to it.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    walk(path, false)
}

/// Sets when a sandbox was changed last, to now. What its user has put in the place of one that is nested in another is
/// left alone.
///
/// # Errors
/// If a link or anything but a directory is in the way, or the file system refuses.
pub fn touch_sandbox(path: &Path) -> Result<(), SandboxError> {
    open_directory(path)
        .and_then(|directory| File::from(directory).set_modified(SystemTime::now()))
        .map_err(|source| SandboxError::Io { path: path.to_owned(), source })
}

/// Opens a directory step by step; with `make`, makes what is not there.
fn walk(path: &Path, make: bool) -> io::Result<OwnedFd> {
    let directory = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let start = if path.is_absolute() { "/" } else { "." };
    let names: Vec<&OsStr> = path
        .components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(Ok(name)),
            Component::ParentDir => Some(Err(io::ErrorKind::InvalidInput.into())),
            _ => None,
        })
        .collect::<io::Result<_>>()?;
    let mut current = openat(CWD, start, directory | OFlags::PATH, Mode::empty())?;
    for (index, name) in names.iter().enumerate() {
        let last = index + 1 == names.len();
        // Passing through a directory needs no right to read it.
        let flags = if last { directory | OFlags::RDONLY } else { directory | OFlags::PATH };
        current = match openat(&current, *name, flags, Mode::empty()) {
            Err(Errno::NOENT) if make => {
                match mkdirat(&current, *name, if last { MODE } else { MODE_ABOVE }) {
                    Ok(()) | Err(Errno::EXIST) => {}
                    Err(error) => return Err(error.into()),
                }
                openat(&current, *name, flags, Mode::empty())?
            }
            other => other?,
        };
    }
    Ok(current)
}

/// Removes a sandbox with all that is in it, however deep; following no link out of it, and into nothing that is mounted
/// there. Nothing there is as good. What cannot be removed does not keep the rest.
///
/// # Errors
/// With the first reason if the file system refuses.
pub fn remove_sandbox(path: &Path) -> Result<(), SandboxError> {
    let remove = || -> io::Result<()> {
        let top = openat(CWD, path, DIRECTORY_ITSELF, Mode::empty())?;
        let mut emptying = Emptying { top: &top, moved: 0, failed: None };
        loop {
            let before = emptying.moved;
            emptying.empty(&top, 0);
            if let Some(error) = emptying.failed.take() {
                return Err(error);
            }
            if emptying.moved == before {
                return std::fs::remove_dir(path);
            }
        }
    };
    match remove() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| SandboxError::Io { path: path.to_owned(), source }),
    }
}

const DIRECTORY_ITSELF: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A sandbox that is being removed.
struct Emptying<'a> {
    top: &'a OwnedFd,
    /// What was too deep is moved to the top, for the next round.
    moved: u64,
    failed: Option<io::Error>,
}

impl Emptying<'_> {
    /// Removes what is in a directory, as far as that can be done.
    fn empty(&mut self, directory: &OwnedFd, depth: usize) {
        // Tasks leave directories that forbid writing, such as caches of packages.
        let _ = fchmod(directory, Mode::RWXU);
        let entries = match Dir::read_from(directory) {
            Ok(entries) => entries,
            Err(error) => return self.note(error),
        };
        for entry in entries {
            match entry {
                Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                Ok(entry) => {
                    if let Err(error) = self.remove(directory, entry.file_name(), depth) {
                        self.note(error);
                    }
                }
                Err(error) => return self.note(error),
            }
        }
    }

    fn note(&mut self, error: Errno) {
        self.failed.get_or_insert_with(|| error.into());
    }

    fn remove(&mut self, directory: &OwnedFd, name: &CStr, depth: usize) -> Result<(), Errno> {
        match unlinkat(directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error),
        }
        if depth == DEPTH {
            loop {
                self.moved += 1;
                match renameat(directory, name, self.top, format!(".removed-{}", self.moved)) {
                    // A file or a full directory of that name: the next is free at some time.
                    Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                    other => return other,
                }
            }
        }
        // What is mounted in a sandbox, by a task that is root or by an operator, is not the sandbox' own.
        let child = match open_own(directory, name) {
            // A file that cannot be removed, such as an immutable one.
            Err(Errno::NOTDIR) => return Err(Errno::PERM),
            other => other?,
        };
        self.empty(&child, depth + 1);
        match unlinkat(directory, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // Why it is not empty is known already.
            Err(Errno::NOTEMPTY) if self.failed.is_some() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Opens a directory unless something else is mounted there.
fn open_own(directory: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    match openat2(directory, name, DIRECTORY_ITSELF, Mode::empty(), ResolveFlags::NO_XDEV) {
        // Kernels before 5.6: what is mounted from another file system is found out all the same.
        Err(Errno::NOSYS) => {
            let child = openat(directory, name, DIRECTORY_ITSELF, Mode::empty())?;
            if fstat(&child)?.st_dev == fstat(directory)?.st_dev { Ok(child) } else { Err(Errno::XDEV) }
        }
        other => other,
    }
}

/// Makes `user` the owner of an open file or directory.
pub(crate) fn give_to(file: impl AsFd, user: Option<&User>) -> io::Result<()> {
    if let Some(user) = user {
        rustix::fs::fchown(file, Some(Uid::from_raw(user.uid())), Some(Gid::from_raw(user.gid())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn only_a_directory_is_touched() {
        let top = tempfile::tempdir().expect("a directory");
        let path = |name: &str| top.path().join(name);
        std::fs::create_dir(path("sandbox")).expect("ours");
        let modified =
            || std::fs::metadata(path("sandbox")).and_then(|found| found.modified()).expect("there");
        File::open(path("sandbox")).and_then(|open| open.set_modified(SystemTime::UNIX_EPOCH)).expect("ours");
        symlink("sandbox", path("link")).expect("ours");
        // Whoever opens it waits for one who writes.
        rustix::fs::mknodat(CWD, path("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).expect("ours");
        assert!(touch_sandbox(&path("link")).is_err() && touch_sandbox(&path("pipe")).is_err());
        assert_eq!(modified(), SystemTime::UNIX_EPOCH);
        touch_sandbox(&path("sandbox")).expect("it is one");
        assert!(modified() > SystemTime::UNIX_EPOCH);
    }

    #[test]
    fn links_on_the_way_are_not_followed() {
        let root = tempfile::tempdir().expect("a directory");
        let (sandbox, outside) = (root.path().join("sandbox"), root.path().join("outside"));
        create_sandbox(&sandbox, None).expect("made");
        std::fs::create_dir(&outside).expect("ours");
        symlink(&outside, sandbox.join("containers")).expect("as a task may do");
        symlink(&outside, sandbox.join("itself")).expect("as a task may do");
        assert!(create_sandbox(&sandbox.join("containers/c"), None).is_err());
        assert!(create_sandbox(&sandbox.join("itself"), None).is_err());
        assert!(create_sandbox(&sandbox.join("../outside/c"), None).is_err());
        assert_eq!(std::fs::read_dir(&outside).expect("there").count(), 0);
        remove_sandbox(&sandbox).expect("removed");
        assert!(outside.exists());
    }

    #[test]
    fn what_is_deeper_than_a_stack_is_removed() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("sandbox");
        create_sandbox(&path, None).expect("made");
        std::fs::write(path.join(".removed-1"), "in the way").expect("ours");
        let mut current = open_directory(&path).expect("there");
        for _ in 0..1000 {
            mkdirat(&current, "d", Mode::RWXU).expect("ours");
            mkdirat(&current, "e", Mode::RUSR | Mode::XUSR).expect("ours");
            current = openat(&current, "d", DIRECTORY_ITSELF, Mode::empty()).expect("there");
        }
        let removed = path.clone();
        let small = std::thread::Builder::new().stack_size(128 << 10);
        let thread = small.spawn(move || remove_sandbox(&removed)).expect("a thread");
        thread.join().expect("no overflow").expect("removed");
        assert!(!path.exists());
    }

    #[test]
    fn what_is_mounted_in_a_sandbox_stays_and_the_rest_goes() {
        use rustix::mount::{UnmountFlags, mount_bind, unmount};
        let root = tempfile::tempdir().expect("a directory");
        let (sandbox, outside) = (root.path().join("sandbox"), root.path().join("outside"));
        create_sandbox(&sandbox.join("a/mounted"), None).expect("made");
        std::fs::create_dir_all(sandbox.join("z/b")).expect("ours");
        std::fs::create_dir(&outside).expect("ours");
        std::fs::write(outside.join("precious"), "x").expect("ours");
        mount_bind(&outside, sandbox.join("a/mounted")).expect("this test needs root");
        let refused = remove_sandbox(&sandbox);
        unmount(sandbox.join("a/mounted"), UnmountFlags::DETACH).expect("ours");
        assert!(refused.is_err() && outside.join("precious").exists());
        assert!(!sandbox.join("z").exists());
        remove_sandbox(&sandbox).expect("nothing is in the way any more");
        assert!(!sandbox.exists());
    }

    #[test]
    fn a_sandbox_is_private_and_can_be_made_twice() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("slaves/S0/runs/c");
        create_sandbox(&path, None).expect("made with its parents");
        std::fs::write(path.join("kept"), "x").expect("ours");
        create_sandbox(&path, None).expect("again");
        assert!(path.join("kept").exists());
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o750);
        remove_sandbox(&path).expect("removed");
        remove_sandbox(&path).expect("nothing there is as good");
        assert!(!path.exists());
        assert!(create_sandbox(&path, Some("no-such-user")).is_err());
    }
}

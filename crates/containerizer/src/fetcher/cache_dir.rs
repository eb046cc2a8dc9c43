//! The directory of a cache: one of its own for each agent below the one that is configured.
//!
//! It is reached through its descriptor and closed to everybody else, so that no other user can put a file in the
//! place of one that tasks will run, even where others may write above it, as in `/tmp`. It is locked while its agent
//! lives: what an agent that was killed has left is found by its lock being free, and removed by the next one.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};

/// How the directories of agents begin.
const PREFIX: &str = "agent-";

/// How long and how often another agent is waited for, which only makes or removes a directory.
const LOCK_WAIT: Duration = Duration::from_millis(5);
const MAX_WAITS: u32 = 20;

/// How many names are tried; only agents of other machines that share a directory take some.
const MAX_TRIES: u32 = 100;

pub(super) struct CacheDirectory {
    base: PathBuf,
    /// Made when something is first kept. An agent may never keep anything.
    own: OnceLock<Own>,
}

struct Own {
    path: PathBuf,
    directory: OwnedFd,
}

impl CacheDirectory {
    /// One below `base`, from which leftovers are removed.
    pub(super) fn new(base: PathBuf) -> Self {
        if base.exists()
            && let Err(error) = locked(&base).and_then(|_lock| sweep(&base))
        {
            tracing::warn!(directory = %base.display(), %error, "cannot remove what is left of an earlier cache");
        }
        Self { base, own: OnceLock::new() }
    }

    fn own(&self) -> io::Result<&Own> {
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.base)?;
        let made = {
            // Nobody may take ours for a leftover before it is locked.
            let _lock = locked(&self.base)?;
            make(&self.base)?
        };
        // Another thread may have been quicker; its directory is as good.
        if let Err(unused) = self.own.set(made) {
            let _ = std::fs::remove_dir(&unused.path);
        }
        self.own.get().ok_or_else(|| io::Error::other("a directory was made and is not there"))
    }

    /// A new file, for writing.
    pub(super) fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(rustix::fs::openat(&self.own()?.directory, name, flags, Mode::from_raw_mode(0o600))?.into())
    }

    /// A file, for reading.
    pub(super) fn open(&self, name: &str) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(rustix::fs::openat(&self.own()?.directory, name, flags, Mode::empty())?.into())
    }

    /// Removes a file; whoever reads it can go on.
    pub(super) fn remove(&self, name: &str) {
        let removed = self.own().and_then(|own| {
            rustix::fs::unlinkat(&own.directory, name, AtFlags::empty()).map_err(io::Error::from)
        });
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(directory = %self.base.display(), file = name, %error, "a file stays in the cache");
            }
            _ => {}
        }
    }
}

impl Drop for CacheDirectory {
    fn drop(&mut self) {
        if let Some(own) = self.own.get() {
            // What cannot be removed is left to the next agent.
            let _ = std::fs::remove_dir_all(&own.path);
        }
    }
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

/// Locks the directory above until the descriptor is closed. Anybody who can read it can lock it, so that is not waited
/// for without a limit; and nothing is put where another user could move it.
fn locked(base: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(base, flags, Mode::empty())?;
    let owner = rustix::fs::fstat(&directory)?.st_uid;
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        let text =
            format!("'{}' belongs to user {owner}, not to root or to who runs the agent", base.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    for _ in 0..MAX_WAITS {
        match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(directory),
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::sleep(LOCK_WAIT),
            Err(error) => return Err(error.into()),
        }
    }
    Err(io::Error::new(io::ErrorKind::WouldBlock, format!("'{}' stays locked", base.display())))
}

fn make(base: &Path) -> io::Result<Own> {
    let process = std::process::id();
    for number in 0..MAX_TRIES {
        let path = base.join(format!("{PREFIX}{process}-{number}"));
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        let directory = open_directory(&path)?;
        let found = rustix::fs::fstat(&directory)?;
        if found.st_uid != rustix::process::geteuid().as_raw() || found.st_mode & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!("'{}' was put in the place of what was just made", path.display()),
            ));
        }
        rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive)?;
        return Ok(Own { path, directory });
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("too many caches in '{}'", base.display())))
}

/// Removes the directories of agents that are gone, and nothing else: the place may hold more than caches.
fn sweep(base: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(base)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes()) {
            continue;
        }
        let path = entry.path();
        // Not a directory, of another user, or in use.
        let Ok(directory) = open_directory(&path) else { continue };
        if rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        match std::fs::remove_dir_all(&path) {
            Ok(()) => tracing::info!(directory = %path.display(), "removed the cache of an earlier agent"),
            Err(error) => {
                tracing::warn!(directory = %path.display(), %error, "the cache of an earlier agent stays");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn leftovers_are_removed_and_nothing_else() {
        let root = tempfile::tempdir().expect("a directory");
        let base = root.path().join("deep/cache");
        let lives = CacheDirectory::new(base.clone());
        assert!(!base.exists(), "nothing is made before it is needed");
        lives.create("c1").expect("a file").write_all(b"x").expect("written");
        std::fs::create_dir(base.join("agent-0-0")).expect("ours");
        std::fs::write(base.join("agent-0-0/c1"), "old").expect("ours");
        std::fs::write(base.join("precious"), "x").expect("ours");
        let other = CacheDirectory::new(base.clone());
        assert!(!base.join("agent-0-0").exists());
        assert!(base.join("precious").exists());
        assert!(lives.open("c1").is_ok(), "the cache of an agent that lives stays");
        other.create("c1").expect("a directory of its own");
        drop((lives, other));
        let left: Vec<_> =
            std::fs::read_dir(&base).expect("there").flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["precious"]);
    }
}

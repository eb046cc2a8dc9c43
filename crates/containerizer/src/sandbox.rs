//! A container's directory.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Uid};

use crate::user::{User, UserError};

/// Only the task's user, and whoever shares its group, may look into a sandbox.
const MODE: u32 = 0o750;

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
/// its content.
///
/// # Errors
/// If the user is unknown, or the file system refuses.
pub fn create_sandbox(path: &Path, user: Option<&str>) -> Result<(), SandboxError> {
    let user =
        User::to_become(user).map_err(|source| SandboxError::User { path: path.to_owned(), source })?;
    let failed = |source| SandboxError::Io { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        // Those above belong to us, and everybody passes through them to the sandboxes.
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(failed)?;
    }
    match std::fs::DirBuilder::new().mode(MODE).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let directory = File::open(path).map_err(failed)?;
    directory.set_permissions(std::fs::Permissions::from_mode(MODE)).map_err(failed)?;
    give_to(&directory, user.as_ref()).map_err(failed)
}

/// Removes a sandbox with all that is in it; following no link out of it. Nothing there is as good.
///
/// # Errors
/// If the file system refuses.
pub fn remove_sandbox(path: &Path) -> Result<(), SandboxError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| SandboxError::Io { path: path.to_owned(), source }),
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
    use super::*;

    #[test]
    fn a_sandbox_is_private_and_can_be_made_twice() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("slaves/S0/runs/c");
        create_sandbox(&path, None).expect("made with its parents");
        std::fs::write(path.join("kept"), "x").expect("ours");
        create_sandbox(&path, None).expect("again");
        assert!(path.join("kept").exists());
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, MODE);
        remove_sandbox(&path).expect("removed");
        remove_sandbox(&path).expect("nothing there is as good");
        assert!(!path.exists());
        assert!(create_sandbox(&path, Some("no-such-user")).is_err());
    }
}

//! The files that a container's output goes to.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};

use crate::launcher::LaunchError;
use crate::sandbox::{give_to, open_directory};
use crate::user::User;

/// Opens a file for output. The sandbox is the user's, who may have put anything there: no link is followed, and only
/// into a plain file is written. Opening a pipe would wait for its reader.
pub(crate) fn open(sandbox: &Path, name: &str, user: Option<&User>) -> Result<File, LaunchError> {
    let open = || -> io::Result<File> {
        let directory = open_directory(sandbox)?;
        let write = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE;
        let safely = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::ROTH;
        let file = File::from(openat(&directory, name, write | safely, mode)?);
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if metadata.nlink() > 1 && user.is_some_and(|user| user.uid() != metadata.uid()) {
            // Who may make links to files that are not its own would be given them.
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "another user's file that has other names",
            ));
        }
        give_to(&file, user)?;
        Ok(file)
    };
    open().map_err(|source| LaunchError::Output { path: sandbox.join(name), source })
}

/// The directory that the files are in.
pub(crate) fn directory(sandbox: &Path) -> Result<OwnedFd, LaunchError> {
    open_directory(sandbox).map_err(|source| LaunchError::Output { path: sandbox.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_file_of_somebody_else_is_not_given_away() {
        let directory = tempfile::tempdir().expect("a directory");
        let (theirs, sandbox) = (directory.path().join("theirs"), directory.path().join("sandbox"));
        std::fs::write(&theirs, "x").expect("ours");
        std::fs::create_dir(&sandbox).expect("ours");
        std::fs::hard_link(&theirs, sandbox.join("stdout")).expect("ours");
        let nobody = User::lookup("nobody").expect("a user");
        let own = std::fs::metadata(&theirs).expect("a file").uid();
        assert!(matches!(open(&sandbox, "stdout", Some(&nobody)), Err(LaunchError::Output { .. })));
        assert_eq!(std::fs::metadata(&theirs).expect("a file").uid(), own);
        assert!(open(&sandbox, "stdout", None).is_ok(), "nothing is given to anybody");
    }
}

//! The files that a container's output goes to.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
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
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
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

//! Files of this machine. Runs with the rights of the container's user.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

fn flags(flags: OFlags) -> i32 {
    i32::try_from(flags.bits()).unwrap_or(0)
}

/// Makes a file of a sandbox, with the directories that lead to it.
pub(super) fn create(target: &Path, executable: bool) -> io::Result<File> {
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent)?;
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(if executable { 0o755 } else { 0o644 })
        .custom_flags(flags(OFlags::NOFOLLOW))
        .open(target)
}

/// Opens a file of this machine, and says how long it is.
pub(super) fn open(source: &Path) -> io::Result<(File, u64)> {
    // Opening a pipe would wait for its writer, for ever if there is none.
    let file = OpenOptions::new().read(true).custom_flags(flags(OFlags::NONBLOCK)).open(source)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok((file, found.len()))
}

/// Copies an open file and returns its length.
pub(super) fn copy(from: File, mut to: File, limit: u64) -> io::Result<u64> {
    let copied = io::copy(&mut from.take(limit.saturating_add(1)), &mut to)?;
    if copied > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {limit} bytes")));
    }
    Ok(copied)
}

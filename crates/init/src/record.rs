//! What an init leaves behind: how its task ended.
//!
//! The record is one short line in the file [`FILE`] of the container's own directory, the task's wait status as
//! `wait(2)` gives it, in decimal. It is written in one piece and forced to disk before the init ends. So whoever finds
//! the init gone and a number knows how the task ended; without one, the init was killed and its task with it. Its place
//! on disk is taken before the task starts, so that a disk which the task has filled does not matter.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The name of the file.
pub const FILE: &str = "status";

/// How long the line is, however short the number.
const LENGTH: usize = 12;

/// Opens the record for its one line. Done early: what holds for the task (a full disk, mounts) must not hold for this.
pub(crate) fn open(directory: &Path) -> io::Result<File> {
    let mut file = File::create(directory.join(FILE))?;
    file.write_all(&line(""))?;
    Ok(file)
}

fn line(content: &str) -> Vec<u8> {
    format!("{content:<0$}\n", LENGTH - 1).into_bytes()
}

/// Writes the line, durably.
pub(crate) fn write(file: &File, status: i32) -> io::Result<()> {
    file.write_all_at(&line(&status.to_string()), 0)?;
    file.sync_data()
}

/// Reads the record in `directory`: the wait status of the container's task, `None` if there is none.
///
/// # Errors
/// If the file is there and cannot be read. A torn line is no error: it was never finished.
pub fn read(directory: &Path) -> io::Result<Option<i32>> {
    match std::fs::read_to_string(directory.join(FILE)) {
        Ok(text) => Ok(text.strip_suffix('\n').and_then(|line| line.trim_end().parse().ok())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_line_counts() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(read(directory.path()).expect("readable"), None);
        let file = open(directory.path()).expect("writable");
        assert_eq!(read(directory.path()).expect("readable"), None, "begun and not written");
        write(&file, 256).expect("writable");
        assert_eq!(read(directory.path()).expect("readable"), Some(256));
        std::fs::write(directory.path().join(FILE), "25").expect("writable");
        assert_eq!(read(directory.path()).expect("readable"), None, "torn");
    }
}

//! The file that a server's log is written to beside its standard error. A disk that takes nothing is no reason to end: what
//! is missing is said once, on standard error, and in the file as soon as it takes something again.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// Where lines are missing.
const GAP: &[u8] = b"\n(lines are missing here: they could not be written)\n";

/// The file.
#[derive(Debug)]
pub(super) struct LogFile {
    file: File,
    path: PathBuf,
    /// The last line could not be written.
    failing: AtomicBool,
}

impl LogFile {
    /// The file, made where it is not there, with the directories above it; what an earlier process has written stays.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        path.parent().map(std::fs::create_dir_all).transpose()?;
        let file = File::options().create(true).append(true).open(path)?;
        Ok(Self { file, path: path.to_owned(), failing: AtomicBool::new(false) })
    }

    fn append(&self, line: &[u8]) -> io::Result<()> {
        if self.failing.load(Ordering::Relaxed) {
            (&self.file).write_all(GAP)?;
            self.failing.store(false, Ordering::Relaxed);
        }
        (&self.file).write_all(line)
    }
}

impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.append(line)
            && !self.failing.swap(true, Ordering::Relaxed)
        {
            let path = self.path.display();
            let _ = writeln!(
                io::stderr(),
                "cannot write the log to {path}: {error}; until it can, its lines are here only"
            );
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_missing_and_disturbs_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b.log");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "before\n").unwrap();
        let log = LogFile::open(&path).unwrap();
        (&log).write_all(b"one\n").unwrap();
        // One that takes nothing.
        let full = LogFile { file: File::options().write(true).open("/dev/full").unwrap(), ..log };
        for line in ["two\n", "three\n"] {
            (&full).write_all(line.as_bytes()).unwrap();
        }
        assert!(full.failing.load(Ordering::Relaxed));
        let file = File::options().append(true).open(&path).unwrap();
        let again = LogFile { file, ..full };
        (&again).write_all(b"four\n").unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written, "before\none\n\n(lines are missing here: they could not be written)\nfour\n");
        assert!(!again.failing.load(Ordering::Relaxed));
    }
}

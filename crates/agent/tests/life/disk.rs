//! A work directory on a small disk of its own, that a test fills and frees.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Command;

use super::Place;

const FILLER: &str = "filler";

impl Place {
    /// A place whose work directory is a file system of eight megabytes.
    pub fn on_small_disk() -> Self {
        let mut place = Self::new();
        system("mount", &["-t", "tmpfs", "-o", "size=8m", "meseta-test"], &place.work_dir());
        place.mounted = true;
        place
    }

    /// Leaves no room on it.
    pub fn fill_disk(&self) {
        let mut filler = std::fs::File::create(self.work_dir().join(FILLER)).expect("ours");
        let error = loop {
            if let Err(error) = filler.write_all(&[0; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }

    /// Makes room again.
    pub fn free_disk(&self) {
        std::fs::remove_file(self.work_dir().join(FILLER)).expect("ours");
    }

    pub(super) fn unmount(&self) {
        if self.mounted {
            // Lazily: what a failed test has left may still use it.
            system("umount", &["--lazy"], &self.work_dir());
        }
    }
}

fn system(program: &str, arguments: &[&str], path: &Path) {
    let status = Command::new(program).args(arguments).arg(path).status().expect("it is installed");
    assert!(status.success(), "{program}: {status}");
}

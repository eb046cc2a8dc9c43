//! The kernel's own `/proc`, held from before a volume can take its place.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, openat};

pub(crate) struct Proc(OwnedFd);

impl Proc {
    pub(crate) fn open() -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(openat(CWD, "/proc", flags, Mode::empty())?))
    }

    /// Writes to a file about this process.
    pub(crate) fn write_own(&self, name: &str, value: &str) -> io::Result<()> {
        let path = PathBuf::from("self").join(name);
        let file = openat(&self.0, path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        File::from(file).write_all(value.as_bytes())
    }

    /// Does something with paths that lead to descriptors, whatever their files are called by now.
    ///
    /// The paths are valid within `action` only: they begin here, where the process is meanwhile.
    pub(crate) fn by_descriptor<const COUNT: usize, T>(
        &self,
        descriptors: [&OwnedFd; COUNT],
        action: impl FnOnce([PathBuf; COUNT]) -> rustix::io::Result<T>,
    ) -> rustix::io::Result<T> {
        rustix::process::fchdir(&self.0)?;
        let paths =
            descriptors.map(|descriptor| PathBuf::from(format!("self/fd/{}", descriptor.as_raw_fd())));
        let done = action(paths);
        // Nobody relies on where we are: the task goes where it is to.
        rustix::process::chdir("/")?;
        done
    }
}

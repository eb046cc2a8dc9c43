//! The program `meseta-init`, in memory.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// What the build script built.
static PROGRAM: &[u8] = include_bytes!(env!("MESETA_INIT"));

/// The program, ready to be executed. All inits share its pages, and no container can change it: a task that is root
/// finds it as `/proc/1/exe`.
#[derive(Debug)]
pub(super) struct Image(File);

impl Image {
    pub(super) fn new() -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut file = File::from(memfd_create("meseta-init", flags)?);
        file.write_all(PROGRAM)?;
        fcntl_add_seals(&file, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
        Ok(Self(File::from(super::spawn::above(file.as_fd())?)))
    }
}

impl AsFd for Image {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

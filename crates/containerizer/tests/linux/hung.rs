//! A file system that answers nothing: one of FUSE whose server says that it is there, and then never a word. Who asks it for
//! something waits until it is killed, or the server is gone.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::support::PATIENCE;

/// The least that the kernel demands of who reads requests.
const REQUEST: usize = 8192;
/// How large that is with which a request begins, and an answer.
const HEAD: usize = 40;
const ANSWER_HEAD: usize = 16;
/// The answer to the first request.
const ANSWER: usize = 64;

/// Mounted until it is dropped.
pub(crate) struct Hung {
    path: PathBuf,
    /// The server's end. With it everybody who waits gets an error.
    server: Option<File>,
    own: Option<tempfile::TempDir>,
}

impl Hung {
    pub(crate) fn new() -> Self {
        let own = tempfile::tempdir().expect("a directory");
        let mut hung = Self::at(&own.path().join("disk"));
        hung.own = Some(own);
        hung
    }

    /// At a directory that is made.
    pub(crate) fn at(path: &Path) -> Self {
        fs::create_dir(path).expect("ours");
        let mut server =
            File::options().read(true).write(true).open("/dev/fuse").expect("a kernel with FUSE");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", server.as_raw_fd());
        let options = std::ffi::CString::new(options).expect("plain");
        mount("hung", path, "fuse", MountFlags::empty(), options.as_c_str()).expect("root may mount");
        let mut request = vec![0; REQUEST];
        let size = server.read(&mut request).expect("the first request");
        assert!(size >= HEAD + 8);
        server.write_all(&answer(&request)).expect("the kernel listens");
        Self { path: path.to_owned(), server: Some(server), own: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until somebody waits for an answer.
    pub(crate) fn wait_until_asked(&self) {
        let server = self.server.as_ref().expect("it is there until the end");
        let patience = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
        let asked = poll(&mut [PollFd::new(server, PollFlags::IN)], Some(&patience)).expect("pollable");
        assert_eq!(asked, 1, "nobody has asked the disk that does not answer");
    }
}

/// To the first request: the same version as the kernel's, and nothing beside (`struct fuse_init_out`).
fn answer(request: &[u8]) -> Vec<u8> {
    let length = u32::try_from(ANSWER_HEAD + ANSWER).expect("small");
    let mut answer = length.to_ne_bytes().to_vec();
    answer.extend(0_i32.to_ne_bytes());
    answer.extend(&request[8..16]);
    answer.extend(&request[HEAD..HEAD + 8]);
    answer.resize(ANSWER_HEAD + 20, 0);
    // How much is written at a time.
    answer.extend(4096_u32.to_ne_bytes());
    answer.resize(ANSWER_HEAD + ANSWER, 0);
    answer
}

impl Drop for Hung {
    fn drop(&mut self) {
        self.server = None;
        // Lazily: what a failed test has left may still use it.
        let unmounted = unmount(&self.path, UnmountFlags::DETACH);
        assert!(std::thread::panicking() || unmounted.is_ok(), "{unmounted:?}");
    }
}

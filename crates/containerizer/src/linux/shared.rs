//! What the containers of a group share where the group itself has no process: an IPC namespace and a `/dev/shm`, held by
//! mounts in the group's record, so that they outlive every task of the group and the agent, too.
//!
//! ```text
//! <runtime_dir>/containers/<group>/
//!   ipc         the namespace
//!   shm/        what those in it see as /dev/shm; the machine's own where there is none
//!   pids        it may see the machine's processes
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use rustix::thread::UnshareFlags;

use super::isolators::shm_options;
use super::options::{Isolator, LinuxOptions};
use crate::isolation::{Ipc, Wishes};
use crate::launcher::LaunchError;

const IPC: &str = "ipc";
const SHM: &str = "shm";
const PIDS: &str = "pids";

/// What a container that is nested in another one finds there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Its sandbox.
    pub(super) sandbox: PathBuf,
    /// Holds its IPC namespace; without, it has the machine's.
    pub(super) ipc: Option<PathBuf>,
    /// Its own `/dev/shm`.
    pub(super) shm: Option<PathBuf>,
    /// Whether it has the machine's pid namespace.
    pub(super) shares_pids: bool,
}

impl Around {
    pub(super) fn new(sandbox: PathBuf, record: &Path) -> Self {
        let there = |name: &str| Some(record.join(name)).filter(|path| path.exists());
        Self { sandbox, ipc: there(IPC), shm: there(SHM), shares_pids: there(PIDS).is_some() }
    }
}

/// Makes what a group's containers will share.
pub(super) fn make(record: &Path, wishes: &Wishes, options: &LinuxOptions) -> Result<(), LaunchError> {
    let failed = |what: &'static str| {
        move |error: io::Error| LaunchError::Prepare(format!("cannot make {what} for a group: {error}"))
    };
    if wishes.shares_pids {
        File::create(record.join(PIDS)).map_err(failed("a record"))?;
    }
    if !options.isolation.has(Isolator::NamespacesIpc) || wishes.ipc == Ipc::ShareParent {
        return Ok(());
    }
    hold_ipc(&record.join(IPC)).map_err(failed("an IPC namespace"))?;
    if wishes.ipc == Ipc::Private {
        let shm = record.join(SHM);
        fs::create_dir(&shm).map_err(failed("shared memory"))?;
        let text = shm_options(wishes.shm_size.or(options.shm_size));
        let text = std::ffi::CString::new(text).unwrap_or_default();
        mount("tmpfs", &shm, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, text.as_c_str())
            .map_err(|error| failed("shared memory")(error.into()))?;
    }
    Ok(())
}

/// A new namespace, in a thread that ends with this: who leaves its namespace does not come back.
fn hold_ipc(path: &Path) -> io::Result<()> {
    File::create(path)?;
    let path = path.to_owned();
    let holding = std::thread::Builder::new().name("container-ipc".to_owned()).spawn(move || {
        unshare_ipc()?;
        mount_bind("/proc/thread-self/ns/ipc", &path)
    })?;
    match holding.join() {
        Ok(held) => Ok(held?),
        Err(_) => Err(io::Error::other("the thread has panicked")),
    }
}

#[expect(unsafe_code, reason = "leaving shared descriptors behind is unsafe in general")]
fn unshare_ipc() -> rustix::io::Result<()> {
    // SAFETY: the table of descriptors stays shared, so that all of them stay valid.
    unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWIPC) }
}

/// Lets go of it. Those who are still in it keep it until they end.
pub(super) fn release(record: &Path) {
    for name in [SHM, IPC] {
        let path = record.join(name);
        match unmount(&path, UnmountFlags::DETACH) {
            // Not there, or not mounted: the agent was killed in between.
            Ok(()) | Err(Errno::NOENT | Errno::INVAL | Errno::NOTDIR) => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "what a group's containers shared is not given back");
            }
        }
    }
}

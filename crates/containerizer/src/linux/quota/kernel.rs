//! What the kernel is asked about project quotas: to which project a file belongs, and what a project holds and may hold.
//!
//! The commands are those of its common layer, which every file system with project quotas answers.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::libc;
use rustix::ioctl::{Getter, Setter, ioctl, opcode};

/// A number that the kernel accounts files under; 0 is that of all files which belong to none.
pub(super) type Project = u32;

/// What belongs to a project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Bytes on the disk, those included that are yet to be written there.
    pub(super) bytes: u64,
    /// Files, directories and whatever else has an inode.
    pub(super) inodes: u64,
    /// Whether anything is limited.
    pub(super) limited: bool,
}

/// Whether the kernel accounts for projects on a file system, and refuses what goes beyond their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) accounts: bool,
    pub(super) enforces: bool,
}

/// `struct fsxattr`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    copy_extent_size: u32,
    padding: [u8; 8],
}

/// `struct if_nextdqblk`, which begins like `struct if_dqblk`. Limits are in units of 1024 bytes.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Record {
    hard_limit: u64,
    soft_limit: u64,
    bytes: u64,
    inodes_hard_limit: u64,
    inodes_soft_limit: u64,
    inodes: u64,
    bytes_time: u64,
    inodes_time: u64,
    valid: u32,
    project: u32,
}

/// `struct fs_quota_statv`, of which the rest is of no concern.
#[repr(C)]
struct StateRecord {
    version: i8,
    padding: u8,
    flags: u16,
    rest: [u32; 39],
}

const GET_ATTRIBUTES: rustix::ioctl::Opcode = opcode::read::<Attributes>(b'X', 31);
const SET_ATTRIBUTES: rustix::ioctl::Opcode = opcode::write::<Attributes>(b'X', 32);
/// What is made in the directory belongs to its project, too (`FS_XFLAG_PROJINHERIT`).
const INHERITED: u32 = 0x200;

const UNIT: u64 = 1024;
/// Of [`Record::valid`]: the limits of bytes.
const LIMITS: u32 = 1;
const GET: u32 = 0x80_0007;
const SET: u32 = 0x80_0008;
const GET_NEXT: u32 = 0x80_0009;
const ENFORCE: u32 = 0x5801;
const GET_STATE: u32 = 0x5808;
const STATE_VERSION: i8 = 1;
const ACCOUNTS: u16 = 1 << 4;
const ENFORCES: u16 = 1 << 5;

/// To which project a file belongs.
pub(super) fn project_of(file: impl AsFd) -> io::Result<Project> {
    Ok(attributes(file.as_fd())?.project)
}

/// Makes a file belong to a project, and with a directory all that is made in it from here on.
pub(super) fn join(file: impl AsFd, project: Project, is_directory: bool) -> io::Result<()> {
    let file = file.as_fd();
    let before = attributes(file)?;
    let flags = if is_directory { before.flags | INHERITED } else { before.flags };
    if (before.project, before.flags) == (project, flags) {
        return Ok(());
    }
    set_attributes(file, Attributes { project, flags, ..before })
}

#[expect(unsafe_code, reason = "the kernel's structures are described here")]
fn attributes(file: BorrowedFd<'_>) -> io::Result<Attributes> {
    // SAFETY: the number is made from the structure that the kernel fills, which is as large as the kernel's and of numbers
    // only, so that whatever is in it is valid.
    Ok(unsafe { ioctl(file, Getter::<GET_ATTRIBUTES, Attributes>::new()) }?)
}

#[expect(unsafe_code, reason = "the kernel's structures are described here")]
fn set_attributes(file: BorrowedFd<'_>, attributes: Attributes) -> io::Result<()> {
    // SAFETY: as above; the kernel only reads it.
    Ok(unsafe { ioctl(file, Setter::<SET_ATTRIBUTES, Attributes>::new(attributes)) }?)
}

/// What belongs to a project on the file system on which `place` is.
pub(super) fn account(place: impl AsFd, project: Project) -> io::Result<Account> {
    let mut record = Record::default();
    match quotactl(place.as_fd(), GET, project, &mut record) {
        Ok(()) => Ok(record.account()),
        // Nothing was ever accounted under this number.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(Account::default()),
        Err(error) => Err(error),
    }
}

/// The first project from `first` on of which the file system knows anything.
pub(super) fn next(place: impl AsFd, first: Project) -> io::Result<Option<(Project, Account)>> {
    let mut record = Record::default();
    match quotactl(place.as_fd(), GET_NEXT, first, &mut record) {
        Ok(()) => Ok(Some((record.project, record.account()))),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Limits the bytes of a project: it may be beyond the soft limit for a while (a week, if nobody said otherwise), and never
/// beyond the hard one. 0 is no limit.
pub(super) fn limit(place: impl AsFd, project: Project, soft: u64, hard: u64) -> io::Result<()> {
    let (soft_limit, hard_limit) = (soft.div_ceil(UNIT), hard.div_ceil(UNIT));
    let mut record = Record { soft_limit, hard_limit, valid: LIMITS, ..Record::default() };
    quotactl(place.as_fd(), SET, project, &mut record)
}

/// What the kernel does about projects on the file system on which `place` is.
pub(super) fn state(place: impl AsFd) -> io::Result<State> {
    let mut record = StateRecord { version: STATE_VERSION, padding: 0, flags: 0, rest: [0; 39] };
    quotactl(place.as_fd(), GET_STATE, 0, &mut record)?;
    Ok(State { accounts: record.flags & ACCOUNTS != 0, enforces: record.flags & ENFORCES != 0 })
}

/// Has the kernel refuse what goes beyond limits, where it accounts already.
pub(super) fn enforce(place: impl AsFd) -> io::Result<()> {
    quotactl(place.as_fd(), ENFORCE, 0, &mut u32::from(ENFORCES))
}

#[expect(unsafe_code, reason = "quotactl_fd(2) has no wrapper in the libraries used here")]
fn quotactl<T>(place: BorrowedFd<'_>, command: u32, project: Project, data: &mut T) -> io::Result<()> {
    /// The kind of quotas that are meant.
    const PROJECTS: u32 = 2;
    // SAFETY: each command is called with the structure that it reads or fills, which outlives the call; of the commands
    // here none writes beyond it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_quotactl_fd,
            place.as_raw_fd(),
            command << 8 | PROJECTS,
            project,
            std::ptr::from_mut(data),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

impl Record {
    fn account(&self) -> Account {
        let limited = self.hard_limit != 0 || self.soft_limit != 0;
        Account { bytes: self.bytes, inodes: self.inodes, limited }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_as_large_as_the_kernel_has_them() {
        assert_eq!(size_of::<Attributes>(), 28);
        assert_eq!(size_of::<Record>(), 72);
        assert_eq!(size_of::<StateRecord>(), 160);
    }
}

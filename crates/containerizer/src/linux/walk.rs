//! Looking at all that is in a directory while a task may change it.
//!
//! Directories are opened one from the other: a task nests them deeper than a path can say, and no link is followed.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};

/// How a directory is opened to be looked into.
pub(super) const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How many directories above the one that is looked into are held open.
const KEPT_OPEN: usize = 64;

/// Which file something is, whatever its path.
type Identity = (u64, u64);

/// Shows `visit` everything below a directory that lies on the directory's own file system: the directory it is in, its name
/// there, and what it is. Of a directory it answers whether it is looked into.
///
/// # Errors
/// If not even the directory itself can be looked at.
pub(super) fn walk(
    directory: OwnedFd,
    mut visit: impl FnMut(&OwnedFd, &CStr, &Stat) -> bool,
) -> io::Result<()> {
    let device = fstat(&directory)?.st_dev;
    let mut here = directory;
    let mut names = entries(&here, device, &mut visit);
    let mut above: Vec<Above> = Vec::new();
    loop {
        if let Some(name) = names.pop() {
            let Ok(child) = openat(&here, name.as_c_str(), OPEN | OFlags::NOFOLLOW, Mode::empty()) else {
                continue;
            };
            // Something else was put there meanwhile.
            if !fstat(&child).is_ok_and(|found| found.st_dev == device) {
                continue;
            }
            let identity = identity(&here)?;
            let names_there = std::mem::replace(&mut names, entries(&child, device, &mut visit));
            let parent = std::mem::replace(&mut here, child);
            let open = Some(parent).filter(|_| above.len() < KEPT_OPEN);
            above.push(Above { names: names_there, identity, open });
        } else {
            let Some(next) = climb(&here, &mut above) else { return Ok(()) };
            (here, names) = next;
        }
    }
}

/// Back to the next directory above; past those that have lost their place in the tree meanwhile.
fn climb(here: &OwnedFd, above: &mut Vec<Above>) -> Option<(OwnedFd, Vec<CString>)> {
    loop {
        let Above { names, identity: expected, open } = above.pop()?;
        if let Some(open) = open {
            return Some((open, names));
        }
        if let Ok(parent) = openat(here, "..", OPEN, Mode::empty())
            && identity(&parent).is_ok_and(|found| found == expected)
        {
            return Some((parent, names));
        }
    }
}

fn identity(directory: &OwnedFd) -> io::Result<Identity> {
    let found = fstat(directory)?;
    Ok((found.st_dev, found.st_ino))
}

/// A directory that is being looked into, while it is looked into one that is in it.
struct Above {
    /// Directories in it that were not looked into yet.
    names: Vec<CString>,
    identity: Identity,
    /// Of the uppermost ones only: there are fewer descriptors than there may be levels.
    open: Option<OwnedFd>,
}

/// Shows what is in a directory; the names of directories in it that are to be looked into.
fn entries(
    directory: &OwnedFd,
    device: u64,
    visit: &mut impl FnMut(&OwnedFd, &CStr, &Stat) -> bool,
) -> Vec<CString> {
    let mut directories = Vec::new();
    // What is removed while we look is not there.
    let Ok(entries) = Dir::read_from(directory) else { return directories };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let Ok(found) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if found.st_dev != device {
            continue;
        }
        if visit(directory, name, &found) && FileType::from_raw_mode(found.st_mode).is_dir() {
            directories.push(name.to_owned());
        }
    }
    directories
}

//! Mounting, also where a task may have put links to mislead us.

use std::ffi::OsStr;
use std::fmt::Display;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, StatVfsMountFlags, chownat, fstat, fstatvfs, mkdirat,
    openat, openat2,
};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_bind_recursive, mount_remount};

use crate::proc::Proc;
use crate::run::{Failure, Trying};
use crate::spec::{Bind, Mount, Source};

/// Mounts a file system.
pub(crate) fn mount(mount: &Mount) -> Result<(), Failure> {
    let attempt = || format!("cannot mount {} at {:?}", mount.kind, mount.target);
    let flags = if mount.trusted {
        MountFlags::empty()
    } else {
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC
    };
    let options = std::ffi::CString::new(mount.options.as_str()).trying(attempt)?;
    rustix::mount::mount(mount.kind.as_str(), &mount.target, mount.kind.as_str(), flags, options.as_c_str())
        .trying(attempt)
}

/// Makes a file or directory appear at a second place.
pub(crate) fn bind(bind: &Bind, proc: &Proc) -> Result<(), Failure> {
    let attempt = || format!("cannot mount {} at {}", bind.source, bind.target);
    let source = open(&bind.source, Missing::Directory).trying(attempt)?;
    let directory = FileType::from_raw_mode(fstat(&source).trying(attempt)?.st_mode) == FileType::Directory;
    let missing = if directory { Missing::Directory } else { Missing::File };
    let target = open(&bind.target, missing).trying(attempt)?;
    // By descriptor: a path could mean something else by now.
    proc.by_descriptor([&source, &target], |[source, target]| mount_bind_recursive(source, target))
        .trying(attempt)?;
    if bind.read_only {
        // Looked up again, so that it is what was just mounted and not what lies under it.
        let mounted = open(&bind.target, Missing::Error).trying(attempt)?;
        // What the mount is restricted to already must be said again, or it would be allowed.
        let flags = restrictions(&mounted).trying(attempt)? | MountFlags::BIND | MountFlags::RDONLY;
        proc.by_descriptor([&mounted], |[mounted]| mount_remount(mounted, flags, c"")).trying(attempt)?;
    }
    Ok(())
}

impl Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(path) => write!(f, "{path:?}"),
            Self::Below { root, path } => write!(f, "{path:?} in {root:?}"),
        }
    }
}

/// What is made where a path below a task's directory ends in nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Error,
    Directory,
    File,
}

fn open(source: &Source, missing: Missing) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match source {
        Source::Host(path) => openat(CWD, path, flags, Mode::empty()),
        Source::Below { root, path } => {
            let root = without_links(root)?;
            if missing != Missing::Error {
                make(&root, path, missing)?;
            }
            beneath(&root, path, flags)
        }
    }
}

/// Opens a directory on whose way there is no link: that of a nested container lies in one whose user may put some there.
pub(crate) fn without_links(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS)
}

/// Opens what is below a directory, by a path without links.
fn beneath(root: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), resolve)
}

/// Makes what is missing of a path below `root`, for the owner of `root`.
fn make(root: &OwnedFd, path: &Path, missing: Missing) -> Result<(), Errno> {
    let owner = fstat(root)?;
    let own = |directory: &OwnedFd, name: &OsStr| {
        let (uid, gid) = (rustix::fs::Uid::from_raw(owner.st_uid), rustix::fs::Gid::from_raw(owner.st_gid));
        chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
    };
    let names: Vec<&OsStr> = path
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| match part {
            Component::Normal(name) => Ok(name),
            _ => Err(Errno::INVAL),
        })
        .collect::<Result<_, _>>()?;
    let mut current = root.try_clone().map_err(|_| Errno::MFILE)?;
    for (index, name) in names.iter().enumerate() {
        let last = index + 1 == names.len();
        let made = if last && missing == Missing::File {
            let create = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
            openat(&current, *name, create, Mode::RUSR | Mode::WUSR).map(drop)
        } else {
            mkdirat(&current, *name, Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH)
        };
        match made {
            Ok(()) => own(&current, name)?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        if !last {
            current = beneath(&current, Path::new(name), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC)?;
        }
    }
    Ok(())
}

fn restrictions(mounted: &OwnedFd) -> Result<MountFlags, Errno> {
    let now = fstatvfs(mounted)?.f_flag;
    let pairs = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    Ok(pairs
        .into_iter()
        .filter(|(stat, _)| now.contains(*stat))
        .fold(MountFlags::empty(), |all, (_, flag)| all | flag))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_sandbox_behind_a_link_is_none() {
        let top = tempfile::tempdir().expect("a directory");
        let top = top.path().canonicalize().expect("it is there");
        // What a task may do with the directory in which the sandboxes of those nested in it are.
        fs::create_dir_all(top.join("elsewhere/c")).expect("ours");
        fs::create_dir(top.join("sandbox")).expect("ours");
        symlink(top.join("elsewhere"), top.join("sandbox/containers")).expect("ours");
        let below = |root: &str| Source::Below { root: top.join(root), path: "made".into() };
        let opened = open(&below("sandbox/containers/c"), Missing::Directory);
        assert_eq!(opened.expect_err("a link is on the way"), Errno::LOOP);
        assert!(!top.join("elsewhere/c/made").exists());
        open(&below("elsewhere/c"), Missing::Directory).expect("no link is on the way");
        assert!(top.join("elsewhere/c/made").is_dir());
        assert_eq!(without_links(&top.join("sandbox/containers")).expect_err("a link"), Errno::LOOP);
    }
}

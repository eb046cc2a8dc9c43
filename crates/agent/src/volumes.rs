//! Persistent volumes on this machine: directories that are made, linked into sandboxes, and removed on demand only.
//!
//! A volume is removed in one step: its directory is renamed to where removed volumes are, and is gone for everybody.
//! Deleting what was in it can take long, and happens afterwards; an agent that starts goes on with it.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, chown};
use std::path::{Component, Path, PathBuf};

use agent_core::{VolumeDirectory, VolumeLink};
use resources::{DiskKind, Resources, Root};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, fstat, mkdirat, openat, openat2, readlinkat, symlinkat,
    unlinkat,
};
use rustix::io::Errno;

/// Beside `volumes/roles`: what was there and is being deleted.
const REMOVED: &str = "removed";

/// In the root of a disk of its own: the same.
const REMOVED_OF_MOUNT: &str = ".meseta-removed";

/// Why a volume is not as it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VolumeError {
    /// It cannot be made.
    #[error("cannot make persistent volume '{path}'")]
    Make {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be removed.
    #[error("cannot remove persistent volume '{path}'")]
    Remove {
        /// Where.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be put into a sandbox.
    #[error("cannot link persistent volume '{path}' to '{link}'")]
    Link {
        /// The volume.
        path: PathBuf,
        /// Where a container is to see it.
        link: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Makes directories, then removes others; `name` is one that no other removal has. What is done already is as good.
///
/// # Errors
/// The first that fails. What was done before stays done.
pub(crate) fn change(
    make: &[VolumeDirectory],
    remove: &[VolumeDirectory],
    name: &str,
) -> Result<(), VolumeError> {
    for volume in make {
        self::make(volume)?;
    }
    for (index, volume) in remove.iter().enumerate() {
        let path = Path::new(&*volume.path);
        let removed = removed_of(volume);
        let result = match &removed {
            _ if volume.is_mount => empty_mount(path, &removed, &format!("{name}-{index}")),
            removed => take_away(path, removed, &format!("{name}-{index}")),
        };
        result.map_err(|source| VolumeError::Remove { path: path.to_owned(), source })?;
    }
    Ok(())
}

/// Makes a volume, if it is not there. Its content, if there is any, stays.
fn make(volume: &VolumeDirectory) -> Result<(), VolumeError> {
    let path = Path::new(&*volume.path);
    let made = match fs::metadata(path) {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(io::ErrorKind::NotADirectory.into()),
        // A disk that is not mounted must not become a directory of another.
        Err(error) if volume.is_mount => Err(error),
        Err(_) => DirBuilder::new().recursive(true).mode(0o755).create(path),
    };
    made.map_err(|source| VolumeError::Make { path: path.to_owned(), source })
}

/// Where a volume goes when it is removed; on the same file system, so that it goes there in one step.
fn removed_of(volume: &VolumeDirectory) -> PathBuf {
    let path = Path::new(&*volume.path);
    if volume.is_mount {
        return path.join(REMOVED_OF_MOUNT);
    }
    // `.../volumes/roles/ROLE/ID`
    path.ancestors().nth(3).unwrap_or(path).join(REMOVED)
}

fn take_away(path: &Path, removed: &Path, name: &str) -> io::Result<()> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(removed)?;
    fs::rename(path, removed.join(name))
}

fn empty_mount(root: &Path, removed: &Path, name: &str) -> io::Result<()> {
    let target = removed.join(name);
    DirBuilder::new().recursive(true).mode(0o700).create(&target)?;
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        // Of the file system itself, and not to be moved.
        if entry.file_name() != REMOVED_OF_MOUNT && entry.file_name() != "lost+found" {
            fs::rename(entry.path(), target.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Where what these volumes hold is, once they are removed: one place for each disk.
pub(crate) fn places<'a>(volumes: impl IntoIterator<Item = &'a VolumeDirectory>) -> BTreeSet<PathBuf> {
    volumes.into_iter().map(removed_of).collect()
}

/// Puts volumes back where they were that [`change`] has removed under this name, after somebody was told that it had not.
pub(crate) fn put_back(volumes: &[VolumeDirectory], name: &str) {
    for (index, volume) in volumes.iter().enumerate() {
        let path = Path::new(&*volume.path);
        let removed = removed_of(volume).join(format!("{name}-{index}"));
        let put = if volume.is_mount { refill_mount(path, &removed) } else { return_to(path, &removed) };
        if let Err(error) = put {
            let (path, removed) = (path.display(), removed.display());
            tracing::error!(%path, %removed, %error, "what a volume held cannot be put back; it will be deleted");
        }
    }
}

/// What was made meanwhile in its place is empty, or else in the way.
fn return_to(path: &Path, removed: &Path) -> io::Result<()> {
    match fs::rename(removed, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn refill_mount(root: &Path, removed: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(removed) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        fs::rename(entry.path(), root.join(entry.file_name()))?;
    }
    fs::remove_dir(removed)
}

/// Below which there are sandboxes and volumes, but for those that are disks of their own.
pub(crate) fn roots(work_dir: &Path, disks: &Resources) -> Vec<PathBuf> {
    let sources = disks.iter().filter_map(|resource| resource.details().disk.as_ref()?.source.as_ref());
    let paths = sources.filter(|source| source.kind == DiskKind::Path);
    let roots = paths.filter_map(|source| Some(work_dir.join(&**source.path.as_ref()?.0.as_ref()?)));
    let roots: BTreeSet<PathBuf> = roots.filter(|root| root != work_dir).collect();
    std::iter::once(work_dir.to_owned()).chain(roots).collect()
}

/// Where an earlier life of an agent with these disks may have left what was removed.
pub(crate) fn places_of_leftovers(work_dir: &Path, disks: &Resources) -> BTreeSet<PathBuf> {
    let beside = |root: &Path| root.join("volumes").join(REMOVED);
    let sources = disks.iter().filter_map(|resource| resource.details().disk.as_ref()?.source.as_ref());
    let of_disks = sources.filter_map(|source| {
        let root = |root: &Option<Root>| Some(work_dir.join(&**root.as_ref()?.0.as_ref()?));
        match source.kind {
            DiskKind::Mount => Some(root(&source.mount)?.join(REMOVED_OF_MOUNT)),
            _ => Some(beside(&root(&source.path)?)),
        }
    });
    of_disks.chain([beside(work_dir)]).collect()
}

/// Deletes what was removed, now or in an earlier life. May take long.
pub(crate) fn delete_removed(places: &BTreeSet<PathBuf>) {
    for removed in places {
        for entry in fs::read_dir(removed).into_iter().flatten().flatten() {
            if let Err(error) = containerizer::remove_sandbox(&entry.path()) {
                let path = entry.path();
                tracing::warn!(path = %path.display(), error = crate::report(&error), "cannot delete a removed volume");
            }
        }
    }
}

/// Puts volumes into a sandbox and takes away the links that are not wanted any more.
///
/// No link of a task is followed on the way: what lies in a sandbox belongs to the task.
///
/// # Errors
/// The first that fails.
pub(crate) fn link(sandbox: &Path, wanted: &[VolumeLink], before: &[VolumeLink]) -> Result<(), VolumeError> {
    let same = |one: &VolumeLink, other: &VolumeLink| {
        one.container_path == other.container_path && one.directory == other.directory
    };
    for link in before.iter().filter(|old| !wanted.iter().any(|new| same(old, new))) {
        if let Some(parts) = parts(&link.container_path) {
            unlink(sandbox, &parts, &link.directory).map_err(|source| failed(sandbox, link, source))?;
        }
    }
    for link in wanted.iter().filter(|new| !before.iter().any(|old| same(old, new))) {
        make(&link.directory)?;
        give(sandbox, link).map_err(|source| failed(sandbox, link, source))?;
        let Some(parts) = parts(&link.container_path) else {
            tracing::warn!(path = %link.container_path, "a volume is seen only at a path within the sandbox");
            continue;
        };
        if link.read_only {
            tracing::warn!(path = %link.container_path, "a volume that is to be read only can be written to");
        }
        put(sandbox, &parts, &link.directory).map_err(|source| failed(sandbox, link, source))?;
    }
    Ok(())
}

fn failed(sandbox: &Path, link: &VolumeLink, source: io::Error) -> VolumeError {
    let path = PathBuf::from(&*link.directory.path);
    VolumeError::Link { path, link: sandbox.join(&*link.container_path), source }
}

/// The names on the way from the sandbox; `None` if the path leads elsewhere.
fn parts(path: &str) -> Option<Vec<&str>> {
    let names: Option<Vec<&str>> = Path::new(path)
        .components()
        .filter(|part| !matches!(part, Component::CurDir))
        .map(|part| match part {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names.filter(|names| !names.is_empty())
}

/// A volume belongs to the user of the sandbox.
fn give(sandbox: &Path, link: &VolumeLink) -> io::Result<()> {
    if !link.own {
        return Ok(());
    }
    let owner = fstat(open_sandbox(sandbox)?)?;
    let (uid, gid) = (owner.st_uid, owner.st_gid);
    let found = fs::metadata(&*link.directory.path)?;
    // Root needs no right; and who is not root can give nothing away.
    if uid == 0 || (found.uid(), found.gid()) == (uid, gid) {
        return Ok(());
    }
    chown(&*link.directory.path, Some(uid), Some(gid))
}

const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a sandbox. That of a nested container lies in one whose user may have put links on the way to it.
fn open_sandbox(sandbox: &Path) -> io::Result<rustix::fd::OwnedFd> {
    Ok(openat2(CWD, sandbox, DIRECTORY, Mode::empty(), ResolveFlags::NO_SYMLINKS)?)
}

/// Opens the directory in which the link is to be.
fn parent(sandbox: &Path, above: &[&str]) -> io::Result<rustix::fd::OwnedFd> {
    let mut current = open_sandbox(sandbox)?;
    for name in above {
        match mkdirat(&current, *name, Mode::RWXU | Mode::RGRP | Mode::XGRP | Mode::ROTH | Mode::XOTH) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        current = openat(&current, *name, DIRECTORY, Mode::empty())?;
    }
    Ok(current)
}

fn put(sandbox: &Path, parts: &[&str], directory: &VolumeDirectory) -> io::Result<()> {
    let Some((name, above)) = parts.split_last() else { return Ok(()) };
    let parent = parent(sandbox, above)?;
    match symlinkat(&*directory.path, &parent, *name) {
        // As it was before the agent was started anew.
        Err(Errno::EXIST) if leads_to(&parent, name, directory) => Ok(()),
        other => Ok(other?),
    }
}

fn unlink(sandbox: &Path, parts: &[&str], directory: &VolumeDirectory) -> io::Result<()> {
    let Some((name, above)) = parts.split_last() else { return Ok(()) };
    let parent = match parent(sandbox, above) {
        Ok(parent) => parent,
        // The task has made something else of it.
        Err(_) => return Ok(()),
    };
    if leads_to(&parent, name, directory) {
        unlinkat(&parent, *name, AtFlags::empty())?;
    }
    Ok(())
}

fn leads_to(parent: &rustix::fd::OwnedFd, name: &str, directory: &VolumeDirectory) -> bool {
    readlinkat(parent, name, Vec::new()).is_ok_and(|target| target.to_bytes() == directory.path.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn volume(root: &Path, id: &str) -> VolumeDirectory {
        let path = root.join("volumes/roles/a b").join(id);
        VolumeDirectory { path: path.display().to_string().into(), is_mount: false }
    }

    fn seen_as(volume: &VolumeDirectory, path: &str) -> VolumeLink {
        VolumeLink { directory: volume.clone(), container_path: path.into(), read_only: false, own: true }
    }

    #[test]
    fn a_volume_is_there_until_it_is_removed() {
        let root = tempfile::tempdir().expect("a directory");
        let volume = volume(root.path(), "v");
        let file = Path::new(&*volume.path).join("file");
        change(std::slice::from_ref(&volume), &[], "1").expect("made");
        fs::write(&file, "x").expect("ours");
        change(std::slice::from_ref(&volume), &[], "2").expect("there already");
        assert_eq!(fs::read_to_string(&file).expect("kept"), "x");
        change(&[], std::slice::from_ref(&volume), "3").expect("removed");
        assert!(!Path::new(&*volume.path).exists());
        let removed = root.path().join("volumes/removed");
        assert_eq!(fs::read_dir(&removed).expect("there").count(), 1);
        change(&[], std::slice::from_ref(&volume), "4").expect("gone already");
        delete_removed(&places(&[volume]));
        assert_eq!(fs::read_dir(&removed).expect("there").count(), 0);
        let leftovers = places_of_leftovers(root.path(), &Resources::new());
        assert_eq!(leftovers, BTreeSet::from([removed]));
    }

    #[test]
    fn a_mount_is_emptied_and_stays() {
        let root = tempfile::tempdir().expect("a directory");
        let mount = VolumeDirectory { path: root.path().display().to_string().into(), is_mount: true };
        change(std::slice::from_ref(&mount), &[], "1").expect("it is there");
        fs::create_dir_all(root.path().join("data/deep")).expect("ours");
        fs::write(root.path().join("file"), "x").expect("ours");
        change(&[], std::slice::from_ref(&mount), "2").expect("emptied");
        delete_removed(&places(std::slice::from_ref(&mount)));
        assert_eq!(fs::read_dir(root.path()).expect("it stays").count(), 1, "but for the place itself");
        assert_eq!(fs::read_dir(root.path().join(REMOVED_OF_MOUNT)).expect("there").count(), 0);
        fs::write(root.path().join("again"), "y").expect("ours");
        change(&[], std::slice::from_ref(&mount), "4").expect("emptied");
        put_back(std::slice::from_ref(&mount), "4");
        put_back(std::slice::from_ref(&mount), "5");
        assert_eq!(fs::read_to_string(root.path().join("again")).expect("back"), "y");
        let missing =
            VolumeDirectory { path: root.path().join("no").display().to_string().into(), is_mount: true };
        let error = change(&[missing], &[], "3").expect_err("a disk that is not mounted");
        assert!(crate::report(&error).starts_with("cannot make persistent volume"), "{error}");
    }

    #[test]
    fn sandboxes_get_links() {
        let root = tempfile::tempdir().expect("a directory");
        let sandbox = root.path().join("sandbox");
        fs::create_dir(&sandbox).expect("ours");
        let (v, w) = (volume(root.path(), "v"), volume(root.path(), "w"));
        let both = [seen_as(&v, "data"), seen_as(&w, "./deep/er/data")];
        link(&sandbox, &both, &[]).expect("linked");
        link(&sandbox, &both, &[]).expect("linked already");
        fs::write(sandbox.join("data/file"), "x").expect("a way into the volume");
        assert!(Path::new(&*v.path).join("file").exists());
        assert!(sandbox.join("deep/er/data").is_dir());
        link(&sandbox, &both[1..], &both).expect("unlinked");
        assert!(fs::symlink_metadata(sandbox.join("data")).is_err());
        assert!(Path::new(&*v.path).join("file").exists(), "only the link is gone");
        link(&sandbox, &[seen_as(&v, "/abs"), seen_as(&v, "../x"), seen_as(&v, "")], &[]).expect("left out");
    }

    #[test]
    fn links_of_a_task_are_not_followed() {
        let root = tempfile::tempdir().expect("a directory");
        let (sandbox, outside) = (root.path().join("sandbox"), root.path().join("outside"));
        fs::create_dir(&sandbox).expect("ours");
        fs::create_dir(&outside).expect("ours");
        symlink(&outside, sandbox.join("out")).expect("as a task may do");
        fs::write(sandbox.join("taken"), "x").expect("as a task may do");
        let v = volume(root.path(), "v");
        assert!(link(&sandbox, &[seen_as(&v, "out/data")], &[]).is_err());
        assert!(link(&sandbox, &[seen_as(&v, "taken")], &[]).is_err());
        link(&sandbox, &[], &[seen_as(&v, "out/data"), seen_as(&v, "taken")]).expect("nothing of ours");
        // Nor those on the way to the sandbox of a nested container.
        fs::create_dir(outside.join("c")).expect("ours");
        symlink(&outside, sandbox.join("containers")).expect("as a task may do");
        let nested = sandbox.join("containers/c");
        assert!(link(&nested, &[seen_as(&v, "data")], &[]).is_err());
        link(&nested, &[], &[seen_as(&v, "data")]).expect("nothing of ours");
        assert_eq!(fs::read_dir(outside.join("c")).expect("there").count(), 0);
        fs::remove_dir(outside.join("c")).expect("empty");
        assert_eq!(fs::read_dir(&outside).expect("there").count(), 0);
        assert!(sandbox.join("taken").exists());
    }
}

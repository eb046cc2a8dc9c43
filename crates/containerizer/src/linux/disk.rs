//! `disk/du`: what sandboxes and volumes hold.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, fstat, openat, statat};

use super::Shared;
use super::table::{Container, Phase, parent};
use crate::isolation::VolumeLimit;
use crate::limitation::{Bytes, Limitation, LimitationKind};
use crate::usage::VolumeUsage;

/// Sectors of `stat(2)`, whatever the disk's are.
const SECTOR: u64 = 512;

/// How a directory is opened to be looked into.
const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// How many directories above the one that is looked into are held open.
const KEPT_OPEN: usize = 64;

/// Looks at every container's directories, and ends those that hold too much if that is to be.
pub(super) fn look(shared: &Shared) {
    let running: Vec<_> = {
        let containers = shared.table.lock();
        let alive =
            |container: &Container| container.process().is_some() || matches!(container.phase, Phase::Group);
        let running = containers.by_id.iter().filter(|(_, container)| alive(container));
        running
            .map(|(id, container)| (id.clone(), container.sandbox.clone(), container.limits.clone()))
            .collect()
    };
    for (container_id, sandbox, limits) in running {
        let excluded: BTreeSet<PathBuf> = limits.volumes.iter().map(|volume| volume.path.clone()).collect();
        let used = match size(&sandbox, &excluded) {
            Ok(used) => used,
            Err(error) => {
                tracing::warn!(%container_id, %error, "the disk use of a container cannot be measured");
                continue;
            }
        };
        let volumes: BTreeMap<PathBuf, u64> = limits
            .volumes
            .iter()
            .filter_map(|volume| Some((volume.path.clone(), size(&volume.path, &BTreeSet::new()).ok()?)))
            .collect();
        {
            let mut containers = shared.table.lock();
            let Some(container) = containers.by_id.get_mut(&container_id) else { continue };
            container.disk_used = Some(used);
            container.volumes_used.clone_from(&volumes);
        }
        // What is nested is in the sandbox of what is around it, and counts there.
        if !shared.options.enforce_disk || parent(&container_id).is_some() {
            continue;
        }
        // A disk of its own is bounded by itself.
        let bounded = limits.volumes.iter().filter(|volume| !volume.is_mount);
        let volumes = bounded.filter_map(|volume| {
            volumes.get(&volume.path).map(|used| (volume.path.clone(), *used, volume.bytes))
        });
        let all = limits.disk.map(|limit| (sandbox.clone(), used, limit)).into_iter().chain(volumes);
        if let Some((path, used, limit)) = all.into_iter().find(|(_, used, limit)| used > limit) {
            let message = format!(
                "Disk usage ({}) exceeds quota ({}) in '{}'",
                Bytes(used),
                Bytes(limit),
                path.display()
            );
            let kind = LimitationKind::Disk { used, volume: Some(path).filter(|path| *path != sandbox) };
            if shared.limit(&container_id, Limitation { kind, message }) {
                shared.kill(&container_id);
            }
        }
    }
}

/// What a container's volumes held when that was last looked.
pub(super) fn volumes_used(container: &Container) -> Vec<VolumeUsage> {
    let usage = |volume: &VolumeLimit| VolumeUsage {
        path: volume.path.clone(),
        limit: volume.bytes,
        used: container.volumes_used.get(&volume.path).copied(),
    };
    container.limits.volumes.iter().map(usage).collect()
}

/// Which file something is, whatever its path.
type Identity = (u64, u64);

/// The space that a directory takes on its own file system, without what is in `excluded`. Of several links one counts.
///
/// Directories are opened one from the other: a task nests them deeper than a path can say.
fn size(directory: &Path, excluded: &BTreeSet<PathBuf>) -> io::Result<u64> {
    let excluded = excluded.iter().filter_map(|path| fs::symlink_metadata(path).ok());
    let excluded = excluded.map(|found| (found.dev(), found.ino())).collect();
    let mut here = openat(CWD, directory, OPEN, Mode::empty())?;
    let device = fstat(&here)?.st_dev;
    let mut count = Count { device, excluded, linked: BTreeSet::new(), total: 0 };
    let mut names = count.entries(&here);
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
            let names_there = std::mem::replace(&mut names, count.entries(&child));
            let parent = std::mem::replace(&mut here, child);
            let open = Some(parent).filter(|_| above.len() < KEPT_OPEN);
            above.push(Above { names: names_there, identity, open });
        } else {
            let Some(next) = climb(&here, &mut above) else { return Ok(count.total) };
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

struct Count {
    device: u64,
    excluded: BTreeSet<Identity>,
    /// Files of several names that were counted already.
    linked: BTreeSet<u64>,
    total: u64,
}

impl Count {
    /// Counts what is in a directory; the names of directories in it.
    fn entries(&mut self, directory: &OwnedFd) -> Vec<CString> {
        let mut directories = Vec::new();
        // What is removed while we look takes no space.
        let Ok(entries) = Dir::read_from(directory) else { return directories };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let Ok(found) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            if found.st_dev != self.device || self.excluded.contains(&(found.st_dev, found.st_ino)) {
                continue;
            }
            if FileType::from_raw_mode(found.st_mode).is_dir() {
                directories.push(name.to_owned());
            } else if found.st_nlink > 1 && !self.linked.insert(found.st_ino) {
                continue;
            }
            self.total += u64::try_from(found.st_blocks).unwrap_or(0) * SECTOR;
        }
        directories
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_is_counted_once_and_only_what_belongs_to_the_directory() {
        let top = tempfile::tempdir().expect("a directory");
        let path = |name: &str| top.path().join(name);
        fs::create_dir_all(path("a/b")).expect("writable");
        fs::create_dir_all(path("volume")).expect("writable");
        fs::write(path("a/b/file"), vec![1_u8; 1 << 20]).expect("writable");
        fs::write(path("volume/file"), vec![1_u8; 1 << 20]).expect("writable");
        fs::hard_link(path("a/b/file"), path("a/again")).expect("writable");
        std::os::unix::fs::symlink("/usr", path("link")).expect("writable");
        fs::File::open(path("a/b/file")).and_then(|file| file.sync_all()).expect("writable");
        let used = size(top.path(), &BTreeSet::from([path("volume")])).expect("readable");
        assert!(((1 << 20)..(1 << 20) + 65536).contains(&used), "{used}");
    }

    #[test]
    fn what_lies_deeper_than_a_path_can_say_is_counted_too() {
        use std::io::Write;
        let top = tempfile::tempdir().expect("a directory");
        let name = "d".repeat(60);
        let mut here = openat(CWD, top.path(), OPEN, Mode::empty()).expect("a directory");
        for _ in 0..100 {
            rustix::fs::mkdirat(&here, &*name, Mode::RWXU).expect("writable");
            here = openat(&here, &*name, OPEN, Mode::empty()).expect("a directory");
        }
        let flags = OFlags::WRONLY | OFlags::CREATE;
        let mut file = fs::File::from(openat(&here, "file", flags, Mode::RWXU).expect("writable"));
        file.write_all(&vec![1_u8; 1 << 20]).and_then(|()| file.sync_all()).expect("writable");
        // Of those above, all are looked into, too.
        fs::write(top.path().join("file"), vec![1_u8; 1 << 20]).expect("writable");
        fs::create_dir_all(top.path().join(&name).join("other")).expect("writable");
        let path = top.path().join(&name).join("other/file");
        fs::write(&path, vec![1_u8; 1 << 20]).expect("writable");
        for path in [path, top.path().join("file")] {
            fs::File::open(path).and_then(|file| file.sync_all()).expect("writable");
        }
        let used = size(top.path(), &BTreeSet::new()).expect("readable");
        assert!(((3 << 20)..(4 << 20)).contains(&used), "{used}");
    }
}

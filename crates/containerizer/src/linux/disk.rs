//! `disk/du`: what sandboxes and volumes hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base::ContainerId;
use rustix::fs::{CWD, FileType, Mode, openat};

use super::Shared;
use super::crew::Crew;
use super::table::{Container, Phase, parent};
use super::walk::{OPEN, walk};
use crate::isolation::{Limits, VolumeLimit};
use crate::limitation::{Bytes, Limitation, LimitationKind};
use crate::usage::VolumeUsage;

/// Sectors of `stat(2)`, whatever the disk's are.
const SECTOR: u64 = 512;

/// Whose directories are looked at.
struct Subject {
    container_id: ContainerId,
    sandbox: PathBuf,
    limits: Limits,
}

/// Looks at every container's directories, and ends those that hold too much if that is to be.
pub(super) fn look(shared: &Arc<Shared>, crew: &Arc<Crew>) {
    let subjects: Vec<Subject> = {
        let containers = shared.table.lock();
        let alive =
            |container: &Container| container.process().is_some() || matches!(container.phase, Phase::Group);
        let running = containers.by_id.iter().filter(|(_, container)| alive(container));
        let subject = |(id, container): (&ContainerId, &Container)| Subject {
            container_id: id.clone(),
            sandbox: container.sandbox.clone(),
            limits: container.limits.clone(),
        };
        running.map(subject).collect()
    };
    crew.round(subjects.into_iter().map(|subject| {
        let shared = Arc::clone(shared);
        let container_id = subject.container_id.clone();
        let task: Box<dyn FnOnce() + Send> = Box::new(move || measure(&shared, &subject));
        (container_id, task)
    }));
}

/// Waits as long as the disk does.
fn measure(shared: &Shared, subject: &Subject) {
    let Subject { container_id, sandbox, limits } = subject;
    let excluded: BTreeSet<PathBuf> = limits.volumes.iter().map(|volume| volume.path.clone()).collect();
    let used = match size(sandbox, &excluded) {
        Ok(used) => used,
        Err(error) => {
            return tracing::warn!(%container_id, %error, "the disk use of a container cannot be measured");
        }
    };
    let volumes: BTreeMap<PathBuf, u64> = limits
        .volumes
        .iter()
        .filter_map(|volume| Some((volume.path.clone(), size(&volume.path, &BTreeSet::new()).ok()?)))
        .collect();
    {
        let mut containers = shared.table.lock();
        let Some(container) = containers.by_id.get_mut(container_id) else { return };
        container.disk_used = Some(used);
        container.volumes_used.clone_from(&volumes);
    }
    // What is nested is in the sandbox of what is around it, and counts there.
    if !shared.options.enforce_disk || parent(container_id).is_some() {
        return;
    }
    // A disk of its own is bounded by itself.
    let bounded = limits.volumes.iter().filter(|volume| !volume.is_mount);
    let volumes = bounded
        .filter_map(|volume| volumes.get(&volume.path).map(|used| (&volume.path, *used, volume.bytes)));
    let all = limits.disk.map(|limit| (sandbox, used, limit)).into_iter().chain(volumes);
    if let Some((path, used, limit)) = all.into_iter().find(|(_, used, limit)| used > limit) {
        let message =
            format!("Disk usage ({}) exceeds quota ({}) in '{}'", Bytes(used), Bytes(limit), path.display());
        let volume = Some(path).filter(|path| *path != sandbox).cloned();
        let kind = LimitationKind::Disk { used, volume, tells_use: false };
        if shared.limit(container_id, Limitation { kind, message }) {
            shared.kill(container_id);
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

/// The space that a directory takes on its own file system, without what is in `excluded`. Of several links one counts.
fn size(directory: &Path, excluded: &BTreeSet<PathBuf>) -> io::Result<u64> {
    let excluded = excluded.iter().filter_map(|path| fs::symlink_metadata(path).ok());
    let excluded: BTreeSet<(u64, u64)> = excluded.map(|found| (found.dev(), found.ino())).collect();
    // Files of several names that were counted already.
    let mut linked = BTreeSet::new();
    let mut total = 0;
    walk(openat(CWD, directory, OPEN, Mode::empty())?, |_, _, found| {
        if excluded.contains(&(found.st_dev, found.st_ino)) {
            return false;
        }
        let is_directory = FileType::from_raw_mode(found.st_mode).is_dir();
        if is_directory || found.st_nlink <= 1 || linked.insert(found.st_ino) {
            total += u64::try_from(found.st_blocks).unwrap_or(0) * SECTOR;
        }
        true
    })?;
    Ok(total)
}

#[cfg(test)]
mod tests {
    use rustix::fs::OFlags;

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

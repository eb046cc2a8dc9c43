//! `disk/du`: what sandboxes and volumes hold.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::Shared;
use super::table::{Container, Phase, parent};
use crate::isolation::VolumeLimit;
use crate::limitation::{Bytes, Limitation, LimitationKind};
use crate::usage::VolumeUsage;

/// Sectors of `stat(2)`, whatever the disk's are.
const SECTOR: u64 = 512;

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

/// The space that a directory takes on its own file system, without what is in `excluded`. Of several links one counts.
fn size(directory: &Path, excluded: &BTreeSet<PathBuf>) -> io::Result<u64> {
    let device = fs::symlink_metadata(directory)?.dev();
    let mut linked = BTreeSet::new();
    let mut total = 0_u64;
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        // What is removed while we look takes no space.
        let Ok(entries) = fs::read_dir(&path) else { continue };
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let path = entry.path();
            if metadata.dev() != device || excluded.contains(&path) {
                continue;
            }
            if metadata.is_dir() {
                pending.push(path);
            } else if metadata.nlink() > 1 && !linked.insert(metadata.ino()) {
                continue;
            }
            total += metadata.blocks() * SECTOR;
        }
    }
    Ok(total)
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
}

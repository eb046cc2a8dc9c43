//! Which directories of containers are limited, and what is done when they hold too much.
//!
//! A sandbox is a project with all that is nested in it; so is a persistent volume, whoever uses it. A volume that is a disk
//! of its own is none: the disk bounds it.

use std::path::{Path, PathBuf};

use base::ContainerId;

use super::{QuotaError, Quotas};
use crate::isolation::Limits;
use crate::launcher::LaunchError;
use crate::limitation::{Bytes, Limitation, LimitationKind};
use crate::linux::Shared;
use crate::linux::table::{Container, Phase, parent};
use crate::usage::VolumeUsage;

impl Quotas {
    /// Limits a sandbox and volumes.
    pub(in crate::linux) fn bound_all(&self, sandbox: &Path, limits: &Limits) -> Result<(), QuotaError> {
        self.bound(sandbox, limits.disk)?;
        for volume in limits.volumes.iter().filter(|volume| !volume.is_mount) {
            self.bound(&volume.path, Some(volume.bytes))?;
        }
        Ok(())
    }
}

impl Shared {
    /// Limits a container's sandbox and its volumes. What is nested is in the sandbox of what is around it.
    pub(in crate::linux) fn bound(
        &self,
        container_id: &ContainerId,
        sandbox: &Path,
        limits: &Limits,
    ) -> Result<(), LaunchError> {
        let Some(quotas) = &self.quotas else { return Ok(()) };
        if parent(container_id).is_some() {
            return Ok(());
        }
        Ok(quotas.bound_all(sandbox, limits)?)
    }

    /// The same for one that runs, when its limits have changed or it was found again.
    pub(in crate::linux) fn bound_again(&self, container_id: &ContainerId, strictly: bool) {
        let (sandbox, limits) = {
            let containers = self.table.lock();
            let Some(container) = containers.by_id.get(container_id) else { return };
            (container.sandbox.clone(), container.limits.clone())
        };
        let Err(error) = self.bound(container_id, &sandbox, &limits) else { return };
        let error = crate::chain(&error);
        tracing::error!(%container_id, error, "the disk use of a container cannot be limited");
        if !strictly {
            // It has run without before.
            return;
        }
        // It could take what others were promised.
        let message = format!("Failed to update resources for container: {error}");
        let kind = LimitationKind::Disk { used: 0, volume: None, tells_use: false };
        self.end_for(container_id, Limitation { kind, message });
    }

    fn end_for(&self, container_id: &ContainerId, limitation: Limitation) {
        if self.limit(container_id, limitation) {
            self.kill(container_id);
        }
    }
}

/// Ends every container that holds more than it may.
pub(in crate::linux) fn look(shared: &Shared) {
    let Some(quotas) = &shared.quotas else { return };
    let running: Vec<(ContainerId, PathBuf, Limits)> = {
        let containers = shared.table.lock();
        let alive = |(id, container): &(&ContainerId, &Container)| {
            let lives = container.process().is_some() || matches!(container.phase, Phase::Group);
            lives && !container.limited && parent(id).is_none()
        };
        let running = containers.by_id.iter().filter(alive);
        running.map(|(id, found)| (id.clone(), found.sandbox.clone(), found.limits.clone())).collect()
    };
    for (container_id, sandbox, limits) in running {
        if let Some(limitation) = beyond(quotas, sandbox, &limits) {
            shared.end_for(&container_id, limitation);
        }
    }
}

fn beyond(quotas: &Quotas, sandbox: PathBuf, limits: &Limits) -> Option<Limitation> {
    let bounded = limits.volumes.iter().filter(|volume| !volume.is_mount);
    let volumes = bounded.map(|volume| (volume.path.clone(), volume.bytes, true));
    let all = limits.disk.map(|limit| (sandbox, limit, false)).into_iter().chain(volumes);
    let measured =
        all.filter_map(|(path, limit, is_volume)| Some((measure(quotas, &path)?, limit, path, is_volume)));
    let (used, limit, path, is_volume) = measured.into_iter().find(|(used, limit, ..)| used > limit)?;
    let mut message = format!("Disk usage ({}) exceeded quota ({})", Bytes(used), Bytes(limit));
    if is_volume {
        let id = path.file_name().unwrap_or_default().to_string_lossy();
        message.push_str(&format!(" for volume '{id}'"));
    }
    let volume = Some(path).filter(|_| is_volume);
    Some(Limitation { kind: LimitationKind::Disk { used, volume, tells_use: true }, message })
}

/// What a directory holds, if that can be said.
pub(in crate::linux) fn measure(quotas: &Quotas, directory: &Path) -> Option<u64> {
    quotas.used(directory).unwrap_or_else(|error| {
        tracing::warn!(error = crate::chain(&error), "the disk use of a container cannot be measured");
        None
    })
}

/// What volumes hold: of those that are disks of their own what is used there.
pub(in crate::linux) fn measure_volumes(quotas: &Quotas, volumes: &mut [VolumeUsage], limits: &Limits) {
    for volume in volumes {
        let is_mount = limits.volumes.iter().any(|limit| limit.path == volume.path && limit.is_mount);
        volume.used = if is_mount {
            let found = rustix::fs::statvfs(&volume.path).ok();
            found.map(|disk| disk.f_blocks.saturating_sub(disk.f_bfree).saturating_mul(disk.f_frsize))
        } else {
            measure(quotas, &volume.path)
        };
    }
}

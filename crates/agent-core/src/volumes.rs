//! Persistent volumes: where they are, and who uses them.

use std::sync::Arc;

use base::{ContainerId, ExecutorId, FrameworkId, validate_id};
use resources::{DiskKind, Operation, Resource, Resources, Root, validate_role};
use tracing::warn;

use crate::Output;
use crate::core::{AgentCore, Step};
use crate::types::{ExecutorKind, ExecutorState, VolumeDirectory, VolumeLink};

/// What an operation does to directories.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) make: Vec<VolumeDirectory>,
    pub(crate) remove: Vec<VolumeDirectory>,
}

impl Changes {
    /// # Errors
    /// If a volume cannot be a directory of this agent.
    pub(crate) fn of(operation: &Operation, work_dir: &str) -> Result<Self, String> {
        let all = |volumes: &[Resource]| {
            volumes.iter().map(|volume| directory(volume, work_dir)).collect::<Result<Vec<_>, _>>()
        };
        Ok(match operation {
            Operation::Create { volumes } => Self { make: all(volumes)?, ..Self::default() },
            Operation::Destroy { volumes } => Self { remove: all(volumes)?, ..Self::default() },
            _ => Self::default(),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.make.is_empty() && self.remove.is_empty()
    }
}

/// The directory of a persistent volume, where Mesos has it.
///
/// # Errors
/// If it has none, in one line.
pub fn directory(volume: &Resource, work_dir: &str) -> Result<VolumeDirectory, String> {
    let disk = volume.details().disk.as_ref();
    let persistence = disk.and_then(|disk| disk.persistence.as_ref());
    let persistence = persistence.ok_or_else(|| format!("{volume} is no persistent volume"))?;
    let role = volume.reservation_role().ok_or_else(|| format!("{volume} is not reserved"))?;
    // Both become names in a path.
    validate_id(&persistence.id).map_err(|error| format!("Invalid id of volume {volume}: {error}"))?;
    validate_role(role.as_str()).map_err(|error| format!("Invalid role of volume {volume}: {error}"))?;
    let within = |root: &str| {
        // A role has no spaces, so that roles below others get names that no role has.
        let role = role.as_str().replace('/', " ");
        VolumeDirectory {
            path: format!("{root}/volumes/roles/{role}/{}", persistence.id).into(),
            is_mount: false,
        }
    };
    let Some(source) = disk.and_then(|disk| disk.source.as_ref()) else { return Ok(within(work_dir)) };
    let root = |root: &Option<Root>| {
        let root = root.as_ref().and_then(|root| root.0.as_deref());
        let root = root.ok_or_else(|| format!("The disk of volume {volume} has no root"))?;
        let absolute = if root.starts_with('/') { root.to_owned() } else { format!("{work_dir}/{root}") };
        Ok::<_, String>(absolute.trim_end_matches('/').to_owned())
    };
    match source.kind {
        DiskKind::Path => Ok(within(&root(&source.path)?)),
        DiskKind::Mount => Ok(VolumeDirectory { path: root(&source.mount)?.into(), is_mount: true }),
        DiskKind::Block | DiskKind::Raw | DiskKind::Unknown => {
            Err(format!("Disks of type {} hold no volumes of this agent", source.kind.as_str()))
        }
    }
}

/// The volumes of a container that is given these resources.
pub(crate) fn links(core: &AgentCore, container: &ContainerId, given: &Resources) -> Vec<VolumeLink> {
    let mut links = Vec::new();
    for volume in given.persistent_volumes().iter() {
        let shown = volume.details().disk.as_ref().and_then(|disk| disk.volume.as_ref());
        let Some(shown) = shown else { continue };
        let directory = match directory(volume, &core.options.work_dir) {
            Ok(directory) => directory,
            Err(reason) => {
                warn!(%container, reason, "a container does not get a volume");
                continue;
            }
        };
        let own = !volume.is_shared() || !is_used(core, volume, Some(container));
        links.push(VolumeLink {
            directory,
            container_path: Arc::clone(&shown.container_path),
            read_only: shown.mode == resources::Mode::ReadOnly,
            own,
        });
    }
    links
}

/// Whether a container other than `except` has the volume, or will have it.
pub(crate) fn is_used(core: &AgentCore, volume: &Resource, except: Option<&ContainerId>) -> bool {
    let executors = core.frameworks.values().flat_map(|framework| framework.executors.values());
    executors.into_iter().any(|executor| {
        // What waits for an executor is not in its container yet, and will be.
        let own = has(&executor.info.resources, volume) && executor.state != ExecutorState::Terminated;
        let waits = executor.queued.iter().flat_map(|q| &q.tasks).any(|task| has(&task.resources, volume));
        let here = (own || waits) && except != Some(&executor.container_id);
        here || executor.tasks.values().filter(|entry| !entry.task.state.is_terminal()).any(|entry| {
            let container = entry.run.as_ref().map_or(&executor.container_id, |run| &run.container_id);
            except != Some(container) && has(&entry.task.info.resources, volume)
        })
    })
}

fn has(resources: &Resources, volume: &Resource) -> bool {
    resources.iter().any(|resource| same_volume(resource, volume))
}

/// A custom executor has been given another task, or one of its tasks has ended: its container gets the volumes that it
/// has now.
pub(crate) fn relink(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) {
    let Some(executor) = core.frameworks.get(framework_id).and_then(|f| f.executors.get(executor_id)) else {
        return;
    };
    if executor.kind() != ExecutorKind::Custom || executor.state == ExecutorState::Terminated {
        return;
    }
    let container_id = executor.container_id.clone();
    let volumes = links(core, &container_id, &executor.given_volumes());
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    let known = |link: &VolumeLink| (link.directory.clone(), link.container_path.clone());
    if executor.volumes.iter().map(known).eq(volumes.iter().map(known)) {
        return;
    }
    executor.volumes.clone_from(&volumes);
    step.out.push(Output::LinkVolumes { container_id, volumes });
}

/// Whether both are the same volume, whatever it is allocated to and however it is seen.
fn same_volume(one: &Resource, other: &Resource) -> bool {
    let id = |resource: &Resource| {
        let disk = resource.details().disk.as_ref()?;
        Some((disk.source.clone(), disk.persistence.as_ref()?.id.clone()))
    };
    one.is_persistent_volume() && id(one) == id(other) && one.reservation_role() == other.reservation_role()
}

#[cfg(test)]
mod tests {
    use resources::{Disk, DiskSource, Persistence, Reservation, Role};

    use super::*;

    fn volume(role: &str, id: &str, source: Option<DiskSource>) -> Resource {
        let disk = Resources::parse("disk:10").expect("well formed").iter().next().expect("one").clone();
        let mut details = disk.details().clone();
        details.disk = Some(Disk {
            source,
            persistence: Some(Persistence { id: id.into(), principal: None }),
            volume: None,
        });
        disk.with_details(details).reserved_by(Reservation::dynamic(Role::from(role), None))
    }

    fn on(kind: DiskKind, root: &str) -> Option<DiskSource> {
        let root = Some(Root(Some(root.into())));
        Some(match kind {
            DiskKind::Mount => DiskSource { mount: root, ..DiskSource::new(kind) },
            _ => DiskSource { path: root, ..DiskSource::new(kind) },
        })
    }

    #[test]
    fn volumes_are_where_mesos_has_them() {
        let path = |volume: &Resource| directory(volume, "/srv").map(|directory| directory.path.to_string());
        assert_eq!(path(&volume("r", "v", None)), Ok("/srv/volumes/roles/r/v".to_owned()));
        assert_eq!(path(&volume("a/b", "v", None)), Ok("/srv/volumes/roles/a b/v".to_owned()));
        let kinds = [
            (on(DiskKind::Path, "/disk1"), "/disk1/volumes/roles/r/v"),
            (on(DiskKind::Path, "disk1/"), "/srv/disk1/volumes/roles/r/v"),
            (on(DiskKind::Mount, "/mnt/a"), "/mnt/a"),
        ];
        for (source, expected) in kinds {
            assert_eq!(path(&volume("r", "v", source)), Ok(expected.to_owned()));
        }
        assert!(path(&volume("r", "v", on(DiskKind::Block, "/x"))).is_err());
    }

    #[test]
    fn no_name_leads_elsewhere() {
        for id in ["", ".", "..", "../x", "a/b"] {
            assert!(directory(&volume("r", id, None), "/srv").is_err(), "{id}");
        }
        for role in ["..", "a/../b", "-x"] {
            assert!(directory(&volume(role, "v", None), "/srv").is_err(), "{role}");
        }
    }
}

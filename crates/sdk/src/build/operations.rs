//! Reservations and volumes: what is to become of offered resources, and the operations that make it so.
//!
//! Operations stand before tasks in one [`accept`](crate::scheduler::Calls::accept), so that what they make can be used at
//! once:
//!
//! ```no_run
//! # async fn example(calls: sdk::scheduler::Calls, offer: proto::v1::Offer) -> Result<(), sdk::CallError> {
//! use proto::v1::offer::operation;
//! use sdk::build::{Task, create, persistent_volume, reserve, reserved, scalar};
//!
//! let disk = reserved(scalar("disk", 512.0), "ads");
//! let volume = persistent_volume(disk.clone(), "database", "data");
//! let task = Task::new("db").command("touch data/here").cpus(0.5).mem(64.0).resource(volume.clone()).on(&offer);
//! let launch = operation::Launch { task_infos: vec![task] };
//! let operations = vec![reserve(vec![disk]), create(vec![volume]), launch.into()];
//! calls.accept(vec![offer.id], operations, None).await?;
//! # Ok(())
//! # }
//! ```

use proto::v1::offer::{Operation, operation};
use proto::v1::resource::disk_info::Persistence;
use proto::v1::resource::{DiskInfo, ReservationInfo, reservation_info};
use proto::v1::{OperationId, Resource, Volume, value, volume};

/// The resource, reserved for a role on top of what it was reserved for before.
#[must_use]
pub fn reserved(mut resource: Resource, role: impl Into<String>) -> Resource {
    resource.reservations.push(ReservationInfo {
        r#type: Some(reservation_info::Type::Dynamic.into()),
        role: Some(role.into()),
        ..ReservationInfo::default()
    });
    resource
}

/// Reserved disk space as a persistent volume: what is in it outlives tasks, which find it at `container_path` of their
/// sandboxes. The id must be unique for the role on the agent.
#[must_use]
pub fn persistent_volume(
    mut disk: Resource,
    id: impl Into<String>,
    container_path: impl Into<String>,
) -> Resource {
    let info = disk.disk.get_or_insert_with(DiskInfo::default);
    info.persistence = Some(Persistence { id: id.into(), principal: None });
    info.volume = Some(Volume {
        mode: volume::Mode::Rw.into(),
        container_path: container_path.into(),
        ..Volume::default()
    });
    disk
}

/// Reserves; the resources are as they are to be.
#[must_use]
pub fn reserve(resources: Vec<Resource>) -> Operation {
    operation::Reserve { resources, source: Vec::new() }.into()
}

/// Takes the last reservation off; the resources are as they are.
#[must_use]
pub fn unreserve(resources: Vec<Resource>) -> Operation {
    operation::Unreserve { resources }.into()
}

/// Makes persistent volumes.
#[must_use]
pub fn create(volumes: Vec<Resource>) -> Operation {
    operation::Create { volumes }.into()
}

/// Deletes persistent volumes with all that is in them.
#[must_use]
pub fn destroy(volumes: Vec<Resource>) -> Operation {
    operation::Destroy { volumes }.into()
}

/// Makes a persistent volume larger by `addition`, which is disk space reserved alike.
#[must_use]
pub fn grow(volume: Resource, addition: Resource) -> Operation {
    operation::GrowVolume { volume, addition }.into()
}

/// Makes a persistent volume smaller by so many megabytes.
#[must_use]
pub fn shrink(volume: Resource, megabytes: f64) -> Operation {
    operation::ShrinkVolume { volume, subtract: value::Scalar { value: megabytes } }.into()
}

/// The operation with a name, under which the framework is told what becomes of it; without one it is told nothing.
#[must_use]
pub fn named(operation: Operation, id: impl Into<OperationId>) -> Operation {
    Operation { id: Some(id.into()), ..operation }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::scalar;

    #[test]
    fn a_volume_of_reserved_space() {
        let space = reserved(reserved(scalar("disk", 8.0), "a"), "a/b");
        let roles: Vec<_> = space.reservations.iter().map(ReservationInfo::role).collect();
        assert_eq!(roles, ["a", "a/b"]);
        let volume = persistent_volume(space.clone(), "v", "data");
        let operation = named(create(vec![volume.clone()]), "make it");
        assert_eq!(operation.r#type(), operation::Type::Create);
        assert_eq!(
            (operation.id.unwrap().value.as_str(), operation.create.unwrap().volumes),
            ("make it", vec![volume])
        );
        assert_eq!(shrink(space, 2.0).shrink_volume.unwrap().subtract.value, 2.0);
    }
}

//! What makes a resource valid.

use crate::{DiskKind, Name, ReservationKind, Resource, ResourceError, Value, validate_role};

/// Checks one resource.
///
/// # Errors
/// The first rule that is broken, in Mesos' words.
pub fn validate(resource: &Resource) -> Result<(), ResourceError> {
    if resource.name.as_str().is_empty() {
        return Err(ResourceError::EmptyName);
    }
    if matches!(resource.value, Value::Scalar(amount) if amount.is_negative()) {
        return Err(ResourceError::NegativeScalar);
    }
    validate_disk(resource)?;
    validate_reservations(resource)?;
    if resource.is_shared() {
        if resource.name != Name::Disk {
            return Err(ResourceError::CannotBeShared(resource.name.to_string()));
        }
        if !resource.is_persistent_volume() {
            return Err(ResourceError::OnlyVolumesShared);
        }
    }
    Ok(())
}

fn validate_disk(resource: &Resource) -> Result<(), ResourceError> {
    let Some(disk) = &resource.details().disk else {
        return Ok(());
    };
    if resource.name != Name::Disk {
        return Err(ResourceError::DiskOnOther(resource.name.to_string()));
    }
    let Some(source) = &disk.source else {
        return Ok(());
    };
    match source.kind {
        DiskKind::Path | DiskKind::Mount => Ok(()),
        DiskKind::Block | DiskKind::Raw if source.mount.is_some() => {
            Err(ResourceError::MountOnSource(source.kind.as_str()))
        }
        DiskKind::Block | DiskKind::Raw if source.path.is_some() => {
            Err(ResourceError::PathOnSource(source.kind.as_str()))
        }
        DiskKind::Block | DiskKind::Raw => Ok(()),
        DiskKind::Unknown => Err(ResourceError::UnknownDiskKind),
    }
}

fn validate_reservations(resource: &Resource) -> Result<(), ResourceError> {
    let reservations = resource.reservations();
    for reservation in reservations {
        validate_role(reservation.role.as_str())?;
        if reservation.role.is_star() {
            return Err(ResourceError::StarReserved);
        }
    }
    for pair in reservations.windows(2) {
        if pair[1].kind == ReservationKind::Static {
            return Err(ResourceError::StaticRefinement);
        }
        if !pair[1].role.is_strict_subrole_of(&pair[0].role) {
            return Err(ResourceError::NotARefinement {
                role: pair[1].role.to_string(),
                ancestor: pair[0].role.to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Details, Disk, DiskSource, Reservation, Role, Scalar};

    fn error(resource: &Resource) -> String {
        validate(resource).unwrap_err().to_string()
    }

    #[test]
    fn amounts_and_names() {
        assert_eq!(error(&Resource::scalar("", Scalar::whole(1))), "Empty resource name");
        assert_eq!(
            error(&Resource::scalar("cpus", Scalar::whole(-1))),
            "Invalid scalar resource: value <= 0"
        );
        assert_eq!(validate(&Resource::scalar("cpus", Scalar::ZERO)), Ok(()));
    }

    #[test]
    fn a_stack_of_reservations_goes_down_the_hierarchy() {
        let cpus =
            Resource::scalar("cpus", Scalar::whole(1)).reserved_by(Reservation::fixed(Role::from("a")));
        let below = cpus.clone().reserved_by(Reservation::dynamic(Role::from("a/b"), None));
        assert_eq!(validate(&below), Ok(()));
        assert_eq!(
            error(&cpus.clone().reserved_by(Reservation::dynamic(Role::from("b"), None))),
            "Invalid refined reservation: role 'b' is not a refinement of 'a'"
        );
        assert_eq!(
            error(&cpus.reserved_by(Reservation::fixed(Role::from("a/b")))),
            "Invalid refined reservation: A refined reservation cannot be STATIC"
        );
        let star = Resource::scalar("cpus", Scalar::whole(1)).reserved_by(Reservation::fixed(Role::star()));
        assert_eq!(error(&star), "Invalid reservation: role \"*\" cannot be reserved");
    }

    #[test]
    fn disks_and_sharing() {
        let with = |name, details| Resource::scalar(name, Scalar::whole(1)).with_details(details);
        let disk = |source| Details { disk: Some(Disk { source, ..Disk::default() }), ..Details::default() };
        assert_eq!(error(&with("mem", disk(None))), "DiskInfo should not be set for mem resource");
        let raw = DiskSource { mount: Some(crate::Root(None)), ..DiskSource::new(DiskKind::Raw) };
        assert_eq!(error(&with("disk", disk(Some(raw)))), "Mount should not be set for RAW disk source");
        let shared = Details { shared: true, ..Details::default() };
        assert_eq!(error(&with("cpus", shared.clone())), "Resource cpus cannot be shared");
        assert_eq!(error(&with("disk", shared)), "Only persistent volumes can be shared");
    }
}

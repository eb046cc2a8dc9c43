//! Rules for resources that are to be used or changed, beside those that make each one valid: [`crate::validate`].

use std::collections::BTreeSet;
use std::sync::Arc;

use thiserror::Error;

use crate::{Mode, Name, Resource, Role, Scalar, Value};

/// Which rule is broken. The texts are those that clients of Mesos see.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum RuleError {
    #[error("Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer")]
    PartOfGpu,
    #[error("Invalid DiskInfo: Persistent volumes cannot be created from revocable resources")]
    RevocableVolume,
    #[error("Invalid DiskInfo: Persistent volumes cannot be created from unreserved resources")]
    UnreservedVolume,
    #[error("Invalid DiskInfo: Expecting 'volume' to be set for persistent volume")]
    NoVolume,
    #[error("Invalid DiskInfo: Expecting 'host_path' to be unset for persistent volume")]
    HostPath,
    #[error("Invalid DiskInfo: Invalid persistence ID for persistent volume: {0}")]
    PersistenceId(String),
    #[error("Invalid DiskInfo: Non-persistent volume not supported")]
    NotPersistent,
    #[error("Invalid DiskInfo: DiskInfo is set but empty")]
    EmptyDisk,
    #[error(
        "Invalid ReservationInfo: Dynamically reserved resource {0} cannot be created from revocable resources"
    )]
    RevocableReservation(Box<Resource>),
}

/// Checks resources that somebody wants to use or change.
///
/// # Errors
/// The first rule that is broken.
pub fn validate_use<'a>(resources: impl Iterator<Item = &'a Resource> + Clone) -> Result<(), RuleError> {
    let gpus: Scalar = resources.clone().filter(|r| r.name == Name::Gpus).map(amount).sum();
    if gpus.thousandths() % 1000 != 0 {
        return Err(RuleError::PartOfGpu);
    }
    resources.clone().try_for_each(validate_disk)?;
    match resources.clone().find(|r| r.is_dynamically_reserved() && r.is_revocable()) {
        Some(resource) => Err(RuleError::RevocableReservation(Box::new(resource.clone()))),
        None => Ok(()),
    }
}

fn amount(resource: &Resource) -> Scalar {
    match resource.value {
        Value::Scalar(amount) => amount,
        _ => Scalar::ZERO,
    }
}

fn validate_disk(resource: &Resource) -> Result<(), RuleError> {
    let Some(disk) = &resource.details().disk else { return Ok(()) };
    let Some(persistence) = &disk.persistence else {
        return match (&disk.volume, &disk.source) {
            (Some(_), _) => Err(RuleError::NotPersistent),
            (None, None) => Err(RuleError::EmptyDisk),
            (None, Some(_)) => Ok(()),
        };
    };
    if resource.is_revocable() {
        return Err(RuleError::RevocableVolume);
    }
    if !resource.is_reserved() {
        return Err(RuleError::UnreservedVolume);
    }
    let volume = disk.volume.as_ref().ok_or(RuleError::NoVolume)?;
    if volume.host_path.is_some() {
        return Err(RuleError::HostPath);
    }
    base::validate_id(&persistence.id).map_err(|error| RuleError::PersistenceId(error.reason))
}

/// Why resources are not those of one volume each.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum VolumeError {
    #[error("Resource {0} does not have DiskInfo")]
    NoDisk(Box<Resource>),
    #[error("'persistence' is not set in DiskInfo")]
    NoPersistence,
    #[error("Expecting 'volume' to be set for persistent volume")]
    NoVolume,
    #[error("Read-only persistent volume not supported")]
    ReadOnly,
}

/// Checks that a resource is a persistent volume as operations make them.
pub(crate) fn validate_volume(resource: &Resource) -> Result<(), VolumeError> {
    let disk =
        resource.details().disk.as_ref().ok_or_else(|| VolumeError::NoDisk(Box::new(resource.clone())))?;
    if disk.persistence.is_none() {
        return Err(VolumeError::NoPersistence);
    }
    let volume = disk.volume.as_ref().ok_or(VolumeError::NoVolume)?;
    if volume.mode == Mode::ReadOnly { Err(VolumeError::ReadOnly) } else { Ok(()) }
}

/// The persistence id of two volumes for one role; on an agent they are unique.
pub fn duplicate_persistence_id<'a>(resources: impl IntoIterator<Item = &'a Resource>) -> Option<Arc<str>> {
    let mut seen = BTreeSet::new();
    resources.into_iter().find_map(|volume| {
        let persistence = volume.details().disk.as_ref()?.persistence.as_ref()?;
        let is_new = seen.insert((volume.reservation_role(), &persistence.id));
        (!is_new).then(|| persistence.id.clone())
    })
}

/// Why resources cannot be converted together.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum MixtureError {
    #[error("Some resources have a resource provider and some do not")]
    SomeProvided,
    #[error("The resources have multiple resource providers: {0}")]
    Providers(String),
    #[error("The resources are not allocated to a role")]
    NotAllocated,
    #[error(
        "The resources have multiple allocation roles ('{other}' and '{first}') but only one allocation role is allowed"
    )]
    Roles { first: Role, other: Role },
}

/// Checks that all resources come from one resource provider, or from the agent itself. No resources at all come from
/// none, which Mesos says in the same words.
pub(crate) fn validate_one_provider<'a>(
    resources: impl Iterator<Item = &'a Resource>,
) -> Result<(), MixtureError> {
    let providers: BTreeSet<_> = resources.map(|r| r.details().provider.as_deref()).collect();
    if providers.len() == 1 {
        return Ok(());
    }
    if providers.contains(&None) {
        return Err(MixtureError::SomeProvided);
    }
    let names: Vec<_> = providers.into_iter().flatten().collect();
    Err(MixtureError::Providers(names.join(", ")))
}

/// Checks that all resources are allocated to one role.
pub(crate) fn validate_one_allocation<'a>(
    resources: impl Iterator<Item = &'a Resource>,
) -> Result<(), MixtureError> {
    let mut first = None;
    for resource in resources {
        let role = resource.allocation.as_ref().ok_or(MixtureError::NotAllocated)?;
        let first = *first.get_or_insert(role);
        if first != role {
            return Err(MixtureError::Roles { first: first.clone(), other: role.clone() });
        }
    }
    Ok(())
}

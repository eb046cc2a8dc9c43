//! Who may do what: the rules for operations that need more than the operation itself.

use std::collections::{BTreeMap, BTreeSet};

use base::FrameworkId;

use super::conversion::reserve;
use super::{Operation, OperationError};
use crate::rules::{
    duplicate_persistence_id, validate_one_allocation, validate_one_provider, validate_use, validate_volume,
};
use crate::{ConversionError, DiskKind, Resource, Resources, Role, Scalar, Value};

/// Who wants something done.
#[derive(Clone, Copy, Debug)]
pub enum Requester<'a> {
    /// A framework, with resources that it was offered.
    Framework {
        /// Which.
        id: &'a FrameworkId,
        /// As who it is authenticated, or says that it is.
        principal: Option<&'a str>,
        /// Its roles.
        roles: &'a BTreeSet<Role>,
        /// Whether it can handle shared resources.
        shared_resources: bool,
    },
    /// An operator, with what an agent has to offer.
    Operator {
        /// As who he is authenticated.
        principal: Option<&'a str>,
    },
}

/// On which agent.
#[derive(Clone, Copy, Debug)]
pub struct OnAgent<'a> {
    /// What it has, allocated to nobody.
    pub total: &'a Resources,
    /// What tasks and executors use of it.
    pub used: &'a BTreeMap<FrameworkId, Resources>,
    /// Whether it knows roles within roles.
    pub hierarchical_role: bool,
    /// Whether it knows refined reservations.
    pub reservation_refinement: bool,
    /// Whether it can make volumes larger and smaller.
    pub resize_volume: bool,
}

type Checked = Result<(), OperationError>;

impl Operation {
    /// Checks whether `requester` may ask for it on this agent. Each resource by itself is valid already.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self, requester: Requester<'_>, agent: OnAgent<'_>) -> Checked {
        match self {
            Self::Reserve { source, resources } => validate_reserve(source, resources, requester, agent),
            Self::Unreserve { resources } => validate_unreserve(resources),
            Self::Create { volumes } => validate_create(volumes, requester, agent),
            Self::Destroy { volumes } => validate_destroy(volumes, agent),
            Self::GrowVolume { volume, addition } => validate_grow(volume, addition, agent),
            Self::ShrinkVolume { volume, subtract } => validate_shrink(volume, *subtract, agent),
            Self::CreateDisk { source, target, profile } => {
                validate_create_disk(source, *target, profile.is_some())
            }
            Self::DestroyDisk { source } => validate_destroy_disk(source),
        }
    }
}

impl Requester<'_> {
    fn principal(&self) -> Option<&str> {
        match self {
            Self::Framework { principal, .. } | Self::Operator { principal } => *principal,
        }
    }
}

fn validate_reserve(
    source: &[Resource],
    resources: &[Resource],
    requester: Requester<'_>,
    agent: OnAgent<'_>,
) -> Checked {
    validate_use(resources.iter()).map_err(OperationError::Resources)?;
    validate_use(source.iter()).map_err(OperationError::Source)?;
    if !source.is_empty() {
        validate_source(source, resources)?;
        reserve(source, resources).map_err(OperationError::Conversion)?;
    }
    validate_one_provider(resources.iter()).map_err(OperationError::Mixture)?;
    for resource in resources {
        let Some(reservation) = resource.reservations().last().filter(|_| resource.is_dynamically_reserved())
        else {
            return Err(OperationError::NotDynamic(Box::new(resource.clone())));
        };
        // Mesos lets a volume change its role, and with it the place where its data is looked for.
        if resource.is_persistent_volume() {
            return Err(OperationError::ReservedVolume(Box::new(resource.clone())));
        }
        let role = &reservation.role;
        if !agent.hierarchical_role && role.as_str().contains('/') {
            return Err(OperationError::ReservedInHierarchy {
                resource: Box::new(resource.clone()),
                role: role.clone(),
            });
        }
        if !agent.reservation_refinement && resource.has_refined_reservations() {
            return Err(OperationError::ReservedWithRefinement(Box::new(resource.clone())));
        }
        if let Some(by) = requester.principal() {
            match reservation.principal.as_deref() {
                None => return Err(OperationError::NoReservationPrincipal(by.to_owned())),
                Some(given) if given != by => {
                    return Err(OperationError::ReservationPrincipal {
                        by: by.to_owned(),
                        given: given.to_owned(),
                    });
                }
                Some(_) => {}
            }
        }
        validate_allocation(resource, role, requester)?;
    }
    match requester {
        Requester::Framework { .. } => {
            validate_one_allocation(resources.iter()).map_err(OperationError::ReservationMixture)
        }
        Requester::Operator { .. } => Ok(()),
    }
}

/// What is to be reserved anew has to be the same as what it is made of, but for the reservations.
fn validate_source(source: &[Resource], target: &[Resource]) -> Checked {
    for (part, resources) in [("source", source), ("resources", target)] {
        let Some((first, rest)) = resources.split_first() else {
            return Err(OperationError::NothingAtAll { part });
        };
        if rest.iter().any(|resource| resource.reservations() != first.reservations()) {
            let resources = resources.iter().cloned().collect();
            return Err(OperationError::MixedReservations { part, resources });
        }
    }
    let plain = |resources: &[Resource]| resources.iter().map(Resource::to_unreserved).collect::<Resources>();
    let (source_resources, target) = (plain(source), plain(target));
    if source_resources == target {
        return Ok(());
    }
    Err(OperationError::DifferentSource { source_resources, target })
}

/// A framework reserves what it was offered, for the role to which it was offered; an operator what nobody was.
fn validate_allocation(resource: &Resource, reserved: &Role, requester: Requester<'_>) -> Checked {
    match (requester, &resource.allocation) {
        (Requester::Operator { .. }, None) => Ok(()),
        (Requester::Operator { .. }, Some(_)) => Err(OperationError::OperatorReservedAllocated),
        (Requester::Framework { .. }, None) => {
            Err(OperationError::ReservedUnallocated(Box::new(resource.clone())))
        }
        (Requester::Framework { .. }, Some(allocated)) if allocated != reserved => {
            Err(OperationError::ReservedForOtherRole {
                reserved: reserved.clone(),
                allocated: allocated.clone(),
            })
        }
        (Requester::Framework { roles, .. }, Some(role)) if !roles.contains(role) => {
            let names: Vec<_> = roles.iter().map(Role::as_str).collect();
            Err(OperationError::ForeignAllocation {
                role: role.clone(),
                roles: format!("{{ {} }}", names.join(", ")),
            })
        }
        (Requester::Framework { .. }, Some(_)) => Ok(()),
    }
}

fn validate_unreserve(resources: &[Resource]) -> Checked {
    validate_use(resources.iter()).map_err(OperationError::Resources)?;
    validate_one_provider(resources.iter()).map_err(OperationError::Mixture)?;
    for resource in resources {
        if !resource.is_dynamically_reserved() {
            return Err(OperationError::NotDynamic(Box::new(resource.clone())));
        }
        if resource.is_persistent_volume() {
            return Err(OperationError::UnreservedVolume(Box::new(resource.clone())));
        }
    }
    Ok(())
}

fn validate_volumes(volumes: &[Resource]) -> Checked {
    validate_use(volumes.iter()).map_err(OperationError::Resources)?;
    validate_one_provider(volumes.iter()).map_err(OperationError::Mixture)?;
    volumes.iter().try_for_each(validate_volume).map_err(OperationError::NotAVolume)
}

fn validate_create(volumes: &[Resource], requester: Requester<'_>, agent: OnAgent<'_>) -> Checked {
    validate_volumes(volumes)?;
    // Another copy of a shared volume is a duplicate, too: it would take disk space of its own and add none.
    let there = agent.total.iter().filter(|resource| resource.needs_checkpoint());
    if let Some(id) = duplicate_persistence_id(there.chain(volumes)) {
        return Err(OperationError::DuplicatePersistenceId(id.as_ref().to_owned()));
    }
    for volume in volumes {
        validate_new_volume(volume, requester, agent)?;
    }
    match requester {
        Requester::Framework { .. } => {
            validate_one_allocation(volumes.iter()).map_err(OperationError::VolumeMixture)
        }
        Requester::Operator { .. } => Ok(()),
    }
}

fn validate_new_volume(volume: &Resource, requester: Requester<'_>, agent: OnAgent<'_>) -> Checked {
    if let Requester::Framework { id, shared_resources: false, .. } = requester
        && volume.is_shared()
    {
        let (volume, framework) = (Box::new(volume.clone()), id.clone());
        return Err(OperationError::SharedNotUnderstood { volume, framework });
    }
    if let Some(role) = volume.reservation_role()
        && !agent.hierarchical_role
        && role.as_str().contains('/')
    {
        let (volume, role) = (Box::new(volume.clone()), role.clone());
        return Err(OperationError::CreatedInHierarchy { volume, role });
    }
    if !agent.reservation_refinement && volume.has_refined_reservations() {
        return Err(OperationError::CreatedWithRefinement(Box::new(volume.clone())));
    }
    let Some(by) = requester.principal() else { return Ok(()) };
    let persistence = volume.details().disk.as_ref().and_then(|disk| disk.persistence.as_ref());
    match persistence.and_then(|persistence| persistence.principal.as_deref()) {
        None => Err(OperationError::NoVolumePrincipal(by.to_owned())),
        Some(given) if given != by => {
            Err(OperationError::VolumePrincipal { by: by.to_owned(), given: given.to_owned() })
        }
        Some(_) => Ok(()),
    }
}

fn validate_destroy(volumes: &[Resource], agent: OnAgent<'_>) -> Checked {
    validate_volumes(volumes)?;
    let volumes: Vec<_> = volumes.iter().map(|volume| volume.clone().unallocated()).collect();
    let provided = |volume: &Resource| volume.details().provider.is_some();
    if volumes.iter().any(|volume| !provided(volume) && !agent.total.contains_one(volume)) {
        return Err(OperationError::NoSuchVolume);
    }
    // Only a shared volume can be in use: what is used by one task alone is in no offer.
    let used = agent.used.values().flat_map(Resources::iter).filter(|r| r.is_persistent_volume());
    for resource in used {
        let resource = resource.clone().unallocated();
        if volumes.iter().any(|volume| resource.contains(volume)) {
            return Err(OperationError::VolumeInUse);
        }
    }
    Ok(())
}

fn validate_grow(volume: &Resource, addition: &Resource, agent: OnAgent<'_>) -> Checked {
    if !matches!(addition.value, Value::Scalar(size) if size.is_positive()) {
        return Err(OperationError::GrownByNothing);
    }
    if volume.details().provider.is_some() {
        return Err(OperationError::GrownOfProvider);
    }
    validate_volume(volume).map_err(OperationError::GrownNoVolume)?;
    if volume.is_shared() {
        return Err(OperationError::GrownShared);
    }
    if !volume.without_volume().is_addable(addition) {
        return Err(OperationError::Conversion(ConversionError::IncompatibleAddition));
    }
    if !agent.resize_volume {
        return Err(OperationError::GrownOnOldAgent(Box::new(volume.clone())));
    }
    Ok(())
}

fn validate_shrink(volume: &Resource, subtract: Scalar, agent: OnAgent<'_>) -> Checked {
    if !subtract.is_positive() {
        return Err(OperationError::ShrunkByNothing);
    }
    if !matches!(volume.value, Value::Scalar(size) if size > subtract) {
        return Err(OperationError::Conversion(ConversionError::ShrunkToNothing));
    }
    if volume.details().provider.is_some() {
        return Err(OperationError::ShrunkOfProvider);
    }
    if volume.disk_kind() == Some(DiskKind::Mount) {
        return Err(OperationError::ShrunkMount);
    }
    validate_volume(volume).map_err(OperationError::ShrunkNoVolume)?;
    if volume.is_shared() {
        return Err(OperationError::ShrunkShared);
    }
    if !agent.resize_volume {
        return Err(OperationError::ShrunkOnOldAgent(Box::new(volume.clone())));
    }
    Ok(())
}

fn validate_create_disk(source: &Resource, target: DiskKind, has_profile: bool) -> Checked {
    validate_use(std::iter::once(source)).map_err(OperationError::Resource)?;
    if source.details().provider.is_none() {
        return Err(OperationError::NotOfProvider);
    }
    if source.disk_kind() != Some(DiskKind::Raw) {
        return Err(OperationError::NotRaw);
    }
    if !matches!(target, DiskKind::Mount | DiskKind::Block) {
        return Err(OperationError::BadTarget);
    }
    let source_has = source.disk_source().is_some_and(|source| source.profile.is_some());
    match (source_has, has_profile) {
        (true, true) => Err(OperationError::ProfileTwice),
        (false, false) => Err(OperationError::NoProfile),
        _ => Ok(()),
    }
}

fn validate_destroy_disk(source: &Resource) -> Checked {
    validate_use(std::iter::once(source)).map_err(OperationError::Resource)?;
    if source.details().provider.is_none() {
        return Err(OperationError::NotOfProvider);
    }
    if !matches!(source.disk_kind(), Some(DiskKind::Mount | DiskKind::Block | DiskKind::Raw)) {
        return Err(OperationError::NotADisk);
    }
    if source.disk_source().is_none_or(|source| source.id.is_none()) {
        return Err(OperationError::NoCsiVolume);
    }
    if source.is_persistent_volume() {
        return Err(OperationError::DestroyedWithVolume(Box::new(source.clone())));
    }
    Ok(())
}

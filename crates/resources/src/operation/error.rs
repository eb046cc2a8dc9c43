//! Why operations are refused.

use base::FrameworkId;
use thiserror::Error;

use crate::{ConversionError, MixtureError, Resource, Resources, Role, RuleError, VolumeError};

/// Why an operation is refused. The texts are those that clients of Mesos see.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[expect(missing_docs, reason = "each variant's text says it")]
pub enum OperationError {
    #[error("Invalid resources: {0}")]
    Resources(RuleError),
    #[error("Invalid resource: {0}")]
    Resource(RuleError),
    #[error("Invalid source: {0}")]
    Source(RuleError),
    #[error("Invalid resources: {0}")]
    Mixture(MixtureError),
    #[error("Invalid {part}: Resource cannot be empty")]
    NothingAtAll { part: &'static str },
    #[error("Invalid {part}: Mixed reservations are not supported: {resources}")]
    MixedReservations { part: &'static str, resources: Resources },
    #[error(
        "Source and target resources should refer to identical resource quantities: {source_resources} vs. {target}"
    )]
    DifferentSource { source_resources: Resources, target: Resources },
    #[error("Resource {0} is not dynamically reserved")]
    NotDynamic(Box<Resource>),
    #[error(
        "Resource {resource} with reservation for hierarchical role '{role}' cannot be reserved on an agent without \
         HIERARCHICAL_ROLE capability"
    )]
    ReservedInHierarchy { resource: Box<Resource>, role: Role },
    #[error(
        "Resource {0} with reservation refinement cannot be reserved on an agent without RESERVATION_REFINEMENT \
         capability"
    )]
    ReservedWithRefinement(Box<Resource>),
    #[error(
        "A reserve operation was attempted by principal '{0}', but there is a reserved resource in the request with \
         no principal set"
    )]
    NoReservationPrincipal(String),
    #[error(
        "A reserve operation was attempted by authenticated principal '{by}', which does not match a reserved \
         resource in the request with principal '{given}'"
    )]
    ReservationPrincipal { by: String, given: String },
    #[error(
        "A reserve operation was attempted on unallocated resource {0}, but frameworks can only perform reservations \
         on allocated resources"
    )]
    ReservedUnallocated(Box<Resource>),
    #[error(
        "A reserve operation was attempted for a resource with role '{reserved}', but the resource was allocated to \
         role '{allocated}'"
    )]
    ReservedForOtherRole { reserved: Role, allocated: Role },
    #[error(
        "A reserve operation was attempted for a resource allocated to role '{role}', but the framework only has \
         roles '{roles}'"
    )]
    ForeignAllocation { role: Role, roles: String },
    #[error(
        "A reserve operation was attempted with an allocated resource, but the operator API only allows reservations \
         to be made to unallocated resources"
    )]
    OperatorReservedAllocated,
    #[error(
        "A persistent volume {0} cannot be reserved for another role. Please destroy the persistent volume first then \
         reserve the resource"
    )]
    ReservedVolume(Box<Resource>),
    #[error("Invalid reservation resources: {0}")]
    ReservationMixture(MixtureError),
    #[error(
        "A dynamically reserved persistent volume {0} cannot be unreserved directly. Please destroy the persistent \
         volume first then unreserve the resource"
    )]
    UnreservedVolume(Box<Resource>),
    #[error("Not a persistent volume: {0}")]
    NotAVolume(VolumeError),
    #[error("Persistence ID '{0}' is not unique")]
    DuplicatePersistenceId(String),
    #[error(
        "Create volume operation for '{volume}' has been attempted by framework '{framework}' with no \
         SHARED_RESOURCES capability"
    )]
    SharedNotUnderstood { volume: Box<Resource>, framework: FrameworkId },
    #[error(
        "Volume {volume} with reservation for hierarchical role '{role}' cannot be created on an agent without \
         HIERARCHICAL_ROLE capability"
    )]
    CreatedInHierarchy { volume: Box<Resource>, role: Role },
    #[error(
        "Volume {0} with reservation refinement cannot be created on an agent without RESERVATION_REFINEMENT \
         capability"
    )]
    CreatedWithRefinement(Box<Resource>),
    #[error(
        "Create volume operation attempted by principal '{0}', but there is a volume in the operation with no \
         principal set in 'disk.persistence'"
    )]
    NoVolumePrincipal(String),
    #[error(
        "Create volume operation attempted by authenticated principal '{by}', which does not match a volume in the \
         operation with principal '{given}' set in 'disk.persistence'"
    )]
    VolumePrincipal { by: String, given: String },
    #[error("Invalid volume resources: {0}")]
    VolumeMixture(MixtureError),
    #[error("Persistent volumes not found")]
    NoSuchVolume,
    #[error("Persistent volumes in use")]
    VolumeInUse,
    #[error("The size of 'GrowVolume.addition' field must be greater than zero")]
    GrownByNothing,
    #[error("Growing a volume from a resource provider is not supported")]
    GrownOfProvider,
    #[error("Invalid persistent volume in the 'GrowVolume.volume' field: {0}")]
    GrownNoVolume(VolumeError),
    #[error("Growing a shared persistent volume is not supported")]
    GrownShared,
    #[error("Volume {0} cannot be grown on an agent without RESIZE_VOLUME capability")]
    GrownOnOldAgent(Box<Resource>),
    #[error("Value of 'ShrinkVolume.subtract' must be greater than zero")]
    ShrunkByNothing,
    #[error("Shrinking a volume from a resource provider is not supported")]
    ShrunkOfProvider,
    #[error("Shrinking a volume on a MOUNT disk is not supported")]
    ShrunkMount,
    #[error("Invalid persistent volume in the 'ShrinkVolume.volume' field: {0}")]
    ShrunkNoVolume(VolumeError),
    #[error("Shrinking a shared persistent volume is not supported")]
    ShrunkShared,
    #[error("Volume {0} cannot be shrunk on an agent without RESIZE_VOLUME capability")]
    ShrunkOnOldAgent(Box<Resource>),
    #[error("'source' is not managed by a resource provider")]
    NotOfProvider,
    #[error("'source' is not a RAW disk resource")]
    NotRaw,
    #[error("'target_type' is neither MOUNT or BLOCK")]
    BadTarget,
    #[error("'target_profile' must not be set when 'source' has a profile")]
    ProfileTwice,
    #[error("'target_profile' must be set when 'source' has no profile")]
    NoProfile,
    #[error("'source' is neither a MOUNT, BLOCK or RAW disk resource")]
    NotADisk,
    #[error("'source' is not backed by a CSI volume")]
    NoCsiVolume,
    #[error(
        "A disk resource containing a persistent volume {0} cannot be destroyed directly. Please destroy the \
         persistent volume first then destroy the disk resource"
    )]
    DestroyedWithVolume(Box<Resource>),
    #[error(transparent)]
    Conversion(ConversionError),
}

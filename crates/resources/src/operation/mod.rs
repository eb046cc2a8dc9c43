//! Operations: what can be done to resources other than using them up.
//!
//! An [`Operation`] says what somebody wants, [`Conversion`]s what has to change for it. Whether they may is for
//! [`Operation::validate`] to say, which knows of the agent and of who asks.

mod conversion;
mod error;
mod validate;

use std::sync::Arc;

pub use conversion::{Conversion, ConversionError};
pub use error::OperationError;
pub use validate::{OnAgent, Requester};

use crate::{DiskKind, Resource, Resources, Role, Scalar};

/// Something to be done to the resources of one agent.
///
/// Resources are kept one by one, as they were given: an operation that names the same thing twice is not the same as one
/// that names it once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Reserve for a role, or for another role than before.
    Reserve {
        /// What the resources are now. If there is none, they are what is left without their last reservation.
        source: Vec<Resource>,
        /// What they are to be.
        resources: Vec<Resource>,
    },
    /// Take the last reservation off.
    Unreserve {
        /// The resources as they are.
        resources: Vec<Resource>,
    },
    /// Make persistent volumes out of disk space.
    Create {
        /// The volumes that are to be.
        volumes: Vec<Resource>,
    },
    /// Delete persistent volumes and what is on them.
    Destroy {
        /// The volumes as they are.
        volumes: Vec<Resource>,
    },
    /// Make a persistent volume larger.
    GrowVolume {
        /// The volume as it is.
        volume: Resource,
        /// The disk space that is added to it.
        addition: Resource,
    },
    /// Make a persistent volume smaller.
    ShrinkVolume {
        /// The volume as it is.
        volume: Resource,
        /// How much disk space it loses.
        subtract: Scalar,
    },
    /// Make a disk out of raw storage; done by a resource provider.
    CreateDisk {
        /// The storage.
        source: Resource,
        /// What to make of it.
        target: DiskKind,
        /// By which set of storage parameters, where the storage does not say.
        profile: Option<Arc<str>>,
    },
    /// Make raw storage out of a disk; done by a resource provider.
    DestroyDisk {
        /// The disk.
        source: Resource,
    },
}

/// The kinds of operations on resources.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "they are those of `Operation`")]
pub enum OperationKind {
    Reserve,
    Unreserve,
    Create,
    Destroy,
    GrowVolume,
    ShrinkVolume,
    CreateDisk,
    DestroyDisk,
}

impl OperationKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Reserve,
        Self::Unreserve,
        Self::Create,
        Self::Destroy,
        Self::GrowVolume,
        Self::ShrinkVolume,
        Self::CreateDisk,
        Self::DestroyDisk,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reserve => "RESERVE",
            Self::Unreserve => "UNRESERVE",
            Self::Create => "CREATE",
            Self::Destroy => "DESTROY",
            Self::GrowVolume => "GROW_VOLUME",
            Self::ShrinkVolume => "SHRINK_VOLUME",
            Self::CreateDisk => "CREATE_DISK",
            Self::DestroyDisk => "DESTROY_DISK",
        }
    }
}

impl Operation {
    /// Which kind it is of.
    #[must_use]
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Reserve { .. } => OperationKind::Reserve,
            Self::Unreserve { .. } => OperationKind::Unreserve,
            Self::Create { .. } => OperationKind::Create,
            Self::Destroy { .. } => OperationKind::Destroy,
            Self::GrowVolume { .. } => OperationKind::GrowVolume,
            Self::ShrinkVolume { .. } => OperationKind::ShrinkVolume,
            Self::CreateDisk { .. } => OperationKind::CreateDisk,
            Self::DestroyDisk { .. } => OperationKind::DestroyDisk,
        }
    }

    /// The resources that it is about, without the source of a reservation.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        let (many, one, other) = match self {
            Self::Reserve { resources, .. } | Self::Unreserve { resources } => {
                (resources.as_slice(), None, None)
            }
            Self::Create { volumes } | Self::Destroy { volumes } => (volumes.as_slice(), None, None),
            Self::GrowVolume { volume, addition } => (&[][..], Some(volume), Some(addition)),
            Self::ShrinkVolume { volume, .. } => (&[][..], Some(volume), None),
            Self::CreateDisk { source, .. } | Self::DestroyDisk { source } => (&[][..], Some(source), None),
        };
        many.iter().chain(one).chain(other)
    }

    fn each(&mut self, mut change: impl FnMut(&mut Resource)) {
        match self {
            Self::Reserve { source, resources } => source.iter_mut().chain(resources).for_each(change),
            Self::Unreserve { resources } => resources.iter_mut().for_each(change),
            Self::Create { volumes } | Self::Destroy { volumes } => volumes.iter_mut().for_each(change),
            Self::GrowVolume { volume, addition } => {
                change(volume);
                change(addition);
            }
            Self::ShrinkVolume { volume, .. } => change(volume),
            Self::CreateDisk { source, .. } | Self::DestroyDisk { source } => change(source),
        }
    }

    /// Which resource provider is to carry it out, if not the agent itself. Valid operations have one at most.
    #[must_use]
    pub fn provider(&self) -> Option<&Arc<str>> {
        self.resources().next().and_then(|resource| resource.details().provider.as_ref())
    }

    /// What names no role to which it is allocated is allocated to `role`: a scheduler need not repeat what its offer says.
    pub fn allocate(&mut self, role: &Role) {
        self.each(|resource| {
            resource.allocation.get_or_insert_with(|| role.clone());
        });
    }

    /// The same on resources that are allocated to nobody, which is how an agent's total has them.
    #[must_use]
    pub fn unallocated(mut self) -> Self {
        self.each(|resource| resource.allocation = None);
        self
    }

    /// All that it takes away, whatever comes in its place.
    ///
    /// # Errors
    /// As [`Operation::conversions`].
    pub fn consumed(&self) -> Result<Resources, ConversionError> {
        let mut all = Resources::new();
        for conversion in self.conversions()? {
            all += conversion.consumed();
        }
        Ok(all)
    }
}

//! What an agent has to remember of its resources beyond its flags: dynamic reservations and persistent volumes.

use thiserror::Error;

use crate::{Details, Resource, Resources};

/// Why remembered resources do not fit an agent.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum CheckpointError {
    /// It is not one that is remembered.
    #[error("Unexpected checkpointed resources {0}")]
    Unexpected(Box<Resource>),
    /// The agent does not have what it was made of.
    #[error("Incompatible agent resources: {have} does not contain {wanted}")]
    Incompatible {
        /// What the agent has.
        have: Resources,
        /// What one of the remembered resources was made of.
        wanted: Box<Resource>,
    },
}

impl CheckpointError {
    /// What an agent has to be started with, or must not remember.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        match self {
            Self::Unexpected(resource) | Self::Incompatible { wanted: resource, .. } => resource,
        }
    }
}

impl Resource {
    /// Whether the agent remembers it. What a resource provider has, the provider remembers.
    #[must_use]
    pub fn needs_checkpoint(&self) -> bool {
        self.details().provider.is_none() && (self.is_dynamically_reserved() || self.is_persistent_volume())
    }

    /// What the agent's flags call it: without volume, and without dynamic reservations.
    fn as_started(&self) -> Self {
        let plain = self.without_volume();
        if !self.is_dynamically_reserved() {
            return plain;
        }
        let fixed = self.static_reservation().cloned().into_iter().collect();
        let details = plain.details().clone();
        plain.with_details(Details { reservations: fixed, ..details })
    }
}

impl Resources {
    /// Those that an agent remembers.
    #[must_use]
    pub fn checkpointed(&self) -> Self {
        self.filter(Resource::needs_checkpoint)
    }

    /// What an agent has that was started with these resources and remembers `checkpointed`.
    ///
    /// # Errors
    /// The two do not fit: the agent was started with less than it promised away.
    pub fn with_checkpointed(&self, checkpointed: &Self) -> Result<Self, CheckpointError> {
        let mut total = self.clone();
        for resource in checkpointed.iter() {
            if !resource.needs_checkpoint() {
                return Err(CheckpointError::Unexpected(Box::new(resource.clone())));
            }
            let started = resource.as_started();
            if !total.contains_one(&started) {
                return Err(CheckpointError::Incompatible { have: total, wanted: Box::new(started) });
            }
            total.remove(&started);
            total.add(resource.clone());
        }
        Ok(total)
    }
}

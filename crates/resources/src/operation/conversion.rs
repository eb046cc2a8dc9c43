//! What an operation does, in terms of what goes and what comes in its place.

use thiserror::Error;

use super::Operation;
use crate::{NotContained, Resource, Resources, Value};

/// Some resources become others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conversion {
    consumed: Resources,
    converted: Resources,
    /// What may not be there any more afterwards: one copy of a volume cannot be destroyed while others are in use.
    gone: Option<Resource>,
}

/// Why an operation cannot be applied.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ConversionError {
    /// What it takes is not there.
    #[error(transparent)]
    NotContained(#[from] NotContained),
    /// It would destroy a shared volume that somebody still has.
    #[error("Persistent volume {0} cannot be removed due to additional shared copies")]
    SharedCopies(Box<Resource>),
    /// Only a resource provider can do it.
    #[error("Operation not supported")]
    NotSupported,
    /// A resource provider cannot do it.
    #[error("Operation not supported for resource provider")]
    NotSupportedByProvider,
    /// A volume would grow by something else than its own kind of disk.
    #[error("Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields")]
    IncompatibleAddition,
    /// A volume would lose all that it has.
    #[error("Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'")]
    ShrunkToNothing,
    /// A source would get other static reservations, or lose its own: those belong to the agent's flags.
    #[error(
        "Source and target resources should have the same static reservation: operations cannot change those"
    )]
    StaticReservation,
}

impl Conversion {
    /// `consumed` becomes `converted`.
    #[must_use]
    pub fn new(consumed: Resources, converted: Resources) -> Self {
        Self { consumed, converted, gone: None }
    }

    /// What goes.
    #[must_use]
    pub fn consumed(&self) -> &Resources {
        &self.consumed
    }

    /// What comes.
    #[must_use]
    pub fn converted(&self) -> &Resources {
        &self.converted
    }

    fn apply(&self, resources: &mut Resources) -> Result<(), ConversionError> {
        resources.subtract(&self.consumed)?;
        *resources += &self.converted;
        match &self.gone {
            Some(gone) if resources.contains_one(gone) => {
                Err(ConversionError::SharedCopies(Box::new(gone.clone())))
            }
            _ => Ok(()),
        }
    }
}

impl Resources {
    /// Applies conversions one after the other.
    ///
    /// # Errors
    /// Changes nothing and says why the first that is impossible is so.
    pub fn convert<'a>(
        &mut self,
        conversions: impl IntoIterator<Item = &'a Conversion>,
    ) -> Result<(), ConversionError> {
        let mut result = self.clone();
        for conversion in conversions {
            conversion.apply(&mut result)?;
        }
        *self = result;
        Ok(())
    }

    /// Applies an operation.
    ///
    /// # Errors
    /// Changes nothing and says why it cannot be applied.
    pub fn apply(&mut self, operation: &Operation) -> Result<(), ConversionError> {
        self.convert(&operation.conversions()?)
    }
}

impl Operation {
    /// What has to change, in order.
    ///
    /// # Errors
    /// It is none that an agent can carry out.
    pub fn conversions(&self) -> Result<Vec<Conversion>, ConversionError> {
        Ok(match self {
            Self::Reserve { source, resources } => vec![reserve(source, resources)?],
            Self::Unreserve { resources } => resources
                .iter()
                .map(|reserved| {
                    Conversion::new(reserved.clone().into(), reserved.without_last_reservation().into())
                })
                .collect(),
            Self::Create { volumes } => volumes
                .iter()
                .map(|volume| Conversion::new(volume.without_volume().into(), volume.clone().into()))
                .collect(),
            Self::Destroy { volumes } => volumes.iter().map(destroy).collect(),
            Self::GrowVolume { volume, addition } => vec![grow(volume, addition)?],
            Self::ShrinkVolume { volume, subtract } => vec![shrink(volume, &Value::Scalar(*subtract))?],
            Self::CreateDisk { .. } | Self::DestroyDisk { .. } => return Err(ConversionError::NotSupported),
        })
    }
}

pub(super) fn reserve(source: &[Resource], resources: &[Resource]) -> Result<Conversion, ConversionError> {
    // Once an agent has converted them, it finds its way back to what its flags say by these.
    let mut fixed = source.iter().chain(resources).map(Resource::static_reservation);
    let first = fixed.next();
    if !source.is_empty() && fixed.any(|other| Some(other) != first) {
        return Err(ConversionError::StaticReservation);
    }
    let consumed = match source {
        [] => resources.iter().map(Resource::without_last_reservation).collect(),
        _ => source.iter().cloned().collect(),
    };
    Ok(Conversion::new(consumed, resources.iter().cloned().collect()))
}

fn destroy(volume: &Resource) -> Conversion {
    let freed = volume.without_volume().into();
    Conversion { gone: Some(volume.clone()), ..Conversion::new(volume.clone().into(), freed) }
}

fn grow(volume: &Resource, addition: &Resource) -> Result<Conversion, ConversionError> {
    if volume.details().provider.is_some() {
        return Err(ConversionError::NotSupportedByProvider);
    }
    if !volume.without_volume().is_addable(addition) {
        return Err(ConversionError::IncompatibleAddition);
    }
    let mut grown = volume.clone();
    grown.value.add(&addition.value);
    Ok(Conversion::new([volume.clone(), addition.clone()].into_iter().collect(), grown.into()))
}

fn shrink(volume: &Resource, subtract: &Value) -> Result<Conversion, ConversionError> {
    if volume.details().provider.is_some() {
        return Err(ConversionError::NotSupportedByProvider);
    }
    if volume.value == *subtract || !volume.value.contains(subtract) {
        return Err(ConversionError::ShrunkToNothing);
    }
    let mut shrunk = volume.clone();
    shrunk.value.subtract(subtract);
    let freed = volume.without_volume().with_value(subtract.clone());
    Ok(Conversion::new(volume.clone().into(), [shrunk, freed].into_iter().collect()))
}

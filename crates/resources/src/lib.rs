//! The algebra of resources: what an agent has, what an offer holds, what a task takes.
//!
//! A [`Resource`] is an amount ([`Value`]) of something with a [`Name`], perhaps reserved for a role, perhaps a disk of a
//! certain kind, perhaps allocated to a role. [`Resources`] is a collection in which what can be added has been added.
//! [`Quantities`] are bare amounts by name, for sums and limits.
//!
//! Scalars are fixed-point with three decimals, as Mesos rounds them, so adding and subtracting is exact. The text forms
//! read and written here are those of Mesos, because people and error messages show them.

mod checkpoint;
mod collection;
mod detail;
mod disk;
mod display;
mod error;
mod name;
mod operation;
mod parse;
mod quantities;
mod ranges;
mod reservation;
mod resource;
mod role;
mod rules;
mod scalar;
mod set;
mod validate;
mod value;

pub use checkpoint::CheckpointError;
pub use collection::Resources;
pub use detail::Details;
pub use disk::{Disk, DiskKind, DiskSource, Mode, Persistence, Root, Volume};
pub use error::{NotContained, ParseError, ResourceError, RoleError};
pub use name::Name;
pub use operation::{
    Conversion, ConversionError, OnAgent, Operation, OperationError, OperationKind, Requester,
};
pub use parse::parse_value_or_text;
pub use quantities::Quantities;
pub use ranges::{Range, Ranges};
pub use reservation::{Label, Labels, Reservation, ReservationKind};
pub use resource::Resource;
pub use role::{Role, is_strict_subrole, validate_role};
pub use rules::{MixtureError, RuleError, VolumeError, duplicate_persistence_id, validate_use};
pub use scalar::Scalar;
pub use set::Set;
pub use validate::validate;
pub use value::{ParsedValue, Value};

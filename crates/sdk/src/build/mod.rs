//! Makes the messages that schedulers write most. Each builder gives the plain message, whose other fields may then be
//! set by hand.

mod framework;
mod operations;
mod resources;
mod task;

pub use framework::Framework;
pub use operations::{create, destroy, grow, named, persistent_volume, reserve, reserved, shrink, unreserve};
pub use resources::{Quantities, ranges, scalar, scalar_total};
pub use task::{Task, executor, group_executor, uri};

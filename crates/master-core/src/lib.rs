//! The master's state machine: `(state, now, input) -> outputs`, without IO, clock or randomness of its own.
//!
//! [`MasterCore::handle`] takes one [`Input`] and appends what is to be done to a list of [`Output`]s. The server around
//! it turns requests into inputs, after it has checked all that can be checked without the state, and carries out the
//! outputs. Heartbeats of the streams are the server's affair: they say that the connection stands, and the core knows
//! of no connection.
//!
//! What must outlive the master is in the registry. The core begins with what is in it ([`FromRegistry::Recovered`]), hands
//! over what it wants written ([`Output::Registry`]), and makes a change when it hears that it is written.
//!
//! [`MasterCore::snapshot`] gives readers all entities, shared; [`MasterCore::check`] verifies what must always hold.

mod agents;
mod allocation;
mod check;
mod core;
mod frameworks;
mod input;
mod maintenance;
mod metrics;
mod offers;
mod operations;
mod operator;
mod options;
mod output;
mod quota;
mod reconciliation;
mod registry;
mod snapshot;
mod tasks;
mod timers;
mod types;

pub use allocator::{
    AgentTraits, AttributeValue, Condition, Constraints, Pattern, Predicate, Quota, RegexLimits, Selector,
};
pub use check::Broken;
pub use core::MasterCore;
pub use frameworks::FrameworkCounts;
pub use input::{FromAgent, FromRegistry, Input, Timer};
pub use maintenance::windows_of;
pub use metrics::Metrics;
pub use operations::OperationCounts;
pub use options::Options;
pub use output::{Directory, FrameworkRef, Observation, Output, SchedulerEvent, ToAgent};
pub use snapshot::Snapshot;
pub use types::*;

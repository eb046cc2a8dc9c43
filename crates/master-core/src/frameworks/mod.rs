//! Frameworks: subscription, going away and coming back, ending.

mod away;
mod counts;
mod registry;
mod subscribe;
mod teardown;
mod update;

pub(crate) use away::{failover_due, scheduler_gone};
pub use counts::FrameworkCounts;
pub(crate) use registry::{Frameworks, framework_ref, recover};
pub(crate) use subscribe::{Subscription, subscribe};
pub(crate) use teardown::teardown;
pub(crate) use update::update_framework;

//! What readers see: entities of the core as the APIs show them. Nothing here knows of HTTP.
//!
//! [`v1`](proto) views are messages of the operator API; v0 views are the JSON objects of the older endpoints, whose
//! fields have the names and the order that Mesos gives them.

pub(crate) mod agent;
pub(crate) mod amounts;
pub(crate) mod executor;
pub(crate) mod explain;
pub(crate) mod framework;
pub(crate) mod framework_metrics;
pub(crate) mod metrics;
pub(crate) mod roles;
pub(crate) mod sharing;
pub(crate) mod state;
pub(crate) mod system;
pub(crate) mod task;

use base::Time;
use proto::v1;

/// A time as operator calls write it.
pub(crate) fn time_info(time: Time) -> v1::TimeInfo {
    v1::TimeInfo { nanoseconds: i64::try_from(time.as_nanos()).unwrap_or(i64::MAX) }
}

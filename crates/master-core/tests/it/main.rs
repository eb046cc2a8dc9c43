//! The master's core, scenario by scenario. The recorded behaviour is that of Apache Mesos 1.12.

mod agents;
mod choosy;
mod draining;
mod frameworks;
mod launch;
mod maintenance;
mod offers;
mod operations;
mod operator;
mod operator_operations;
mod quota;
mod random;
mod reconciliation;
mod registry;
mod removals;
mod reregistration;
mod reservations;
mod returns;
mod sharing;
mod statuses;
mod takeover;
mod volume_scene;
mod volumes;

//! The master's core, scenario by scenario. The recorded behaviour is that of Apache Mesos 1.12.

mod agents;
mod frameworks;
mod launch;
mod offers;
mod operator;
mod random;
mod reconciliation;
mod reregistration;
mod statuses;

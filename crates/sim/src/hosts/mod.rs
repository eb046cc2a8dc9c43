//! The processes around the cores: what the servers do, under simulated time.

mod agent;
mod clock;
mod containers;
mod disk;
mod executor;
mod master;
mod standing;

pub(crate) use agent::AgentHost;
pub(crate) use clock::Clock;
pub(crate) use master::MasterHost;

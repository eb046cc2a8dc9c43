//! The agent's server: everything around `agent-core` that does IO.
//!
//! * [`AgentServer`] listens and runs. One thread owns the core (`engine`); messages and calls are decoded and checked in
//!   the tasks of their connections, and what the core wants sent is encoded in the tasks of the connections that it goes
//!   to. Containers are the business of the `containerizer`.
//! * Masters speak `libprocess`, executors `executor_api`, operators `operator` (the v1 API) and `v0` (the older
//!   endpoints, which begin with the router of all of them).
//! * `checks` performs the checks of tasks that the core asks for.
//! * `convert` is the border between protobuf and the core's types.

mod acknowledged;
mod boot;
mod checkpoint;
mod checks;
mod compatibility;
mod context;
mod convert;
mod detect;
mod detector;
mod engine;
mod executor_api;
mod files;
mod launchers;
mod libprocess;
pub mod logger;
mod metrics;
mod operator;
mod options;
mod recovery;
mod report;
mod server;
mod v0;
mod volumes;

pub use compatibility::IncompatibleError;
pub use containerizer::{Isolation, LinuxOptions};
pub use detect::DescriptionError;
pub use launchers::LauncherError;
pub use logger::ContainerLogger;
pub use options::{AgentOptions, FaultDomain, LauncherKind, ReconfigurationPolicy, Recover};
pub use recovery::WrapStore;
pub use server::{AgentServer, StartError, Terminated};

pub(crate) use report::report;

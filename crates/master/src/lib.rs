//! The master's server: everything around `master-core` that does IO.
//!
//! * [`MasterServer`] listens and runs. One thread owns the core (`engine`); requests are parsed, checked and turned into
//!   the core's inputs in the tasks of their connections, and what the core wants sent is encoded in the tasks of the
//!   connections that it goes to.
//! * Schedulers speak `scheduler`, operators `operator` (the v1 API) and `v0` (the older endpoints), agents `agents`.
//! * `convert` is the border between protobuf and the core's types, `view` what readers see of the core's state, `listing`
//!   which of it they asked for. [`reasons`] tells people why a task is in its state.

mod agents;
mod answers;
mod context;
mod convert;
mod directory;
mod election;
mod engine;
mod insight;
mod listing;
mod offers;
mod operator;
mod options;
mod pb;
mod readers;
pub mod reasons;
mod registry;
mod routes;
mod scheduler;
mod server;
mod status;
mod timings;
mod v0;
mod view;
mod watch;
mod whitelist;

pub use agents::{MessageError, decode_message, encode_message};
pub use convert::ConvertError;
pub use election::ElectionOptions;
pub use http_api::LogFiles;
pub use options::{FaultDomain, MasterOptions, RegistryKind, RemovalRate};
pub use registry::{RegistryError, Store as RegistryStore};
pub use server::{End, MasterServer, StartError};

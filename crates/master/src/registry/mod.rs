//! The registry as it is kept: in a store with a key for each agent, quota and weight.
//!
//! ```text
//! agents/<agent id>    Registry with one of: slaves, unreachable, gone
//! quotas/<role>        Registry with one of: quota_configs
//! weights/<role>       Registry with one of: weights
//! windows/<number>     Registry with a schedule of one window, or a piece of one, and its machines
//! journal/<number>     while a write is made that is larger than a transaction
//! ```
//!
//! Each value is a part of Mesos' `Registry` message: all values one behind the other are the whole message. Keys of other
//! tables are left alone.

mod fetch;
mod figures;
mod journal;
mod keys;
mod values;
mod whole;
mod writer;

pub use fetch::RegistryError;
pub(crate) use fetch::fetch;
pub(crate) use figures::RegistryFigures;
pub(crate) use whole::whole;
pub use writer::Store;
pub(crate) use writer::{RegistryQueue, write_all};

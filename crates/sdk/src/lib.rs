//! What a framework author uses: clients for schedulers, executors and operators of a Meseta or Mesos cluster.
//!
//! - [`scheduler::Scheduler`] subscribes a framework, hands out events and sends calls. It follows the leading master,
//!   reconnects with backoff under the same framework id and acknowledges status updates.
//! - [`executor::Executor`] is the other end: it runs where the agent starts it and reports on its tasks.
//! - [`operator::Operator`] asks masters and agents what they know, and reads files from sandboxes.
//! - [`build`] makes the messages that schedulers write most: framework infos, tasks, resources.
//!
//! The messages are those of the `proto` crate, so nothing that the API can say is out of reach of the helpers here.
//! Nothing in this crate decides where a task runs; that is the framework's own business.

pub mod address;
pub mod backoff;
pub mod build;
pub mod encoding;
pub mod executor;
mod finder;
mod http;
pub mod operator;
mod random;
pub mod scheduler;

pub use address::{Address, AddressError, Masters};
pub use encoding::Encoding;
pub use executor::Executor;
pub use finder::candidates;
pub use http::CallError;
pub use operator::Operator;
pub use proto;
pub use scheduler::Scheduler;

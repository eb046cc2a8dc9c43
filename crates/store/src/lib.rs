//! What outlives a process: a small key-value store in one file, and the discipline of writing first and acting then; and
//! what several processes share.
//!
//! * [`kv`] has versioned keys with transactions, and elections, in a file or in a coordination service.
//! * [`Embedded`] keeps records under text keys in one file (redb). A [`Batch`] is written whole or not at all, and is on the
//!   disk when [`Backend::commit`] returns. A damaged file or record is set aside and reported, never a reason not to open.
//! * [`Writer`] commits on a thread of its own and tries again until it succeeds, so that a slow or full disk stops nobody
//!   but who waits for it.
//! * [`Gate`] holds back what may only happen after a write. While one commit is under way it gathers the next: a thousand
//!   writes that come together cost a few commits.

mod batch;
mod embedded;
mod error;
mod gate;
pub mod kv;
pub mod masters;
mod record;
mod salvage;
pub mod url;
mod writer;

pub use batch::Batch;
pub use embedded::{Damage, Embedded, Opened};
pub use error::StoreError;
pub use gate::Gate;
pub use record::Record;
pub use writer::{Backend, Event, Writer};

#[cfg(test)]
mod faults;

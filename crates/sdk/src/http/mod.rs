//! The two ways in which the clients speak HTTP: one exchange at a time, whose answer may be an endless stream
//! ([`exchange`], on hyper), and many small calls down one connection without waiting for answers ([`pipe`]).

pub(crate) mod exchange;
pub(crate) mod pipe;
mod records;
mod response;

pub use pipe::CallError;
pub(crate) use pipe::CallFailure;
pub(crate) use records::Records;

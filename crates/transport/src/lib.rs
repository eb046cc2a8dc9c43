//! One-way messages between masters and agents, byte-compatible with libprocess.
//!
//! A message is an HTTP request `POST /<process id>/<protobuf full name>` with the header
//! `Libprocess-From: <process id>@<ip>:<port>` and the protobuf as its body, answered `202` when somebody received it
//! and `404` when there is no such receiver. This crate knows neither the messages nor their encoding: it moves bytes.
//!
//! * [`accept`] sorts an incoming connection: message connections are read by [`MessageConnection`], all others are
//!   handed on, with the bytes already read, to an HTTP server.
//! * [`Peers`] keeps one outgoing connection for each peer and reports its loss as a [`PeerEvent`].
//! * [`Senders`] knows which connection of a sender is the newest: what is left in former ones is not taken any more.
//!
//! Messages of one sender to one peer arrive in the order in which they were sent or not at all, except that those after
//! [`Peers::retire`] do not wait for those before it, and put an end to them. What a lost connection took along is reported by number, never sent
//! again.

mod accept;
mod advertise;
mod head;
mod link;
mod peers;
mod prefixed;
mod receive;
mod senders;
mod upid;

pub use accept::{Accepted, accept, serve_messages};
pub use advertise::advertised;
pub use head::HeadError;
pub use link::{Outgoing, PeerEvent};
pub use peers::{Peers, PeersOptions, SendError};
pub use prefixed::Prefixed;
pub use receive::{Ended, Message, MessageConnection, ReceiveError, Receiver};
pub use senders::Senders;
pub use upid::{InvalidUpid, Upid};

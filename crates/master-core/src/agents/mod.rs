//! Agents: registration, whether they are there, and their end.

mod drain;
mod lost;
mod ping;
mod register;
mod registry;
mod reregister;
mod update;

pub(crate) use drain::{check_drained, check_drained_of, deactivate, drain, reactivate};
pub(crate) use lost::{disconnected, mark_gone, reregistration_due, unregister};
pub(crate) use ping::{awaits_ping, ping_due, pong};
pub(crate) use register::register;
pub(crate) use registry::Agents;
pub(crate) use reregister::reregister;
pub(crate) use update::update;

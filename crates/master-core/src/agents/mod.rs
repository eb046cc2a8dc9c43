//! Agents: registration, whether they are there, and their end.

mod drain;
mod lost;
mod ping;
mod register;
mod registry;
mod reregister;
mod update;

pub(crate) use drain::{
    check_drained, check_drained_of, deactivate, deactivated, drain, drained, draining, reactivate,
    reactivated,
};
pub(crate) use lost::{
    disconnected, displace, machine_down, mark_gone, marked_gone, marked_unreachable, reregistration_due,
    unregister, unregistered,
};
pub(crate) use ping::{awaits_ping, ping_due, pong};
pub(crate) use register::{admitted, register};
pub(crate) use registry::{Agents, forget_unreachable};
pub(crate) use reregister::{readmitted, reregister};
pub(crate) use update::update;

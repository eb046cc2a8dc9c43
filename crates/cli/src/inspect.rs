//! `meseta tasks`, `meseta agents`, `meseta frameworks`: what the cluster has.

mod agents;
mod frameworks;
mod tasks;

pub(crate) use agents::{Options as AgentOptions, run as agents};
pub(crate) use frameworks::{Options as FrameworkOptions, run as frameworks};
pub(crate) use tasks::{Options as TaskOptions, run as tasks};

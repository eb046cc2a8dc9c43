//! `meseta tasks`, `meseta agents`, `meseta frameworks`: what the cluster has. `meseta task list` and its like are the same.

pub(crate) mod agents;
pub(crate) mod frameworks;
pub(crate) mod pages;
pub(crate) mod tasks;

pub(crate) use agents::{Options as AgentOptions, run as agents};
pub(crate) use frameworks::{Options as FrameworkOptions, run as frameworks};
pub(crate) use tasks::{Options as TaskOptions, run as tasks};

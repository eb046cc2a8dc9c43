//! Tasks, task groups and executors: everything that can be said of them without knowing the cluster.

mod check;
mod command;
mod container;
mod executor;
mod group;
mod info;
mod resources;

pub(crate) use command::check_command;
pub(crate) use container::{check_container, shares_cgroups};
pub use executor::validate_executor_info;
pub use group::validate_task_group;
pub use info::validate_task;
pub(crate) use resources::check_gpus;

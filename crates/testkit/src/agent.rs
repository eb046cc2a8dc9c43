//! The agent's core under test: builders, a clock that is advanced, and outputs as short lines.

mod build;
mod disks;
mod env;
mod lines;
mod lives;
mod memory;

pub use build::{
    command_task, custom_executor, custom_task, default_executor, framework, group_task, options, with_image,
};
pub use disks::{disk, reserved_disk};
pub use env::AgentEnv;
pub use lines::Lines;
pub use lives::{checkpointing, still_running};
pub use memory::Memory;

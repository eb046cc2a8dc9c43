//! The master's core in a test: [`Master`] gives it inputs, keeps its timers and records its outputs per receiver.
//!
//! After every input the whole state is checked.

mod builders;
mod drive;
mod expect;
mod operations;

pub use builders::{
    agent_info, executor, framework_info, launch, register, reregister, reregister_with, resources, running,
    status, task, task_with_executor,
};
pub use drive::{Master, Scheduler};
pub use operations::{
    Applied, apply, apply_as, create, destroy, reserve, reserved, shared, unreserve, volume,
};

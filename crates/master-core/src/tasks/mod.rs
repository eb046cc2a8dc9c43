//! Tasks and executors: launch, statuses, acknowledgement, kill, and the books of what they take.

mod acknowledge;
mod books;
mod executor;
mod kill;
mod launch;
mod status;
mod validate;

pub(crate) use acknowledge::acknowledge;
pub(crate) use books::{holds_resources, recover_executor, recover_task, remove_executor, remove_task};
pub(crate) use executor::{
    executor_ended, exited_executor, message_from_executor, message_to_executor, shutdown_executor,
};
pub(crate) use kill::kill;
pub(crate) use launch::{Refusal, launch, launch_group, refuse};
pub(crate) use status::{master_status, status_update, unreachable_task_ends, update_task};

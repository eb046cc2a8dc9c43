//! Between the wire's messages and the core's types.

mod check;
mod executor;
mod from_master;
mod info;
mod isolation;
mod operation;
mod status;
mod task;
mod to_master;
mod unsupported;

pub(crate) use executor::{call_from_proto, event_to_proto, heartbeat};
pub(crate) use from_master::{UnusableMessage, from_master};
pub(crate) use info::{
    drain_to_proto, executor as executor_from_proto, executor_to_proto, framework as framework_from_proto,
    framework_to_proto, task as task_from_proto, task_of_executor,
};
pub(crate) use isolation::{limits, wishes};
pub(crate) use operation::{operation_from_proto, operation_to_proto};
pub(crate) use status::{container_id_from_proto, container_id_to_proto, status_from_proto, status_to_proto};
pub(crate) use task::{command_of, queued_to_proto, task_to_proto};
pub(crate) use to_master::{SelfDescription, ToMasterMessage, capabilities};

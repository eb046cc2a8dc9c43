//! The border between protobuf and what the core knows: the part that the core decides upon becomes typed, the rest is
//! carried along encoded.

mod agent;
mod framework;
mod maintenance;
mod offer_constraints;
mod operation;
mod status;
mod task;

pub use agent::ConvertError;
pub(crate) use agent::{agent_capabilities_to_proto, agent_info, agent_info_to_proto, register, reregister};
pub(crate) use framework::framework_info;
pub(crate) use maintenance::{
    machine_id, maintenance_status_to_proto, schedule_to_proto, unavailability_to_proto, window_key,
    window_key_to_text, window_of_registry, window_to_registry, windows,
};
pub(crate) use offer_constraints::offer_constraints;
pub(crate) use operation::{
    operation_info_to_proto, operation_status, operation_to_proto, reported_operation, write_operation_status,
};
pub(crate) use status::{status_to_proto, status_update, write_status};
pub(crate) use task::{carried_task, executor_info, executor_to_proto, task_info, task_to_proto};

use base::Payload;

/// The encoding of a message, to be carried.
fn payload(message: &impl proto::Message) -> Payload {
    Payload::from(proto::encode(message))
}

//! The border between the wire and the domain: conversions of what both know, and checks of calls that need nothing but
//! the call itself.
//!
//! A check answers in one line, in Mesos' words, because clients show and compare them. What needs to know the state of
//! the cluster is checked by the cores.

mod calls;
mod framework;
mod invalid;
mod limits;
mod maintenance;
mod operation;
mod operator;
mod resource;
mod task;

pub use calls::{validate_agent_call, validate_executor_call, validate_master_call, validate_scheduler_call};
pub use framework::{framework_roles, min_allocatable, validate_framework_info, validate_offer_constraints};
pub use invalid::Invalid;
pub use limits::validate_agent_total;
pub use maintenance::{validate_machines, validate_maintenance_schedule};
pub use operation::{operation_from_proto, operation_to_proto};
pub use operator::{validate_quota_config, validate_quota_request, validate_weight};
pub use resource::{
    Format, ResourceError, append_resources, resource_from_proto, resource_to, resources_from_flag,
    resources_from_proto, resources_to, resources_to_endpoint, resources_to_proto, validate_resource,
};
pub use task::{validate_executor_info, validate_task, validate_task_group};

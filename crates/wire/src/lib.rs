//! The border between the wire and the domain: conversions of what both know, and checks of calls that need nothing but
//! the call itself.
//!
//! A check answers in one line, in Mesos' words, because clients show and compare them. What needs to know the state of
//! the cluster is checked by the cores.

mod resource;

pub use resource::{
    Format, ResourceError, append_resources, resource_from_proto, resource_to, resources_from_proto,
    resources_to, resources_to_endpoint, resources_to_proto, validate_resource,
};

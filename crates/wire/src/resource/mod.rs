//! Resources, to and from the wire.

mod flag;
mod read;
mod validate;
mod write;

#[cfg(test)]
mod tests;

pub use flag::resources_from_flag;
pub use read::{ResourceError, resource_from_proto, resources_from_proto};
pub use validate::validate_resource;
pub use write::{
    Format, append_resources, resource_to, resources_to, resources_to_endpoint, resources_to_proto,
};

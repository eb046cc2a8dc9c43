//! The border between the cores: one's outputs become the other's inputs.
//!
//! The servers do this by way of protobuf. Here domain types become domain types, with the same meaning; the conformance suite
//! is what proves the encoding.

mod to_agent;
mod to_master;

pub(crate) use to_agent::to_agent;
pub(crate) use to_master::{SelfDescription, state, to_master};

//! Offers: made from what the allocator hands out, used, declined, withdrawn.

mod accept;
mod accepted;
mod allocate;
mod decline;
mod remove;
mod validate;

pub(crate) use accept::accept;
pub(crate) use accepted::Accepted;
pub(crate) use allocate::{allocate, allocation_due, allocation_interval, offer_due};
pub(crate) use decline::{decline, revive, suppress};
pub(crate) use remove::{
    deactivate_agent, discard_of_framework, rescind, rescind_of_agent, rescind_of_role, rescind_of_volumes,
    rescind_revocable,
};

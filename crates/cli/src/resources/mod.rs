//! `meseta reserve`, `meseta unreserve` and `meseta volume`: for what the resources of an agent are.

pub(crate) mod reserve;
mod stack;
pub(crate) mod volumes;

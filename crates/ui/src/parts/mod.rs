//! What pages have in common.

pub(crate) mod bars;
pub(crate) mod chart;
pub(crate) mod layout;
pub(crate) mod list;
pub(crate) mod state;
pub(crate) mod tasks;
pub(crate) mod trouble;

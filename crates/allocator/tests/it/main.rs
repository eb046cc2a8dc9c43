//! What the allocator promises, by topic.

mod cluster;
mod conservation;
mod fairness;
mod filters;
mod lifecycle;
mod limits;
mod restrictions;
mod why;

//! What the allocator promises, by topic.

mod books;
mod choosy;
mod cluster;
mod conservation;
mod fairness;
mod filling;
mod filters;
mod hoarding;
mod lifecycle;
mod limits;
mod order;
mod paper;
mod properties;
mod quota;
mod restrictions;
mod shared;
mod why;
mod why_changes;

//! The pages, one file for each.

pub(crate) mod agent;
pub(crate) mod agents;
pub(crate) mod explain;
pub(crate) mod files;
pub(crate) mod framework;
pub(crate) mod frameworks;
pub(crate) mod maintenance;
pub(crate) mod offers;
pub(crate) mod overview;
pub(crate) mod roles;
pub(crate) mod task;
pub(crate) mod tasks;
mod warnings;

use axum::response::Response;

use crate::parts::layout::Section;
use crate::reply::page;
use crate::request::Ask;
use crate::source::Trouble;

/// What is below `/ui/` and no page.
pub(crate) async fn unknown(ask: Ask) -> Response {
    let trouble = Trouble::NotFound(format!("There is no page at {}", ask.path()));
    page(&ask, Section::Other, Err(trouble))
}

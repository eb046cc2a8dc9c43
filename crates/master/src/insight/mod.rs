//! What people want to see of a cluster and no endpoint of Mesos shows: how its resources are used over time, what happened
//! last, who holds which offer for how long, why a task is in its state, and files of agents that the reader cannot reach.
//! The web UI is drawn from these; they are JSON for everybody.
//!
//! They are cheap for the core's thread: it hands out counts and shared entities, and whoever asks sums them up, once for
//! all who ask at the same time ([`gather`]).

mod agents;
mod files;
mod frameworks;
mod gather;
mod history;
mod hostnames;
mod offers;
mod overview;
mod recent;
mod roles;
mod task;

use axum::Router;
use axum::routing::any;

pub(crate) use history::sample;
pub(crate) use recent::Recent;

use crate::server::Master;

/// What is kept for these endpoints.
#[derive(Default)]
pub(crate) struct Insight {
    gathered: gather::Gatherer,
    history: history::History,
    passing: files::Passing,
}

/// The endpoints.
pub(crate) fn routes() -> Router<Master> {
    Router::new()
        .route("/overview", any(overview::overview))
        .route("/history", any(history::show))
        .route("/events", any(recent::show))
        .route("/offers", any(offers::offers))
        .route("/inverse-offers", any(offers::inverse_offers))
        .route("/state-summary/agents", any(agents::agents))
        .route("/state-summary/frameworks", any(frameworks::frameworks))
        .route("/state-summary/roles", any(roles::roles))
        .route("/explain/task", any(task::explain))
        .route("/agents/hostnames", any(hostnames::hostnames))
        .route("/agents/{agent_id}/files/{what}", any(files::pass))
}

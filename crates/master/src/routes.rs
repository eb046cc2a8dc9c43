//! Which path leads where. Every endpoint of Mesos' master can be asked for with and without the prefix `/master`.

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{MethodRouter, any, get, post};
use http_api::{compress, method_not_allowed, not_found};

use crate::server::Master;
use crate::{election, insight, operator, scheduler, v0};

/// All routes.
pub(crate) fn router(master: &Master) -> Router {
    let endpoints = endpoints().merge(insight::routes());
    let router = Router::new()
        .merge(endpoints.clone())
        .nest("/master", endpoints)
        .route("/registrar(1)/registry", any(v0::registry::registry))
        .route("/help", any(v0::help::help))
        .route("/help/{*what}", any(v0::help::help))
        .fallback(not_found)
        .layer(from_fn_with_state(Master::clone(master), election::gate))
        .with_state(Master::clone(master));
    let router = match master.options.web {
        Some(web) => web(router),
        None => router,
    };
    router.layer(from_fn(compress))
}

fn endpoints() -> Router<Master> {
    let post_only = |handler: MethodRouter<Master>| handler.fallback(method_not_allowed(&["POST"]));
    Router::new()
        .route("/api/v1/scheduler", post_only(post(scheduler::call)))
        .route("/api/v1", post_only(post(operator::call)))
        // What only reads takes any method, as in Mesos.
        .route("/health", any(v0::info::health))
        .route("/version", any(v0::info::version))
        .route("/flags", any(v0::info::flags))
        .route("/redirect", any(election::redirect))
        .route("/metrics", any(v0::prometheus::metrics))
        .route("/metrics/snapshot", any(v0::info::metrics))
        .route("/logging/toggle", any(v0::info::toggle_logging))
        .route("/system/stats.json", any(v0::info::system_stats))
        .route("/state", any(v0::state::state))
        .route("/state.json", any(v0::state::state))
        .route("/state-summary", any(v0::state::summary))
        .route("/slaves", any(v0::state::agents))
        .route("/frameworks", any(v0::state::frameworks))
        .route("/tasks", any(v0::state::tasks))
        .route("/tasks.json", any(v0::state::tasks))
        .route("/roles", any(v0::state::roles))
        .route("/roles.json", any(v0::state::roles))
        .route("/explain/framework", any(v0::explain::framework))
        .route("/explain/role", any(v0::explain::role))
        .route("/teardown", post_only(post(v0::change::teardown)))
        .route("/tasks/kill", post_only(post(v0::change::kill)))
        .route("/reserve", post_only(post(v0::resources::reserve)))
        .route("/unreserve", post_only(post(v0::resources::unreserve)))
        .route("/create-volumes", post_only(post(v0::resources::create_volumes)))
        .route("/destroy-volumes", post_only(post(v0::resources::destroy_volumes)))
        .route(
            "/weights",
            get(v0::change::weights)
                .put(v0::change::update_weights)
                .fallback(method_not_allowed(&["GET", "PUT"])),
        )
        .route(
            "/quota",
            get(v0::change::quota)
                .post(v0::change::set_quota)
                .delete(v0::change::remove_quota_of_nobody)
                .fallback(method_not_allowed(&["GET", "POST", "DELETE"])),
        )
        .route("/quota/{*role}", any(v0::change::remove_quota))
        .route(
            "/maintenance/schedule",
            get(v0::maintenance::schedule)
                .post(v0::maintenance::update_schedule)
                .fallback(method_not_allowed(&["GET", "POST"])),
        )
        .route("/maintenance/status", get(v0::maintenance::status).fallback(method_not_allowed(&["GET"])))
        .route("/machine/down", post_only(post(v0::maintenance::down)))
        .route("/machine/up", post_only(post(v0::maintenance::up)))
        .route("/files/read", any(v0::files::read))
        .route("/files/read.json", any(v0::files::read))
        .route("/files/browse", any(v0::files::browse))
        .route("/files/browse.json", any(v0::files::browse))
        .route("/files/download", any(v0::files::download))
        .route("/files/download.json", any(v0::files::download))
        .route("/files/debug", any(v0::files::debug))
        .route("/files/debug.json", any(v0::files::debug))
}

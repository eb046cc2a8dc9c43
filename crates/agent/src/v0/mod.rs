//! The older endpoints, with and without the process' name before them.

mod asked;
mod files;
mod help;
mod state;

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, RawQuery, Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{any, post};
use http_api::{ApiError, Exposition, compress, method_not_allowed, not_found, value_of};
use proto::v1::agent::response::get_containers::Container;
use serde_json::{Value, json};

use crate::context::Agent;
use crate::libprocess::PROCESS;
use crate::metrics::System;
use crate::operator::{Wanted, running};
use asked::Asked;
use http_api::VERSION;

/// The process' name as some clients write it in a path.
const ENCODED_PROCESS: &str = "slave%281%29";

/// What `/containers` may be asked for.
const CONTAINERS_BY: &str = "Supported query parameters are container_id only, framework_id only, or executor_id and \
                             framework_id only";

/// All that the agent serves over HTTP.
pub(crate) fn router(agent: &Agent) -> Router {
    let api = || {
        Router::new()
            .route("/api/v1", post(crate::operator::call).fallback(method_not_allowed(&["POST"])))
            .route(
                "/api/v1/executor",
                post(crate::executor_api::call).fallback(method_not_allowed(&["POST"])),
            )
            // What only reads takes any method, as in Mesos.
            .route("/health", any(health))
            .route("/version", any(version))
            .route("/state", any(state))
            .route("/state.json", any(state))
            .route("/flags", any(flags))
            .route("/containers", any(containers))
            .route("/containerizer/debug", any(containerizer_debug))
            .route("/monitor/statistics", any(statistics))
            .route("/monitor/statistics.json", any(statistics))
    };
    let process = format!("/{PROCESS}");
    Router::new()
        .merge(api())
        .nest(&process, api())
        .nest(&format!("/{ENCODED_PROCESS}"), api())
        .route("/metrics", any(prometheus))
        .route("/metrics/snapshot", any(metrics))
        .route("/logging/toggle", any(toggle_logging))
        .route("/system/stats.json", any(system))
        .route("/help", any(help::help))
        .route("/help/{*what}", any(help::help))
        .merge(files::router())
        .fallback(not_found)
        .layer(from_fn_with_state(Arc::clone(agent), measure))
        .layer(from_fn(compress))
        .with_state(Arc::clone(agent))
}

/// Notes how long a request took.
async fn measure(State(agent): State<Agent>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().cloned();
    let began = Instant::now();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("none", |route| route.as_str());
    let endpoint = [PROCESS, ENCODED_PROCESS].iter().find_map(|process| {
        route.strip_prefix('/')?.strip_prefix(process).filter(|rest| rest.starts_with('/'))
    });
    agent.latencies.add(endpoint.unwrap_or(route), began.elapsed());
    response
}

/// `/metrics`: what `/metrics/snapshot` has, and how long requests took, as Prometheus reads them.
async fn prometheus(State(agent): State<Agent>) -> Result<Response, ApiError> {
    let view = agent.view().await?;
    let mut exposition = Exposition::default();
    exposition.add_mesos(&agent.metrics(&view));
    agent.latencies.show(&mut exposition);
    Ok(exposition.respond())
}

async fn toggle_logging(State(agent): State<Agent>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    agent.logging.toggle(query.as_deref())
}

async fn health() -> Response {
    http_api::ok()
}

async fn version(asked: Asked) -> Result<Response, ApiError> {
    asked.answer(&VERSION)
}

async fn state(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let view = agent.view().await?;
    // With many tasks it takes a while: others are served meanwhile.
    let make = move || asked.answer(&state::state(&agent, &view.snapshot));
    tokio::task::spawn_blocking(make).await.map_err(|error| ApiError::internal(error.to_string()))?
}

async fn flags(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    asked.answer(&json!({ "flags": &agent.flags }))
}

async fn metrics(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let view = agent.view().await?;
    asked.answer(&agent.metrics(&view))
}

async fn system(asked: Asked) -> Result<Response, ApiError> {
    let system = System::now();
    asked.answer(&json!({
        "avg_load_1min": system.load[0],
        "avg_load_5min": system.load[1],
        "avg_load_15min": system.load[2],
        "cpus_total": system.cpus,
        "mem_free_bytes": system.mem_free,
        "mem_total_bytes": system.mem_total,
    }))
}

/// `/containerizer/debug`: what is being done to containers, to see where one hangs.
async fn containerizer_debug(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let view = agent.view().await?;
    let shown = view.pending.iter().map(|pending| {
        json!({ "operation": pending.operation, "args": { "containerId": pending.container_id.as_str() } })
    });
    asked.answer(&json!({ "pending": shown.collect::<Vec<_>>() }))
}

async fn containers(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let [container, framework, executor] =
        ["container_id", "framework_id", "executor_id"].map(|name| value_of(asked.form(), name));
    let makes_sense = match container {
        Some(_) => framework.is_none() && executor.is_none(),
        None => framework.is_some() || executor.is_none(),
    };
    if !makes_sense {
        return Err(ApiError::bad_request(CONTAINERS_BY));
    }
    let wanted = Wanted { nested: false, container, framework, executor };
    let shown = running(&agent, wanted).await?.into_iter().map(|running| {
        let status = running.container.container_status.clone();
        let mut shown = usage(&running.container, running.source);
        shown["container_id"] = running.container.container_id.value.into();
        shown["status"] = status.map_or(Value::Null, |status| json!(status));
        shown
    });
    asked.answer(&Value::from_iter(shown))
}

async fn statistics(State(agent): State<Agent>, asked: Asked) -> Result<Response, ApiError> {
    let running = running(&agent, Wanted::default()).await?;
    let shown = running.into_iter().map(|running| usage(&running.container, running.source));
    asked.answer(&Value::from_iter(shown))
}

/// What a container's executor is, and what it uses.
fn usage(container: &Container, source: String) -> Value {
    json!({
        "executor_id": container.executor_id.as_ref().map_or("", |id| &id.value),
        "executor_name": container.executor_name.as_deref().unwrap_or_default(),
        "framework_id": container.framework_id.as_ref().map_or("", |id| &id.value),
        "source": source,
        "statistics": container.resource_statistics,
    })
}

//! What says little of the cluster: health, version, flags, metrics, where the leading master is.

use std::collections::BTreeMap;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http_api::{ApiError, ok};
use serde_json::json;

use super::Query;
use crate::server::Master;
use crate::view;
use http_api::VERSION;

/// `/health`: answers when the master can.
pub(crate) async fn health() -> Response {
    ok()
}

/// `/version`.
pub(crate) async fn version(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&VERSION)
}

/// `/flags`.
pub(crate) async fn flags(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&json!({ "flags": view::state::flags(&master.identity) }))
}

/// `/logging/toggle`.
pub(crate) async fn toggle_logging(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    master.logging.toggle(query.as_deref())
}

/// `/metrics/snapshot`. The parameter `timeout` is of no use here: nothing has to be waited for.
pub(crate) async fn metrics(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&master.metrics().await?)
}

/// `/system/stats.json`, whose names differ a little from those of the metrics.
pub(crate) async fn system_stats(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let figures: BTreeMap<String, f64> =
        view::system::figures()
            .into_iter()
            .map(|(name, value)| {
                if name.starts_with("load") {
                    (format!("avg_{name}"), value)
                } else {
                    (name.to_owned(), value)
                }
            })
            .collect();
    Query::new(query.as_deref()).json(&figures)
}

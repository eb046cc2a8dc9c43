//! Maintenance of machines, by the older endpoints.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::{ApiError, read_body};
use proto::v1;

use super::Query;
use super::change::json_list;
use crate::operator::maintenance;
use crate::server::Master;

/// `GET /maintenance/schedule`.
pub(crate) async fn schedule(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&maintenance::schedule())
}

/// `GET /maintenance/status`.
pub(crate) async fn status(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&maintenance::status())
}

/// `POST /maintenance/schedule`.
pub(crate) async fn update_schedule(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let bytes = read_body(&headers, body, master.options.max_request_bytes).await?;
    let schedule = proto::json::from_slice::<v1::maintenance::Schedule>(&bytes)
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    Err(maintenance::refuse_schedule(&schedule))
}

/// `POST /machine/down` and `/machine/up`.
pub(crate) async fn machines(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let bytes = read_body(&headers, body, master.options.max_request_bytes).await?;
    let machines = json_list::<v1::MachineId>(&String::from_utf8_lossy(&bytes))
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    Err(maintenance::refuse_machines(&machines))
}

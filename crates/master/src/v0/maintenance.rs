//! Maintenance of machines, by the older endpoints.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::{ApiError, read_body};
use master_core::OperatorCall;
use proto::v1;

use super::Query;
use super::change::json_list;
use crate::operator::maintenance;
use crate::server::Master;
use crate::status::{answer, gone};

/// `GET /maintenance/schedule`.
pub(crate) async fn schedule(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&maintenance::schedule(&master).await?)
}

/// `GET /maintenance/status`.
pub(crate) async fn status(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&maintenance::status(&master).await?)
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
    answer(master.core.operator(maintenance::update(schedule)?).await.map_err(gone)?)
}

/// `POST /machine/down`.
pub(crate) async fn down(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    machines(&master, &headers, body, maintenance::start).await
}

/// `POST /machine/up`.
pub(crate) async fn up(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    machines(&master, &headers, body, maintenance::stop).await
}

async fn machines(
    master: &Master,
    headers: &HeaderMap,
    body: Body,
    call: impl FnOnce(Vec<v1::MachineId>) -> Result<OperatorCall, ApiError>,
) -> Result<Response, ApiError> {
    let bytes = read_body(headers, body, master.options.max_request_bytes).await?;
    let machines = json_list::<v1::MachineId>(&String::from_utf8_lossy(&bytes))
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    answer(master.core.operator(call(machines)?).await.map_err(gone)?)
}

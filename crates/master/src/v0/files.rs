//! Files that the master gives out: its log, if that is in a file.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http_api::{ApiError, files};

use super::Query;
use crate::server::Master;

/// `/files/read`.
pub(crate) async fn read(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    query.json(&files::read(master.attached(), query.form()).await?)
}

/// `/files/browse`.
pub(crate) async fn browse(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    query.json(&files::browse(master.attached(), query.form()).await?)
}

/// `/files/download`.
pub(crate) async fn download(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    files::download(master.attached(), Query::new(query.as_deref()).form()).await
}

/// `/files/debug`: which paths lead where.
pub(crate) async fn debug(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&master.attached())
}

//! `/registrar(1)/registry`: all that the registry holds, for those who want to know what would outlive this master.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http_api::ApiError;

use super::Query;
use crate::registry::whole;
use crate::server::Master;
use crate::status::gone;

/// `GET /registrar(1)/registry`.
pub(crate) async fn registry(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let content = master.core.ask(|core, _| core.registry().clone()).await.map_err(gone)?;
    let info = master.identity.master_info();
    let registry = master.blocking(move || whole(&content, info)).await?;
    Query::new(query.as_deref()).json(&registry)
}

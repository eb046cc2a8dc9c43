//! Files that the master gives out: none. Its log goes where its process' output goes.

use axum::extract::RawQuery;
use axum::response::Response;
use http_api::ApiError;
use serde_json::json;

use super::Query;

/// The query, if it names a path.
fn with_path(query: Option<&str>) -> Result<Query, ApiError> {
    let query = Query::new(query);
    match query.get("path") {
        Some(_) => Ok(query),
        None => Err(ApiError::bad_request("Expecting 'path=value' in query.\n")),
    }
}

/// `/files/read`.
pub(crate) async fn read(RawQuery(query): RawQuery) -> ApiError {
    let query = match with_path(query.as_deref()) {
        Ok(query) => query,
        Err(error) => return error,
    };
    for name in ["offset", "length"] {
        if let Some(text) = query.get(name).filter(|text| text.parse::<i64>().is_err()) {
            return ApiError::bad_request(format!(
                "Failed to parse {name}: Failed to convert '{text}' to number.\n"
            ));
        }
    }
    ApiError::not_found("")
}

/// `/files/browse`.
pub(crate) async fn browse(RawQuery(query): RawQuery) -> ApiError {
    with_path(query.as_deref()).err().unwrap_or_else(|| ApiError::not_found(""))
}

/// `/files/download`.
pub(crate) async fn download(RawQuery(query): RawQuery) -> ApiError {
    with_path(query.as_deref()).err().unwrap_or_else(|| ApiError::not_found("404 Not Found."))
}

/// `/files/debug`: which paths lead where.
pub(crate) async fn debug(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&json!({}))
}

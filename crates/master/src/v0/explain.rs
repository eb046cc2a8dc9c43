//! `/explain/framework` and `/explain/role`: why there are no offers, and the smallest change that would help. Mesos has
//! nothing like them.

use axum::extract::{RawQuery, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base::FrameworkId;
use http_api::ApiError;
use resources::Role;
use serde_json::Value;

use super::Query;
use crate::server::Master;
use crate::status::gone;
use crate::view::explain;

/// `GET /explain/framework?id=ID`.
pub(crate) async fn framework(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let id = FrameworkId::from(needed(&query, "id")?);
    let unknown = format!("No framework found with ID '{id}'; one that has ended gets no offers any more");
    let asked = master.core.ask(move |core, now| core.allocator().why(&id, now));
    let why = asked.await.map_err(gone)?.ok_or_else(|| ApiError::not_found(unknown))?;
    answer(&query, || explain::framework(&why), || why.to_string())
}

/// `GET /explain/role?name=ROLE`.
pub(crate) async fn role(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let role = Role::from(needed(&query, "name")?);
    let unknown = format!("No framework has the role '{role}', and nothing is set or reserved for it");
    let asked = master.core.ask(move |core, now| core.allocator().why_role(&role, now));
    let why = asked.await.map_err(gone)?.ok_or_else(|| ApiError::not_found(unknown))?;
    answer(&query, || explain::role(&why), || why.to_string())
}

fn needed<'a>(query: &'a Query, name: &str) -> Result<&'a str, ApiError> {
    query.get(name).ok_or_else(|| ApiError::bad_request(format!("Missing '{name}' query parameter")))
}

/// In JSON, or with `format=text` for people.
fn answer(
    query: &Query,
    json: impl FnOnce() -> Value,
    text: impl FnOnce() -> String,
) -> Result<Response, ApiError> {
    match query.get("format") {
        None | Some("json") => query.json(&json()),
        Some("text") => {
            let plain = HeaderValue::from_static("text/plain; charset=utf-8");
            Ok(([(CONTENT_TYPE, plain)], text() + "\n").into_response())
        }
        Some(other) => {
            Err(ApiError::bad_request(format!("Expecting 'format' to be json or text, not '{other}'")))
        }
    }
}

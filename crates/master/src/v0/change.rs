//! What changes something other than resources: forms and JSON that come by `POST` and `PUT`.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use http_api::{ApiError, parse_form, read_body, value_of};
use master_core::{OperatorCall, OperatorError};
use proto::v1;
use proto::v1::quota::QuotaRequest;

use super::Query;
use crate::operator::{quota as quotas, weights as role_weights};
use crate::server::Master;
use crate::status::{answer, gone};

/// A form's fields.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) async fn read(master: &Master, headers: &HeaderMap, body: Body) -> Result<Self, ApiError> {
        Ok(Self(parse_form(&text(master, headers, body).await?)))
    }

    /// A field that has to be there.
    pub(super) fn get(&self, name: &str) -> Result<&str, ApiError> {
        let missing =
            || ApiError::bad_request(format!("Missing '{name}' query parameter in the request body"));
        self.find(name).ok_or_else(missing)
    }

    /// A field that may be there.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        value_of(&self.0, name)
    }
}

async fn text(master: &Master, headers: &HeaderMap, body: Body) -> Result<String, ApiError> {
    let bytes = read_body(headers, body, master.options.max_request_bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `POST /teardown`.
pub(crate) async fn teardown(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = Form::read(&master, &headers, body).await?;
    let call = OperatorCall::Teardown(form.get("frameworkId")?.into());
    answer(master.core.operator(call).await.map_err(gone)?)
}

/// `POST /tasks/kill`: ends one task as its framework's KILL does. Mesos has nothing like it.
pub(crate) async fn kill(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = Form::read(&master, &headers, body).await?;
    let framework_id = form.get("frameworkId")?.into();
    let call = OperatorCall::KillTask { framework_id, task_id: form.get("taskId")?.into() };
    answer(master.core.operator(call).await.map_err(gone)?)
}

/// A JSON list of messages; errors in Mesos' words.
pub(super) fn json_list<M: proto::Message + Default + proto::Described>(
    text: &str,
) -> Result<Vec<M>, proto::json::JsonError> {
    messages(&json_values(text)?)
}

/// A JSON list.
fn json_values(text: &str) -> Result<Vec<serde_json::Value>, proto::json::JsonError> {
    serde_json::from_str(text).map_err(|error| proto::json::JsonError::syntax(text.as_bytes(), &error))
}

fn messages<M: proto::Message + Default + proto::Described>(
    values: &[serde_json::Value],
) -> Result<Vec<M>, proto::json::JsonError> {
    values.iter().map(proto::json::from_value).collect()
}

/// `GET /weights`.
pub(crate) async fn weights(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&role_weights::to_proto(&master.weights().await?))
}

/// `PUT /weights`.
pub(crate) async fn update_weights(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let text = text(&master, &headers, body).await?;
    let values = json_values(&text).map_err(|error| {
        ApiError::bad_request(format!("Failed to parse update weights request JSON '{text}': {error}"))
    })?;
    let infos = messages::<v1::WeightInfo>(&values).map_err(|error| {
        ApiError::bad_request(format!("Failed to convert weights JSON array to protobuf '{text}': {error}"))
    })?;
    let call = role_weights::update(&infos, &master.options.roles)?;
    answer(master.core.operator(call).await.map_err(gone)?)
}

/// `GET /quota`.
pub(crate) async fn quota(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    Query::new(query.as_deref()).json(&quotas::status(&master.quotas().await?))
}

/// `POST /quota`: sets guarantees of a role, and limits with them.
pub(crate) async fn set_quota(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let text = text(&master, &headers, body).await?;
    let wrong = |what: &str, error: proto::json::JsonError| {
        ApiError::bad_request(format!("Failed to {what} set quota request JSON '{text}': {error}"))
    };
    let value: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| wrong("parse", proto::json::JsonError::syntax(text.as_bytes(), &error)))?;
    let request: QuotaRequest = proto::json::from_value(&value).map_err(|error| wrong("validate", error))?;
    let call = quotas::set(&request, &master.options.roles)?;
    answer(master.core.operator(call).await.map_err(gone)?)
}

/// `DELETE /quota`: the role is missing.
pub(crate) async fn remove_quota_of_nobody() -> ApiError {
    ApiError::bad_request(
        "Failed to parse remove quota request for path '/master/quota': expected 3 tokens, found 2 tokens",
    )
}

/// `DELETE /quota/{role}`.
pub(crate) async fn remove_quota(
    State(master): State<Master>,
    Path(role): Path<String>,
    method: Method,
) -> Result<Response, ApiError> {
    if method != Method::DELETE {
        return Err(ApiError::method_not_allowed(&["GET", "POST", "DELETE"], &method));
    }
    // Mesos always knows the path with the name of its process.
    let path = format!("/master/quota/{role}");
    let roles = &master.options.roles;
    if !roles.is_empty() && role != "*" && !roles.contains(&role) {
        return Err(ApiError::bad_request(format!(
            "Failed to validate remove quota request for path '{path}': Unknown role '{role}'"
        )));
    }
    let removed =
        master.core.operator(OperatorCall::RemoveQuota(role.as_str().into())).await.map_err(gone)?;
    answer(removed.map_err(|error| match error {
        // The path is what Mesos says beside it.
        OperatorError::BadRequest(why) => OperatorError::BadRequest(why.replacen(
            "Failed to remove quota:",
            &format!("Failed to remove quota for path '{path}':"),
            1,
        )),
        other => other,
    }))
}

//! What changes something: forms and JSON that come by `POST` and `PUT`.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use http_api::{ApiError, parse_form, read_body, value_of};
use master_core::OperatorCall;
use proto::v1;
use proto::v1::quota::QuotaRequest;

use super::Query;
use crate::operator::change::refuse_operation;
use crate::operator::{quota as quotas, weights as role_weights};
use crate::server::Master;
use crate::status::{answer, gone};

/// A form's fields.
struct Form(Vec<(String, String)>);

impl Form {
    async fn read(master: &Master, headers: &HeaderMap, body: Body) -> Result<Self, ApiError> {
        Ok(Self(parse_form(&text(master, headers, body).await?)))
    }

    fn get(&self, name: &str) -> Result<&str, ApiError> {
        let missing =
            || ApiError::bad_request(format!("Missing '{name}' query parameter in the request body"));
        value_of(&self.0, name).ok_or_else(missing)
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

/// `POST /reserve` and `/unreserve`.
pub(crate) async fn reserve(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    operation(&master, &headers, body, "resources", "Error parsing").await
}

/// `POST /create-volumes` and `/destroy-volumes`.
pub(crate) async fn volumes(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    operation(&master, &headers, body, "volumes", "Error in parsing").await
}

/// Operations on resources are not carried out yet; what is wrong with them is said nevertheless.
async fn operation(
    master: &Master,
    headers: &HeaderMap,
    body: Body,
    what: &str,
    wrong: &str,
) -> Result<Response, ApiError> {
    let form = Form::read(master, headers, body).await?;
    let agent_id = form.get("slaveId")?;
    json_list::<v1::Resource>(form.get(what)?).map_err(|error| {
        ApiError::bad_request(format!("{wrong} '{what}' query parameter in the request body: {error}"))
    })?;
    Err(refuse_operation(master, agent_id).await?)
}

/// A JSON list of messages; errors in Mesos' words.
pub(super) fn json_list<M: proto::Message + Default + proto::Described>(
    text: &str,
) -> Result<Vec<M>, proto::json::JsonError> {
    let values: Vec<serde_json::Value> = serde_json::from_str(text)
        .map_err(|error| proto::json::JsonError::syntax(text.as_bytes(), &error))?;
    values.iter().map(proto::json::from_value).collect()
}

/// `GET /weights`.
pub(crate) async fn weights(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let snapshot = master.snapshot().await?;
    Query::new(query.as_deref()).json(&role_weights::to_proto(&snapshot))
}

/// `PUT /weights`.
pub(crate) async fn update_weights(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let text = text(&master, &headers, body).await?;
    let infos = json_list::<v1::WeightInfo>(&text).map_err(|error| {
        ApiError::bad_request(format!("Failed to parse update weights request JSON '{text}': {error}"))
    })?;
    answer(master.core.operator(role_weights::update(&infos)?).await.map_err(gone)?)
}

/// `GET /quota`.
pub(crate) async fn quota(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let snapshot = master.snapshot().await?;
    Query::new(query.as_deref()).json(&quotas::status(&snapshot))
}

/// `POST /quota`: sets guarantees, which are not supported.
pub(crate) async fn set_quota(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let text = text(&master, &headers, body).await?;
    proto::json::from_slice::<QuotaRequest>(text.as_bytes()).map_err(|error| {
        ApiError::bad_request(format!("Failed to parse set quota request JSON '{text}': {error}"))
    })?;
    Err(ApiError::not_implemented(
        "Quota guarantees are not supported; limits are set by the call UPDATE_QUOTA",
    ))
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
    let role = resources::Role::from(role);
    if !master.snapshot().await?.quotas.contains_key(&role) {
        let message =
            format!("Failed to remove quota for path '/master/quota/{role}': Role '{role}' has no quota set");
        return Err(ApiError::bad_request(message));
    }
    answer(master.core.operator(OperatorCall::RemoveQuota(role)).await.map_err(gone)?)
}

//! Reservations and volumes by forms: `/reserve`, `/unreserve`, `/create-volumes`, `/destroy-volumes`.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::ApiError;
use proto::v1::Resource;
use proto::v1::offer::operation;

use super::change::{Form, json_list};
use crate::operator::resources::apply;
use crate::server::Master;

/// `POST /reserve`.
pub(crate) async fn reserve(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = Form::read(&master, &headers, body).await?;
    let agent_id = form.get("slaveId")?;
    // Mesos words these two otherwise than those of the other endpoints.
    let parse = "Error parsing";
    let resources = list(form.get("resources")?, "resources", parse)?;
    let source = form.find("source").map_or(Ok(Vec::new()), |source| list(source, "source", parse))?;
    apply(&master, agent_id, &operation::Reserve { source, resources }.into()).await
}

/// `POST /unreserve`.
pub(crate) async fn unreserve(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = Form::read(&master, &headers, body).await?;
    let (agent_id, resources) = agent_and(&form, "resources")?;
    apply(&master, agent_id, &operation::Unreserve { resources }.into()).await
}

/// `POST /create-volumes`.
pub(crate) async fn create_volumes(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = Form::read(&master, &headers, body).await?;
    let (agent_id, volumes) = agent_and(&form, "volumes")?;
    apply(&master, agent_id, &operation::Create { volumes }.into()).await
}

/// `POST /destroy-volumes`.
pub(crate) async fn destroy_volumes(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let form = Form::read(&master, &headers, body).await?;
    let (agent_id, volumes) = agent_and(&form, "volumes")?;
    apply(&master, agent_id, &operation::Destroy { volumes }.into()).await
}

fn agent_and<'a>(form: &'a Form, what: &str) -> Result<(&'a str, Vec<Resource>), ApiError> {
    Ok((form.get("slaveId")?, list(form.get(what)?, what, "Error in parsing")?))
}

fn list(text: &str, what: &str, wrong: &str) -> Result<Vec<Resource>, ApiError> {
    json_list(text).map_err(|error| {
        ApiError::bad_request(format!("{wrong} '{what}' query parameter in the request body: {error}"))
    })
}

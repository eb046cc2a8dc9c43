//! Reservations and volumes by forms: `/reserve`, `/unreserve`, `/create-volumes`, `/destroy-volumes`.

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::ApiError;
use proto::v1::offer::operation;
use proto::v1::{self, Resource};

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
    change(&master, &headers, body, "resources", |resources| operation::Unreserve { resources }).await
}

/// `POST /create-volumes`.
pub(crate) async fn create_volumes(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    change(&master, &headers, body, "volumes", |volumes| operation::Create { volumes }).await
}

/// `POST /destroy-volumes`.
pub(crate) async fn destroy_volumes(
    State(master): State<Master>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    change(&master, &headers, body, "volumes", |volumes| operation::Destroy { volumes }).await
}

/// Makes the operation of a form that names an agent and, as `what`, some of its resources.
async fn change<O: Into<v1::offer::Operation>>(
    master: &Master,
    headers: &HeaderMap,
    body: Body,
    what: &str,
    operation: impl FnOnce(Vec<Resource>) -> O,
) -> Result<Response, ApiError> {
    let form = Form::read(master, headers, body).await?;
    let agent_id = form.get("slaveId")?;
    let resources = list(form.get(what)?, what, "Error in parsing")?;
    apply(master, agent_id, &operation(resources).into()).await
}

fn list(text: &str, what: &str, wrong: &str) -> Result<Vec<Resource>, ApiError> {
    json_list(text).map_err(|error| {
        ApiError::bad_request(format!("{wrong} '{what}' query parameter in the request body: {error}"))
    })
}

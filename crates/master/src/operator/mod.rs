//! The operator API: `POST /api/v1`.

pub(crate) mod change;
mod events;
pub(crate) mod maintenance;
pub(crate) mod quota;
mod read;
pub(crate) mod resources;
pub(crate) mod weights;

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::{ApiError, HangUp, decode_call, read_body, request_encoding, response_encoding};
use proto::v1::master::Call;
use proto::v1::master::call::Type;

use crate::server::Master;

/// Takes one call and answers it.
pub(crate) async fn call(
    State(master): State<Master>,
    Extension(hang_up): Extension<HangUp>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, ApiError> {
    let encoding = request_encoding(&headers)?;
    let bytes = read_body(&headers, body, master.options.max_request_bytes).await?;
    let call: Call = decode_call(encoding, &bytes)?;
    wire::validate_master_call(&call)
        .map_err(|error| ApiError::bad_request(format!("Failed to validate master::Call: {error}")))?;
    let accept = response_encoding(&headers)?;
    let kind = call.r#type();
    match kind {
        Type::Subscribe => events::subscribe(&master, accept, hang_up).await,
        Type::SetLoggingLevel
        | Type::UpdateWeights
        | Type::UpdateQuota
        | Type::SetQuota
        | Type::RemoveQuota
        | Type::Teardown
        | Type::MarkAgentGone
        | Type::DrainAgent
        | Type::DeactivateAgent
        | Type::ReactivateAgent
        | Type::UpdateMaintenanceSchedule
        | Type::StartMaintenance
        | Type::StopMaintenance => change::change(&master, call).await,
        Type::ReserveResources
        | Type::UnreserveResources
        | Type::CreateVolumes
        | Type::DestroyVolumes
        | Type::GrowVolume
        | Type::ShrinkVolume => resources::change(&master, call).await,
        _ => read::read(&master, call, accept, &headers).await,
    }
}

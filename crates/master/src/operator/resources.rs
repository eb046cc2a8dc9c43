//! Operations of operators on the resources of an agent: RESERVE_RESOURCES and its like, and the older endpoints.

use axum::response::Response;
use base::AgentId;
use http_api::{ApiError, accepted};
use master_core::OperatorCall;
use proto::v1::master::Call;
use proto::v1::master::call::Type;
use proto::v1::offer::{Operation, operation};

use crate::server::Master;
use crate::status::{gone, refused};

/// Takes one of the calls. The part that belongs to its type has been found to be there.
pub(super) fn change(
    master: &Master,
    call: Call,
) -> impl Future<Output = Result<Response, ApiError>> + use<> {
    let kind = call.r#type();
    // Before anything is waited for: the call is large.
    let asked = asked(call).map(|(agent_id, operation)| apply(master, &agent_id, &operation));
    async move {
        let missing = || {
            ApiError::bad_request(format!("Expecting the part of call {} to be present", kind.as_str_name()))
        };
        asked.ok_or_else(missing)?.await
    }
}

/// The agent's id, and what to do there.
fn asked(call: Call) -> Option<(String, Operation)> {
    Some(match call.r#type() {
        Type::ReserveResources => {
            let part = call.reserve_resources?;
            let reserve = operation::Reserve { source: part.source, resources: part.resources };
            (part.agent_id.value, reserve.into())
        }
        Type::UnreserveResources => {
            let part = call.unreserve_resources?;
            (part.agent_id.value, operation::Unreserve { resources: part.resources }.into())
        }
        Type::CreateVolumes => {
            let part = call.create_volumes?;
            (part.agent_id.value, operation::Create { volumes: part.volumes }.into())
        }
        Type::DestroyVolumes => {
            let part = call.destroy_volumes?;
            (part.agent_id.value, operation::Destroy { volumes: part.volumes }.into())
        }
        Type::GrowVolume => {
            let part = call.grow_volume?;
            let grow = operation::GrowVolume { volume: part.volume, addition: part.addition };
            (part.agent_id?.value, grow.into())
        }
        Type::ShrinkVolume => {
            let part = call.shrink_volume?;
            let shrink = operation::ShrinkVolume { volume: part.volume, subtract: part.subtract };
            (part.agent_id?.value, shrink.into())
        }
        _ => return None,
    })
}

/// Has an operation carried out. It is answered when the master has accepted it; what the agent makes of it shows in its
/// resources.
pub(crate) fn apply(
    master: &Master,
    agent_id: &str,
    operation: &Operation,
) -> impl Future<Output = Result<Response, ApiError>> + use<> {
    let (master, agent_id) = (Master::clone(master), AgentId::from(agent_id));
    let (kind, operation) = (operation.r#type().as_str_name(), wire::operation_from_proto(operation));
    async move {
        let operation = match operation {
            Ok(operation) => operation,
            // That there is no such agent is what Mesos looks for first.
            Err(error) => return Err(wrong(&master, &agent_id, error.to_string()).await?),
        };
        tracing::info!("operator's {kind} on agent {agent_id}");
        let call = OperatorCall::ApplyOperation { agent_id, operation, principal: None };
        master.core.operator(call).await.map_err(gone)?.map(|()| accepted()).map_err(refused)
    }
}

async fn wrong(master: &Master, agent_id: &AgentId, error: String) -> Result<ApiError, ApiError> {
    let known = master.snapshot().await?.agents.iter().any(|agent| agent.id == *agent_id);
    Ok(ApiError::bad_request(if known { error } else { "No agent found with specified ID".to_owned() }))
}

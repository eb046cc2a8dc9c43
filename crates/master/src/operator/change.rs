//! Calls that change something.

use std::time::Duration;

use axum::response::Response;
use http_api::{ApiError, ok};
use master_core::{DrainConfig, OperatorCall};
use proto::v1::master::Call;
use proto::v1::master::call::{DrainAgent, Type};

use super::{maintenance, quota, weights};
use crate::server::Master;
use crate::status::{answer, gone};

/// Makes a change. The part that belongs to the call's type has been found to be there.
pub(super) async fn change(master: &Master, call: Call) -> Result<Response, ApiError> {
    let kind = call.r#type();
    let missing =
        || ApiError::bad_request(format!("Expecting the part of call {} to be present", kind.as_str_name()));
    let change = match kind {
        Type::SetLoggingLevel => {
            let set = call.set_logging_level.ok_or_else(missing)?;
            let nanos = u64::try_from(set.duration.nanoseconds).unwrap_or(0);
            master.logging.set_for(set.level, Duration::from_nanos(nanos));
            return Ok(ok());
        }
        Type::UpdateWeights => {
            let update = call.update_weights.ok_or_else(missing)?;
            weights::update(&update.weight_infos, &master.options.roles)?
        }
        Type::UpdateQuota => {
            let update = call.update_quota.ok_or_else(missing)?;
            quota::update(&update.quota_configs, update.force.unwrap_or_default(), &master.options.roles)?
        }
        Type::SetQuota => {
            quota::set(&call.set_quota.ok_or_else(missing)?.quota_request, &master.options.roles)?
        }
        Type::RemoveQuota => {
            OperatorCall::RemoveQuota(call.remove_quota.ok_or_else(missing)?.role.as_str().into())
        }
        Type::UpdateMaintenanceSchedule => {
            maintenance::update(call.update_maintenance_schedule.ok_or_else(missing)?.schedule)?
        }
        Type::StartMaintenance => maintenance::start(call.start_maintenance.ok_or_else(missing)?.machines)?,
        Type::StopMaintenance => maintenance::stop(call.stop_maintenance.ok_or_else(missing)?.machines)?,
        Type::Teardown => {
            OperatorCall::Teardown(call.teardown.ok_or_else(missing)?.framework_id.value.into())
        }
        Type::MarkAgentGone => {
            OperatorCall::MarkAgentGone(call.mark_agent_gone.ok_or_else(missing)?.agent_id.value.into())
        }
        Type::DrainAgent => drain(call.drain_agent.ok_or_else(missing)?)?,
        Type::DeactivateAgent => {
            OperatorCall::DeactivateAgent(call.deactivate_agent.ok_or_else(missing)?.agent_id.value.into())
        }
        Type::ReactivateAgent => {
            OperatorCall::ReactivateAgent(call.reactivate_agent.ok_or_else(missing)?.agent_id.value.into())
        }
        _ => return Err(ApiError::not_implemented(format!("{} is not supported", kind.as_str_name()))),
    };
    tracing::info!("operator call {}", kind.as_str_name());
    answer(master.core.operator(change).await.map_err(gone)?)
}

fn drain(drain: DrainAgent) -> Result<OperatorCall, ApiError> {
    let grace = drain.max_grace_period.map(|grace| {
        let (seconds, nanos) = (u64::try_from(grace.seconds()), u32::try_from(grace.nanos()));
        match (seconds, nanos) {
            (Ok(seconds), Ok(nanos)) => Ok(Duration::new(seconds, nanos)),
            _ => Err(ApiError::bad_request("Expecting 'max_grace_period' not to be negative")),
        }
    });
    let config =
        DrainConfig { max_grace_period: grace.transpose()?, mark_gone: drain.mark_gone.unwrap_or(false) };
    Ok(OperatorCall::DrainAgent { agent_id: drain.agent_id.value.into(), config })
}

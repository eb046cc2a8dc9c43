//! Calls of operators to the master.

use proto::v1::Resource;
use proto::v1::master::{Call, call::Type};

use crate::Invalid;
use crate::invalid::{Checked, ensure, invalid, present};
use crate::resource::resources_from_proto;

/// Checks an operator's call; the answer to a bad one is `Failed to validate master::Call: ` and the reason.
///
/// # Errors
/// What is missing.
pub fn validate_master_call(call: &Call) -> Result<(), Invalid> {
    let Some(kind) = call.r#type.and_then(|kind| Type::try_from(kind).ok()) else {
        return invalid("Expecting 'type' to be present");
    };
    if let Some(part) = needed(kind)
        && !is_there(call, kind)
    {
        return invalid(format!("Expecting '{part}' to be present"));
    }
    match kind {
        Type::ReserveResources => {
            check(call.reserve_resources.as_ref().map(|part| part.resources.as_slice()))
        }
        Type::UnreserveResources => {
            check(call.unreserve_resources.as_ref().map(|part| part.resources.as_slice()))
        }
        Type::GrowVolume => {
            of_an_agent(present(call.grow_volume.as_ref(), "grow_volume")?.agent_id.is_some())
        }
        Type::ShrinkVolume => {
            of_an_agent(present(call.shrink_volume.as_ref(), "shrink_volume")?.agent_id.is_some())
        }
        _ => Ok(()),
    }
}

fn check(resources: Option<&[Resource]>) -> Checked {
    match resources_from_proto(resources.unwrap_or_default()) {
        Ok(_) => Ok(()),
        Err(error) => invalid(error.to_string()),
    }
}

fn of_an_agent(has_agent: bool) -> Checked {
    ensure(
        has_agent,
        "Expecting 'agent_id' to be present; only agent default resources are supported right now",
    )
}

/// The part without which a call says nothing.
fn needed(kind: Type) -> Option<&'static str> {
    Some(match kind {
        Type::GetMetrics => "get_metrics",
        Type::SetLoggingLevel => "set_logging_level",
        Type::ListFiles => "list_files",
        Type::ReadFile => "read_file",
        Type::UpdateWeights => "update_weights",
        Type::ReserveResources => "reserve_resources",
        Type::UnreserveResources => "unreserve_resources",
        Type::CreateVolumes => "create_volumes",
        Type::DestroyVolumes => "destroy_volumes",
        Type::GrowVolume => "grow_volume",
        Type::ShrinkVolume => "shrink_volume",
        Type::UpdateMaintenanceSchedule => "update_maintenance_schedule",
        Type::StartMaintenance => "start_maintenance",
        Type::StopMaintenance => "stop_maintenance",
        Type::DrainAgent => "drain_agent",
        Type::DeactivateAgent => "deactivate_agent",
        Type::ReactivateAgent => "reactivate_agent",
        Type::UpdateQuota => "update_quota",
        Type::SetQuota => "set_quota",
        Type::RemoveQuota => "remove_quota",
        Type::Teardown => "teardown",
        Type::MarkAgentGone => "mark_agent_gone",
        _ => return None,
    })
}

fn is_there(call: &Call, kind: Type) -> bool {
    match kind {
        Type::GetMetrics => call.get_metrics.is_some(),
        Type::SetLoggingLevel => call.set_logging_level.is_some(),
        Type::ListFiles => call.list_files.is_some(),
        Type::ReadFile => call.read_file.is_some(),
        Type::UpdateWeights => call.update_weights.is_some(),
        Type::ReserveResources => call.reserve_resources.is_some(),
        Type::UnreserveResources => call.unreserve_resources.is_some(),
        Type::CreateVolumes => call.create_volumes.is_some(),
        Type::DestroyVolumes => call.destroy_volumes.is_some(),
        Type::GrowVolume => call.grow_volume.is_some(),
        Type::ShrinkVolume => call.shrink_volume.is_some(),
        Type::UpdateMaintenanceSchedule => call.update_maintenance_schedule.is_some(),
        Type::StartMaintenance => call.start_maintenance.is_some(),
        Type::StopMaintenance => call.stop_maintenance.is_some(),
        Type::DrainAgent => call.drain_agent.is_some(),
        Type::DeactivateAgent => call.deactivate_agent.is_some(),
        Type::ReactivateAgent => call.reactivate_agent.is_some(),
        Type::UpdateQuota => call.update_quota.is_some(),
        Type::SetQuota => call.set_quota.is_some(),
        Type::RemoveQuota => call.remove_quota.is_some(),
        Type::Teardown => call.teardown.is_some(),
        Type::MarkAgentGone => call.mark_agent_gone.is_some(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<(), String> {
        let call: Call = proto::json::from_slice(json.as_bytes()).unwrap();
        validate_master_call(&call).map_err(|error| error.to_string())
    }

    #[test]
    fn each_call_needs_its_part() {
        let expecting = |part: &str| Err(format!("Expecting '{part}' to be present"));
        assert_eq!(check("{}"), expecting("type"));
        assert_eq!(check(r#"{"type":"NO_SUCH_TYPE"}"#), expecting("type"));
        for number in 0..100 {
            let Ok(kind) = Type::try_from(number) else { continue };
            let name = kind.as_str_name();
            let expected = match name.starts_with("GET_") && kind != Type::GetMetrics {
                true => Ok(()),
                false if matches!(kind, Type::Subscribe | Type::Unknown) => Ok(()),
                false => expecting(&name.to_lowercase()),
            };
            assert_eq!(check(&format!(r#"{{"type":"{name}"}}"#)), expected, "{name}");
        }
        assert_eq!(check(r#"{"type":"READ_FILE","read_file":{"path":"p","offset":0}}"#), Ok(()));
    }

    #[test]
    fn resources_are_checked() {
        let call = r#"{"type":"RESERVE_RESOURCES","reserve_resources":{"agent_id":{"value":"a"},
            "resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]}}"#;
        let error = "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0";
        assert_eq!(check(call), Err(error.to_owned()));
    }

    #[test]
    fn volumes_are_of_an_agent() {
        let disk = r#"{"name":"disk","type":"SCALAR","scalar":{"value":1}}"#;
        let error =
            "Expecting 'agent_id' to be present; only agent default resources are supported right now";
        for (kind, by) in
            [("grow", format!(r#""addition":{disk}"#)), ("shrink", r#""subtract":{"value":1}"#.into())]
        {
            let call = format!(
                r#"{{"type":"{}_VOLUME","{kind}_volume":{{"volume":{disk},{by}}}}}"#,
                kind.to_uppercase()
            );
            assert_eq!(check(&call), Err(error.to_owned()));
        }
    }
}

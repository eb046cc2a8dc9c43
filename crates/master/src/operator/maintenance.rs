//! Maintenance of machines. No schedule is kept yet: it is always empty, and changes are refused.

use http_api::ApiError;
use proto::v1::MachineId;
use proto::v1::maintenance::{ClusterStatus, Schedule};
use proto::v1::master::Call;
use proto::v1::master::call::Type;

/// Which machines are being maintained.
pub(crate) fn status() -> ClusterStatus {
    ClusterStatus::default()
}

/// When which machines are to be maintained.
pub(crate) fn schedule() -> Schedule {
    Schedule::default()
}

/// Why a call is refused.
pub(super) fn refuse(call: &Call) -> ApiError {
    let machines = match call.r#type() {
        Type::UpdateMaintenanceSchedule => {
            let schedule = call.update_maintenance_schedule.as_ref().map(|update| &update.schedule);
            return refuse_schedule(schedule.unwrap_or(&Schedule::default()));
        }
        Type::StartMaintenance => call.start_maintenance.as_ref().map(|start| &start.machines),
        _ => call.stop_maintenance.as_ref().map(|stop| &stop.machines),
    };
    refuse_machines(machines.map(Vec::as_slice).unwrap_or_default())
}

/// Why a schedule is refused.
pub(crate) fn refuse_schedule(schedule: &Schedule) -> ApiError {
    if schedule.windows.iter().any(|window| window.machine_ids.is_empty()) {
        return ApiError::bad_request("List of machines in the maintenance window is empty");
    }
    ApiError::not_implemented("Maintenance schedules are not supported yet")
}

/// Why machines cannot be put down or up.
pub(crate) fn refuse_machines(machines: &[MachineId]) -> ApiError {
    match machines.first() {
        Some(machine) => ApiError::bad_request(format!(
            "Machine '{}' is not part of a maintenance schedule",
            proto::json::to_string(machine)
        )),
        None => ApiError::bad_request("List of machines is empty"),
    }
}

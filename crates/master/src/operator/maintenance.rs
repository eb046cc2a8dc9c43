//! Maintenance of machines.

use http_api::ApiError;
use master_core::OperatorCall;
use proto::v1::MachineId;
use proto::v1::maintenance::{ClusterStatus, Schedule};

use crate::convert::{machine_id, maintenance_status_to_proto, schedule_to_proto, windows};
use crate::server::Shared;
use crate::status::gone;

/// Which machines are to be maintained or are down, and what frameworks have said.
pub(crate) async fn status(master: &Shared) -> Result<ClusterStatus, ApiError> {
    let status = master.core.ask(|core, _| core.maintenance_status()).await.map_err(gone)?;
    Ok(maintenance_status_to_proto(&status))
}

/// When which machines are to be maintained.
pub(crate) async fn schedule(master: &Shared) -> Result<Schedule, ApiError> {
    let windows = master.core.ask(|core, _| core.maintenance_schedule()).await.map_err(gone)?;
    Ok(schedule_to_proto(&windows))
}

/// The call that replaces the schedule.
pub(crate) fn update(schedule: Schedule) -> Result<OperatorCall, ApiError> {
    wire::validate_maintenance_schedule(&schedule)
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(OperatorCall::UpdateMaintenanceSchedule(windows(schedule)))
}

/// The call that takes machines down.
pub(crate) fn start(machines: Vec<MachineId>) -> Result<OperatorCall, ApiError> {
    checked(machines).map(OperatorCall::StartMaintenance)
}

/// The call that lets machines come back.
pub(crate) fn stop(machines: Vec<MachineId>) -> Result<OperatorCall, ApiError> {
    checked(machines).map(OperatorCall::StopMaintenance)
}

fn checked(machines: Vec<MachineId>) -> Result<Vec<master_core::MachineId>, ApiError> {
    wire::validate_machines(&machines).map_err(|error| ApiError::bad_request(error.to_string()))?;
    Ok(machines.into_iter().map(machine_id).collect())
}

//! Machines and schedules, in both directions.

use std::sync::Arc;

use base::FrameworkId;
use master_core::{
    InverseOfferAnswer, MachineId, MachineMode, MaintenanceStatus, Unavailability, Window, WindowKey,
    WindowPart,
};
use proto::internal::Registry;
use proto::internal::registry::{Machine, Machines};
use proto::v1;
use proto::v1::allocator::InverseOfferStatus;
use proto::v1::allocator::inverse_offer_status::Status;
use proto::v1::machine_info::Mode;
use proto::v1::maintenance::cluster_status::DrainingMachine;
use proto::v1::maintenance::{ClusterStatus, Schedule};

use crate::view::time_info;

/// A machine.
pub(crate) fn machine_id(id: v1::MachineId) -> MachineId {
    MachineId { hostname: id.hostname.map(Arc::from), ip: id.ip.map(Arc::from) }
}

fn machine_id_to_proto(id: &MachineId) -> v1::MachineId {
    let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
    v1::MachineId { hostname: text(&id.hostname), ip: text(&id.ip) }
}

fn unavailability(unavailability: &v1::Unavailability) -> Unavailability {
    Unavailability {
        start: unavailability.start.nanoseconds,
        duration: unavailability.duration.as_ref().map(|duration| duration.nanoseconds),
    }
}

/// When something is not there.
pub(crate) fn unavailability_to_proto(unavailability: Unavailability) -> v1::Unavailability {
    v1::Unavailability {
        start: v1::TimeInfo { nanoseconds: unavailability.start },
        duration: unavailability.duration.map(|nanoseconds| v1::DurationInfo { nanoseconds }),
    }
}

/// A schedule.
pub(crate) fn windows(schedule: Schedule) -> Vec<Window> {
    let windows = schedule.windows.into_iter();
    windows
        .map(|window| Window {
            machines: window.machine_ids.into_iter().map(machine_id).collect(),
            unavailability: unavailability(&window.unavailability),
        })
        .collect()
}

/// A schedule as it is shown.
pub(crate) fn schedule_to_proto(windows: &[Window]) -> Schedule {
    let windows = windows.iter().map(|window| v1::maintenance::Window {
        machine_ids: window.machines.iter().map(machine_id_to_proto).collect(),
        unavailability: unavailability_to_proto(window.unavailability),
    });
    Schedule { windows: windows.collect() }
}

/// Machines in the schedule, and what frameworks have said.
pub(crate) fn maintenance_status_to_proto(status: &MaintenanceStatus) -> ClusterStatus {
    let draining = status.draining.iter().map(|(id, answers)| DrainingMachine {
        id: machine_id_to_proto(id),
        statuses: answers.iter().map(answer_to_proto).collect(),
    });
    ClusterStatus {
        draining_machines: draining.collect(),
        down_machines: status.down.iter().map(machine_id_to_proto).collect(),
    }
}

fn answer_to_proto((framework_id, answer): &(FrameworkId, InverseOfferAnswer)) -> InverseOfferStatus {
    let status = if answer.accepted { Status::Accept } else { Status::Decline };
    InverseOfferStatus {
        status: status.into(),
        framework_id: framework_id.as_str().into(),
        timestamp: time_info(answer.at),
    }
}

/// A piece of the schedule, with its machines, as a part of the registry.
pub(crate) fn window_to_registry(part: &WindowPart, registry: &mut Registry) {
    let machines = part.machines.iter().map(|(id, mode)| {
        let mode = match mode {
            MachineMode::Draining => Mode::Draining,
            MachineMode::Down => Mode::Down,
        };
        let info = v1::MachineInfo {
            id: machine_id_to_proto(id),
            mode: Some(mode.into()),
            unavailability: Some(unavailability_to_proto(part.unavailability)),
        };
        Machine { info }
    });
    registry.machines.get_or_insert_with(Machines::default).machines.extend(machines);
    let ids = part.machines.iter().map(|(id, _)| id.clone()).collect();
    let window = Window { machines: ids, unavailability: part.unavailability };
    registry.schedules.push(schedule_to_proto(&[window]));
}

/// The piece of the schedule of which a part of the registry tells.
pub(crate) fn window_of_registry(registry: &mut Registry) -> Option<WindowPart> {
    let machines = std::mem::take(&mut registry.machines)?.machines.into_iter();
    let window = std::mem::take(&mut registry.schedules).pop()?.windows.pop()?;
    let machines = machines.map(|machine| {
        let mode = match machine.info.mode() {
            Mode::Down => MachineMode::Down,
            Mode::Up | Mode::Draining => MachineMode::Draining,
        };
        (machine_id(machine.info.id), mode)
    });
    Some(WindowPart { machines: machines.collect(), unavailability: unavailability(&window.unavailability) })
}

/// The part of a key that tells which piece of the schedule it is of.
pub(crate) fn window_key_to_text(key: WindowKey) -> String {
    format!("{:010}-{:010}", key.window, key.part)
}

/// The piece of which a part of a key tells.
pub(crate) fn window_key(text: &str) -> Option<WindowKey> {
    let (window, part) = text.split_once('-')?;
    Some(WindowKey { window: window.parse().ok()?, part: part.parse().ok()? })
}

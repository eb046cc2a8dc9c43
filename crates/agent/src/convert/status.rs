//! Statuses of tasks.

use std::net::IpAddr;

use agent_core::{Reason, StatusSource, StatusUpdate, TaskState, TaskStatus};
use base::{ContainerId, Payload, Time, Uuid};
use proto::{internal, v1};
use resources::Resources;

use super::check::{check_status_from_proto, check_status_to_proto};
use super::info::decoded;

/// Nested containers' ids are written `parent.child` in the core.
pub(crate) fn container_id_to_proto(id: &ContainerId) -> v1::ContainerId {
    let mut parts = id.as_str().split('.');
    let mut container = v1::ContainerId { value: parts.next().unwrap_or_default().to_owned(), parent: None };
    for part in parts {
        container = v1::ContainerId { value: part.to_owned(), parent: Some(Box::new(container)) };
    }
    container
}

pub(crate) fn container_id_from_proto(id: &v1::ContainerId) -> ContainerId {
    match &id.parent {
        Some(parent) => container_id_from_proto(parent).nested(&id.value),
        None => ContainerId::from(id.value.as_str()),
    }
}

pub(super) fn state_to_proto(state: TaskState) -> v1::TaskState {
    match state {
        TaskState::Staging => v1::TaskState::TaskStaging,
        TaskState::Starting => v1::TaskState::TaskStarting,
        TaskState::Running => v1::TaskState::TaskRunning,
        TaskState::Killing => v1::TaskState::TaskKilling,
        TaskState::Finished => v1::TaskState::TaskFinished,
        TaskState::Failed => v1::TaskState::TaskFailed,
        TaskState::Killed => v1::TaskState::TaskKilled,
        TaskState::Error => v1::TaskState::TaskError,
        TaskState::Lost => v1::TaskState::TaskLost,
        TaskState::Dropped => v1::TaskState::TaskDropped,
        TaskState::Unreachable => v1::TaskState::TaskUnreachable,
        TaskState::Gone => v1::TaskState::TaskGone,
        TaskState::GoneByOperator => v1::TaskState::TaskGoneByOperator,
        TaskState::Unknown => v1::TaskState::TaskUnknown,
    }
}

pub(super) fn state_from_proto(state: v1::TaskState) -> TaskState {
    match state {
        v1::TaskState::TaskStaging => TaskState::Staging,
        v1::TaskState::TaskStarting => TaskState::Starting,
        v1::TaskState::TaskRunning => TaskState::Running,
        v1::TaskState::TaskKilling => TaskState::Killing,
        v1::TaskState::TaskFinished => TaskState::Finished,
        v1::TaskState::TaskFailed => TaskState::Failed,
        v1::TaskState::TaskKilled => TaskState::Killed,
        v1::TaskState::TaskError => TaskState::Error,
        v1::TaskState::TaskLost => TaskState::Lost,
        v1::TaskState::TaskDropped => TaskState::Dropped,
        v1::TaskState::TaskUnreachable => TaskState::Unreachable,
        v1::TaskState::TaskGone => TaskState::Gone,
        v1::TaskState::TaskGoneByOperator => TaskState::GoneByOperator,
        v1::TaskState::TaskUnknown => TaskState::Unknown,
    }
}

fn reason_to_proto(reason: Reason) -> v1::task_status::Reason {
    use v1::task_status::Reason as Wire;
    match reason {
        Reason::AgentRestarted => Wire::AgentRestarted,
        Reason::ContainerLaunchFailed => Wire::ContainerLaunchFailed,
        Reason::ContainerUpdateFailed => Wire::ContainerUpdateFailed,
        Reason::ContainerLimitation => Wire::ContainerLimitation,
        Reason::ContainerLimitationDisk => Wire::ContainerLimitationDisk,
        Reason::ContainerLimitationMemory => Wire::ContainerLimitationMemory,
        Reason::ExecutorRegistrationTimeout => Wire::ExecutorRegistrationTimeout,
        Reason::ExecutorReregistrationTimeout => Wire::ExecutorReregistrationTimeout,
        Reason::ExecutorTerminated => Wire::ExecutorTerminated,
        Reason::InvalidOffers => Wire::InvalidOffers,
        Reason::MaxCompletionTimeReached => Wire::MaxCompletionTimeReached,
        Reason::Reconciliation => Wire::Reconciliation,
        Reason::AgentDraining => Wire::AgentDraining,
        Reason::TaskCheckStatusUpdated => Wire::TaskCheckStatusUpdated,
        Reason::TaskHealthCheckStatusUpdated => Wire::TaskHealthCheckStatusUpdated,
        Reason::TaskInvalid => Wire::TaskInvalid,
        Reason::TaskKilledDuringLaunch => Wire::TaskKilledDuringLaunch,
    }
}

/// A status: what the executor said, completed by what the agent knows. `own` is the agent's address.
pub(crate) fn status_to_proto(status: &TaskStatus, own: IpAddr) -> v1::TaskStatus {
    let mut wire =
        if status.body.is_empty() { v1::TaskStatus::default() } else { decoded(status.body.as_bytes()) };
    wire.task_id = status.task_id.as_str().into();
    wire.set_state(state_to_proto(status.state));
    if let Some(message) = &status.message {
        wire.message = Some(message.to_string());
    }
    wire.set_source(match status.source {
        StatusSource::Agent => v1::task_status::Source::Agent,
        StatusSource::Executor => v1::task_status::Source::Executor,
    });
    if let Some(reason) = status.reason {
        wire.set_reason(reason_to_proto(reason));
    }
    wire.agent_id = Some(status.agent_id.as_str().into());
    wire.executor_id = status.executor_id.as_ref().map(|id| id.as_str().into());
    wire.timestamp = Some(status.timestamp.as_secs_f64());
    wire.uuid = Some(status.uuid.as_bytes().to_vec().into());
    if let Some(healthy) = status.healthy {
        wire.healthy = Some(healthy);
    }
    if let Some(found) = status.check_status {
        wire.check_status = Some(check_status_to_proto(found));
    }
    if !status.limitation.is_empty() {
        let resources = ::wire::resources_to_proto(&status.limitation);
        wire.limitation = Some(v1::TaskResourceLimitation { resources });
    }
    if let Some(known) = &status.container_status {
        let container = wire.container_status.get_or_insert_default();
        container.container_id = Some(container_id_to_proto(&known.container_id));
        container.executor_pid = known.pid.or(container.executor_pid);
        if known.agent_address {
            container.network_infos = vec![network_info(own)];
        }
    }
    wire
}

/// The other way, for what [`status_to_proto`] once made: all that the core does not decide upon stays in the body.
pub(crate) fn status_from_proto(status: &v1::TaskStatus) -> Result<TaskStatus, String> {
    let agent = status.agent_id.as_ref().ok_or("a status names no agent")?;
    let uuid = status.uuid.as_ref().and_then(|uuid| Uuid::from_slice(uuid));
    Ok(TaskStatus {
        task_id: status.task_id.value.as_str().into(),
        state: state_from_proto(status.state()),
        message: None,
        source: match status.source() {
            v1::task_status::Source::Agent => StatusSource::Agent,
            _ => StatusSource::Executor,
        },
        reason: None,
        agent_id: agent.value.as_str().into(),
        executor_id: status.executor_id.as_ref().map(|id| id.value.as_str().into()),
        timestamp: Time::from_secs_f64(status.timestamp()),
        uuid: uuid.ok_or("a status has no UUID")?,
        container_status: None,
        healthy: status.healthy,
        check_status: status.check_status.as_ref().and_then(check_status_from_proto),
        limitation: Resources::default(),
        body: Payload::from(proto::encode(status)),
    })
}

fn network_info(address: IpAddr) -> v1::NetworkInfo {
    let protocol = match address {
        IpAddr::V4(_) => v1::network_info::Protocol::IPv4,
        IpAddr::V6(_) => v1::network_info::Protocol::IPv6,
    };
    let address = v1::network_info::IpAddress {
        protocol: Some(protocol.into()),
        ip_address: Some(address.to_string()),
    };
    v1::NetworkInfo { ip_addresses: vec![address], ..Default::default() }
}

pub(super) fn update_to_proto(update: &StatusUpdate, own: IpAddr) -> internal::StatusUpdate {
    let status = &update.status;
    internal::StatusUpdate {
        framework_id: update.framework_id.as_str().into(),
        executor_id: status.executor_id.as_ref().map(|id| id.as_str().into()),
        slave_id: Some(status.agent_id.as_str().into()),
        status: status_to_proto(status, own),
        timestamp: status.timestamp.as_secs_f64(),
        uuid: Some(status.uuid.as_bytes().to_vec().into()),
        latest_state: Some(state_to_proto(update.latest_state).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_ids_keep_their_parents() {
        let id = ContainerId::from("a").nested("b").nested("c");
        let wire = container_id_to_proto(&id);
        assert_eq!(wire.value, "c");
        assert_eq!(wire.parent.as_ref().map(|parent| parent.value.as_str()), Some("b"));
        assert_eq!(container_id_from_proto(&wire), id);
    }

    #[test]
    fn states_survive_the_way_there_and_back() {
        for number in 0..=13 {
            let wire = v1::TaskState::try_from(number).expect("a state");
            assert_eq!(state_to_proto(state_from_proto(wire)), wire);
        }
    }
}

//! Statuses of tasks.

use std::sync::Arc;

use base::{Time, Uuid};
use master_core::{Reason, Source, StatusUpdate, TaskState, TaskStatus};
use proto::{internal, v1};

use super::task::carried;
use crate::pb::{self, Writer};

/// What an agent reports. `encoded` is the message as it came.
///
/// Nothing is made of a status in a state that we do not know.
pub(crate) fn status_update(message: internal::StatusUpdateMessage, encoded: &[u8]) -> Option<StatusUpdate> {
    let update = message.update;
    let mut body = raw_status(encoded)?.to_vec();
    let mut status = update.status;
    // The update says these for all statuses; old agents leave them out of the status itself.
    let mut missing = Writer::new(&mut body);
    if status.agent_id.is_none()
        && let Some(id) = update.slave_id
    {
        missing.id(5, &id.value);
        status.agent_id = Some(id);
    }
    if status.executor_id.is_none()
        && let Some(id) = update.executor_id
    {
        missing.id(7, &id.value);
        status.executor_id = Some(id);
    }
    if status.timestamp.is_none() {
        missing.double(6, update.timestamp);
        status.timestamp = Some(update.timestamp);
    }
    if status.uuid.is_none()
        && let Some(uuid) = update.uuid
    {
        missing.bytes(11, &uuid);
        status.uuid = Some(uuid);
    }
    Some(StatusUpdate {
        framework_id: update.framework_id.value.as_str().into(),
        status: Arc::new(carried_status(&status, &body)?),
        latest_state: update.latest_state.and_then(TaskState::from_number),
    })
}

/// The status within an encoded `StatusUpdateMessage`.
fn raw_status(encoded: &[u8]) -> Option<&[u8]> {
    let (_, update) = pb::fields(encoded).find(|(field, _)| *field == 1)?;
    pb::fields(update).find(|(field, _)| *field == 4).map(|(_, status)| status)
}

/// A status with its encoding.
pub(super) fn carried_status(status: &v1::TaskStatus, body: &[u8]) -> Option<TaskStatus> {
    Some(TaskStatus {
        task_id: status.task_id.value.as_str().into(),
        agent_id: status.agent_id.as_ref().map(|id| id.value.as_str().into()),
        executor_id: status.executor_id.as_ref().map(|id| id.value.as_str().into()),
        state: TaskState::from_number(status.state)?,
        source: status.source.and_then(Source::from_number),
        reason: status.reason.map(Reason),
        message: status.message.clone(),
        uuid: status.uuid.as_ref().and_then(|uuid| Uuid::from_slice(uuid)),
        timestamp: Time::from_secs_f64(status.timestamp()),
        healthy: status.healthy,
        unreachable_time: status
            .unreachable_time
            .as_ref()
            .map(|time| Time::from_nanos(u64::try_from(time.nanoseconds).unwrap_or(0))),
        body: Some(body.into()),
        repeats: None,
    })
}

/// Writes a status as `mesos.v1.TaskStatus`.
pub(crate) fn write_status(w: &mut Writer<'_>, status: &TaskStatus) {
    if let Some(body) = &status.body {
        w.merge(body.as_bytes());
        return;
    }
    w.id(1, status.task_id.as_str()).number(2, unsigned(status.state.number()));
    if let Some(message) = &status.message {
        w.text(4, message);
    }
    if let Some(agent_id) = &status.agent_id {
        w.id(5, agent_id.as_str());
    }
    w.double(6, status.timestamp.as_secs_f64());
    if let Some(executor_id) = &status.executor_id {
        w.id(7, executor_id.as_str());
    }
    if let Some(source) = status.source {
        w.number(9, unsigned(source.number()));
    }
    if let Some(reason) = status.reason {
        w.number(10, unsigned(reason.0));
    }
    if let Some(uuid) = status.uuid {
        w.bytes(11, uuid.as_bytes());
    }
    if let Some(time) = status.unreachable_time {
        w.embed(14, |w| {
            w.number(1, time.as_nanos());
        });
    }
    write_repeated(w, status);
}

/// Writes what a status repeats of an older one, and its own health.
fn write_repeated(w: &mut Writer<'_>, status: &TaskStatus) {
    let older = status.repeats.as_ref().and_then(|older| older.body.as_ref());
    let older: Option<v1::TaskStatus> = older.map(|body| carried(body.as_bytes()));
    if let Some(healthy) = status.healthy.or_else(|| older.as_ref().and_then(|older| older.healthy)) {
        w.number(8, u64::from(healthy));
    }
    let Some(older) = older else { return };
    if let Some(labels) = &older.labels {
        w.message(12, labels);
    }
    if let Some(container) = &older.container_status {
        w.message(13, container);
    }
    if let Some(check) = &older.check_status {
        w.message(15, check);
    }
}

/// A status as `mesos.v1.TaskStatus`.
pub(crate) fn status_to_proto(status: &TaskStatus) -> v1::TaskStatus {
    if let Some(body) = &status.body {
        return carried(body.as_bytes());
    }
    let mut encoded = Vec::new();
    write_status(&mut Writer::new(&mut encoded), status);
    carried(&encoded)
}

/// Numbers of enums are never negative in Mesos' protocol.
fn unsigned(number: i32) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_fills_in_what_its_status_leaves_out() {
        let message = internal::StatusUpdateMessage {
            update: internal::StatusUpdate {
                framework_id: "f".into(),
                executor_id: Some("e".into()),
                slave_id: Some("a".into()),
                status: v1::TaskStatus {
                    task_id: "t".into(),
                    state: 1,
                    data: Some(vec![7].into()),
                    ..Default::default()
                },
                timestamp: 1.5,
                uuid: Some(vec![9; 16].into()),
                latest_state: Some(2),
            },
            pid: None,
        };
        let update = status_update(message.clone(), &proto::encode(&message)).unwrap();
        assert_eq!(update.latest_state, Some(TaskState::Finished));
        let status = status_to_proto(&update.status);
        assert_eq!((status.agent_id, status.executor_id), (Some("a".into()), Some("e".into())));
        assert_eq!((status.timestamp, status.uuid), (Some(1.5), Some(vec![9; 16].into())));
        assert_eq!(status.data, Some(vec![7].into()));
        assert_eq!(update.status.uuid, Uuid::from_slice(&[9; 16]));
    }
}

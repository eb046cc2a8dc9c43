//! The executor API's calls and events.

use agent_core::{ExecutorCall, ExecutorEvent, ExecutorUpdate, StreamId};
use base::{Payload, Time, Uuid};
use proto::v1;
use proto::v1::executor::{Call, Event, call, event};

use super::info::{decoded, executor_to_proto, framework_to_proto};
use super::status::{container_id_from_proto, container_id_to_proto, state_from_proto};
use super::to_master::SelfDescription;

/// A call for the core, if it is one that makes sense; `None` for heartbeats, which mean nothing to the core, and for calls of
/// a type that we do not know. `stream` is the number for a new stream, used by `SUBSCRIBE` only.
///
/// # Errors
/// The body of a `400`.
pub(crate) fn call_from_proto(call: &Call, stream: StreamId) -> Result<Option<ExecutorCall>, String> {
    let invalid = |why: &str| format!("Failed to validate Executor::Call: {why}");
    wire::validate_executor_call(call).map_err(|error| invalid(error.reason()))?;
    let missing = || invalid("Expecting 'type' to be present");
    let update = |update: &call::Update| status(&update.status).map_err(invalid);
    Ok(match call.r#type() {
        call::Type::Subscribe => {
            let subscribe = call.subscribe.as_ref().ok_or_else(missing)?;
            let tasks = subscribe.unacknowledged_tasks.iter();
            Some(ExecutorCall::Subscribe {
                stream,
                unacknowledged_tasks: tasks.map(|task| task.task_id.value.as_str().into()).collect(),
                unacknowledged_updates: subscribe
                    .unacknowledged_updates
                    .iter()
                    .map(update)
                    .collect::<Result<_, _>>()?,
            })
        }
        call::Type::Update => {
            Some(ExecutorCall::Update(Box::new(update(call.update.as_ref().ok_or_else(missing)?)?)))
        }
        call::Type::Message => {
            Some(ExecutorCall::Message(Payload::from(&*call.message.as_ref().ok_or_else(missing)?.data)))
        }
        call::Type::Heartbeat | call::Type::Unknown => None,
    })
}

fn status(status: &v1::TaskStatus) -> Result<ExecutorUpdate, &'static str> {
    let uuid = status.uuid.as_ref().and_then(|uuid| Uuid::from_slice(uuid)).ok_or("Not a valid UUID")?;
    let container = status.container_status.as_ref();
    Ok(ExecutorUpdate {
        task_id: status.task_id.value.as_str().into(),
        state: state_from_proto(status.state()),
        uuid,
        timestamp: status.timestamp.map(Time::from_secs_f64),
        has_addresses: container.is_some_and(|container| !container.network_infos.is_empty()),
        container_id: container
            .and_then(|container| container.container_id.as_ref())
            .map(container_id_from_proto),
        body: Payload::from(proto::encode(status)),
    })
}

/// An event, with the agent's own description where it belongs.
pub(crate) fn event_to_proto(event: &ExecutorEvent, own: &SelfDescription) -> Event {
    let of = |kind: event::Type| Event { r#type: Some(kind.into()), ..Default::default() };
    match event {
        ExecutorEvent::Subscribed { executor, framework, agent_id, container_id } => Event {
            subscribed: Some(event::Subscribed {
                executor_info: executor_to_proto(executor, &framework.id, None),
                framework_info: framework_to_proto(framework),
                agent_info: own.v1(Some(agent_id)),
                container_id: Some(container_id_to_proto(container_id)),
            }),
            ..of(event::Type::Subscribed)
        },
        ExecutorEvent::Launch(task) => Event {
            launch: Some(event::Launch { task: decoded(task.body.as_bytes()) }),
            ..of(event::Type::Launch)
        },
        ExecutorEvent::LaunchGroup(tasks) => Event {
            launch_group: Some(event::LaunchGroup {
                task_group: v1::TaskGroupInfo {
                    tasks: tasks.iter().map(|task| decoded(task.body.as_bytes())).collect(),
                },
            }),
            ..of(event::Type::LaunchGroup)
        },
        ExecutorEvent::Kill { task_id, grace } => Event {
            kill: Some(event::Kill {
                task_id: task_id.as_str().into(),
                kill_policy: grace.map(|grace| v1::KillPolicy {
                    grace_period: Some(v1::DurationInfo {
                        nanoseconds: i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX),
                    }),
                }),
            }),
            ..of(event::Type::Kill)
        },
        ExecutorEvent::Acknowledged { task_id, uuid } => Event {
            acknowledged: Some(event::Acknowledged {
                task_id: task_id.as_str().into(),
                uuid: uuid.as_bytes().to_vec().into(),
            }),
            ..of(event::Type::Acknowledged)
        },
        ExecutorEvent::Message(data) => Event {
            message: Some(event::Message { data: data.as_bytes().to_vec().into() }),
            ..of(event::Type::Message)
        },
        ExecutorEvent::Shutdown => of(event::Type::Shutdown),
        ExecutorEvent::Error(message) => {
            Event { error: Some(event::Error { message: message.clone() }), ..of(event::Type::Error) }
        }
    }
}

/// What an idle stream gets.
pub(crate) fn heartbeat() -> Event {
    Event { r#type: Some(event::Type::Heartbeat.into()), ..Default::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(change: impl FnOnce(&mut v1::TaskStatus)) -> Result<Option<ExecutorCall>, String> {
        let mut status = v1::TaskStatus {
            task_id: "t".into(),
            uuid: Some(vec![0x47; 16].into()),
            source: Some(v1::task_status::Source::Executor.into()),
            ..Default::default()
        };
        status.set_state(v1::TaskState::TaskRunning);
        change(&mut status);
        let call = Call {
            r#type: Some(call::Type::Update.into()),
            update: Some(call::Update { status }),
            ..Default::default()
        };
        call_from_proto(&call, StreamId(1))
    }

    #[test]
    fn updates_that_make_no_sense_are_refused() {
        assert!(matches!(update(|_| ()), Ok(Some(ExecutorCall::Update(_)))));
        assert!(update(|status| status.uuid = None).is_err());
        assert!(update(|status| status.uuid = Some(vec![1].into())).is_err());
        assert!(update(|status| status.source = None).is_err());
        assert!(update(|status| status.set_state(v1::TaskState::TaskStaging)).is_err());
    }

    #[test]
    fn a_call_without_its_part_is_refused() {
        let call = Call { r#type: Some(call::Type::Update.into()), ..Default::default() };
        let error = call_from_proto(&call, StreamId(1)).expect_err("no update");
        assert_eq!(error, "Failed to validate Executor::Call: Expecting 'update' to be present");
        let heartbeat = Call { r#type: Some(call::Type::Heartbeat.into()), ..Default::default() };
        assert!(matches!(call_from_proto(&heartbeat, StreamId(1)), Ok(None)));
    }
}

//! Calls of schedulers: from protobuf to what the core knows.

use std::sync::Arc;
use std::time::Duration;

use base::{FrameworkId, OperationId, Payload, Uuid};
use http_api::ApiError;
use master_core::{AcceptOperation, RefusedTask, SchedulerCall, TaskInfo};
use proto::v1;
use proto::v1::offer::Operation;
use proto::v1::offer::operation::{LaunchGroup, Type as OperationType};
use proto::v1::scheduler::Call;
use proto::v1::scheduler::call::{self, Type};
use resources::OperationKind;

use crate::convert;

/// How long declined resources are not offered again where the scheduler does not say.
const DEFAULT_REFUSE: Duration = Duration::from_secs(5);

/// The longest time that a filter may last; a longer one lasts so long.
const MAX_REFUSE: Duration = Duration::from_secs(365 * 86_400);

/// The call, which has been validated: its type and the part that belongs to it are there.
pub(super) fn convert(framework_id: &FrameworkId, call: Call) -> Result<SchedulerCall, ApiError> {
    let kind = call.r#type();
    let missing =
        || ApiError::bad_request(format!("Expecting the part of call {} to be present", kind.as_str_name()));
    Ok(match kind {
        Type::Teardown => SchedulerCall::Teardown,
        Type::Accept => accept(framework_id, call.accept.ok_or_else(missing)?),
        Type::Decline => {
            let decline = call.decline.ok_or_else(missing)?;
            SchedulerCall::Decline {
                offer_ids: ids(decline.offer_ids),
                refuse: refuse(decline.filters.as_ref()),
            }
        }
        Type::AcceptInverseOffers => {
            let accept = call.accept_inverse_offers.ok_or_else(missing)?;
            SchedulerCall::AnswerInverseOffers {
                offer_ids: ids(accept.inverse_offer_ids),
                accepted: true,
                refuse: refuse(accept.filters.as_ref()),
            }
        }
        Type::DeclineInverseOffers => {
            let decline = call.decline_inverse_offers.ok_or_else(missing)?;
            SchedulerCall::AnswerInverseOffers {
                offer_ids: ids(decline.inverse_offer_ids),
                accepted: false,
                refuse: refuse(decline.filters.as_ref()),
            }
        }
        // These two may leave out their part: they mean all roles then.
        Type::Revive => SchedulerCall::Revive(roles(call.revive.map(|revive| revive.roles))),
        Type::Suppress => SchedulerCall::Suppress(roles(call.suppress.map(|suppress| suppress.roles))),
        Type::Kill => {
            let kill = call.kill.ok_or_else(missing)?;
            SchedulerCall::Kill {
                task_id: kill.task_id.value.into(),
                agent_id: kill.agent_id.map(|id| id.value.into()),
                kill_policy: kill.kill_policy.as_ref().map(|policy| Payload::from(proto::encode(policy))),
            }
        }
        Type::Shutdown => {
            let shutdown = call.shutdown.ok_or_else(missing)?;
            SchedulerCall::Shutdown {
                executor_id: shutdown.executor_id.value.into(),
                agent_id: shutdown.agent_id.value.into(),
            }
        }
        Type::Acknowledge => acknowledge(call.acknowledge.ok_or_else(missing)?)?,
        Type::AcknowledgeOperationStatus => {
            acknowledge_operation(call.acknowledge_operation_status.ok_or_else(missing)?)?
        }
        Type::Reconcile => {
            let reconcile = call.reconcile.ok_or_else(missing)?;
            let tasks = reconcile.tasks.into_iter();
            SchedulerCall::Reconcile(
                tasks
                    .map(|task| (task.task_id.value.into(), task.agent_id.map(|id| id.value.into())))
                    .collect(),
            )
        }
        Type::ReconcileOperations => {
            let reconcile = call.reconcile_operations.ok_or_else(missing)?;
            let operations = reconcile.operations.into_iter();
            SchedulerCall::ReconcileOperations(
                operations
                    .map(|op| (op.operation_id.value.into(), op.agent_id.map(|id| id.value.into())))
                    .collect(),
            )
        }
        Type::Message => {
            let message = call.message.ok_or_else(missing)?;
            SchedulerCall::Message {
                agent_id: message.agent_id.value.into(),
                executor_id: message.executor_id.value.into(),
                data: Payload::from(&message.data[..]),
            }
        }
        Type::Request => SchedulerCall::Request,
        Type::Subscribe | Type::UpdateFramework | Type::Unknown => {
            return Err(ApiError::not_implemented(format!("{} has no place here", kind.as_str_name())));
        }
    })
}

fn ids(ids: Vec<v1::OfferId>) -> Vec<base::OfferId> {
    ids.into_iter().map(|id| id.value.into()).collect()
}

fn roles(roles: Option<Vec<String>>) -> Vec<resources::Role> {
    roles.unwrap_or_default().into_iter().map(Into::into).collect()
}

/// How long a filter lasts. A time that makes no sense counts as none given, as in Mesos.
fn refuse(filters: Option<&v1::Filters>) -> Duration {
    let seconds = filters.and_then(|filters| filters.refuse_seconds);
    let Some(seconds) = seconds.filter(|seconds| !seconds.is_nan()) else { return DEFAULT_REFUSE };
    Duration::try_from_secs_f64(seconds.min(MAX_REFUSE.as_secs_f64())).unwrap_or(DEFAULT_REFUSE)
}

fn uuid(bytes: &[u8]) -> Result<Uuid, ApiError> {
    Uuid::from_slice(bytes).ok_or_else(|| {
        ApiError::bad_request(
            "Failed to validate scheduler::Call: Not a valid UUID: expecting 16 bytes in 'uuid'",
        )
    })
}

fn acknowledge(acknowledge: call::Acknowledge) -> Result<SchedulerCall, ApiError> {
    Ok(SchedulerCall::Acknowledge {
        uuid: uuid(&acknowledge.uuid)?,
        agent_id: acknowledge.agent_id.value.into(),
        task_id: acknowledge.task_id.value.into(),
    })
}

fn acknowledge_operation(acknowledge: call::AcknowledgeOperationStatus) -> Result<SchedulerCall, ApiError> {
    Ok(SchedulerCall::AcknowledgeOperationStatus {
        uuid: uuid(&acknowledge.uuid)?,
        operation_id: acknowledge.operation_id.value.into(),
        agent_id: acknowledge.agent_id.map(|id| id.value.into()),
    })
}

fn accept(framework_id: &FrameworkId, accept: call::Accept) -> SchedulerCall {
    SchedulerCall::Accept {
        offer_ids: ids(accept.offer_ids),
        refuse: refuse(accept.filters.as_ref()),
        operations: accept.operations.into_iter().filter_map(|each| operation(framework_id, each)).collect(),
    }
}

/// What the core is to do; nothing of an operation of a kind that we do not know, as in Mesos.
fn operation(framework_id: &FrameworkId, operation: Operation) -> Option<AcceptOperation> {
    let id: Option<OperationId> = operation.id.as_ref().map(|id| id.value.as_str().into());
    let kind = match operation.r#type() {
        OperationType::Unknown => return None,
        OperationType::Launch => {
            let wrong = id.is_some().then_some("The `id` field cannot be set on LAUNCH operations");
            let tasks = operation.launch?.task_infos.into_iter();
            let tasks = tasks.map(|task| match wrong {
                Some(wrong) => Err(refused(&task, wrong.to_owned())),
                None => launched(framework_id, task),
            });
            return Some(AcceptOperation::Launch(tasks.collect()));
        }
        OperationType::LaunchGroup => {
            let wrong = id.is_some().then_some("The `id` field cannot be set on LAUNCH_GROUP operations");
            return launch_group(framework_id, operation.launch_group?, wrong);
        }
        OperationType::Reserve => OperationKind::Reserve,
        OperationType::Unreserve => OperationKind::Unreserve,
        OperationType::Create => OperationKind::Create,
        OperationType::Destroy => OperationKind::Destroy,
        OperationType::GrowVolume => OperationKind::GrowVolume,
        OperationType::ShrinkVolume => OperationKind::ShrinkVolume,
        OperationType::CreateDisk => OperationKind::CreateDisk,
        OperationType::DestroyDisk => OperationKind::DestroyDisk,
    };
    let operation = wire::operation_from_proto(&operation).map_err(|error| error.to_string());
    Some(AcceptOperation::Apply { id, kind, operation })
}

/// Executors belong to the framework that launches them, whether it says so or not.
fn own(framework_id: &FrameworkId, executor: &mut v1::ExecutorInfo) {
    executor.framework_id.get_or_insert_with(|| framework_id.as_str().into());
}

fn launched(framework_id: &FrameworkId, mut task: v1::TaskInfo) -> Result<Arc<TaskInfo>, RefusedTask> {
    if let Some(executor) = &mut task.executor {
        own(framework_id, executor);
    }
    let wrong = refused(&task, String::new());
    let checked = wire::validate_task(&task).map_err(|error| error.to_string());
    let converted = checked.and_then(|()| convert::task_info(task).map_err(|error| error.to_string()));
    converted.map(Arc::new).map_err(|message| RefusedTask { message, ..wrong })
}

fn refused(task: &v1::TaskInfo, message: String) -> RefusedTask {
    let (task_id, agent_id) = (task.task_id.value.as_str().into(), task.agent_id.value.as_str().into());
    RefusedTask { task_id, agent_id, message }
}

/// A group as the core takes it. One that is wrong, as is known already or by its description, is given to it
/// nevertheless, with the reason, because each of its tasks gets a status.
fn launch_group(
    framework_id: &FrameworkId,
    group: LaunchGroup,
    wrong: Option<&str>,
) -> Option<AcceptOperation> {
    let mut executor = group.executor;
    own(framework_id, &mut executor);
    let invalid = || wire::validate_task_group(&group.task_group, &executor).err();
    let mut refused = wrong.map(str::to_owned).or_else(|| invalid().map(|error| error.to_string()));
    sensible(&mut executor.resources, &mut refused);
    let tasks = group.task_group.tasks.into_iter().map(|mut task| {
        // The group's executor runs them all.
        task.executor = None;
        sensible(&mut task.resources, &mut refused);
        convert::task_info(task).ok().map(Arc::new)
    });
    let tasks = tasks.collect::<Option<Vec<_>>>()?;
    let executor = Arc::new(convert::executor_info(executor).ok()?);
    Some(AcceptOperation::LaunchGroup { executor, tasks, refused })
}

/// Leaves out resources that make no sense, and says why.
fn sensible(resources: &mut Vec<v1::Resource>, refused: &mut Option<String>) {
    if let Err(error) = wire::resources_from_proto(resources) {
        refused.get_or_insert_with(|| error.to_string());
        resources.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedulers_that_want_nothing_for_ever_get_nothing_for_a_year() {
        let refuse = |refuse_seconds| refuse(Some(&v1::Filters { refuse_seconds }));
        for (seconds, expected) in [
            (None, DEFAULT_REFUSE),
            (Some(0.0), Duration::ZERO),
            (Some(0.5), Duration::from_millis(500)),
            (Some(1e9), MAX_REFUSE),
            (Some(f64::MAX), MAX_REFUSE),
            (Some(f64::INFINITY), MAX_REFUSE),
            (Some(-1.0), DEFAULT_REFUSE),
            (Some(f64::NAN), DEFAULT_REFUSE),
        ] {
            assert_eq!(refuse(seconds), expected, "{seconds:?}");
        }
    }
}

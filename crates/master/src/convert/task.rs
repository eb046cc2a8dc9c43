//! Descriptions of tasks and executors, and tasks as readers see them.

use std::sync::Arc;

use base::{ExecutorId, FrameworkId};
use master_core::{ExecutorInfo, ExecutorKind, Task, TaskBody, TaskInfo, TaskState};
use proto::v1;
use resources::{Resources, Role};

use super::agent::ConvertError;
use super::{payload, status, status_to_proto};

/// A task as a scheduler describes it.
pub(crate) fn task_info(mut task: v1::TaskInfo) -> Result<TaskInfo, ConvertError> {
    let resources = wire::resources_from_proto(&std::mem::take(&mut task.resources))?;
    let executor = task.executor.as_mut().map(split_executor).transpose()?.map(Arc::new);
    Ok(TaskInfo {
        task_id: task.task_id.value.as_str().into(),
        name: task.name.clone(),
        agent_id: task.agent_id.value.as_str().into(),
        resources,
        limited: !task.limits.is_empty(),
        executor,
        body: payload(&task),
    })
}

/// An executor as a scheduler or an agent describes it.
pub(crate) fn executor_info(mut executor: v1::ExecutorInfo) -> Result<ExecutorInfo, ConvertError> {
    split_executor(&mut executor)
}

/// Takes the resources out of a description and leaves the rest, which is carried.
fn split_executor(executor: &mut v1::ExecutorInfo) -> Result<ExecutorInfo, ConvertError> {
    let resources = wire::resources_from_proto(&std::mem::take(&mut executor.resources))?;
    Ok(ExecutorInfo {
        executor_id: ExecutorId::from(executor.executor_id.value.as_str()),
        framework_id: executor.framework_id.as_ref().map(|id| FrameworkId::from(id.value.as_str())),
        kind: match executor.r#type() {
            v1::executor_info::Type::Unknown => ExecutorKind::Unknown,
            v1::executor_info::Type::Default => ExecutorKind::Default,
            v1::executor_info::Type::Custom => ExecutorKind::Custom,
        },
        resources,
        body: payload(executor),
    })
}

/// An executor as it was described, with its resources.
pub(crate) fn executor_to_proto(executor: &ExecutorInfo) -> v1::ExecutorInfo {
    let mut info: v1::ExecutorInfo = carried(executor.body.as_bytes());
    info.resources = wire::resources_to_proto(&executor.resources);
    info
}

/// A task that an agent reports when it reregisters.
pub(super) fn recovered(mut task: v1::Task) -> Result<Task, ConvertError> {
    let framework_id = FrameworkId::from(task.framework_id.value.as_str());
    let mut resources = wire::resources_from_proto(&std::mem::take(&mut task.resources))?;
    let role = role_of(&resources);
    resources.allocate(&role);
    let statuses = std::mem::take(&mut task.statuses);
    let statuses = statuses
        .iter()
        .filter_map(|shown| status::carried_status(shown, &proto::encode(shown)))
        .map(Arc::new)
        .collect();
    let state = TaskState::from_number(task.state).unwrap_or(TaskState::Unknown);
    let status_update_state = task.status_update_state.take().and_then(TaskState::from_number);
    let status_update_uuid = task.status_update_uuid.take().and_then(|uuid| base::Uuid::from_slice(&uuid));
    task.state = 0;
    Ok(Task {
        task_id: task.task_id.value.as_str().into(),
        framework_id,
        agent_id: task.agent_id.value.as_str().into(),
        executor_id: task.executor_id.as_ref().map(|id| id.value.as_str().into()),
        name: task.name.clone(),
        role: role.as_ref().into(),
        resources,
        state,
        status_update_state,
        status_update_uuid,
        statuses,
        body: TaskBody::Recovered(payload(&task)),
    })
}

/// The role that resources are allocated to; agents that are older than allocation roles know only the default role.
fn role_of(resources: &Resources) -> Role {
    let role = resources.iter().find_map(|resource| resource.allocation.clone());
    role.unwrap_or_else(Role::star)
}

/// What a task carries and the core does not decide upon (labels, container and the like), without all that the core knows.
pub(crate) fn carried_task(task: &Task) -> v1::Task {
    match &task.body {
        TaskBody::Info(body) => described(carried(body.as_bytes())),
        TaskBody::Recovered(body) => carried(body.as_bytes()),
    }
}

/// A task as readers see it: `mesos.v1.Task`.
pub(crate) fn task_to_proto(task: &Task) -> v1::Task {
    let mut shown = carried_task(task);
    shown.framework_id = task.framework_id.as_str().into();
    shown.executor_id = task.executor_id.as_ref().map(|id| id.as_str().into());
    shown.state = task.state.number();
    shown.resources = wire::resources_to_proto(&task.resources);
    shown.status_update_state = task.status_update_state.map(TaskState::number);
    shown.status_update_uuid = task.status_update_uuid.map(|uuid| uuid.as_bytes().to_vec().into());
    shown.statuses = task.statuses.iter().map(|status| status_to_proto(status)).collect();
    shown
}

/// What a task's description says that its view repeats.
fn described(info: v1::TaskInfo) -> v1::Task {
    v1::Task {
        name: info.name,
        task_id: info.task_id,
        agent_id: info.agent_id,
        labels: info.labels,
        discovery: info.discovery,
        container: info.container,
        health_check: info.health_check,
        kill_policy: info.kill_policy,
        user: info
            .command
            .and_then(|command| command.user)
            .or_else(|| info.executor.and_then(|executor| executor.command).and_then(|command| command.user)),
        limits: info
            .limits
            .into_iter()
            .map(|entry| v1::task::LimitsEntry { key: entry.key, value: entry.value })
            .collect(),
        ..Default::default()
    }
}

/// Decodes what was encoded here, or accepted when it came in.
pub(super) fn carried<M: proto::Message + Default>(body: &[u8]) -> M {
    M::decode(body).unwrap_or_default()
}

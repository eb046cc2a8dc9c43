//! Tasks with their history, as masters and operators see them.

use std::net::IpAddr;

use agent_core::{Task, TaskInfo};
use base::{AgentId, ExecutorId, FrameworkId};
use proto::v1;

use super::info::decoded;
use super::status::{state_to_proto, status_to_proto};

/// A task that the agent has been given. `executor_id` is set only for tasks that name an executor.
pub(crate) fn task_to_proto(task: &Task, agent_id: &AgentId, own: IpAddr) -> v1::Task {
    let mut wire = described(&task.info, &task.framework_id, agent_id);
    wire.set_state(state_to_proto(task.state));
    wire.statuses = task.statuses.iter().map(|status| status_to_proto(status, own)).collect();
    if let Some((state, uuid)) = task.last_sent {
        wire.set_status_update_state(state_to_proto(state));
        wire.status_update_uuid = Some(uuid.as_bytes().to_vec().into());
    }
    wire
}

/// A task that waits for its executor.
pub(crate) fn queued_to_proto(info: &TaskInfo, framework_id: &FrameworkId, agent_id: &AgentId) -> v1::Task {
    let mut wire = described(info, framework_id, agent_id);
    wire.set_state(v1::TaskState::TaskStaging);
    wire
}

/// What a task asked to be run, if it named no executor.
pub(crate) fn command_of(info: &TaskInfo) -> Option<v1::CommandInfo> {
    decoded::<v1::TaskInfo>(info.body.as_bytes()).command
}

fn described(info: &TaskInfo, framework_id: &FrameworkId, agent_id: &AgentId) -> v1::Task {
    let carried: v1::TaskInfo = decoded(info.body.as_bytes());
    let executor_id: Option<&ExecutorId> = info.executor.as_ref().map(|executor| &executor.executor_id);
    let user = carried.command.and_then(|command| command.user);
    v1::Task {
        name: carried.name,
        task_id: carried.task_id,
        framework_id: framework_id.as_str().into(),
        executor_id: executor_id.map(|id| id.as_str().into()),
        agent_id: agent_id.as_str().into(),
        resources: wire::resources_to_proto(&info.resources).into_iter().collect(),
        labels: carried.labels,
        discovery: carried.discovery,
        container: carried.container,
        health_check: carried.health_check,
        kill_policy: carried.kill_policy,
        user,
        limits: carried
            .limits
            .into_iter()
            .map(|limit| v1::task::LimitsEntry { key: limit.key, value: limit.value })
            .collect(),
        ..Default::default()
    }
}

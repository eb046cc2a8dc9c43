//! Tasks as the v0 endpoints show them.

use master_core::{Task, TaskState, TaskStatus};
use proto::v1;
use serde::Serialize;
use serde_json::Map;

use super::amounts::amounts;
use crate::convert::{status_to_proto, task_to_proto};

/// A task.
#[derive(Serialize)]
pub(crate) struct TaskView {
    id: String,
    name: String,
    framework_id: String,
    executor_id: String,
    slave_id: String,
    state: &'static str,
    resources: Map<String, serde_json::Value>,
    role: String,
    statuses: Vec<StatusView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<v1::Label>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discovery: Option<v1::DiscoveryInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<v1::ContainerInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health_check: Option<v1::HealthCheck>,
}

/// One status of a task.
#[derive(Serialize)]
struct StatusView {
    state: &'static str,
    timestamp: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<v1::Label>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_status: Option<v1::ContainerStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthy: Option<bool>,
}

impl TaskView {
    /// The view of a task.
    pub(crate) fn new(task: &Task) -> Self {
        let info = task_to_proto(task);
        Self {
            id: task.task_id.to_string(),
            name: task.name.clone(),
            framework_id: task.framework_id.to_string(),
            // Nobody asked for the executor of a command task, so it is not shown.
            executor_id: task.executor_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            slave_id: task.agent_id.to_string(),
            state: task.state.name(),
            resources: amounts(&task.resources),
            role: task.role.to_string(),
            statuses: task.statuses.iter().map(|status| StatusView::new(status)).collect(),
            user: info.user,
            labels: info.labels.map(|labels| labels.labels),
            discovery: info.discovery,
            container: info.container,
            health_check: info.health_check,
        }
    }
}

impl StatusView {
    fn new(status: &TaskStatus) -> Self {
        let shown = status_to_proto(status);
        Self {
            state: status.state.name(),
            timestamp: status.timestamp.as_secs_f64(),
            labels: shown.labels.map(|labels| labels.labels),
            container_status: shown.container_status.map(|mut container| {
                // Where the executor runs is the agent's own affair; v0 endpoints do not show it.
                container.executor_pid = None;
                container
            }),
            healthy: status.healthy,
        }
    }
}

/// Counts of tasks by state, as summaries show them.
#[derive(Clone, Copy, Default, Serialize, Debug, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) struct TaskCounts {
    task_staging: u64,
    task_starting: u64,
    task_running: u64,
    task_killing: u64,
    task_finished: u64,
    task_killed: u64,
    task_failed: u64,
    task_lost: u64,
    task_error: u64,
    task_unreachable: u64,
}

impl TaskCounts {
    /// Counts one more task in `state`.
    pub(crate) fn count(&mut self, state: TaskState) {
        let counter = match state {
            TaskState::Staging => &mut self.task_staging,
            TaskState::Starting => &mut self.task_starting,
            TaskState::Running => &mut self.task_running,
            TaskState::Killing => &mut self.task_killing,
            TaskState::Finished => &mut self.task_finished,
            TaskState::Killed => &mut self.task_killed,
            TaskState::Failed => &mut self.task_failed,
            TaskState::Lost => &mut self.task_lost,
            TaskState::Error => &mut self.task_error,
            TaskState::Unreachable => &mut self.task_unreachable,
            // Summaries have no place for the finer states.
            TaskState::Dropped | TaskState::Gone | TaskState::GoneByOperator | TaskState::Unknown => return,
        };
        *counter += 1;
    }
}

//! Tasks as the v0 endpoints show them.

use base::ExecutorId;
use master_core::{Task, TaskState, TaskStatus};
use proto::v1;
use serde::Serialize;
use serde_json::Map;

use super::amounts::Amounts;
use crate::convert::{carried_task, status_to_proto};

/// A task. There may be a million of them in one answer: nothing is copied for it that can be borrowed.
#[derive(Serialize)]
pub(crate) struct TaskView<'a> {
    id: &'a str,
    name: &'a str,
    framework_id: &'a str,
    executor_id: &'a str,
    slave_id: &'a str,
    state: &'static str,
    resources: Amounts<'a>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    limits: Map<String, serde_json::Value>,
    role: &'a str,
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

impl<'a> TaskView<'a> {
    /// The view of a task.
    pub(crate) fn new(task: &'a Task) -> Self {
        let info = carried_task(task);
        Self {
            id: task.task_id.as_str(),
            name: &task.name,
            framework_id: task.framework_id.as_str(),
            // Nobody asked for the executor of a command task, so it is not shown.
            executor_id: task.executor_id.as_ref().map(ExecutorId::as_str).unwrap_or_default(),
            slave_id: task.agent_id.as_str(),
            state: task.state.name(),
            resources: Amounts(&task.resources),
            limits: limits(&info.limits),
            role: task.role.as_ref(),
            statuses: task.statuses.iter().map(|status| StatusView::new(status)).collect(),
            user: info.user,
            labels: info.labels.map(|labels| labels.labels),
            discovery: info.discovery,
            container: info.container,
            health_check: info.health_check,
        }
    }
}

/// Limits by name. One that is none is written as protobuf writes it in JSON.
fn limits(limits: &[v1::task::LimitsEntry]) -> Map<String, serde_json::Value> {
    let limit = |value: f64| if value.is_finite() { value.into() } else { "Infinity".into() };
    let each = limits.iter().filter_map(|each| Some((each.key.clone()?, limit(each.value.as_ref()?.value))));
    each.collect()
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
    /// Counts one more task in `state`, or one less.
    pub(crate) fn change(&mut self, state: TaskState, more: bool) {
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
        *counter = if more { *counter + 1 } else { counter.saturating_sub(1) };
    }
}

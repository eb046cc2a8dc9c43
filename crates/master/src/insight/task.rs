//! `/explain/task`: a task with all that was told of it, and why it is in its state.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::{AgentId, FrameworkId, TaskId, Time};
use http_api::ApiError;
use master_core::{Framework, MasterCore, Task, TaskStatus};
use proto::v1;
use serde_json::{Value, json};

use crate::convert::status_to_proto;
use crate::reasons::{self, Around, TasksAgent};
use crate::server::Master;
use crate::status::gone;
use crate::v0::Query;
use crate::view::task::TaskView;

/// How long a task may take to its agent before that is worth a word.
const SLOW: f64 = 30.0;

/// What is known of a task's surroundings.
struct Found {
    task: Arc<Task>,
    now: Time,
    framework: String,
    /// Whether it has ended and its scheduler has still to acknowledge that.
    is_unacknowledged: bool,
    scheduler_is_away: bool,
    agent: Option<OfAgent>,
}

struct OfAgent {
    hostname: String,
    pid: String,
    connected: bool,
    draining: bool,
}

/// `GET /explain/task?framework_id=ID&task_id=ID`.
pub(super) async fn explain(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let needed = |name: &str| {
        query.get(name).ok_or_else(|| ApiError::bad_request(format!("Missing '{name}' query parameter")))
    };
    let framework_id = FrameworkId::from(needed("framework_id")?);
    let task_id = TaskId::from(needed("task_id")?);
    let unknown = format!(
        "No task found with ID '{task_id}' of framework {framework_id}; those that ended are remembered for a while only"
    );
    let found = master.core.ask(move |core, now| find(core, now, &framework_id, &task_id));
    let found = found.await.map_err(gone)?.ok_or_else(|| ApiError::not_found(unknown))?;
    query.json(&view(&found))
}

/// In the core's thread.
fn find(core: &MasterCore, now: Time, framework_id: &FrameworkId, task_id: &TaskId) -> Option<Found> {
    let agent = |id: &AgentId| {
        core.agent(id).map(|agent| OfAgent {
            hostname: agent.info.hostname.clone(),
            pid: agent.pid.to_string(),
            connected: agent.connected,
            draining: agent.drain.is_some(),
        })
    };
    let in_framework = |framework: &Framework| {
        let task = of_framework(framework, task_id)?;
        let name = framework.info.name.clone();
        // One that is acknowledged is no longer among these.
        let is_unacknowledged =
            task.state.is_terminal() && framework.connected() && framework.tasks.contains_key(task_id);
        let scheduler_is_away = !framework.connected();
        let agent = agent(&task.agent_id);
        Some(Found { agent, is_unacknowledged, scheduler_is_away, task, now, framework: name })
    };
    match core.framework(framework_id) {
        Some(framework) => in_framework(framework),
        None => {
            let over = core.snapshot(now).completed_frameworks;
            over.iter().rev().filter(|each| each.id == *framework_id).find_map(|each| in_framework(each))
        }
    }
}

fn of_framework(framework: &Framework, id: &TaskId) -> Option<Arc<Task>> {
    let living = framework.tasks.get(id).or_else(|| framework.unreachable_tasks.get(id));
    living.cloned().or_else(|| {
        let completed = framework.completed_tasks.contains(id).then(|| framework.completed_tasks.iter());
        completed?.rev().find(|task| task.task_id == *id).cloned()
    })
}

fn view(found: &Found) -> Value {
    let Found { task, agent, .. } = found;
    let history: Vec<Value> = task.statuses.iter().map(|status| status_view(status)).collect();
    let reasons::Explained { why, help } = why(found);
    json!({
        "task": TaskView::new(task),
        "framework_name": found.framework,
        "agent": agent.as_ref().map(|agent| json!({
            "hostname": agent.hostname,
            "pid": agent.pid,
            "connected": agent.connected,
        })),
        "history": history,
        "sandbox": sandbox(task),
        "why": why,
        "help": help,
    })
}

fn status_view(status: &TaskStatus) -> Value {
    // What protobuf has in its JSON form is valid JSON.
    serde_json::from_slice(&proto::json::to_vec(&status_to_proto(status))).unwrap_or_default()
}

/// The directory of its sandbox, as its agent shows it. A task of a group has one of its own below that of its executor.
fn sandbox(task: &Task) -> String {
    let executor = task.executor_id.as_ref().map(|id| id.as_str()).filter(|id| !id.is_empty());
    let executor = executor.unwrap_or(task.task_id.as_str());
    let root = format!("/frameworks/{}/executors/{executor}/runs/latest", task.framework_id);
    let nested = task.statuses.iter().rev().find_map(|status| {
        let container = status_to_proto(status).container_status?.container_id?;
        container.parent.is_some().then_some(container.value)
    });
    nested.map_or(root.clone(), |container| format!("{root}/containers/{container}"))
}

/// Why, and what helps.
fn why(found: &Found) -> reasons::Explained {
    let Found { task, now, agent, .. } = found;
    let statuses: Vec<_> = task.statuses.iter().map(|status| status_to_proto(status)).collect();
    let since = task.statuses.last().map(|status| now.since(status.timestamp).as_secs_f64());
    let around = Around {
        agent: match agent {
            None => TasksAgent::Unknown,
            Some(agent) if !agent.connected => TasksAgent::Disconnected,
            Some(agent) if agent.draining => TasksAgent::Draining,
            Some(_) => TasksAgent::Fine,
        },
        scheduler_is_away: found.scheduler_is_away,
        is_unacknowledged: found.is_unacknowledged && since.is_some_and(|since| since > SLOW),
    };
    let state = v1::TaskState::from_str_name(task.state.name()).unwrap_or_default();
    reasons::explain(state, &statuses, around)
}

//! What shows entities of the cluster.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http_api::ApiError;
use master_core::{Snapshot, Task};
use serde_json::{Value, json};

use super::Query;
use crate::context::Identity;
use crate::server::Master;
use crate::view::agent::AgentFullView;
use crate::view::framework::{FrameworkView, all_tasks};
use crate::view::state::{StateView, every_framework};
use crate::view::summary::Summary;
use crate::view::task::TaskView;

/// How many tasks `/tasks` shows where the query does not say.
const DEFAULT_TASK_LIMIT: usize = 100;

/// Answers with what `show` makes of the state, where that holds up no connection.
async fn answer(
    master: Master,
    query: Option<String>,
    show: impl FnOnce(&Identity, &Snapshot, &Query) -> Result<Response, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let snapshot = master.snapshot().await?;
    let identity = master.identity.clone();
    master.blocking(move || show(&identity, &snapshot, &Query::new(query.as_deref()))).await?
}

/// `/state`.
pub(crate) async fn state(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    answer(master, query, |identity, snapshot, query| query.json(&StateView::new(identity, snapshot))).await
}

/// `/state-summary`.
pub(crate) async fn summary(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    answer(master, query, |identity, snapshot, query| query.json(&Summary::new(identity, snapshot))).await
}

/// `/slaves`; `slave_id` picks one.
pub(crate) async fn agents(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    answer(master, query, |_, snapshot, query| {
        let wanted = |id: &str| query.get("slave_id").is_none_or(|wanted| wanted == id);
        let agents = snapshot.agents.iter().filter(|agent| wanted(agent.id.as_str()));
        let agents: Vec<AgentFullView> =
            agents.map(|agent| AgentFullView::new(agent, &snapshot.frameworks)).collect();
        query.json(&json!({ "slaves": agents, "recovered_slaves": [] }))
    })
    .await
}

/// `/frameworks`; `framework_id` picks one.
pub(crate) async fn frameworks(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    answer(master, query, |_, snapshot, query| {
        let wanted = |id: &str| query.get("framework_id").is_none_or(|wanted| wanted == id);
        let views = |frameworks: &[Arc<master_core::Framework>]| -> Vec<FrameworkView> {
            let wanted = frameworks.iter().filter(|framework| wanted(framework.id.as_str()));
            wanted.map(|framework| FrameworkView::new(framework, &snapshot.agents)).collect()
        };
        query.json(&json!({
            "frameworks": views(&snapshot.frameworks),
            "completed_frameworks": views(&snapshot.completed_frameworks),
            "unregistered_frameworks": [],
        }))
    })
    .await
}

/// `/tasks`, newest first unless `order=asc`; `framework_id` and `task_id` pick, `offset` and `limit` page.
pub(crate) async fn tasks(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    answer(master, query, |_, snapshot, query| {
        let limit = query.number("limit")?.unwrap_or(DEFAULT_TASK_LIMIT);
        let offset = query.number("offset")?.unwrap_or(0);
        let ascending = query.get("order") == Some("asc");
        let wanted = |task: &Task| {
            query.get("framework_id").is_none_or(|id| id == task.framework_id.as_str())
                && query.get("task_id").is_none_or(|id| id == task.task_id.as_str())
        };
        let mut tasks: Vec<&Arc<Task>> =
            every_framework(snapshot).flat_map(all_tasks).filter(|task| wanted(task)).collect();
        // By the first sign of life; a task without one is the newest.
        tasks.sort_by_key(|task| {
            let first = task.statuses.first().map(|status| status.timestamp);
            (first.is_none(), first)
        });
        if !ascending {
            tasks.reverse();
        }
        let page: Vec<TaskView> =
            tasks.into_iter().skip(offset).take(limit).map(|task| TaskView::new(task)).collect();
        query.json(&json!({ "tasks": page }))
    })
    .await
}

/// `/roles`.
pub(crate) async fn roles(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let whitelist = master.options.roles.clone();
    answer(master, query, move |_, snapshot, query| {
        let roles = crate::view::roles::roles(snapshot, &whitelist);
        let roles: Vec<Value> = roles.iter().map(|(name, role)| role.view(name)).collect();
        query.json(&json!({ "roles": roles }))
    })
    .await
}

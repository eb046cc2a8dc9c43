//! What shows entities of the cluster.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::{Answer, ApiError, with_jsonp};
use master_core::{Snapshot, Task};
use serde_json::{Value, json};

use super::Query;
use crate::answers::{Question, answer_once};
use crate::context::Identity;
use crate::server::Master;
use crate::view::framework::all_tasks;
use crate::view::state::every_framework;
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

/// Answers with what is kept for all, wrapped as the query asks for.
async fn long(
    master: &Master,
    question: Question,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let answer = master.answers.get(master, question).await?;
    shown(&answer, &Query::new(query), headers)
}

fn shown(answer: &Answer, query: &Query, headers: &HeaderMap) -> Result<Response, ApiError> {
    match query.jsonp() {
        None => Ok(answer.respond(headers)),
        callback => with_jsonp(answer.to_vec(), callback),
    }
}

/// `/state`.
pub(crate) async fn state(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    long(&master, Question::State, query.as_deref(), &headers).await
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
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if Query::new(query.as_deref()).get("slave_id").is_none() {
        return long(&master, Question::Agents, query.as_deref(), &headers).await;
    }
    answer(master, query, move |identity, snapshot, query| {
        let wanted = query.get("slave_id");
        let mut part = snapshot.clone();
        part.agents.retain(|agent| Some(agent.id.as_str()) == wanted);
        shown(&answer_once(Question::Agents, identity, &part), query, &headers)
    })
    .await
}

/// `/frameworks`; `framework_id` picks one.
pub(crate) async fn frameworks(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if Query::new(query.as_deref()).get("framework_id").is_none() {
        return long(&master, Question::Frameworks, query.as_deref(), &headers).await;
    }
    answer(master, query, move |identity, snapshot, query| {
        let wanted = query.get("framework_id");
        let mut part = snapshot.clone();
        part.frameworks.retain(|framework| Some(framework.id.as_str()) == wanted);
        part.completed_frameworks.retain(|framework| Some(framework.id.as_str()) == wanted);
        shown(&answer_once(Question::Frameworks, identity, &part), query, &headers)
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

//! What shows entities of the cluster.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::{Answer, ApiError};
use master_core::Snapshot;

use super::Query;
use crate::answers::{Question, agents_part, roles_part, tasks_part};
use crate::listing::{self, is_part};
use crate::server::Master;
use crate::view::roles;

/// Answers with what `show` makes of the state, where that holds up no connection.
async fn answer(
    master: Master,
    query: Option<String>,
    show: impl FnOnce(&Snapshot, &Query) -> Result<Response, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let snapshot = master.snapshot().await?;
    master.blocking(move || show(&snapshot, &Query::new(query.as_deref()))).await?
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
    answer.respond_as(query.jsonp(), headers)
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
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    long(&master, Question::Summary, query.as_deref(), &headers).await
}

/// `/slaves`: all agents, or those that the query asks for.
pub(crate) async fn agents(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !is_part(&Query::new(query.as_deref())) {
        return long(&master, Question::Agents, query.as_deref(), &headers).await;
    }
    answer(master, query, move |snapshot, query| {
        shown(&agents_part(snapshot, &listing::agents(snapshot, query)?), query, &headers)
    })
    .await
}

/// `/frameworks`: all frameworks, or those that the query asks for.
pub(crate) async fn frameworks(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    if !is_part(&query) {
        let answer = master.answers.get(&master, Question::Frameworks).await?;
        return shown(&answer, &query, &headers);
    }
    let snapshot = master.snapshot().await?;
    let answers = master.answers.clone();
    let make = move || {
        let part = listing::frameworks(&snapshot, &query)?;
        shown(&answers.frameworks_part(&snapshot, &part), &query, &headers)
    };
    master.blocking(make).await?
}

/// `/tasks`: of all tasks those that the query asks for, the newest hundred if it says nothing.
pub(crate) async fn tasks(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    answer(master, query, move |snapshot, query| {
        shown(&tasks_part(&listing::tasks(snapshot, query)?), query, &headers)
    })
    .await
}

/// `/roles`: all roles, or those that the query asks for.
pub(crate) async fn roles(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !is_part(&Query::new(query.as_deref())) {
        return long(&master, Question::Roles, query.as_deref(), &headers).await;
    }
    let listed = master.identity.listed_roles.clone();
    answer(master, query, move |snapshot, query| {
        let roles = roles::roles(snapshot, &listed);
        let part = listing::roles(&roles, query)?;
        shown(&roles_part(&part.entries, part.total), query, &headers)
    })
    .await
}

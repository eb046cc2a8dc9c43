//! What shows entities of the cluster.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use http_api::{Answer, ApiError, with_jsonp};
use master_core::Snapshot;
use serde_json::{Value, json};

use super::Query;
use crate::answers::{Question, agents_part, tasks_part};
use crate::context::Identity;
use crate::listing::{self, is_part};
use crate::server::Master;
use crate::view::summary::Summary;

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
        callback => {
            let mut response = with_jsonp(answer.to_vec(), callback)?;
            answer.tell_total(&mut response);
            Ok(response)
        }
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

/// `/slaves`: all agents, or those that the query asks for.
pub(crate) async fn agents(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    if !is_part(&Query::new(query.as_deref())) {
        return long(&master, Question::Agents, query.as_deref(), &headers).await;
    }
    answer(master, query, move |_, snapshot, query| {
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
    answer(master, query, move |_, snapshot, query| {
        shown(&tasks_part(&listing::tasks(snapshot, query)?), query, &headers)
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
        let part = listing::roles(&roles, query)?;
        let shown: Vec<Value> = part.entries.iter().map(|(name, role)| role.view(name)).collect();
        query.part(&json!({ "roles": shown }), part.total)
    })
    .await
}

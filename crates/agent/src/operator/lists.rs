//! Answers with lists. In JSON they are all there, empty ones too: readers expect it so.

use axum::http::HeaderMap;
use axum::response::Response;
use http_api::{Answer, Encoding, message_answer, typed_json};
use proto::v1::agent::Response as Reply;
use proto::v1::agent::response::{GetExecutors, GetFrameworks, GetTasks};
use serde::Serialize;
use serde_json::json;

/// The answer in the encoding that was asked for; `304` for whoever has it already.
pub(super) fn answer(encoding: Encoding, reply: &Reply, headers: &HeaderMap) -> Response {
    encoded(encoding, reply).respond(headers)
}

fn encoded(encoding: Encoding, reply: &Reply) -> Answer {
    if encoding == Encoding::Protobuf {
        return message_answer(encoding, reply);
    }
    let kind = reply.r#type().as_str_name();
    if let Some(found) = &reply.get_tasks {
        typed_json(kind, "get_tasks", &tasks(found))
    } else if let Some(found) = &reply.get_executors {
        typed_json(kind, "get_executors", &executors(found))
    } else if let Some(found) = &reply.get_frameworks {
        typed_json(kind, "get_frameworks", &frameworks(found))
    } else if let Some(found) = &reply.get_state {
        let state = json!({
            "get_tasks": found.get_tasks.as_ref().map(tasks),
            "get_executors": found.get_executors.as_ref().map(executors),
            "get_frameworks": found.get_frameworks.as_ref().map(frameworks),
        });
        typed_json(kind, "get_state", &state)
    } else {
        message_answer(encoding, reply)
    }
}

fn tasks(found: &GetTasks) -> impl Serialize + use<> {
    json!({
        "pending_tasks": found.pending_tasks,
        "queued_tasks": found.queued_tasks,
        "launched_tasks": found.launched_tasks,
        "terminated_tasks": found.terminated_tasks,
        "completed_tasks": found.completed_tasks,
    })
}

fn executors(found: &GetExecutors) -> impl Serialize + use<> {
    json!({ "executors": found.executors, "completed_executors": found.completed_executors })
}

fn frameworks(found: &GetFrameworks) -> impl Serialize + use<> {
    json!({ "frameworks": found.frameworks, "completed_frameworks": found.completed_frameworks })
}

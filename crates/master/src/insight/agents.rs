//! `/state-summary/agents`: agents in all their states, page by page: also those that do not answer and those that are gone,
//! with since when.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http_api::ApiError;
use master_core::{Agent, LostAgent, Snapshot};
use serde_json::{Map, Value, json};

use crate::listing::{ListedAgent, every_agent, state_of_agent};
use crate::server::Master;
use crate::status::gone;
use crate::v0::Query;
use crate::view::agent::AgentView;

/// `GET /state-summary/agents`. Those that are gone are left out unless `state` or `slave_id` asks for them; how many there are
/// is told.
pub(super) async fn agents(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let asked = master.core.ask(|core, now| (core.snapshot(now), core.lost_agents()));
    let (snapshot, lost) = asked.await.map_err(gone)?;
    let show = move || {
        let query = Query::new(query.as_deref());
        let part = every_agent(&snapshot, &lost, &query)?;
        let shown: Vec<Value> = part.entries.iter().map(|listed| view(listed, &snapshot)).collect();
        query.part(&json!({ "agents": shown, "gone": snapshot.gone.len() }), part.total)
    };
    master.blocking(show).await?
}

/// What the older endpoints show of an agent, as far as it is known, with its state in one word and since when that is so.
fn view(listed: &ListedAgent<'_>, snapshot: &Snapshot) -> Value {
    match listed {
        ListedAgent::Present(agent) => present(agent, snapshot),
        ListedAgent::Recovered(entry) => {
            let mut shown = crate::view::agent::recovered_view(entry);
            shown["state"] = "recovered".into();
            shown
        }
        ListedAgent::Lost(LostAgent { id, hostname, since, gone }) => json!({
            "id": id.as_str(),
            "hostname": &**hostname,
            "state": if *gone { "gone" } else { "unreachable" },
            "state_time": since.as_secs_f64(),
        }),
    }
}

fn present(agent: &Agent, snapshot: &Snapshot) -> Value {
    let mut shown: Map<String, Value> = serde_json::to_value(AgentView::new(agent, &snapshot.frameworks))
        .ok()
        .and_then(|value| value.as_object().cloned())
        .unwrap_or_default();
    shown.insert("state".to_owned(), state_of_agent(agent).into());
    shown.insert("state_time".to_owned(), agent.state_time.as_secs_f64().into());
    shown.insert(
        "tasks".to_owned(),
        agent.tasks.values().map(std::collections::BTreeSet::len).sum::<usize>().into(),
    );
    Value::Object(shown)
}

//! `/agents/hostnames`: where some agents are.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::AgentId;
use http_api::ApiError;
use serde_json::{Map, Value};

use crate::server::Master;
use crate::status::gone;
use crate::v0::Query;

/// Most agents that may be asked for at once.
const MOST: usize = 1_000;

/// `GET /agents/hostnames?ids=ID,ID`: the hosts of those that are known, lost ones too.
pub(super) async fn hostnames(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let ids: Vec<AgentId> = query
        .get("ids")
        .unwrap_or_default()
        .split(',')
        .filter(|id| !id.is_empty())
        .map(AgentId::from)
        .collect();
    if ids.len() > MOST {
        return Err(ApiError::bad_request(format!("Expecting at most {MOST} 'ids', not {}", ids.len())));
    }
    let asked = master.core.ask(move |core, _| {
        let host = |id: AgentId| {
            core.agent(&id).map(|agent| (id.to_string(), Value::from(agent.info.hostname.clone())))
        };
        let mut hosts: Map<_, _> = ids.iter().cloned().filter_map(host).collect();
        if hosts.len() < ids.len() {
            let asked = core.lost_agents().into_iter().filter(|lost| ids.contains(&lost.id));
            let known = asked.filter(|lost| !lost.hostname.is_empty());
            hosts.extend(known.map(|lost| (lost.id.to_string(), Value::from(&*lost.hostname))));
        }
        hosts
    });
    query.json(&asked.await.map_err(gone)?)
}

//! `/registrar(1)/registry`: all that the registry holds, for those who want to know what would outlive this master.

use std::ops::Bound::{Excluded, Unbounded};

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http_api::ApiError;
use master_core::RegistryContent;

use super::Query;
use crate::registry::whole;
use crate::server::Master;
use crate::status::gone;

/// How many agents are taken at once: the core's thread does other work in between.
const PIECE: usize = 500;

/// `GET /registrar(1)/registry`.
pub(crate) async fn registry(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let content = content(&master).await?;
    let info = master.identity.master_info();
    let registry = master.blocking(move || whole(&content, info)).await?;
    Query::new(query.as_deref()).json(&registry)
}

/// All of it: each agent as it is at some moment meanwhile, which is as much as anybody can know of a registry that changes.
async fn content(master: &Master) -> Result<RegistryContent, ApiError> {
    let rest = master.core.ask(|core, _| {
        let all = core.registry();
        RegistryContent {
            agents: all.agents.iter().take(PIECE).map(|(id, record)| (id.clone(), record.clone())).collect(),
            quotas: all.quotas.clone(),
            weights: all.weights.clone(),
            windows: all.windows.clone(),
        }
    });
    let mut content = rest.await.map_err(gone)?;
    while let Some(last) = content.agents.last_key_value().map(|(id, _)| id.clone()) {
        let more = master.core.ask(move |core, _| {
            let behind = core.registry().agents.range((Excluded(last), Unbounded));
            behind.take(PIECE).map(|(id, record)| (id.clone(), record.clone())).collect::<Vec<_>>()
        });
        let more = more.await.map_err(gone)?;
        if more.is_empty() {
            break;
        }
        content.agents.extend(more);
    }
    Ok(content)
}

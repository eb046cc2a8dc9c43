//! The whole state, as `/state` and `GET_STATE` show it.

use std::sync::Arc;

use base::AgentId;
use http_api::{VERSION, Version};
use master_core::{AgentInfo, Framework, Snapshot};
use proto::v1;
use serde::Serialize;
use serde_json::json;

use super::agent;
use crate::context::Identity;
use crate::options::FaultDomain;

/// All frameworks, those that ended included.
pub(crate) fn every_framework(snapshot: &Snapshot) -> impl Iterator<Item = &Framework> {
    snapshot.frameworks.iter().chain(&snapshot.completed_frameworks).map(AsRef::as_ref)
}

/// What `/state` begins with.
#[derive(Serialize)]
pub(crate) struct StateHead<'a> {
    #[serde(flatten)]
    version: Version,
    start_time: f64,
    elected_time: f64,
    id: &'a str,
    pid: String,
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<v1::DomainInfo>,
    capabilities: Vec<&'static str>,
    activated_slaves: f64,
    deactivated_slaves: f64,
    unreachable_slaves: f64,
    leader: String,
    leader_info: serde_json::Value,
    flags: serde_json::Value,
}

/// What follows the list of agents.
#[derive(Serialize)]
pub(crate) struct StateTail {
    recovered_slaves: Vec<serde_json::Value>,
}

impl StateTail {
    /// With agents that have not come back since the master began to lead.
    pub(crate) fn new<'a>(recovered: impl IntoIterator<Item = &'a (AgentId, Arc<AgentInfo>)>) -> Self {
        Self { recovered_slaves: recovered.into_iter().map(agent::recovered_view).collect() }
    }
}

impl<'a> StateHead<'a> {
    /// Everything but the lists.
    pub(crate) fn new(identity: &'a Identity, snapshot: &Snapshot) -> Self {
        let active = snapshot.agents.iter().filter(|agent| agent.active).count();
        Self {
            version: VERSION,
            start_time: identity.start_time.as_secs_f64(),
            elected_time: identity.elected_time().as_secs_f64(),
            id: &identity.id,
            pid: identity.upid.to_string(),
            hostname: &identity.hostname,
            cluster: identity.cluster.as_deref(),
            domain: identity.domain.as_ref().map(FaultDomain::to_proto),
            capabilities: Identity::capability_names(),
            activated_slaves: number(active),
            deactivated_slaves: number(snapshot.agents.len() - active),
            unreachable_slaves: number(snapshot.unreachable.len()),
            leader: identity.upid.to_string(),
            leader_info: identity.leader_info(),
            flags: flags(identity),
        }
    }
}

/// The flags as an object.
pub(crate) fn flags(identity: &Identity) -> serde_json::Value {
    identity
        .flags
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Counts are doubles in the v0 endpoints. They are exact below 2^53.
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

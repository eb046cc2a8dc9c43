//! Agents as readers see them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::AgentId;
use master_core::{Agent, AgentInfo, DrainState, Framework, Snapshot};
use proto::v0;
use proto::v1;
use proto::v1::master::response::get_agents;
use resources::Resources;
use serde::Serialize;
use serde_json::{Map, json};

use super::amounts::amounts;
use super::time_info;
use crate::convert::{agent_capabilities_to_proto, agent_info_to_proto};

/// What an agent said of itself, with its id; without its resources.
fn info(agent: &Agent) -> v0::SlaveInfo {
    let mut info: v0::SlaveInfo = proto::Message::decode(agent.info.body.as_bytes()).unwrap_or_default();
    info.id = Some(agent.id.as_str().into());
    info
}

/// An agent for `GET_AGENTS`.
pub(crate) fn to_proto(agent: &Agent, frameworks: &[Arc<Framework>]) -> get_agents::Agent {
    get_agents::Agent {
        agent_info: as_v1(&agent_info_to_proto(&agent.id, &agent.info)),
        active: agent.active,
        deactivated: Some(agent.deactivated),
        version: agent.version.clone(),
        pid: Some(agent.pid.to_string()),
        registered_time: Some(time_info(agent.registered_time)),
        reregistered_time: agent.reregistered_time.map(time_info),
        total_resources: wire::resources_to_endpoint(&agent.total),
        allocated_resources: wire::resources_to_endpoint(&used(agent)),
        offered_resources: wire::resources_to_endpoint(&offered(agent, frameworks)),
        capabilities: agent_capabilities_to_proto(&agent.capabilities_body),
        drain_info: agent.drain.map(drain_info),
        estimated_drain_start_time: agent.drain_start.map(time_info),
        ..Default::default()
    }
}

/// Agents that are admitted and have not come back since the master began to lead.
pub(crate) fn recovered(snapshot: &Snapshot) -> Vec<v1::AgentInfo> {
    let agents = snapshot.recovered.iter();
    agents.map(|(id, info)| as_v1(&agent_info_to_proto(id, info))).collect()
}

/// One of them for the older endpoints.
pub(crate) fn recovered_view((id, info): &(AgentId, Arc<AgentInfo>)) -> serde_json::Value {
    let described = agent_info_to_proto(id, info);
    let mut shown = json!({
        "id": id.as_str(),
        "hostname": info.hostname,
        "port": info.port,
        "attributes": attributes(&described.attributes),
        "resources": amounts(&info.resources),
    });
    if let Some(domain) = described.domain {
        shown["domain"] = json!(domain);
    }
    shown
}

/// The v0 message has one field more, which is lost here.
fn as_v1(slave: &v0::SlaveInfo) -> v1::AgentInfo {
    proto::Message::decode(&proto::encode(slave)[..]).unwrap_or_default()
}

/// How an agent's draining stands.
pub(crate) fn drain_info(drain: master_core::Drain) -> v1::DrainInfo {
    let state = match drain.state {
        DrainState::Draining => v1::DrainState::Draining,
        DrainState::Drained => v1::DrainState::Drained,
    };
    v1::DrainInfo {
        state: state.into(),
        config: v1::DrainConfig {
            max_grace_period: drain.config.max_grace_period.map(|grace| v1::DurationInfo {
                nanoseconds: i64::try_from(grace.as_nanos()).unwrap_or(i64::MAX),
            }),
            mark_gone: Some(drain.config.mark_gone),
        },
    }
}

/// What tasks and executors on an agent take.
pub(crate) fn used(agent: &Agent) -> Resources {
    agent.used.values().flat_map(|resources| resources.iter().cloned()).collect()
}

/// What of an agent is offered. `frameworks` are sorted by id, as a snapshot has them.
fn offered(agent: &Agent, frameworks: &[Arc<Framework>]) -> Resources {
    let offers = agent.offers.iter().filter_map(|(offer_id, framework_id)| {
        let at = frameworks.binary_search_by(|framework| framework.id.cmp(framework_id)).ok()?;
        frameworks[at].offers.get(offer_id)
    });
    offers.flat_map(|offer| offer.resources.iter()).cloned().collect()
}

/// An agent.
#[derive(Serialize)]
pub(crate) struct AgentView {
    id: String,
    hostname: String,
    port: u16,
    attributes: Map<String, serde_json::Value>,
    pid: String,
    registered_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reregistered_time: Option<f64>,
    resources: Map<String, serde_json::Value>,
    used_resources: Map<String, serde_json::Value>,
    offered_resources: Map<String, serde_json::Value>,
    reserved_resources: BTreeMap<String, Map<String, serde_json::Value>>,
    unreserved_resources: Map<String, serde_json::Value>,
    active: bool,
    deactivated: bool,
    version: String,
    capabilities: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<v1::DomainInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drain_info: Option<v1::DrainInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_drain_start_time_seconds: Option<f64>,
}

impl AgentView {
    /// The view of an agent.
    pub(crate) fn new(agent: &Agent, frameworks: &[Arc<Framework>]) -> Self {
        let info = info(agent);
        let reserved = agent.total.reservations();
        Self {
            id: agent.id.to_string(),
            hostname: agent.info.hostname.clone(),
            port: agent.info.port,
            attributes: attributes(&info.attributes),
            pid: agent.pid.to_string(),
            registered_time: agent.registered_time.as_secs_f64(),
            reregistered_time: agent.reregistered_time.map(|time| time.as_secs_f64()),
            resources: amounts(&agent.total),
            used_resources: amounts(&used(agent)),
            offered_resources: amounts(&offered(agent, frameworks)),
            reserved_resources: reserved
                .iter()
                .map(|(role, held)| (role.to_string(), amounts(held)))
                .collect(),
            unreserved_resources: amounts(&agent.total.unreserved()),
            active: agent.active,
            deactivated: agent.deactivated,
            version: agent.version.clone(),
            capabilities: agent_capabilities_to_proto(&agent.capabilities_body)
                .iter()
                .map(|capability| capability.r#type().as_str_name())
                .collect(),
            domain: info.domain,
            drain_info: agent.drain.map(drain_info),
            estimated_drain_start_time_seconds: agent.drain_start.map(|time| time.as_secs_f64()),
        }
    }
}

/// An agent with its resources in full, for `/slaves`.
#[derive(Serialize)]
pub(crate) struct AgentFullView {
    #[serde(flatten)]
    agent: AgentView,
    reserved_resources_full: BTreeMap<String, Vec<v1::Resource>>,
    unreserved_resources_full: Vec<v1::Resource>,
    used_resources_full: Vec<v1::Resource>,
    offered_resources_full: Vec<v1::Resource>,
}

impl AgentFullView {
    /// The view of an agent.
    pub(crate) fn new(agent: &Agent, frameworks: &[Arc<Framework>]) -> Self {
        let reserved = agent.total.reservations();
        Self {
            agent: AgentView::new(agent, frameworks),
            reserved_resources_full: reserved
                .iter()
                .map(|(role, held)| (role.to_string(), wire::resources_to_endpoint(held)))
                .collect(),
            unreserved_resources_full: wire::resources_to_endpoint(&agent.total.unreserved()),
            used_resources_full: wire::resources_to_endpoint(&used(agent)),
            offered_resources_full: wire::resources_to_endpoint(&offered(agent, frameworks)),
        }
    }
}

fn attributes(attributes: &[v1::Attribute]) -> Map<String, serde_json::Value> {
    attributes.iter().map(|attribute| (attribute.name.clone(), attribute_value(attribute))).collect()
}

fn attribute_value(attribute: &v1::Attribute) -> serde_json::Value {
    let ranges = |ranges: &v1::value::Ranges| {
        let each: Vec<String> =
            ranges.range.iter().map(|range| format!("{}-{}", range.begin, range.end)).collect();
        format!("[{}]", each.join(", "))
    };
    match attribute {
        v1::Attribute { scalar: Some(scalar), .. } => scalar.value.into(),
        v1::Attribute { ranges: Some(held), .. } => ranges(held).into(),
        v1::Attribute { set: Some(set), .. } => format!("{{{}}}", set.item.join(", ")).into(),
        v1::Attribute { text: Some(text), .. } => text.value.clone().into(),
        _ => json!(null),
    }
}

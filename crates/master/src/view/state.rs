//! The whole state, as `/state` and `GET_STATE` show it.

use std::sync::Arc;

use base::AgentId;
use http_api::{VERSION, Version};
use master_core::{AgentInfo, Framework, Snapshot, Task};
use proto::v1;
use proto::v1::master::response;
use proto::v1::master::response::get_executors;
use serde::Serialize;
use serde_json::json;

use super::executor::Executors;
use super::{agent, framework};
use crate::context::Identity;
use crate::convert::{executor_to_proto, task_to_proto};
use crate::options::FaultDomain;

/// All frameworks, those that ended included.
pub(crate) fn every_framework(snapshot: &Snapshot) -> impl Iterator<Item = &Framework> {
    snapshot.frameworks.iter().chain(&snapshot.completed_frameworks).map(AsRef::as_ref)
}

/// `GetState`, as who subscribes gets it at first.
pub(crate) fn get_state(snapshot: &Snapshot) -> response::GetState {
    let executors = Executors::new(&snapshot.agents);
    let framework = |each: &Arc<Framework>| framework::to_proto(each, &framework::used(each, &executors));
    response::GetState {
        get_tasks: Some(get_tasks(snapshot)),
        get_executors: Some(get_executors(snapshot)),
        get_frameworks: Some(response::GetFrameworks {
            frameworks: snapshot.frameworks.iter().map(framework).collect(),
            completed_frameworks: snapshot.completed_frameworks.iter().map(framework).collect(),
            ..Default::default()
        }),
        get_agents: Some(response::GetAgents {
            agents: snapshot.agents.iter().map(|each| agent::to_proto(each, &snapshot.frameworks)).collect(),
            recovered_agents: agent::recovered(snapshot),
        }),
    }
}

fn get_tasks(snapshot: &Snapshot) -> response::GetTasks {
    let all = |of: fn(&Framework) -> Vec<v1::Task>| every_framework(snapshot).flat_map(of).collect();
    fn shown<'a>(tasks: impl Iterator<Item = &'a Arc<Task>>) -> Vec<v1::Task> {
        tasks.map(|task| task_to_proto(task)).collect()
    }
    response::GetTasks {
        tasks: all(|framework| shown(framework.tasks.values())),
        unreachable_tasks: all(|framework| shown(framework.unreachable_tasks.values())),
        completed_tasks: all(|framework| shown(framework.completed_tasks.iter())),
        ..Default::default()
    }
}

fn get_executors(snapshot: &Snapshot) -> response::GetExecutors {
    let executors = snapshot.agents.iter().flat_map(|agent| {
        let on_agent = agent.executors.values().flat_map(|of_framework| of_framework.values());
        on_agent.map(|executor| get_executors::Executor {
            executor_info: executor_to_proto(executor),
            agent_id: agent.id.as_str().into(),
        })
    });
    response::GetExecutors { executors: executors.collect(), ..Default::default() }
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

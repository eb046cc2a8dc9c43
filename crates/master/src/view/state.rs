//! The whole state, as `/state` and `GET_STATE` show it.

use master_core::{Framework, Snapshot, Task};
use proto::v1;
use proto::v1::master::response;
use proto::v1::master::response::{get_agents, get_executors, get_frameworks};
use serde::Serialize;
use serde_json::json;

use super::agent::AgentView;
use super::framework::FrameworkView;
use super::{agent, framework};
use crate::context::Identity;
use crate::convert::{executor_to_proto, task_to_proto};
use crate::options::FaultDomain;
use http_api::{VERSION, Version};

/// All frameworks, those that ended included.
pub(crate) fn every_framework(snapshot: &Snapshot) -> impl Iterator<Item = &Framework> {
    snapshot.frameworks.iter().chain(&snapshot.completed_frameworks).map(AsRef::as_ref)
}

/// `GET_TASKS`. In JSON all lists are there, empty ones too, as readers expect.
#[derive(Serialize)]
pub(crate) struct Tasks {
    tasks: Vec<v1::Task>,
    unreachable_tasks: Vec<v1::Task>,
    completed_tasks: Vec<v1::Task>,
}

impl Tasks {
    /// All tasks.
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let all = |of: fn(&Framework) -> Vec<v1::Task>| every_framework(snapshot).flat_map(of).collect();
        fn shown<'a>(tasks: impl Iterator<Item = &'a std::sync::Arc<Task>>) -> Vec<v1::Task> {
            tasks.map(|task| task_to_proto(task)).collect()
        }
        Self {
            tasks: all(|framework| shown(framework.tasks.values())),
            unreachable_tasks: all(|framework| shown(framework.unreachable_tasks.values())),
            completed_tasks: all(|framework| shown(framework.completed_tasks.iter())),
        }
    }

    /// The message.
    pub(crate) fn into_proto(self) -> response::GetTasks {
        response::GetTasks {
            tasks: self.tasks,
            unreachable_tasks: self.unreachable_tasks,
            completed_tasks: self.completed_tasks,
            ..Default::default()
        }
    }
}

/// `GET_EXECUTORS`.
#[derive(Serialize)]
pub(crate) struct Executors {
    executors: Vec<get_executors::Executor>,
}

impl Executors {
    /// All executors.
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        let executors =
            snapshot.agents.iter().flat_map(|agent| agent.executors.values().map(|held| (&agent.id, held)));
        Self {
            executors: executors
                .flat_map(|(agent_id, executors)| {
                    executors.values().map(|executor| get_executors::Executor {
                        executor_info: executor_to_proto(executor),
                        agent_id: agent_id.as_str().into(),
                    })
                })
                .collect(),
        }
    }

    /// The message.
    pub(crate) fn into_proto(self) -> response::GetExecutors {
        response::GetExecutors { executors: self.executors, ..Default::default() }
    }
}

/// `GET_FRAMEWORKS`.
#[derive(Serialize)]
pub(crate) struct Frameworks {
    frameworks: Vec<get_frameworks::Framework>,
    completed_frameworks: Vec<get_frameworks::Framework>,
}

impl Frameworks {
    /// All frameworks.
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        Self {
            frameworks: snapshot
                .frameworks
                .iter()
                .map(|each| framework::to_proto(each, &snapshot.agents))
                .collect(),
            completed_frameworks: snapshot
                .completed_frameworks
                .iter()
                .map(|each| framework::to_proto(each, &snapshot.agents))
                .collect(),
        }
    }

    /// The message.
    pub(crate) fn into_proto(self) -> response::GetFrameworks {
        response::GetFrameworks {
            frameworks: self.frameworks,
            completed_frameworks: self.completed_frameworks,
            ..Default::default()
        }
    }
}

/// `GET_AGENTS`.
#[derive(Serialize)]
pub(crate) struct Agents {
    agents: Vec<get_agents::Agent>,
    recovered_agents: Vec<v1::AgentInfo>,
}

impl Agents {
    /// All agents.
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        Self {
            agents: snapshot.agents.iter().map(|each| agent::to_proto(each, &snapshot.frameworks)).collect(),
            recovered_agents: Vec::new(),
        }
    }

    /// The message.
    pub(crate) fn into_proto(self) -> response::GetAgents {
        response::GetAgents { agents: self.agents, recovered_agents: self.recovered_agents }
    }
}

/// `GET_STATE`.
#[derive(Serialize)]
pub(crate) struct State {
    get_tasks: Tasks,
    get_executors: Executors,
    get_frameworks: Frameworks,
    get_agents: Agents,
}

impl State {
    /// Everything.
    pub(crate) fn new(snapshot: &Snapshot) -> Self {
        Self {
            get_tasks: Tasks::new(snapshot),
            get_executors: Executors::new(snapshot),
            get_frameworks: Frameworks::new(snapshot),
            get_agents: Agents::new(snapshot),
        }
    }

    /// The message.
    pub(crate) fn into_proto(self) -> response::GetState {
        response::GetState {
            get_tasks: Some(self.get_tasks.into_proto()),
            get_executors: Some(self.get_executors.into_proto()),
            get_frameworks: Some(self.get_frameworks.into_proto()),
            get_agents: Some(self.get_agents.into_proto()),
        }
    }
}

/// `/state`.
#[derive(Serialize)]
pub(crate) struct StateView<'a> {
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
    slaves: Vec<AgentView>,
    recovered_slaves: [serde_json::Value; 0],
    frameworks: Vec<FrameworkView>,
    completed_frameworks: Vec<FrameworkView>,
    orphan_tasks: [serde_json::Value; 0],
    unregistered_frameworks: [serde_json::Value; 0],
}

impl<'a> StateView<'a> {
    /// Everything.
    pub(crate) fn new(identity: &'a Identity, snapshot: &Snapshot) -> Self {
        let active = snapshot.agents.iter().filter(|agent| agent.active).count();
        Self {
            version: VERSION,
            start_time: identity.start_time.as_secs_f64(),
            elected_time: identity.elected_time.as_secs_f64(),
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
            slaves: snapshot.agents.iter().map(|agent| AgentView::new(agent, &snapshot.frameworks)).collect(),
            recovered_slaves: [],
            frameworks: snapshot
                .frameworks
                .iter()
                .map(|framework| FrameworkView::new(framework, &snapshot.agents))
                .collect(),
            completed_frameworks: snapshot
                .completed_frameworks
                .iter()
                .map(|each| FrameworkView::new(each, &snapshot.agents))
                .collect(),
            orphan_tasks: [],
            unregistered_frameworks: [],
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

//! The cluster in short, as `/state-summary` shows it.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, FrameworkId};
use master_core::Snapshot;
use serde::Serialize;

use super::agent::AgentView;
use super::executor::Executors;
use super::framework::{FrameworkSummary, all_tasks};
use super::task::TaskCounts;
use crate::context::Identity;

/// `/state-summary`.
#[derive(Serialize)]
pub(crate) struct Summary<'a> {
    hostname: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    slaves: Vec<AgentSummary>,
    frameworks: Vec<FrameworkSummary>,
}

/// An agent and what runs there.
#[derive(Serialize)]
struct AgentSummary {
    #[serde(flatten)]
    agent: AgentView,
    #[serde(flatten)]
    tasks: TaskCounts,
    framework_ids: Vec<String>,
}

/// What runs on one agent.
#[derive(Default)]
struct OnAgent<'a> {
    tasks: TaskCounts,
    frameworks: BTreeSet<&'a FrameworkId>,
}

impl<'a> Summary<'a> {
    /// The summary of everything.
    pub(crate) fn new(identity: &'a Identity, snapshot: &Snapshot) -> Self {
        let mut on: BTreeMap<&AgentId, OnAgent<'_>> = BTreeMap::new();
        // What is left of frameworks that are over is not counted, as in Mesos.
        for framework in snapshot.frameworks.iter() {
            for task in all_tasks(framework) {
                let here = on.entry(&task.agent_id).or_default();
                here.tasks.count(task.state);
                here.frameworks.insert(&framework.id);
            }
        }
        let slaves = snapshot.agents.iter().map(|agent| {
            let here = on.remove(&agent.id).unwrap_or_default();
            AgentSummary {
                agent: AgentView::new(agent, &snapshot.frameworks),
                tasks: here.tasks,
                framework_ids: here.frameworks.into_iter().map(ToString::to_string).collect(),
            }
        });
        let executors = Executors::new(&snapshot.agents);
        Self {
            hostname: &identity.hostname,
            cluster: identity.cluster.as_deref(),
            slaves: slaves.collect(),
            frameworks: snapshot
                .frameworks
                .iter()
                .map(|framework| FrameworkSummary::new(framework, &executors))
                .collect(),
        }
    }
}

//! Executors as the v0 endpoints show them.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AgentId, FrameworkId};
use master_core::{Agent, ExecutorInfo};
use proto::v1;
use serde::Serialize;
use serde_json::{Map, json};

use super::amounts::amounts;
use crate::convert::executor_to_proto;

/// An executor and where it runs.
pub(crate) type OnAgent<'a> = (&'a AgentId, &'a Arc<ExecutorInfo>);

/// All executors by framework: agents know them, and who asks for those of one framework would have to look at each agent.
#[derive(Default)]
pub(crate) struct Executors<'a>(BTreeMap<&'a FrameworkId, Vec<OnAgent<'a>>>);

impl<'a> Executors<'a> {
    /// Those of all agents.
    pub(crate) fn new(agents: &'a [Arc<Agent>]) -> Self {
        let mut all = Self::default();
        for agent in agents {
            for (framework, executors) in &agent.executors {
                let held = all.0.entry(framework).or_default();
                held.extend(executors.values().map(|executor| (&agent.id, executor)));
            }
        }
        all
    }

    /// Those of a framework, by agent.
    pub(crate) fn of(&self, framework: &FrameworkId) -> &[OnAgent<'a>] {
        self.0.get(framework).map_or(&[], Vec::as_slice)
    }
}

/// An executor on an agent.
#[derive(Serialize)]
pub(crate) struct ExecutorView {
    executor_id: String,
    name: String,
    framework_id: String,
    command: serde_json::Value,
    resources: Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<v1::Label>>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    slave_id: String,
}

impl ExecutorView {
    /// The view of an executor of a framework on an agent.
    pub(crate) fn new(executor: &ExecutorInfo, framework_id: &str, agent_id: &str) -> Self {
        let info = executor_to_proto(executor);
        let kind = info.r#type.map(|_| info.r#type().as_str_name().to_owned());
        Self {
            executor_id: executor.executor_id.to_string(),
            name: info.name.unwrap_or_default(),
            framework_id: framework_id.to_owned(),
            command: info.command.map_or_else(|| json!({}), command),
            resources: amounts(&executor.resources),
            role: executor
                .resources
                .iter()
                .find_map(|resource| resource.allocation.as_ref())
                .map(ToString::to_string),
            labels: info.labels.map(|labels| labels.labels),
            kind,
            slave_id: agent_id.to_owned(),
        }
    }
}

fn command(command: v1::CommandInfo) -> serde_json::Value {
    let mut shown = Map::new();
    if let Some(shell) = command.shell {
        shown.insert("shell".to_owned(), shell.into());
    }
    if let Some(value) = command.value {
        shown.insert("value".to_owned(), value.into());
    }
    shown.insert("argv".to_owned(), command.arguments.into());
    if let Some(environment) = &command.environment {
        shown.insert("environment".to_owned(), json!(environment));
    }
    shown.insert("uris".to_owned(), json!(command.uris));
    shown.into()
}

//! Frameworks as readers see them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base::AgentId;
use master_core::{Agent, ExecutorInfo, Framework, Task};
use proto::v1;
use proto::v1::master::response::get_frameworks;
use resources::Resources;
use serde::Serialize;
use serde_json::{Map, json};

use super::amounts::amounts;
use super::executor::ExecutorView;
use super::task::{TaskCounts, TaskView};
use super::time_info;
use crate::offers::offer_to_proto;

/// What a framework said of itself, with its id.
pub(crate) fn info(framework: &Framework) -> v1::FrameworkInfo {
    let mut info: v1::FrameworkInfo =
        proto::Message::decode(framework.info.body.as_bytes()).unwrap_or_default();
    info.id = Some(framework.id.as_str().into());
    if framework.info.kept {
        info.user.clone_from(&framework.info.user);
        info.checkpoint = Some(framework.info.checkpoint);
    }
    info
}

/// Of which agents a framework wants offers, as it said it.
fn offer_constraints(framework: &Framework) -> v1::scheduler::OfferConstraints {
    proto::Message::decode(framework.offer_constraints.body.as_bytes()).unwrap_or_default()
}

/// A framework for `GET_FRAMEWORKS`.
pub(crate) fn to_proto(framework: &Framework, agents: &[Arc<Agent>]) -> get_frameworks::Framework {
    let registered = time_info(framework.registered_time);
    get_frameworks::Framework {
        framework_info: info(framework),
        active: framework.active,
        connected: framework.connected(),
        recovered: framework.recovered,
        registered_time: Some(registered),
        reregistered_time: Some(framework.reregistered_time.map_or(registered, time_info)),
        unregistered_time: framework.unregistered_time.filter(|_| !framework.connected()).map(time_info),
        offers: framework.offers.values().map(|offer| offer_to_proto(offer)).collect(),
        allocated_resources: wire::resources_to_endpoint(&used(framework, agents)),
        offered_resources: wire::resources_to_endpoint(&offered(framework)),
        offer_constraints: Some(offer_constraints(framework)),
        ..Default::default()
    }
}

/// What summaries say of a framework.
#[derive(Serialize)]
pub(crate) struct FrameworkBase {
    id: String,
    name: String,
    used_resources: Map<String, serde_json::Value>,
    offered_resources: Map<String, serde_json::Value>,
    capabilities: Vec<&'static str>,
    hostname: String,
    webui_url: String,
    active: bool,
    connected: bool,
    recovered: bool,
}

impl FrameworkBase {
    fn new(framework: &Framework, agents: &[Arc<Agent>], info: &v1::FrameworkInfo) -> Self {
        Self {
            id: framework.id.to_string(),
            name: framework.info.name.clone(),
            used_resources: amounts(&used(framework, agents)),
            offered_resources: amounts(&offered(framework)),
            capabilities: info
                .capabilities
                .iter()
                .map(|capability| capability.r#type().as_str_name())
                .collect(),
            hostname: info.hostname.clone().unwrap_or_default(),
            webui_url: info.webui_url.clone().unwrap_or_default(),
            active: framework.active,
            connected: framework.connected(),
            recovered: framework.recovered,
        }
    }
}

/// A framework in a summary.
#[derive(Serialize)]
pub(crate) struct FrameworkSummary {
    #[serde(flatten)]
    base: FrameworkBase,
    #[serde(flatten)]
    tasks: TaskCounts,
    slave_ids: Vec<String>,
}

impl FrameworkSummary {
    /// The summary of a framework.
    pub(crate) fn new(framework: &Framework, agents: &[Arc<Agent>]) -> Self {
        let mut tasks = TaskCounts::default();
        let mut on: BTreeSet<&AgentId> = BTreeSet::new();
        for task in all_tasks(framework) {
            tasks.count(task.state);
            on.insert(&task.agent_id);
        }
        Self {
            base: FrameworkBase::new(framework, agents, &info(framework)),
            tasks,
            slave_ids: on.into_iter().map(ToString::to_string).collect(),
        }
    }
}

/// Every task of a framework that is known, ended ones included.
pub(crate) fn all_tasks(framework: &Framework) -> impl Iterator<Item = &Arc<Task>> {
    framework
        .tasks
        .values()
        .chain(framework.unreachable_tasks.values())
        .chain(framework.completed_tasks.iter())
}

/// A framework with everything of it.
#[derive(Serialize)]
pub(crate) struct FrameworkView {
    #[serde(flatten)]
    base: FrameworkBase,
    user: String,
    failover_timeout: f64,
    checkpoint: bool,
    registered_time: f64,
    unregistered_time: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reregistered_time: Option<f64>,
    resources: Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
    tasks: Vec<TaskView>,
    unreachable_tasks: Vec<TaskView>,
    completed_tasks: Vec<TaskView>,
    offers: Vec<serde_json::Value>,
    executors: Vec<ExecutorView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<v1::Label>>,
    offer_constraints: serde_json::Value,
}

impl FrameworkView {
    /// The view of a framework.
    pub(crate) fn new(framework: &Framework, agents: &[Arc<Agent>]) -> Self {
        let info = info(framework);
        let multi_role = framework.info.capabilities.multi_role;
        let roles: Vec<String> = framework.info.roles.iter().map(ToString::to_string).collect();
        let view =
            |tasks: &mut dyn Iterator<Item = &Arc<Task>>| tasks.map(|task| TaskView::new(task)).collect();
        Self {
            base: FrameworkBase::new(framework, agents, &info),
            user: framework.info.user.clone(),
            failover_timeout: framework.info.failover_timeout.as_secs_f64(),
            checkpoint: framework.info.checkpoint,
            registered_time: framework.registered_time.as_secs_f64(),
            unregistered_time: framework.unregistered_time.map_or(0.0, |time| time.as_secs_f64()),
            principal: framework.info.principal.clone(),
            reregistered_time: framework.reregistered_time.map(|time| time.as_secs_f64()),
            resources: amounts(&used_and_offered(framework, agents)),
            role: (!multi_role).then(|| roles.first().cloned().unwrap_or_default()),
            roles: multi_role.then_some(roles),
            tasks: view(&mut framework.tasks.values()),
            unreachable_tasks: view(&mut framework.unreachable_tasks.values()),
            completed_tasks: view(&mut framework.completed_tasks.iter()),
            offers: framework
                .offers
                .values()
                .map(|offer| {
                    json!({
                        "id": offer.id.as_str(),
                        "framework_id": offer.framework_id.as_str(),
                        "allocation_info": { "role": offer.role.as_str() },
                        "slave_id": offer.agent_id.as_str(),
                        "resources": amounts(&offer.resources),
                    })
                })
                .collect(),
            executors: executors(framework, agents),
            labels: info.labels.map(|labels| labels.labels),
            offer_constraints: serde_json::from_slice(&proto::json::to_vec(&offer_constraints(framework)))
                .unwrap_or_else(|_| json!({})),
        }
    }
}

/// What tasks and executors of a framework take.
pub(crate) fn used(framework: &Framework, agents: &[Arc<Agent>]) -> Resources {
    // Ended tasks hold nothing, even while their last status is on its way.
    let tasks = framework.tasks.values().filter(|task| !task.state.is_terminal()).map(|task| &task.resources);
    let executors = executors_of(framework, agents).map(|(_, executor)| &executor.resources);
    tasks.chain(executors).flat_map(Resources::iter).cloned().collect()
}

/// What a framework is offered.
pub(crate) fn offered(framework: &Framework) -> Resources {
    framework.offers.values().flat_map(|offer| offer.resources.iter()).cloned().collect()
}

fn used_and_offered(framework: &Framework, agents: &[Arc<Agent>]) -> Resources {
    used(framework, agents).iter().chain(offered(framework).iter()).cloned().collect()
}

/// The executors of a framework, each with its agent.
fn executors_of<'a>(
    framework: &'a Framework,
    agents: &'a [Arc<Agent>],
) -> impl Iterator<Item = (&'a AgentId, &'a Arc<ExecutorInfo>)> {
    agents.iter().flat_map(|agent| {
        let executors = agent.executors.get(&framework.id).into_iter().flat_map(BTreeMap::values);
        executors.map(|executor| (&agent.id, executor))
    })
}

fn executors(framework: &Framework, agents: &[Arc<Agent>]) -> Vec<ExecutorView> {
    let all = executors_of(framework, agents);
    all.map(|(agent, executor)| ExecutorView::new(executor, framework.id.as_str(), agent.as_str())).collect()
}

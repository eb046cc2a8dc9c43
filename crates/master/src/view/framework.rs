//! Frameworks as readers see them.

use std::sync::Arc;

use base::Time;
use http_api::Pieces;
use master_core::{Framework, Offer, Task};
use proto::v1;
use proto::v1::master::response::get_frameworks;
use resources::Resources;
use serde::Serialize;
use serde_json::{Map, json};

use super::amounts::amounts;
use super::executor::{ExecutorView, Executors, OnAgent};
use super::time_info;
use crate::offers::{inverse_offer_to_proto, offer_to_proto};

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

/// A framework for `GET_FRAMEWORKS`; `used` is what its tasks and executors take.
pub(crate) fn to_proto(framework: &Framework, used: &Resources) -> get_frameworks::Framework {
    // One of which only agents have told has not subscribed yet.
    let since = |time: Time| (time != Time::EPOCH).then(|| time_info(time));
    get_frameworks::Framework {
        framework_info: info(framework),
        active: framework.active,
        connected: framework.connected(),
        recovered: framework.recovered,
        registered_time: since(framework.registered_time),
        reregistered_time: since(framework.reregistered_time.unwrap_or(framework.registered_time)),
        unregistered_time: framework.unregistered_time.map(time_info),
        offers: framework.offers.values().map(|offer| offer_to_proto(offer)).collect(),
        inverse_offers: framework
            .inverse_offers
            .values()
            .map(|offer| inverse_offer_to_proto(offer))
            .collect(),
        allocated_resources: wire::resources_to_endpoint(used),
        offered_resources: wire::resources_to_endpoint(&offered(framework)),
        offer_constraints: Some(offer_constraints(framework)),
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
    pub(crate) fn new(framework: &Framework, used: &Resources, info: &v1::FrameworkInfo) -> Self {
        Self {
            id: framework.id.to_string(),
            name: framework.info.name.clone(),
            used_resources: amounts(used),
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

/// Every task of a framework that is known, ended ones included.
pub(crate) fn all_tasks(framework: &Framework) -> impl Iterator<Item = &Arc<Task>> {
    framework
        .tasks
        .values()
        .chain(framework.unreachable_tasks.values())
        .chain(framework.completed_tasks.iter())
}

/// A framework with everything of it, up to its tasks.
#[derive(Serialize)]
struct Head {
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
}

/// What follows its tasks.
#[derive(Serialize)]
struct Tail {
    offers: Vec<serde_json::Value>,
    executors: Vec<ExecutorView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Vec<v1::Label>>,
    offer_constraints: serde_json::Value,
}

/// Writes the view of a framework. `tasks` writes its lists of tasks, which are long and shared with other answers:
/// `"NAME":[...]` of each, with commas between.
pub(crate) fn write(
    out: &mut Pieces,
    framework: &Framework,
    used: &Resources,
    executors: &[OnAgent<'_>],
    tasks: impl FnOnce(&mut Pieces),
) {
    let info = info(framework);
    let multi_role = framework.info.capabilities.multi_role;
    let roles: Vec<String> = framework.info.roles.iter().map(ToString::to_string).collect();
    let held = used.iter().chain(offered(framework).iter()).cloned().collect();
    let head = Head {
        base: FrameworkBase::new(framework, used, &info),
        user: framework.info.user.clone(),
        failover_timeout: framework.info.failover_timeout.as_secs_f64(),
        checkpoint: framework.info.checkpoint,
        registered_time: framework.registered_time.as_secs_f64(),
        unregistered_time: framework.unregistered_time.map_or(0.0, |time| time.as_secs_f64()),
        principal: framework.info.principal.clone(),
        reregistered_time: framework.reregistered_time.map(|time| time.as_secs_f64()),
        resources: amounts(&held),
        role: (!multi_role).then(|| roles.first().cloned().unwrap_or_default()),
        roles: multi_role.then_some(roles),
    };
    let tail = Tail {
        offers: framework.offers.values().map(|offer| offer_view(offer)).collect(),
        executors: executors
            .iter()
            .map(|(agent, executor)| ExecutorView::new(executor, framework.id.as_str(), agent.as_str()))
            .collect(),
        labels: info.labels.map(|labels| labels.labels),
        offer_constraints: serde_json::from_slice(&proto::json::to_vec(&offer_constraints(framework)))
            .unwrap_or_else(|_| json!({})),
    };
    out.write(b"{");
    write_members(out, &head);
    out.write(b",");
    tasks(out);
    out.write(b",");
    write_members(out, &tail);
    out.write(b"}");
}

/// The members of an object that has some, without its braces.
pub(crate) fn write_members(out: &mut Pieces, object: &impl Serialize) {
    let text = serde_json::to_vec(object).unwrap_or_default();
    out.write(text.strip_prefix(b"{").and_then(|text| text.strip_suffix(b"}")).unwrap_or_default());
}

fn offer_view(offer: &Offer) -> serde_json::Value {
    json!({
        "id": offer.id.as_str(),
        "framework_id": offer.framework_id.as_str(),
        "allocation_info": { "role": offer.role.as_str() },
        "slave_id": offer.agent_id.as_str(),
        "resources": amounts(&offer.resources),
    })
}

/// What tasks and executors of a framework take.
pub(crate) fn used(framework: &Framework, executors: &Executors<'_>) -> Resources {
    let tasks = tasks_use(framework.tasks.values());
    let executors = executors.of(&framework.id).iter().map(|(_, executor)| &executor.resources);
    tasks.iter().chain(executors.flat_map(Resources::iter)).cloned().collect()
}

/// What tasks take. Ended ones hold nothing, even while their last status is on its way.
pub(crate) fn tasks_use<'a>(tasks: impl Iterator<Item = &'a Arc<Task>>) -> Resources {
    let holding = tasks.filter(|task| !task.state.is_terminal());
    holding.flat_map(|task| task.resources.iter()).cloned().collect()
}

/// What a framework is offered.
pub(crate) fn offered(framework: &Framework) -> Resources {
    framework.offers.values().flat_map(|offer| offer.resources.iter()).cloned().collect()
}

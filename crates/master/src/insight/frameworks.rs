//! `/state-summary/frameworks`: frameworks without their tasks, page by page.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::FrameworkId;
use http_api::ApiError;
use proto::v1;
use resources::Name;
use serde_json::{Value, json};

use super::gather::{FrameworkSeen, gathered, gathered_with};
use super::page::{Page, with_total};
use crate::server::Master;
use crate::v0::Query;
use crate::view::amounts::quantities;

const COLUMNS: [&str; 9] =
    ["id", "name", "user", "state", "tasks", "cpus", "mem", "offers", "registered_time"];

/// `GET /state-summary/frameworks`; `framework_id` picks one, also one that is over.
pub(super) async fn frameworks(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let page = Page::new(&query)?;
    let column = page.column(&COLUMNS)?;
    let cluster = match query.get("framework_id") {
        Some(id) => gathered_with(&master, &FrameworkId::from(id)).await?,
        None => gathered(&master).await?,
    };
    let mut found: Vec<&FrameworkSeen> = cluster
        .frameworks
        .iter()
        .filter(|each| page.is("framework_id", each.id.as_str()) && page.is("state", state(each)))
        .filter(|each| {
            query.get("role").is_none_or(|role| each.info.roles.iter().any(|r| r.as_str() == role))
        })
        .filter(|each| page.finds(&[each.id.as_str(), &each.info.name, &each.info.user]))
        .collect();
    sort(&mut found, column);
    let total = found.len();
    let shown: Vec<Value> = page.cut(found).into_iter().map(view).collect();
    Ok(with_total(query.json(&json!({ "frameworks": shown }))?, total))
}

fn sort(found: &mut [&FrameworkSeen], column: &str) {
    match column {
        "name" => found.sort_by(|a, b| a.info.name.cmp(&b.info.name)),
        "user" => found.sort_by(|a, b| a.info.user.cmp(&b.info.user)),
        "state" => found.sort_by_key(|each| state(each)),
        "tasks" => found.sort_by_key(|each| each.tasks),
        "cpus" => found.sort_by_key(|each| each.used.get(&Name::Cpus)),
        "mem" => found.sort_by_key(|each| each.used.get(&Name::Mem)),
        "offers" => found.sort_by_key(|each| each.offers),
        "registered_time" => found.sort_by_key(|each| each.registered),
        "id" => found.sort_by(|a, b| a.id.cmp(&b.id)),
        _ => {}
    }
}

/// In one word.
pub(super) fn state(framework: &FrameworkSeen) -> &'static str {
    match framework {
        FrameworkSeen { completed: true, .. } => "completed",
        FrameworkSeen { recovered: true, .. } => "recovered",
        FrameworkSeen { connected: false, .. } => "disconnected",
        FrameworkSeen { active: false, .. } => "inactive",
        _ => "active",
    }
}

fn view(framework: &FrameworkSeen) -> Value {
    let info: v1::FrameworkInfo = proto::Message::decode(framework.info.body.as_bytes()).unwrap_or_default();
    let roles: Vec<&str> = framework.info.roles.iter().map(AsRef::as_ref).collect();
    let suppressed: Vec<&str> = framework.suppressed_roles.iter().map(AsRef::as_ref).collect();
    json!({
        "id": framework.id.as_str(),
        "name": framework.info.name,
        "user": framework.info.user,
        "principal": framework.info.principal,
        "hostname": info.hostname,
        "webui_url": info.webui_url,
        "state": state(framework),
        "active": framework.active,
        "connected": framework.connected,
        "recovered": framework.recovered,
        "completed": framework.completed,
        "roles": roles,
        "suppressed_roles": suppressed,
        "capabilities": info.capabilities.iter().map(|one| one.r#type().as_str_name()).collect::<Vec<_>>(),
        "checkpoint": framework.info.checkpoint,
        "failover_timeout": framework.info.failover_timeout.as_secs_f64(),
        "registered_time": framework.registered.as_secs_f64(),
        "reregistered_time": framework.reregistered.map(|time| time.as_secs_f64()),
        "unregistered_time": framework.unregistered.map(|time| time.as_secs_f64()),
        "tasks": framework.tasks,
        "unreachable_tasks": framework.unreachable_tasks,
        "completed_tasks": framework.completed_tasks,
        "offers": framework.offers,
        "inverse_offers": framework.inverse_offers,
        "used": quantities(&framework.used),
        "offered": quantities(&framework.offered),
    })
}

//! `/state-summary/frameworks`: frameworks without their tasks, page by page.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use base::FrameworkId;
use http_api::ApiError;
use proto::v1;
use resources::Name;
use serde_json::{Value, json};

use super::gather::{FrameworkSeen, gathered, gathered_with};
use crate::listing::{COMPLETED, FEW, FRAMEWORK_STATES, Key, Wanted, count, moment, state_of_framework};
use crate::server::Master;
use crate::v0::Query;
use crate::view::amounts::quantities;

/// What they can be sorted by. Amounts are those that their tasks take.
#[derive(Clone, Copy)]
enum Column {
    Id,
    Name,
    User,
    State,
    Tasks,
    Used(&'static Name),
    Offers,
    Registered,
}

const COLUMNS: [(&str, Column); 9] = [
    ("id", Column::Id),
    ("name", Column::Name),
    ("user", Column::User),
    ("state", Column::State),
    ("tasks", Column::Tasks),
    ("cpus", Column::Used(&Name::Cpus)),
    ("mem", Column::Used(&Name::Mem)),
    ("offers", Column::Offers),
    ("registered", Column::Registered),
];

/// `GET /state-summary/frameworks`; `framework_id` picks one, also one that is over.
pub(super) async fn frameworks(
    State(master): State<Master>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let query = Query::new(query.as_deref());
    let wanted = Wanted::new(&query, &COLUMNS, &FRAMEWORK_STATES, FEW)?;
    let cluster = match wanted.framework_id {
        Some(id) => gathered_with(&master, &FrameworkId::from(id)).await?,
        None => gathered(&master).await?,
    };
    let found = cluster.frameworks.iter().filter(|each| {
        wanted.framework_id.is_none_or(|id| id == each.id.as_str())
            && wanted.wants_state(state(each))
            && wanted.role.is_none_or(|role| each.info.roles.iter().any(|r| r.as_str() == role))
            && wanted.finds([each.id.as_str(), &each.info.name, &each.info.user])
    });
    let part = wanted.part(found.map(|each| (key(wanted.column(), each), each)));
    let shown: Vec<Value> = part.entries.into_iter().map(view).collect();
    query.part(&json!({ "frameworks": shown }), part.total)
}

fn key(column: Option<Column>, framework: &FrameworkSeen) -> Key<'_> {
    match column {
        // As they are kept.
        None => Key::Number(0),
        Some(Column::Id) => Key::Text(framework.id.as_str()),
        Some(Column::Name) => Key::Text(&framework.info.name),
        Some(Column::User) => Key::Text(&framework.info.user),
        Some(Column::State) => Key::Text(state(framework)),
        Some(Column::Tasks) => count(framework.tasks),
        Some(Column::Used(name)) => Key::Number(framework.used.get(name).thousandths()),
        Some(Column::Offers) => count(framework.offers),
        Some(Column::Registered) => moment(framework.registered),
    }
}

/// In one word.
pub(super) fn state(framework: &FrameworkSeen) -> &'static str {
    let FrameworkSeen { completed, recovered, connected, active, .. } = *framework;
    if completed { COMPLETED } else { state_of_framework(recovered, connected, active) }
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

//! Frameworks: those that are there, and those that ended.

use std::sync::Arc;

use http_api::ApiError;
use master_core::{Agent, Framework, Snapshot};
use resources::Name;

use super::order::{Key, Part};
use super::{Wanted, amount, count, moment};
use crate::v0::Query;
use crate::view::framework::info;

/// What frameworks can be sorted by. Amounts are those that their tasks take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Id,
    Name,
    User,
    State,
    Registered,
    Tasks,
    Used(&'static Name),
}

const COLUMNS: [(&str, Column); 10] = [
    ("id", Column::Id),
    ("name", Column::Name),
    ("user", Column::User),
    ("state", Column::State),
    ("registered", Column::Registered),
    ("tasks", Column::Tasks),
    ("cpus", Column::Used(&Name::Cpus)),
    ("mem", Column::Used(&Name::Mem)),
    ("disk", Column::Used(&Name::Disk)),
    ("gpus", Column::Used(&Name::Gpus)),
];

/// The states that frameworks can be asked for by.
pub(crate) const STATES: [(&str, &str); 5] = [
    ("active", "active"),
    (COMPLETED, COMPLETED),
    ("disconnected", "disconnected"),
    ("inactive", "inactive"),
    ("recovered", "recovered"),
];

/// The state of one that has ended.
pub(crate) const COMPLETED: &str = "completed";

/// In which state a framework is that has not ended: the one that says most about why it gets nothing.
pub(crate) fn state(recovered: bool, connected: bool, active: bool) -> &'static str {
    match (recovered, connected, active) {
        (true, ..) => "recovered",
        (_, false, _) => "disconnected",
        (_, _, true) => "active",
        (_, _, false) => "inactive",
    }
}

fn state_of(framework: &Framework) -> &'static str {
    state(framework.recovered, framework.connected(), framework.active)
}

/// One of either kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Listed<'a> {
    /// It is there.
    Present(&'a Arc<Framework>),
    /// It has ended.
    Completed(&'a Arc<Framework>),
}

/// The frameworks that a query asks for: by id unless it says otherwise, those that ended behind those that are there; all
/// of them unless it says how many.
pub(crate) fn frameworks<'a>(snapshot: &'a Snapshot, query: &Query) -> Result<Part<Listed<'a>>, ApiError> {
    let wanted = Wanted::new(query, &COLUMNS, &STATES, usize::MAX)?;
    let agent = wanted.agent_id.map(|id| agent_of(snapshot, id));
    let present = snapshot.frameworks.iter().map(|each| (state_of(each), each, Listed::Present(each)));
    let completed = snapshot.completed_frameworks.iter();
    let completed = completed.map(|each| (COMPLETED, each, Listed::Completed(each)));
    let found = present
        .chain(completed)
        .filter(|(state, framework, _)| wanted.wants_state(state) && matches(&wanted, framework, agent));
    Ok(wanted.part(found.map(|(state, framework, listed)| (key(wanted.column(), state, framework), listed))))
}

fn agent_of<'a>(snapshot: &'a Snapshot, id: &str) -> Option<&'a Arc<Agent>> {
    let at = snapshot.agents.binary_search_by(|agent| agent.id.as_str().cmp(id)).ok()?;
    snapshot.agents.get(at)
}

/// `agent` is the agent on which it has to have something, if it has to; nothing within for one that is not there.
fn matches(
    wanted: &Wanted<'_, Column, &'static str>,
    framework: &Framework,
    agent: Option<Option<&Arc<Agent>>>,
) -> bool {
    let on = |agent: &Arc<Agent>| {
        agent.used.contains_key(&framework.id) || agent.tasks.contains_key(&framework.id)
    };
    wanted.framework_id.is_none_or(|id| id == framework.id.as_str())
        && wanted.role.is_none_or(|role| framework.info.roles.iter().any(|each| each.as_str() == role))
        && agent.is_none_or(|agent| agent.is_some_and(on))
        && wanted.search.as_ref().is_none_or(|needle| {
            needle.is_in(framework.id.as_str())
                || needle.is_in(&framework.info.name)
                || info(framework).hostname.is_some_and(|host| needle.is_in(&host))
        })
}

fn key<'a>(column: Option<Column>, state: &'static str, framework: &'a Framework) -> Key<'a> {
    match column {
        // As they are kept.
        None => Key::Number(0),
        Some(Column::Id) => Key::Text(framework.id.as_str()),
        Some(Column::Name) => Key::Text(&framework.info.name),
        Some(Column::User) => Key::Text(&framework.info.user),
        Some(Column::State) => Key::Text(state),
        Some(Column::Registered) => moment(framework.registered_time),
        Some(Column::Tasks) => count(framework.tasks.len()),
        Some(Column::Used(name)) => {
            let holding = framework.tasks.values().filter(|task| !task.state.is_terminal());
            amount(holding.map(|task| &task.resources), name)
        }
    }
}

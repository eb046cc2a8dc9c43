//! Agents: those that are registered, behind them those that have not come back since the master began to lead, and those
//! that are lost, where they are asked for.

use std::sync::Arc;

use base::AgentId;
use http_api::ApiError;
use master_core::{Agent, AgentInfo, DrainState, LostAgent, Snapshot};
use resources::{Name, Resources, Role};

use super::order::{Key, Part};
use super::{FEW, Wanted, amount, count, moment};
use crate::v0::Query;

/// What agents can be sorted by. Amounts are those of all that an agent has, `used_...` those that tasks and executors take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Id,
    Hostname,
    State,
    Version,
    Registered,
    Tasks,
    Total(&'static Name),
    Used(&'static Name),
}

const COLUMNS: [(&str, Column); 14] = [
    ("id", Column::Id),
    ("hostname", Column::Hostname),
    ("state", Column::State),
    ("version", Column::Version),
    ("registered", Column::Registered),
    ("tasks", Column::Tasks),
    ("cpus", Column::Total(&Name::Cpus)),
    ("mem", Column::Total(&Name::Mem)),
    ("disk", Column::Total(&Name::Disk)),
    ("gpus", Column::Total(&Name::Gpus)),
    ("used_cpus", Column::Used(&Name::Cpus)),
    ("used_mem", Column::Used(&Name::Mem)),
    ("used_disk", Column::Used(&Name::Disk)),
    ("used_gpus", Column::Used(&Name::Gpus)),
];

/// The states that agents can be asked for by.
const STATES: [(&str, &str); 6] = [
    ("active", "active"),
    ("deactivated", "deactivated"),
    ("disconnected", "disconnected"),
    ("drained", "drained"),
    ("draining", "draining"),
    ("recovered", "recovered"),
];

const UNREACHABLE: &str = "unreachable";
const GONE: &str = "gone";

/// The same, where those that are lost can be asked for, too.
const EVERY_STATE: [(&str, &str); 8] = {
    let [active, deactivated, disconnected, drained, draining, recovered] = STATES;
    let (unreachable, gone) = ((UNREACHABLE, UNREACHABLE), (GONE, GONE));
    [active, deactivated, disconnected, drained, draining, recovered, unreachable, gone]
};

/// In which state an agent is: the one that says most about why nothing of it is offered.
pub(crate) fn state_of_agent(agent: &Agent) -> &'static str {
    match agent.drain.map(|drain| drain.state) {
        _ if !agent.connected => "disconnected",
        Some(DrainState::Draining) => "draining",
        Some(DrainState::Drained) => "drained",
        None if agent.active => "active",
        None => "deactivated",
    }
}

/// One of any kind.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Listed<'a> {
    /// It is registered.
    Present(&'a Arc<Agent>),
    /// It has not come back yet.
    Recovered(&'a (AgentId, Arc<AgentInfo>)),
    /// It does not answer, or is gone.
    Lost(&'a LostAgent),
}

/// The agents that a query asks for: by id unless it says otherwise, all of them unless it says how many.
pub(crate) fn agents<'a>(snapshot: &'a Snapshot, query: &Query) -> Result<Part<Listed<'a>>, ApiError> {
    let wanted = Wanted::new(query, &COLUMNS, &STATES, usize::MAX)?;
    Ok(wanted.part(known(&wanted, snapshot)))
}

/// The same with those that are lost; those that are gone only if the query says so.
pub(crate) fn every_agent<'a>(
    snapshot: &'a Snapshot,
    lost: &'a [LostAgent],
    query: &Query,
) -> Result<Part<Listed<'a>>, ApiError> {
    let wanted = Wanted::new(query, &COLUMNS, &EVERY_STATE, FEW)?;
    let asks_for_gone = query.get("state").is_some() || query.get("slave_id").is_some();
    let is_wanted = |agent: &&LostAgent| {
        (asks_for_gone || !agent.gone)
            && wanted.framework_id.is_none()
            && wanted.role.is_none()
            && wanted.wants_state(state_of_lost(agent))
            && is_named(&wanted, &agent.id, &agent.hostname)
    };
    let column = wanted.column().unwrap_or(Column::Id);
    let lost = lost.iter().filter(is_wanted).map(|agent| (lost_key(column, agent), Listed::Lost(agent)));
    Ok(wanted.part(known(&wanted, snapshot).chain(lost)))
}

/// Those that are registered and those that have not come back, with what they are sorted by.
fn known<'a>(
    wanted: &Wanted<'_, Column, &'static str>,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (Key<'a>, Listed<'a>)> {
    let column = wanted.column().unwrap_or(Column::Id);
    let present = snapshot.agents.iter().filter(|agent| matches(wanted, agent));
    let present = present.map(move |agent| (key(column, agent), Listed::Present(agent)));
    // Nothing is known yet of what is there.
    let unknown = wanted.framework_id.is_some() || wanted.role.is_some();
    let awaited = move |(id, info): &&(AgentId, Arc<AgentInfo>)| {
        !unknown && wanted.wants_state("recovered") && is_named(wanted, id, &info.hostname)
    };
    let recovered = snapshot.recovered.iter().filter(awaited);
    present.chain(recovered.map(move |entry| {
        let (id, info) = entry;
        (recovered_key(column, id, info), Listed::Recovered(entry))
    }))
}

fn matches(wanted: &Wanted<'_, Column, &'static str>, agent: &Agent) -> bool {
    is_named(wanted, &agent.id, &agent.info.hostname)
        && wanted.wants_state(state_of_agent(agent))
        && wanted.framework_id.is_none_or(|id| agent.used.contains_key(id) || agent.tasks.contains_key(id))
        && wanted.role.is_none_or(|role| serves(agent, role))
}

fn is_named(wanted: &Wanted<'_, Column, &'static str>, id: &AgentId, hostname: &str) -> bool {
    wanted.agent_id.is_none_or(|wanted| wanted == id.as_str()) && wanted.finds([id.as_str(), hostname])
}

/// Whether a role has something reserved or in use there.
fn serves(agent: &Agent, role: &str) -> bool {
    let is = |wanted: &Role| wanted.as_str() == role;
    let used = agent.used.values().flat_map(Resources::iter);
    agent.total.iter().any(|resource| resource.reservation_role().is_some_and(is))
        || used.filter_map(|resource| resource.allocation.as_ref()).any(is)
}

fn key(column: Column, agent: &Agent) -> Key<'_> {
    match column {
        Column::Id => Key::Text(agent.id.as_str()),
        Column::Hostname => Key::Text(&agent.info.hostname),
        Column::State => Key::Text(state_of_agent(agent)),
        Column::Version => Key::Text(&agent.version),
        Column::Registered => moment(agent.registered_time),
        Column::Tasks => count(agent.tasks.values().map(std::collections::BTreeSet::len).sum()),
        Column::Total(name) => amount([&agent.total], name),
        Column::Used(name) => amount(agent.used.values(), name),
    }
}

fn recovered_key<'a>(column: Column, id: &'a AgentId, info: &'a AgentInfo) -> Key<'a> {
    match column {
        Column::Id => Key::Text(id.as_str()),
        Column::Hostname => Key::Text(&info.hostname),
        Column::State => Key::Text("recovered"),
        Column::Total(name) => amount([&info.resources], name),
        Column::Version | Column::Registered | Column::Tasks | Column::Used(_) => Key::Last,
    }
}

fn state_of_lost(agent: &LostAgent) -> &'static str {
    if agent.gone { GONE } else { UNREACHABLE }
}

fn lost_key(column: Column, agent: &LostAgent) -> Key<'_> {
    match column {
        Column::Id => Key::Text(agent.id.as_str()),
        Column::Hostname if !agent.hostname.is_empty() => Key::Text(&agent.hostname),
        Column::State => Key::Text(state_of_lost(agent)),
        _ => Key::Last,
    }
}

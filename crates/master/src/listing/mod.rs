//! Parts of long lists: which entries, in which order, and which of those. The parameters are those of the v0 endpoints, and
//! the same for the lists that only people want.
//!
//! All that is needed is read from a snapshot, on the threads of those who read, before anything is encoded: a page costs a
//! look at each entry and the encoding of those that are shown.

mod agents;
mod frameworks;
mod order;
mod roles;
mod search;
mod tasks;

pub(crate) use agents::{Listed as ListedAgent, agents, every_agent, state_of_agent};
pub(crate) use frameworks::{
    COMPLETED, Listed as ListedFramework, STATES as FRAMEWORK_STATES, frameworks, state as state_of_framework,
};
pub(crate) use order::{Key, Part};
pub(crate) use roles::roles;
pub(crate) use tasks::tasks;

use http_api::ApiError;
use resources::{Name, Resource, Resources, Value};

use crate::v0::Query;
use order::{First, Order, Page};
use search::Needle;

/// The parameters that make a part of a list.
const PARAMETERS: [&str; 10] =
    ["limit", "offset", "order", "sort", "framework_id", "slave_id", "role", "state", "search", "task_id"];

/// Whether a query asks for less than the whole of a list, or for another order.
pub(crate) fn is_part(query: &Query) -> bool {
    PARAMETERS.iter().any(|name| query.get(name).is_some())
}

/// How many entries a list for people has where the query does not say.
pub(crate) const FEW: usize = 100;

/// What all lists can be asked for. `C` are the columns that one can be sorted by, `S` the states of its entries.
pub(crate) struct Wanted<'a, C, S> {
    pub(crate) framework_id: Option<&'a str>,
    pub(crate) agent_id: Option<&'a str>,
    pub(crate) role: Option<&'a str>,
    states: Option<Vec<S>>,
    search: Option<Needle>,
    order: Order<C>,
    page: Page,
}

/// Names of what can be asked for: of columns, or of states.
pub(crate) type Names<T> = [(&'static str, T)];

impl<'a, C: Copy, S: Copy> Wanted<'a, C, S> {
    /// Reads a query; `limit` is how many entries are shown where it does not say.
    pub(crate) fn new(
        query: &'a Query,
        columns: &Names<C>,
        states: &Names<S>,
        limit: usize,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            framework_id: query.get("framework_id"),
            agent_id: query.get("slave_id"),
            role: query.get("role"),
            states: query.get("state").map(|text| all_of(text, states)).transpose()?,
            search: query.get("search").map(Needle::new),
            order: Order::new(query, columns)?,
            page: Page {
                offset: query.number("offset")?.unwrap_or(0),
                limit: if is_negative(query.get("limit")) {
                    usize::MAX
                } else {
                    query.number("limit")?.unwrap_or(limit)
                },
            },
        })
    }

    /// Whether an entry in this state is wanted.
    pub(crate) fn wants_state(&self, state: S) -> bool
    where
        S: PartialEq,
    {
        self.states.as_ref().is_none_or(|states| states.contains(&state))
    }

    /// Whether one of these texts has what is searched for.
    pub(crate) fn finds<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> bool {
        self.search.as_ref().is_none_or(|needle| texts.into_iter().any(|text| needle.is_in(text)))
    }

    /// What to sort by, if it is said.
    pub(crate) fn column(&self) -> Option<C> {
        self.order.column
    }

    /// The part of these entries that is asked for, sorted by their keys. Those with the same key stay as they come.
    pub(crate) fn part<'k, T>(&self, entries: impl IntoIterator<Item = (Key<'k>, T)>) -> Part<T> {
        let mut first = First::new(self.page, self.order.descending.unwrap_or(false));
        for (place, (key, entry)) in entries.into_iter().enumerate() {
            first.add(key, place, entry);
        }
        first.finish()
    }
}

/// Whether a limit is below zero, which is without limit in Mesos, and asked for by its command line.
fn is_negative(limit: Option<&str>) -> bool {
    limit.is_some_and(|text| text.parse::<i64>().is_ok_and(|limit| limit < 0))
}

/// The states that a list with commas names, in any letter case.
fn all_of<S: Copy>(text: &str, states: &Names<S>) -> Result<Vec<S>, ApiError> {
    let one = |name: &str| named("state", name.trim(), states);
    text.split(',').map(one).collect()
}

/// What a parameter names.
fn named<T: Copy>(parameter: &str, text: &str, names: &Names<T>) -> Result<T, ApiError> {
    let found = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        ApiError::bad_request(format!(
            "Failed to parse query parameter '{parameter}': expecting one of {}, not '{text}'",
            known.join(", ")
        ))
    })
}

/// How much there is of a scalar resource, revocable or not, as a key to sort by.
pub(crate) fn amount<'a>(resources: impl IntoIterator<Item = &'a Resources>, name: &Name) -> Key<'a> {
    let scalar = |resource: &Resource| match resource.value {
        Value::Scalar(scalar) if resource.name == *name => scalar.thousandths(),
        _ => 0,
    };
    Key::Number(resources.into_iter().flat_map(Resources::iter).map(scalar).sum())
}

/// A time as a key to sort by.
pub(crate) fn moment<'a>(time: base::Time) -> Key<'a> {
    Key::Number(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
}

/// A count as a key to sort by.
pub(crate) fn count<'a>(count: usize) -> Key<'a> {
    Key::Number(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;

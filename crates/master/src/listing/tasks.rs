//! Tasks: those that run, those on agents that do not answer, and those that ended.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::sync::Arc;

use http_api::ApiError;
use master_core::{Snapshot, Task, TaskState};
use resources::Name;

use super::order::{First, Key, Part};
use super::{Wanted, amount, moment};
use crate::v0::Query;
use crate::view::framework::all_tasks;

/// How many tasks are shown where the query does not say.
const LIMIT: usize = 100;

/// Fewer tasks than these are looked at by one thread.
const SHARE: usize = 50_000;

/// What tasks can be sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Column {
    Id,
    Name,
    Framework,
    Agent,
    Hostname,
    Role,
    State,
    /// By the first sign of life; a task without one is the newest.
    Started,
    Cpus,
    Mem,
    Disk,
    Gpus,
}

const COLUMNS: [(&str, Column); 12] = [
    ("id", Column::Id),
    ("name", Column::Name),
    ("framework_id", Column::Framework),
    ("slave_id", Column::Agent),
    ("hostname", Column::Hostname),
    ("role", Column::Role),
    ("state", Column::State),
    ("started", Column::Started),
    ("cpus", Column::Cpus),
    ("mem", Column::Mem),
    ("disk", Column::Disk),
    ("gpus", Column::Gpus),
];

/// The tasks that a query asks for: newest first unless it says otherwise, as in Mesos.
pub(crate) fn tasks<'a>(snapshot: &'a Snapshot, query: &Query) -> Result<Part<&'a Arc<Task>>, ApiError> {
    let states = TaskState::ALL.map(|state| (state.name(), state));
    let wanted = Wanted::new(query, &COLUMNS, &states, LIMIT)?;
    let scan = Scan::new(snapshot, query, wanted);
    let every = snapshot.frameworks.iter().chain(&snapshot.completed_frameworks);
    let of_framework =
        every.filter(|each| scan.wanted.framework_id.is_none_or(|wanted| wanted == each.id.as_str()));
    let tasks: Vec<&Arc<Task>> = of_framework.flat_map(|framework| all_tasks(framework)).collect();
    Ok(scan.all(&tasks).finish())
}

/// One look at all tasks.
struct Scan<'a, 'q> {
    wanted: Wanted<'q, Column, TaskState>,
    task_id: Option<&'q str>,
    /// By id, where it is sorted by them.
    hostnames: HashMap<&'a str, &'a str>,
    /// Agents whose host names have what is searched for.
    found_agents: HashSet<&'a str>,
    column: Column,
    descending: bool,
}

impl<'a, 'q> Scan<'a, 'q> {
    fn new(snapshot: &'a Snapshot, query: &'q Query, wanted: Wanted<'q, Column, TaskState>) -> Self {
        let agents = snapshot.agents.iter().map(|agent| (agent.id.as_str(), agent.info.hostname.as_str()));
        let found = |hostname: &str| wanted.search.as_ref().is_some_and(|needle| needle.is_in(hostname));
        let order = wanted.order;
        Self {
            task_id: query.get("task_id"),
            found_agents: agents.clone().filter(|(_, host)| found(host)).map(|(id, _)| id).collect(),
            hostnames: if order.column == Some(Column::Hostname) { agents.collect() } else { HashMap::new() },
            column: order.column.unwrap_or(Column::Started),
            descending: order.descending.unwrap_or(order.column.is_none()),
            wanted,
        }
    }

    /// Looks at all tasks, with several threads where there are many: nearly all of the time is spent waiting for memory.
    fn all(&self, tasks: &[&'a Arc<Task>]) -> First<'a, &'a Arc<Task>> {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        let share = tasks.len().div_ceil(processors).max(SHARE);
        let mut shares = tasks.chunks(share).enumerate();
        let own = shares.next();
        std::thread::scope(|scope| {
            let others: Vec<_> = shares
                .map(|(number, share_of)| scope.spawn(move || self.some(number * share, share_of)))
                .collect();
            let mut first = self.some(0, own.map_or(&[], |(_, share_of)| share_of));
            for other in others {
                match other.join() {
                    Ok(other) => first.join(other),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            first
        })
    }

    fn some(&self, place: usize, tasks: &[&'a Arc<Task>]) -> First<'a, &'a Arc<Task>> {
        let mut first = First::new(self.wanted.page, self.descending);
        for (index, task) in tasks.iter().enumerate() {
            if self.matches(task) {
                first.add(self.key(task), place + index, *task);
            }
        }
        first
    }

    fn matches(&self, task: &Task) -> bool {
        let wanted = &self.wanted;
        wanted.wants_state(task.state)
            && self.task_id.is_none_or(|id| id == task.task_id.as_str())
            && wanted.agent_id.is_none_or(|id| id == task.agent_id.as_str())
            && wanted.role.is_none_or(|role| role == task.role.as_str())
            && wanted.search.as_ref().is_none_or(|needle| {
                needle.is_in(task.task_id.as_str())
                    || needle.is_in(&task.name)
                    || (!self.found_agents.is_empty() && self.found_agents.contains(task.agent_id.as_str()))
            })
    }

    fn key(&self, task: &'a Task) -> Key<'a> {
        let amount = |name| amount([&task.resources], &name);
        match self.column {
            Column::Id => Key::Text(task.task_id.as_str()),
            Column::Name => Key::Text(&task.name),
            Column::Framework => Key::Text(task.framework_id.as_str()),
            Column::Agent => Key::Text(task.agent_id.as_str()),
            Column::Hostname => {
                self.hostnames.get(task.agent_id.as_str()).map_or(Key::Last, |host| Key::Text(host))
            }
            Column::Role => Key::Text(task.role.as_str()),
            Column::State => Key::Text(task.state.name()),
            Column::Started => task.statuses.first().map_or(Key::Last, |status| moment(status.timestamp)),
            Column::Cpus => amount(Name::Cpus),
            Column::Mem => amount(Name::Mem),
            Column::Disk => amount(Name::Disk),
            Column::Gpus => amount(Name::Gpus),
        }
    }
}

//! Tables of tasks, as several pages have them.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::list::{Column, column, table};
use super::state;
use crate::format::{ago, amount, encode, id};
use crate::model::{Frameworks, Task, scalar};
use crate::request::Ask;
use crate::source::{Source, Trouble};

/// Names of frameworks and hosts of agents, by id.
#[derive(Default)]
pub(crate) struct Names {
    frameworks: BTreeMap<String, String>,
    hosts: BTreeMap<String, Value>,
}

impl Names {
    /// Asks for those that these tasks need.
    pub(crate) async fn of(source: &Source, tasks: &[Task]) -> Result<Self, Trouble> {
        if tasks.is_empty() {
            return Ok(Self::default());
        }
        let frameworks: Frameworks = source.get("/state-summary/frameworks?limit=1000").await?;
        let mut agents: Vec<&str> = tasks.iter().map(|task| task.slave_id.as_str()).collect();
        agents.sort_unstable();
        agents.dedup();
        let hosts = source.get(&format!("/agents/hostnames?ids={}", encode(&agents.join(",")))).await?;
        Ok(Self {
            frameworks: frameworks.frameworks.into_iter().map(|each| (each.id, each.name)).collect(),
            hosts,
        })
    }

    /// The name of a framework, or its id.
    pub(crate) fn framework<'a>(&'a self, id: &'a str) -> &'a str {
        self.frameworks.get(id).map(String::as_str).filter(|name| !name.is_empty()).unwrap_or(id)
    }

    /// The host of an agent, or its id.
    pub(crate) fn host<'a>(&'a self, id: &'a str) -> &'a str {
        self.hosts.get(id).and_then(Value::as_str).unwrap_or(id)
    }
}

/// Where the page of a task is.
pub(crate) fn path(framework: &str, task: &str) -> String {
    format!("/ui/tasks/{}/{}", encode(framework), encode(task))
}

const COLUMNS: [Column; 8] = [
    column("Name", "name", ""),
    column("ID", "id", "wide"),
    column("State", "state", ""),
    column("Framework", "framework_id", "wide"),
    column("Agent", "hostname", "wide"),
    column("CPUs", "cpus", "num wide"),
    column("Memory", "mem", "num wide"),
    column("Started", "started", ""),
];

/// The table.
pub(crate) fn rows(ask: &Ask, caption: &str, tasks: &[Task], names: &Names) -> Markup {
    let rows = html! {
        @for task in tasks {
            tr {
                th scope="row" {
                    a href=(path(&task.framework_id, &task.id)) { (if task.name.is_empty() { &task.id } else { &task.name }) }
                }
                td.wide { (id(&task.id)) }
                td { (state::task(&task.state)) }
                td.wide { a href=(format!("/ui/frameworks/{}", encode(&task.framework_id))) { (names.framework(&task.framework_id)) } }
                td.wide { a href=(format!("/ui/agents/{}", encode(&task.slave_id))) { (names.host(&task.slave_id)) } }
                td.num.wide { (amount("cpus", scalar(&task.resources, "cpus"))) }
                td.num.wide { (amount("mem", scalar(&task.resources, "mem"))) }
                td { @if let Some(first) = task.statuses.first() { (ago(first.timestamp)) } @else { "–" } }
            }
        }
    };
    table(ask, caption, &COLUMNS, ("started", "des"), &rows)
}

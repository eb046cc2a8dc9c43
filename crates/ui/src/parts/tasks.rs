//! Tables of tasks, as several pages have them.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::Value;

use super::list::{Column, column, table};
use super::state;
use crate::format::{ago, amount, encode, id, name};
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

const FRAMEWORK: &str = "Framework";
const AGENT: &str = "Agent";

const COLUMNS: [Column; 7] = [
    column("Name", "name", ""),
    column("State", "state", ""),
    column(FRAMEWORK, "framework_id", "wide"),
    column(AGENT, "hostname", "wide"),
    column("CPUs", "cpus", "num wide"),
    column("Memory", "mem", "num wide"),
    column("Started", "started", ""),
];

/// What a table of tasks need not say, as all of them have it in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Common {
    Nothing,
    Framework,
    Agent,
}

/// The table.
pub(crate) fn rows(ask: &Ask, caption: &str, tasks: &[Task], names: &Names, common: Common) -> Markup {
    let (framework, agent) = (common != Common::Framework, common != Common::Agent);
    let columns: Vec<Column> = COLUMNS
        .into_iter()
        .filter(|column| (framework || column.name != FRAMEWORK) && (agent || column.name != AGENT))
        .collect();
    let rows = html! {
        @for task in tasks {
            tr {
                th scope="row" {
                    a href=(path(&task.framework_id, &task.id)) { (name(if task.name.is_empty() { &task.id } else { &task.name })) }
                    @if !task.name.is_empty() && task.name != task.id { span.below { (id(&task.id)) } }
                }
                td { (state::task(&task.state)) }
                @if framework {
                    td.wide { a.ref title=(task.framework_id) href=(format!("/ui/frameworks/{}", encode(&task.framework_id))) { (names.framework(&task.framework_id)) } }
                }
                @if agent {
                    td.wide { a.ref title=(names.host(&task.slave_id)) href=(format!("/ui/agents/{}", encode(&task.slave_id))) { (names.host(&task.slave_id)) } }
                }
                td.num.wide { (amount("cpus", scalar(&task.resources, "cpus"))) }
                td.num.wide { (amount("mem", scalar(&task.resources, "mem"))) }
                td { @if let Some(first) = task.statuses.first() { (ago(first.timestamp)) } @else { "–" } }
            }
        }
    };
    table(ask, caption, &columns, ("started", "des"), &rows)
}

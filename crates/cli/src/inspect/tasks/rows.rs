//! A task as it is listed, whatever told of it.

use std::collections::HashMap;

use proto::v1::{Task, TaskState};
use sdk::build::Quantities;
use serde::{Deserialize, Serialize};

use super::Names;
use crate::view::{self, Amounts, Column, Table};

/// The answer of `/tasks`.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) tasks: Vec<Listed>,
}

/// A task, as `/tasks` shows it. Older masters leave out some of it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) framework_id: String,
    #[serde(rename = "slave_id")]
    pub(crate) agent_id: String,
    pub(crate) role: String,
    pub(crate) resources: Amounts,
    pub(crate) statuses: Vec<Status>,
}

/// One of the states that a task was in.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub(crate) timestamp: f64,
    pub(crate) message: Option<String>,
    pub(crate) reason: Option<String>,
}

impl Listed {
    pub(crate) fn state(&self) -> Option<TaskState> {
        TaskState::from_str_name(&self.state)
    }
}

impl From<&Task> for Listed {
    fn from(task: &Task) -> Self {
        let allocated =
            task.resources.iter().filter_map(|resource| resource.allocation_info.as_ref()?.role.clone());
        let status = |status: &proto::v1::TaskStatus| Status {
            timestamp: status.timestamp.unwrap_or(0.0),
            message: status.message.clone(),
            reason: status.reason.map(|_| status.reason().as_str_name().to_owned()),
        };
        Self {
            id: task.task_id.value.clone(),
            name: task.name.clone(),
            state: task.state().as_str_name().to_owned(),
            framework_id: task.framework_id.value.clone(),
            agent_id: task.agent_id.value.clone(),
            role: allocated.into_iter().next().unwrap_or_default(),
            resources: Quantities::of(&task.resources).into(),
            statuses: task.statuses.iter().map(status).collect(),
        }
    }
}

/// A task as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) framework_id: String,
    pub(crate) framework: String,
    pub(crate) agent_id: String,
    pub(crate) agent: String,
    pub(crate) role: String,
    #[serde(flatten)]
    pub(crate) amounts: Amounts,
    /// Seconds since 1970 of the last change of the state; 0 when there was none yet.
    pub(crate) updated: f64,
    pub(crate) message: Option<String>,
    pub(crate) reason: Option<String>,
}

impl Row {
    pub(crate) fn new(task: Listed, names: &Names) -> Self {
        let named = |names: &HashMap<String, String>, id: &String| names.get(id).unwrap_or(id).clone();
        let last = task.statuses.into_iter().next_back().unwrap_or_default();
        Self {
            framework: named(&names.frameworks, &task.framework_id),
            agent: named(&names.hosts, &task.agent_id),
            state: task.state.strip_prefix("TASK_").unwrap_or(&task.state).to_owned(),
            id: task.id,
            name: task.name,
            framework_id: task.framework_id,
            agent_id: task.agent_id,
            role: task.role,
            amounts: task.resources,
            updated: last.timestamp,
            message: last.message,
            reason: last.reason,
        }
    }
}

const COLUMNS: &[Column] = &[
    Column("ID", false),
    Column("STATE", false),
    Column("FRAMEWORK", false),
    Column("AGENT", false),
    Column("CPUS", true),
    Column("MEM", true),
    Column("SINCE", true),
];

const WIDE: &[Column] = &[
    Column("ID", false),
    Column("NAME", false),
    Column("STATE", false),
    Column("FRAMEWORK", false),
    Column("FRAMEWORK ID", false),
    Column("AGENT", false),
    Column("AGENT ID", false),
    Column("ROLE", false),
    Column("CPUS", true),
    Column("MEM", true),
    Column("DISK", true),
    Column("GPUS", true),
    Column("SINCE", true),
    Column("MESSAGE", false),
];

/// The list for people.
pub(crate) fn table(rows: &[Row], wide: bool, now: f64) -> String {
    let mut table = Table::new(if wide { WIDE } else { COLUMNS });
    for row in rows {
        let colour = view::state_colour(&row.state);
        let since = if row.updated > 0.0 { view::span(now - row.updated) } else { String::new() };
        let message = row.message.clone().unwrap_or_default().replace('\n', " ");
        let (cpus, mem) = (view::number(row.amounts.cpus), view::megabytes(row.amounts.mem));
        let cells = if wide {
            vec![
                (row.id.clone(), None),
                (row.name.clone(), None),
                (row.state.clone(), colour),
                (row.framework.clone(), None),
                (row.framework_id.clone(), None),
                (row.agent.clone(), None),
                (row.agent_id.clone(), None),
                (row.role.clone(), None),
                (cpus, None),
                (mem, None),
                (view::megabytes(row.amounts.disk), None),
                (view::number(row.amounts.gpus), None),
                (since, None),
                (message, None),
            ]
        } else {
            vec![
                (row.id.clone(), None),
                (row.state.clone(), colour),
                (row.framework.clone(), None),
                (row.agent.clone(), None),
                (cpus, None),
                (mem, None),
                (since, None),
            ]
        };
        table.row(cells);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    fn names() -> Names {
        let agent = "82e1ebe4-4067-4374-be55-44b8107ea46b-S0".to_owned();
        Names { hosts: [(agent, "127.0.0.1:6051".to_owned())].into(), ..Names::default() }
    }

    #[test]
    fn the_tasks_of_a_recorded_answer() {
        let answer: Answer = recorded::json("master.get.tasks");
        let mut rows: Vec<Row> = answer.tasks.into_iter().map(|task| Row::new(task, &names())).collect();
        rows.truncate(2);
        let expected = "\
ID         STATE     FRAMEWORK                                  AGENT           CPUS   MEM  SINCE
fw-once-0  FINISHED  82e1ebe4-4067-4374-be55-44b8107ea46b-0003  127.0.0.1:6051  0.01  8 MB    60s
fw-star-0  RUNNING   82e1ebe4-4067-4374-be55-44b8107ea46b-0002  127.0.0.1:6051  0.01  8 MB    64s
";
        assert_eq!(table(&rows, false, 1_795_359_323.3), expected);
        assert!(table(&rows, true, 0.0).lines().next().is_some_and(|head| head.contains("FRAMEWORK ID")));
    }

    #[test]
    fn both_apis_tell_the_same() {
        let answer: Answer = recorded::json("master.get.tasks");
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_TASKS");
        let tasks = crate::cluster::all_tasks(reply.get_tasks.unwrap());
        for task in &tasks {
            let of_v1 = Listed::from(task);
            let of_v0 = answer.tasks.iter().find(|task| task.id == of_v1.id).unwrap();
            assert_eq!(
                (&of_v0.state, &of_v0.role, of_v0.resources),
                (&of_v1.state, &of_v1.role, of_v1.resources)
            );
            assert_eq!(of_v0.statuses.len(), of_v1.statuses.len());
        }
        let failed = tasks.iter().map(Listed::from).find(|task| task.id == "fw-fail-1").unwrap();
        let row = Row::new(failed, &names());
        assert_eq!(row.message.as_deref(), Some("Command exited with status 3"));
    }
}

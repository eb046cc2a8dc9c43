//! `meseta tasks`.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use clap::Args;
use proto::v1::Task;
use sdk::build::Quantities;
use serde::Serialize;

use crate::cluster::{Connection, all_tasks, is_terminal, state_name};
use crate::view::{self, Column, Output, Table};

/// Arguments of `meseta tasks`.
#[derive(Args)]
#[command(after_help = "Examples:\n  meseta tasks\n  meseta tasks --all --output json")]
pub(crate) struct Options {
    /// Also those that have ended
    #[arg(short, long)]
    all: bool,
    /// Only those of the framework with this id or name
    #[arg(long, value_name = "FRAMEWORK")]
    framework: Option<String>,
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Row {
    id: String,
    name: String,
    state: String,
    framework_id: String,
    framework: String,
    agent_id: String,
    agent: String,
    cpus: f64,
    mem: f64,
    disk: f64,
    gpus: f64,
    /// Seconds since 1970 of the last change of the state; 0 when there was none yet.
    updated: f64,
    message: String,
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

/// Lists tasks.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let (tasks, frameworks, agents) =
        tokio::try_join!(operator.tasks(), operator.frameworks(), operator.agents())?;
    let known = frameworks.frameworks.iter().chain(&frameworks.completed_frameworks);
    let names: HashMap<_, _> = known
        .filter_map(|f| Some((f.framework_info.id.as_ref()?.value.as_str(), f.framework_info.name.as_str())))
        .collect();
    let hosts: HashMap<_, _> = agents
        .agents
        .iter()
        .filter_map(|a| Some((a.agent_info.id.as_ref()?.value.as_str(), super::agents::place(a))))
        .collect();
    let wanted =
        |row: &Row| options.framework.as_ref().is_none_or(|f| row.framework_id == *f || row.framework == *f);
    let rows: Vec<Row> = all_tasks(tasks)
        .iter()
        .filter(|task| options.all || !is_terminal(task.state()))
        .map(|task| row(task, &names, &hosts))
        .filter(wanted)
        .collect();
    match options.output {
        Output::Json => view::print_json(&rows),
        Output::Table if rows.is_empty() && !options.all => {
            crate::failure::tell(format_args!("no tasks; `--all` also lists those that have ended"));
            Ok(())
        }
        Output::Table => view::print(&table(rows)),
    }
}

fn row(task: &Task, names: &HashMap<&str, &str>, hosts: &HashMap<&str, String>) -> Row {
    let quantities = Quantities::of(&task.resources);
    let last = task.statuses.last();
    let framework_id = task.framework_id.value.clone();
    let agent_id = task.agent_id.value.clone();
    Row {
        id: task.task_id.value.clone(),
        name: task.name.clone(),
        state: state_name(task.state()).to_owned(),
        framework: names
            .get(framework_id.as_str())
            .map_or_else(|| framework_id.clone(), |name| (*name).to_owned()),
        framework_id,
        agent: hosts.get(agent_id.as_str()).cloned().unwrap_or_else(|| agent_id.clone()),
        agent_id,
        cpus: quantities.cpus,
        mem: quantities.mem,
        disk: quantities.disk,
        gpus: quantities.gpus,
        updated: last.and_then(|status| status.timestamp).unwrap_or(0.0),
        message: last.and_then(|status| status.message.clone()).unwrap_or_default(),
    }
}

fn table(rows: Vec<Row>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut table = Table::new(COLUMNS);
    for row in rows {
        let colour = view::state_colour(&row.state);
        let since = if row.updated > 0.0 {
            view::age(Duration::try_from_secs_f64(now - row.updated).unwrap_or_default())
        } else {
            String::new()
        };
        let cells = [
            (row.id, None),
            (row.state, colour),
            (row.framework, None),
            (row.agent, None),
            (view::number(row.cpus), None),
            (view::megabytes(row.mem), None),
            (since, None),
        ];
        table.row(cells);
    }
    table.render()
}

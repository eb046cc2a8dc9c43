//! `meseta frameworks`.

use std::collections::HashMap;

use anyhow::Result;
use clap::Args;
use comfy_table::Color;
use proto::v1::master::response::get_frameworks::Framework;
use sdk::build::Quantities;
use serde::Serialize;

use crate::cluster::{Connection, all_tasks, is_terminal};
use crate::view::{self, Column, Output, Table};

/// Arguments of `meseta frameworks`.
#[derive(Args)]
#[command(after_help = "Examples:\n  meseta frameworks\n  meseta frameworks --all --output json")]
pub(crate) struct Options {
    /// Also those that have ended
    #[arg(short, long)]
    all: bool,
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
    state: &'static str,
    user: String,
    roles: Vec<String>,
    tasks: usize,
    cpus: f64,
    mem: f64,
}

const COLUMNS: &[Column] = &[
    Column("ID", false),
    Column("NAME", false),
    Column("STATE", false),
    Column("USER", false),
    Column("ROLES", false),
    Column("TASKS", true),
    Column("CPUS", true),
    Column("MEM", true),
];

/// Lists frameworks.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let (frameworks, tasks) = tokio::try_join!(operator.frameworks(), operator.tasks())?;
    let mut counts: HashMap<String, usize> = HashMap::new();
    for task in all_tasks(tasks).into_iter().filter(|task| !is_terminal(task.state())) {
        *counts.entry(task.framework_id.value).or_default() += 1;
    }
    let ended =
        frameworks.completed_frameworks.iter().filter(|_| options.all).map(|f| row(f, "completed", &counts));
    let rows: Vec<Row> =
        frameworks.frameworks.iter().map(|f| row(f, state(f), &counts)).chain(ended).collect();
    match options.output {
        Output::Json => view::print_json(&rows),
        Output::Table if rows.is_empty() && !options.all => {
            crate::failure::tell(format_args!("no frameworks; `--all` also lists those that have ended"));
            Ok(())
        }
        Output::Table => view::print(&table(rows)),
    }
}

fn state(framework: &Framework) -> &'static str {
    match (framework.active, framework.connected, framework.recovered) {
        (_, _, true) => "recovered",
        (_, false, _) => "disconnected",
        (false, true, _) => "inactive",
        (true, true, _) => "active",
    }
}

fn row(framework: &Framework, state: &'static str, counts: &HashMap<String, usize>) -> Row {
    let info = &framework.framework_info;
    let id = info.id.as_ref().map(|id| id.value.clone()).unwrap_or_default();
    let used = Quantities::of(&framework.allocated_resources);
    Row {
        tasks: counts.get(&id).copied().unwrap_or(0),
        id,
        name: info.name.clone(),
        state,
        user: info.user.clone(),
        roles: info.roles.clone(),
        cpus: used.cpus,
        mem: used.mem,
    }
}

fn table(rows: Vec<Row>) -> String {
    let mut table = Table::new(COLUMNS);
    for row in rows {
        let colour = match row.state {
            "active" => Some(Color::Green),
            "completed" => None,
            _ => Some(Color::Yellow),
        };
        let cells = [
            (row.id, None),
            (row.name, None),
            (row.state.to_owned(), colour),
            (row.user, None),
            (row.roles.join(","), None),
            (row.tasks.to_string(), None),
            (view::number(row.cpus), None),
            (view::megabytes(row.mem), None),
        ];
        table.row(cells);
    }
    table.render()
}

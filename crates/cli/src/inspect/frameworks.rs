//! `meseta frameworks`, which is also `meseta framework list`.

use std::collections::HashMap;

use anyhow::Result;
use clap::Args;
use comfy_table::Color;
use proto::v1::master::response::get_frameworks::Framework;
use sdk::build::Quantities;
use serde::{Deserialize, Serialize};

use crate::cluster::{Connection, framework_id};
use crate::failure::{tell, usage};
use crate::view::{self, Amounts, Column, Form, Table};

/// Arguments of `meseta frameworks`.
#[derive(Args)]
#[command(
    after_help = "JSON: a list of objects with id, name, state (active, inactive, disconnected, recovered, \
completed), user, roles, tasks (how many run or are about to), cpus, mem, disk, gpus (what they take), offered, hostname, \
registered (seconds since 1970).

Examples:
  meseta framework list
  meseta framework list --role ads --state active
  meseta framework list --all --search spark --output wide"
)]
pub(crate) struct Options {
    /// Also those that have ended
    #[arg(short, long)]
    all: bool,
    /// Only those with this role
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Only those in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    #[arg(value_parser = ["active", "inactive", "disconnected", "recovered", "completed"])]
    state: Vec<String>,
    /// Only those in whose id, name or host name there is this, in any case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

/// A framework as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: &'static str,
    pub(crate) user: String,
    pub(crate) roles: Vec<String>,
    pub(crate) tasks: usize,
    #[serde(flatten)]
    pub(crate) used: Amounts,
    pub(crate) offered: Amounts,
    pub(crate) hostname: String,
    /// Seconds since 1970.
    pub(crate) registered: f64,
}

/// How many tasks each framework has that have not ended, from `/state-summary`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Summary {
    #[serde(default)]
    frameworks: Vec<Counts>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "SCREAMING_SNAKE_CASE")]
struct Counts {
    #[serde(rename = "id")]
    id: String,
    task_staging: usize,
    task_starting: usize,
    task_running: usize,
    task_killing: usize,
    task_unreachable: usize,
}

impl Summary {
    /// By framework.
    pub(crate) fn counts(&self) -> HashMap<&str, usize> {
        let count = |of: &Counts| {
            of.task_staging + of.task_starting + of.task_running + of.task_killing + of.task_unreachable
        };
        self.frameworks.iter().map(|framework| (framework.id.as_str(), count(framework))).collect()
    }
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

const WIDE: &[Column] = &[
    Column("ID", false),
    Column("NAME", false),
    Column("STATE", false),
    Column("USER", false),
    Column("ROLES", false),
    Column("TASKS", true),
    Column("CPUS", true),
    Column("MEM", true),
    Column("DISK", true),
    Column("GPUS", true),
    Column("OFFERED", false),
    Column("HOST", false),
    Column("SINCE", true),
];

/// Lists frameworks.
pub(crate) async fn run(options: Options) -> Result<()> {
    if options.limit == Some(0) {
        return Err(usage("--limit 0 would show nothing; say how many are to be shown"));
    }
    let operator = options.connection.operator();
    let summary = operator.get_as::<Summary>("/state-summary");
    let (frameworks, summary) = tokio::try_join!(operator.frameworks(), summary)?;
    let counts = summary.counts();
    let ended_too = options.all || options.state.iter().any(|state| state == "completed");
    let ended = frameworks.completed_frameworks.iter().filter(|_| ended_too);
    let living = frameworks.frameworks.iter().map(|framework| row(framework, state(framework), &counts));
    let all = living.chain(ended.map(|framework| row(framework, "completed", &counts)));
    let mut rows: Vec<Row> = all.filter(|row| takes(&options, row)).collect();
    let count = rows.len();
    rows.truncate(options.limit.unwrap_or(usize::MAX));
    match options.output {
        Form::Json => view::print_json(&rows)?,
        Form::Table | Form::Wide if rows.is_empty() && !options.all => {
            tell(format_args!("no frameworks; `--all` also lists those that have ended"));
        }
        form => view::print(&table(&rows, form == Form::Wide, view::now()))?,
    }
    if rows.len() < count {
        tell(format_args!("only {} of {count} are shown: raise --limit, or narrow the list", rows.len()));
    }
    Ok(())
}

fn takes(options: &Options, row: &Row) -> bool {
    let searched = options.search.as_ref().is_none_or(|text| {
        let text = text.to_lowercase();
        [&row.id, &row.name, &row.hostname].into_iter().any(|word| word.to_lowercase().contains(&text))
    });
    searched
        && options.role.as_ref().is_none_or(|role| row.roles.contains(role))
        && (options.state.is_empty() || options.state.iter().any(|state| state == row.state))
}

/// The state of a framework that has not ended, in one word.
pub(crate) fn state(framework: &Framework) -> &'static str {
    match (framework.active, framework.connected, framework.recovered) {
        (_, _, true) => "recovered",
        (_, false, _) => "disconnected",
        (false, true, _) => "inactive",
        (true, true, _) => "active",
    }
}

pub(crate) fn row(framework: &Framework, state: &'static str, counts: &HashMap<&str, usize>) -> Row {
    let info = &framework.framework_info;
    let id = framework_id(info).to_owned();
    let registered = framework.registered_time.as_ref().map_or(0, |time| time.nanoseconds);
    Row {
        tasks: counts.get(id.as_str()).copied().unwrap_or(0),
        id,
        name: info.name.clone(),
        state,
        user: info.user.clone(),
        roles: info.roles.clone(),
        used: Quantities::of(&framework.allocated_resources).into(),
        offered: Quantities::of(&framework.offered_resources).into(),
        hostname: info.hostname.clone().unwrap_or_default(),
        registered: registered as f64 / 1e9, // To the microsecond.
    }
}

/// The list for people.
pub(crate) fn table(rows: &[Row], wide: bool, now: f64) -> String {
    let mut table = Table::new(if wide { WIDE } else { COLUMNS });
    for row in rows {
        let colour = match row.state {
            "active" => Some(Color::Green),
            "completed" => None,
            _ => Some(Color::Yellow),
        };
        let mut cells = vec![
            (row.id.clone(), None),
            (row.name.clone(), None),
            (row.state.to_owned(), colour),
            (row.user.clone(), None),
            (row.roles.join(","), None),
            (row.tasks.to_string(), None),
            (view::number(row.used.cpus), None),
            (view::megabytes(row.used.mem), None),
        ];
        if wide {
            cells.extend([
                (view::megabytes(row.used.disk), None),
                (view::number(row.used.gpus), None),
                (row.offered.line(), None),
                (row.hostname.clone(), None),
                (view::span(now - row.registered), None),
            ]);
        }
        table.row(cells);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn the_frameworks_of_a_recorded_answer() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_FRAMEWORKS");
        let summary: Summary = recorded::json("master.get.state-summary");
        let frameworks = reply.get_frameworks.unwrap();
        let counts = summary.counts();
        let rows: Vec<Row> = frameworks.frameworks.iter().map(|f| row(f, state(f), &counts)).collect();
        let told = table(&rows, false, 0.0);
        let expected = "\
ID                                         NAME     STATE   USER  ROLES  TASKS  CPUS    MEM
82e1ebe4-4067-4374-be55-44b8107ea46b-0002  fw-star  active  root  *          2  0.02  16 MB
82e1ebe4-4067-4374-be55-44b8107ea46b-0000  fw-ads   active  root  ads        2  0.02  16 MB
";
        assert_eq!(told, expected);
        assert_eq!(frameworks.completed_frameworks.len(), 2);
        assert!(table(&rows, true, rows[0].registered + 5.0).contains("nothing"));
    }
}

//! `meseta task show`.

use anyhow::Result;
use clap::Args;
use proto::v1::{Task, TaskStatus};
use serde::Serialize;

use crate::cluster::{Connection, state_name};
use crate::inspect::tasks::{Listed, Names, Row};
use crate::lookup::find_with_history;
use crate::view::{self, Column, Details, Form, Table};

/// Arguments of `meseta task show`.
#[derive(Args)]
#[command(
    after_help = "JSON: an object as in `meseta task list`, with executor_id, user, labels, health and history: a list of \
state, time (seconds since 1970), source, reason, message, healthy.

Examples:
  meseta task show web-1
  meseta task show web-1 --output json"
)]
pub(crate) struct Options {
    /// The id of the task, or as much of it as is needed
    task: String,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    row: Row,
    executor_id: Option<String>,
    user: Option<String>,
    labels: Vec<String>,
    health: Option<bool>,
    history: Vec<Moment>,
}

/// A state that the task was in.
#[derive(Serialize)]
struct Moment {
    state: &'static str,
    time: f64,
    source: Option<&'static str>,
    reason: Option<&'static str>,
    message: Option<String>,
    healthy: Option<bool>,
}

/// Tells all about a task.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let (task, _) = find_with_history(&operator, &options.task).await?;
    let names = Names::ask(&operator).await?;
    let shown = shown(&task, &names);
    match options.output {
        Form::Json => view::print_json(&shown),
        Form::Table | Form::Wide => view::print(&text(&shown, view::now())),
    }
}

fn shown(task: &Task, names: &Names) -> Shown {
    let label = |label: &proto::v1::Label| match &label.value {
        Some(value) => format!("{}={value}", label.key),
        None => label.key.clone(),
    };
    Shown {
        row: Row::new(Listed::from(task), names),
        executor_id: task.executor_id.as_ref().map(|id| id.value.clone()).filter(|id| !id.is_empty()),
        user: task.user.clone(),
        labels: task.labels.iter().flat_map(|labels| &labels.labels).map(label).collect(),
        health: task.statuses.last().and_then(|status| status.healthy),
        history: task.statuses.iter().map(moment).collect(),
    }
}

fn moment(status: &TaskStatus) -> Moment {
    Moment {
        state: state_name(status.state()),
        time: status.timestamp.unwrap_or(0.0),
        source: status.source.map(|_| status.source().as_str_name()),
        reason: status.reason.map(|_| status.reason().as_str_name()),
        message: status.message.clone(),
        healthy: status.healthy,
    }
}

const COLUMNS: &[Column] = &[
    Column("STATE", false),
    Column("TIME", false),
    Column("SOURCE", false),
    Column("REASON", false),
    Column("MESSAGE", false),
];

fn text(shown: &Shown, now: f64) -> String {
    let row = &shown.row;
    let with_id = |name: &str, id: &str| if name == id { id.to_owned() } else { format!("{name} ({id})") };
    let healthy = match shown.health {
        Some(true) => "healthy",
        Some(false) => "unhealthy",
        None => "",
    };
    let details = Details::default()
        .line("Id", &row.id)
        .line("Name", &row.name)
        .line("State", &row.state)
        .line("Health", healthy)
        .line("Framework", with_id(&row.framework, &row.framework_id))
        .line("Agent", with_id(&row.agent, &row.agent_id))
        .line("Executor", shown.executor_id.clone().unwrap_or_default())
        .line("Role", &row.role)
        .line("User", shown.user.clone().unwrap_or_default())
        .line("Resources", row.amounts.line())
        .line("Labels", shown.labels.join("\n"));
    let mut table = Table::new(COLUMNS);
    let short = |text: Option<&str>, prefix| {
        text.map(|text| text.strip_prefix(prefix).unwrap_or(text).to_owned()).unwrap_or_default()
    };
    for moment in &shown.history {
        table.row([
            (moment.state.to_owned(), view::state_colour(moment.state)),
            (view::ago(moment.time, now), None),
            (short(moment.source, "SOURCE_"), None),
            (short(moment.reason, "REASON_"), None),
            (moment.message.clone().unwrap_or_default().replace('\n', " "), None),
        ]);
    }
    let history = if shown.history.is_empty() {
        "\nNothing has been heard of it yet.\n".to_owned()
    } else {
        format!("\n{}", table.render())
    };
    details.render() + &history
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn a_recorded_task_that_failed() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_TASKS");
        let tasks = crate::cluster::all_tasks(reply.get_tasks.unwrap());
        let task = tasks.iter().find(|task| task.task_id.value == "fw-fail-1").unwrap();
        let shown = shown(task, &Names::default());
        let told = text(&shown, 1_795_359_300.0);
        for part in [
            "Id         fw-fail-1\n",
            "State      FAILED\n",
            "Resources  cpus:0.01 mem:8 MB\n",
            "FAILED    2026-11-22T14:54:16Z (43s ago)  EXECUTOR",
            "Command exited with status 3\n",
        ] {
            assert!(told.contains(part), "{part:?} in\n{told}");
        }
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(json["history"][2]["message"], "Command exited with status 3");
        assert_eq!((&json["state"], &json["cpus"]), (&"FAILED".into(), &0.01.into()));
    }
}

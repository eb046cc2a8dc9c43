//! `meseta task explain`.

use anyhow::Result;
use clap::Args;
use master::reasons::{self, Around, TasksAgent};
use serde::Serialize;
use serde_json::Value;

use crate::cluster::{Connection, agent_id, framework_id, state_name};
use crate::inspect::agents::state_of;
use crate::inspect::frameworks;
use crate::lookup::find_with_history;
use crate::view::{self, Details, Form};

/// Arguments of `meseta task explain`.
#[derive(Args)]
#[command(
    after_help = "JSON: an object with id, state, since (seconds since 1970), because, advice (or null), reason, source, \
message, agent_id, agent_state, framework_id, framework_state.

Example:
  meseta task explain web-1"
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
struct Explanation {
    id: String,
    state: &'static str,
    since: f64,
    because: String,
    advice: Option<String>,
    reason: Option<&'static str>,
    source: Option<&'static str>,
    message: Option<String>,
    agent_id: String,
    agent_state: Option<&'static str>,
    framework_id: String,
    framework_state: Option<&'static str>,
}

/// Says why a task is in its state.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let (task, told) = find_with_history(&operator, &options.task).await?;
    let (agents, known) = tokio::try_join!(operator.agents(), operator.frameworks())?;
    let agent_state = agents.agents.iter().find(|agent| agent_id(agent) == task.agent_id.value).map(state_of);
    let is_its = |info: &proto::v1::FrameworkInfo| framework_id(info) == task.framework_id.value;
    let living = known.frameworks.iter().find(|framework| is_its(&framework.framework_info));
    let ended = || known.completed_frameworks.iter().find(|framework| is_its(&framework.framework_info));
    let framework_state = living.map(frameworks::state).or_else(|| ended().map(|_| "completed"));
    let (because, advice) = match &told {
        Some(told) => of_master(told),
        // One that cannot tell; what it knows of the task says much, too.
        None => {
            let told = reasons::explain(task.state(), &task.statuses, around(agent_state, framework_state));
            (told.why.join("\n"), Some(told.help.join("\n")).filter(|help| !help.is_empty()))
        }
    };
    let last = task.statuses.last();
    let explanation = Explanation {
        id: task.task_id.value.clone(),
        state: state_name(task.state()),
        since: last.and_then(|status| status.timestamp).unwrap_or(0.0),
        because,
        advice,
        reason: last.filter(|status| status.reason.is_some()).map(|status| status.reason().as_str_name()),
        source: last.filter(|status| status.source.is_some()).map(|status| status.source().as_str_name()),
        message: last.and_then(|status| status.message.clone()),
        agent_id: task.agent_id.value.clone(),
        agent_state,
        framework_id: task.framework_id.value.clone(),
        framework_state,
    };
    match options.output {
        Form::Json => view::print_json(&explanation),
        Form::Table | Form::Wide => view::print(&text(&explanation)),
    }
}

fn around(agent: Option<&str>, framework: Option<&str>) -> Around {
    Around {
        agent: match agent {
            None => TasksAgent::Unknown,
            Some("disconnected") => TasksAgent::Disconnected,
            Some("draining") => TasksAgent::Draining,
            Some(_) => TasksAgent::Fine,
        },
        scheduler_is_away: matches!(framework, Some("disconnected" | "recovered")),
        is_unacknowledged: false,
    }
}

/// What the master says of why and of what helps.
fn of_master(told: &Value) -> (String, Option<String>) {
    let lines = |name: &str| {
        let lines = told[name].as_array().map(Vec::as_slice).unwrap_or_default();
        lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    };
    (lines("why"), Some(lines("help")).filter(|help| !help.is_empty()))
}

fn text(explanation: &Explanation) -> String {
    let since = match view::ago(explanation.since, view::now()) {
        since if since.is_empty() => String::new(),
        since => format!(" since {since}"),
    };
    let head =
        format!("Task {} is {}{since}.\n{}\n\n", explanation.id, explanation.state, explanation.because);
    let state = |id: &str, state: Option<&str>| format!("{id} is {}", state.unwrap_or("not known any more"));
    let details = Details::default()
        .line("Message", explanation.message.clone().unwrap_or_default())
        .line("Reason", explanation.reason.unwrap_or_default())
        .line("Source", explanation.source.unwrap_or_default())
        .line("Agent", state(&explanation.agent_id, explanation.agent_state))
        .line("Framework", state(&explanation.framework_id, explanation.framework_state))
        .line("What helps", explanation.advice.clone().unwrap_or_default());
    head + &details.render()
}

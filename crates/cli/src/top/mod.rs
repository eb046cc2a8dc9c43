//! `meseta top`: what is used at this moment, by whom.

mod sample;

use std::collections::HashMap;
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use proto::v1::agent::{Call, call};
use proto::v1::master::response::get_agents::Agent;
use sdk::{Address, Operator};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::cluster::{Connection, agent_id, find_agent};
use crate::flags::PositiveDuration;
use crate::inspect::tasks::Names;
use crate::view::{self, Column, Output, Table};
use sample::{By, Row, Sample, id_text, rows};

/// How many agents are asked at the same time.
const AT_ONCE: usize = 64;
/// How long one has to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lines of a terminal that does not tell how many it has.
const LINES: usize = 24;

/// Arguments of `meseta top`.
#[derive(Args)]
#[command(
    after_help = "On a terminal it goes on until Ctrl-C; elsewhere it shows one frame. The figures are those of the agents: each \
is asked.

JSON: an object for each frame, in a line of its own: time (seconds since 1970), by, rows: a list of id, framework_id, agent_id, \
containers, cpus_used (processors that were busy over the interval), cpus, mem_used_bytes, mem_bytes, disk_used_bytes, \
processes; silent (agents that did not answer).

Examples:
  meseta top
  meseta top --by framework --interval 5s
  meseta top --agent S0 --limit 5 --output json"
)]
pub(crate) struct Options {
    /// What is counted together
    #[arg(long, value_enum, default_value_t)]
    by: By,
    /// Only what runs on the agent with this id, the end of one (S0), or this host
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Only what the framework with this id, the end of one, or this name runs
    #[arg(long, value_name = "FRAMEWORK")]
    framework: Option<String>,
    /// Over which time use is measured
    #[arg(long, default_value = "2s", value_name = "DURATION")]
    interval: PositiveDuration,
    /// How many frames; without this, until Ctrl-C on a terminal, and one elsewhere
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// At most so many rows; on a terminal as many as it has lines
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// The form of the frames
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// One picture.
#[derive(Serialize)]
struct Frame {
    time: f64,
    by: &'static str,
    rows: Vec<Row>,
    /// Agents that did not answer.
    silent: Vec<String>,
}

/// Shows frames until it is told to end; the number is the exit code.
pub(crate) async fn run(options: Options) -> Result<u8> {
    tokio::select! {
        shown = show(&options) => shown.map(|()| 0),
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            Ok(0)
        }
    }
}

async fn show(options: &Options) -> Result<()> {
    let live = options.output == Output::Table && std::io::stdout().is_terminal();
    let count = options.count.unwrap_or(if live { u64::MAX } else { 1 });
    let operator = options.connection.operator();
    let mut before = measure(&operator, options).await?;
    for _ in 0..count {
        tokio::time::sleep(options.interval.0).await;
        let now = measure(&operator, options).await?;
        let names = Names::ask(&operator).await?;
        let mut rows = rows(&before.samples, &now.samples, options.by);
        if let Some(framework) = &options.framework {
            let ending = format!("-{framework}");
            let name = |id: &str| names.frameworks.get(id).is_some_and(|name| name == framework);
            rows.retain(|row| {
                let id = row.framework_id.as_deref().unwrap_or(&row.id);
                id == framework || id.ends_with(&ending) || name(id)
            });
        }
        let lines = if live { height().saturating_sub(4) } else { usize::MAX };
        rows.truncate(options.limit.unwrap_or(lines));
        let by = match options.by {
            By::Agent => "agent",
            By::Framework => "framework",
            By::Task => "task",
        };
        let frame = Frame { time: view::now(), by, rows, silent: now.silent.clone() };
        match options.output {
            Output::Json => view::print(&format!("{}\n", serde_json::to_string(&frame)?))?,
            Output::Table if live => view::print(&picture(&text(&frame, options.by, &names)))?,
            Output::Table => view::print(&text(&frame, options.by, &names))?,
        }
        before = now;
    }
    Ok(())
}

/// The lines of the terminal.
fn height() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.ok().map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 0).unwrap_or(LINES)
}

/// The text in the place of what the terminal shows, without the flicker that clearing it first makes.
fn picture(text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("{line}\x1b[K\n")).collect();
    format!("\x1b[H{lines}\x1b[J")
}

/// What agents told at about the same time.
#[derive(Default)]
struct Measured {
    samples: Vec<Sample>,
    silent: Vec<String>,
}

async fn measure(operator: &Operator, options: &Options) -> Result<Measured> {
    let agents = match &options.agent {
        Some(agent) => vec![find_agent(operator, agent).await?],
        None => operator.agents().await?.agents,
    };
    let mut measured = Measured::default();
    let mut asked = JoinSet::new();
    let take = |measured: &mut Measured, (id, told): (String, Option<Vec<Sample>>)| match told {
        Some(samples) => measured.samples.extend(samples),
        None => measured.silent.push(id),
    };
    for agent in agents.into_iter().filter(|agent| agent.active) {
        while asked.len() >= AT_ONCE {
            if let Some(Ok(told)) = asked.join_next().await {
                take(&mut measured, told);
            }
        }
        asked.spawn(async move {
            let told = tokio::time::timeout(PATIENCE, ask(&agent)).await.ok().flatten();
            (agent_id(&agent).to_owned(), told)
        });
    }
    while let Some(told) = asked.join_next().await {
        if let Ok(told) = told {
            take(&mut measured, told);
        }
    }
    Ok(measured)
}

/// What the containers of an agent use; none when it does not answer.
async fn ask(agent: &Agent) -> Option<Vec<Sample>> {
    let address = Address::from_pid(agent.pid.as_deref()?)?;
    let operator = Operator::agent(address);
    let wanted = call::GetContainers { show_nested: Some(true), ..call::GetContainers::default() };
    let call = Call {
        r#type: Some(call::Type::GetContainers.into()),
        get_containers: Some(wanted),
        ..Call::default()
    };
    let containers = operator.call_agent(&call).await.ok()?.get_containers?.containers;
    let nested = containers.iter().any(|container| container.container_id.parent.is_some());
    let tasks = if nested { tasks(&operator).await.unwrap_or_default() } else { HashMap::new() };
    Some(containers.iter().map(|container| Sample::of(agent_id(agent), container, &tasks)).collect())
}

/// The tasks of an agent by their containers.
async fn tasks(operator: &Operator) -> Option<HashMap<String, String>> {
    let call = Call { r#type: Some(call::Type::GetTasks.into()), ..Call::default() };
    let tasks = operator.call_agent(&call).await.ok()?.get_tasks?;
    let container = |task: proto::v1::Task| {
        let status =
            task.statuses.iter().rev().find_map(|s| s.container_status.as_ref()?.container_id.as_ref());
        Some((id_text(status?), task.task_id.value))
    };
    Some(tasks.launched_tasks.into_iter().filter_map(container).collect())
}

const COLUMNS: &[Column] = &[
    Column("", false),
    Column("BUSY CPUS", true),
    Column("OF", true),
    Column("MEM", true),
    Column("OF", true),
    Column("DISK", true),
    Column("PROCESSES", true),
    Column("CONTAINERS", true),
    Column("FRAMEWORK", false),
    Column("AGENT", false),
];

fn text(frame: &Frame, by: By, names: &Names) -> String {
    let named =
        |names: &HashMap<String, String>, id: &str| names.get(id).cloned().unwrap_or_else(|| id.to_owned());
    let columns = if by == By::Task { COLUMNS } else { &COLUMNS[..8] };
    let mut table = Table::new(columns);
    for row in &frame.rows {
        let id = match by {
            By::Agent => named(&names.hosts, &row.id),
            By::Framework => named(&names.frameworks, &row.id),
            By::Task => row.id.clone(),
        };
        let cells = [
            id,
            view::number(row.cpus_used),
            view::number(row.cpus),
            view::bytes(row.mem_used_bytes),
            view::bytes(row.mem_bytes),
            view::bytes(row.disk_used_bytes),
            row.processes.to_string(),
            row.containers.to_string(),
            named(&names.frameworks, row.framework_id.as_deref().unwrap_or_default()),
            named(&names.hosts, row.agent_id.as_deref().unwrap_or_default()),
        ];
        table.row(cells.into_iter().take(columns.len()).map(|cell| (cell, None)));
    }
    let busy: f64 = frame.rows.iter().map(|row| row.cpus_used).sum();
    let silent = match frame.silent.len() {
        0 => String::new(),
        count => format!("; silent: {}", view::count(count, "agent")),
    };
    let head = format!(
        "{}  by {}, {}, {} processors busy{silent}\n\n",
        view::utc(frame.time),
        frame.by,
        view::count(frame.rows.len(), "row"),
        view::number(busy)
    );
    head + &table.render()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_plain_text() {
        let row = Row {
            id: "web-1".into(),
            framework_id: Some("f".into()),
            agent_id: Some("S0".into()),
            containers: 1,
            cpus_used: 0.5,
            cpus: 1.0,
            mem_used_bytes: 3 << 20,
            mem_bytes: 32 << 20,
            processes: 2,
            ..Row::default()
        };
        let frame = Frame { time: 1_795_400_000.0, by: "task", rows: vec![row], silent: vec!["S1".into()] };
        let names = Names { frameworks: [("f".to_owned(), "web".to_owned())].into(), ..Names::default() };
        let expected = "\
2026-11-23T02:13:20Z  by task, 1 row, 0.5 processors busy; silent: 1 agent

       BUSY CPUS  OF   MEM     OF  DISK  PROCESSES  CONTAINERS  FRAMEWORK  AGENT
web-1        0.5   1  3 MB  32 MB   0 B          2           1  web        S0
";
        assert_eq!(text(&frame, By::Task, &names), expected);
        assert_eq!(picture("a\nb\n"), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J");
    }
}

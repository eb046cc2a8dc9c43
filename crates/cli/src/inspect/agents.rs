//! `meseta agents`.

use anyhow::Result;
use clap::Args;
use comfy_table::Color;
use proto::v1::Attribute;
use proto::v1::master::response::get_agents::Agent;
use sdk::Address;
use sdk::build::Quantities;
use serde::Serialize;

use crate::cluster::Connection;
use crate::view::{self, Column, Output, Table};

/// Arguments of `meseta agents`.
#[derive(Args)]
#[command(after_help = "Examples:\n  meseta agents\n  meseta agents --output json")]
pub(crate) struct Options {
    /// The form of the list
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Amounts {
    cpus: f64,
    mem: f64,
    disk: f64,
    gpus: f64,
}

impl From<Quantities> for Amounts {
    fn from(q: Quantities) -> Self {
        Self { cpus: q.cpus, mem: q.mem, disk: q.disk, gpus: q.gpus }
    }
}

#[derive(Serialize)]
struct Row {
    id: String,
    hostname: String,
    address: String,
    state: &'static str,
    total: Amounts,
    used: Amounts,
    attributes: Vec<String>,
    version: String,
}

const COLUMNS: &[Column] = &[
    Column("ID", false),
    Column("ADDRESS", false),
    Column("STATE", false),
    Column("CPUS", true),
    Column("MEM", true),
    Column("DISK", true),
    Column("GPUS", true),
    Column("ATTRIBUTES", false),
];

/// Lists agents.
pub(crate) async fn run(options: Options) -> Result<()> {
    let agents = options.connection.operator().agents().await?;
    let rows: Vec<Row> = agents.agents.iter().map(row).collect();
    match options.output {
        Output::Json => view::print_json(&rows),
        Output::Table if rows.is_empty() => {
            crate::failure::tell(format_args!(
                "no agents; start one with `meseta agent --master={}`",
                options.connection.master
            ));
            Ok(())
        }
        Output::Table => view::print(&table(rows)),
    }
}

/// Where an agent is, short: its host and port.
pub(super) fn place(agent: &Agent) -> String {
    let port = agent.pid.as_deref().and_then(Address::from_pid).map(|address| address.port);
    match port {
        Some(port) => format!("{}:{port}", agent.agent_info.hostname),
        None => agent.agent_info.hostname.clone(),
    }
}

/// An attribute as `name:value`.
fn attribute_text(attribute: &Attribute) -> String {
    let value = if let Some(text) = &attribute.text {
        text.value.clone()
    } else if let Some(scalar) = &attribute.scalar {
        view::number(scalar.value)
    } else if let Some(ranges) = &attribute.ranges {
        let ranges: Vec<_> = ranges.range.iter().map(|r| format!("{}-{}", r.begin, r.end)).collect();
        format!("[{}]", ranges.join(", "))
    } else {
        let set = attribute.set.as_ref().map(|set| set.item.join(", ")).unwrap_or_default();
        format!("{{{set}}}")
    };
    format!("{}:{value}", attribute.name)
}

fn row(agent: &Agent) -> Row {
    let info = &agent.agent_info;
    Row {
        id: info.id.as_ref().map(|id| id.value.clone()).unwrap_or_default(),
        hostname: info.hostname.clone(),
        address: place(agent),
        state: if !agent.active {
            "disconnected"
        } else if agent.deactivated.unwrap_or(false) {
            "deactivated"
        } else {
            "active"
        },
        total: Quantities::of(&agent.total_resources).into(),
        used: Quantities::of(&agent.allocated_resources).into(),
        attributes: info.attributes.iter().map(attribute_text).collect(),
        version: agent.version.clone(),
    }
}

fn table(rows: Vec<Row>) -> String {
    let mut table = Table::new(COLUMNS);
    for row in rows {
        let colour = if row.state == "active" { Color::Green } else { Color::Red };
        let share = |used: f64, total: f64| format!("{} / {}", view::number(used), view::number(total));
        let memory =
            |used: f64, total: f64| format!("{} / {}", view::megabytes(used), view::megabytes(total));
        let gpus = if row.total.gpus > 0.0 { share(row.used.gpus, row.total.gpus) } else { String::new() };
        let cells = [
            (row.id, None),
            (row.address, None),
            (row.state.to_owned(), Some(colour)),
            (share(row.used.cpus, row.total.cpus), None),
            (memory(row.used.mem, row.total.mem), None),
            (memory(row.used.disk, row.total.disk), None),
            (gpus, None),
            (row.attributes.join(" "), None),
        ];
        table.row(cells);
    }
    table.render()
}

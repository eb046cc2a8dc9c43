//! `meseta agents`, which is also `meseta agent list`.

use anyhow::Result;
use clap::Args;
use comfy_table::Color;
use proto::v1::Attribute;
use proto::v1::master::response::get_agents::Agent;
use sdk::operator::OperatorError;
use sdk::{Address, Operator};
use serde::{Deserialize, Serialize};

use super::pages::{self, Picked};
use crate::cluster::Connection;
use crate::failure::{tell, usage};
use crate::view::{self, Amounts, Column, Form, Table};

/// Arguments of `meseta agents`.
#[derive(Args)]
#[command(after_help = "Agents that are gone for good are listed only with --state gone.

JSON: a list of objects with id, hostname, address, state (active, disconnected, deactivated, draining, drained, recovered, \
unreachable, gone), since (when that began, in seconds since 1970, or null), total, used, offered (each with cpus, mem, disk, gpus), reserved (by role), attributes, version, \
registered (seconds since 1970).

Examples:
  meseta agent list
  meseta agent list --state disconnected,draining
  meseta agent list --state unreachable,gone
  meseta agent list --search rack7 --output wide
  meseta agent list --role ads --output json")]
pub(crate) struct Options {
    /// Only those in these states
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    #[arg(value_parser = STATES)]
    state: Vec<String>,
    /// Only those with something reserved for this role
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Only those in whose id or host name there is this, in any case
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

/// The states of agents. Only Meseta's masters tell of the last three.
const STATES: [&str; 8] =
    ["active", "disconnected", "deactivated", "draining", "drained", "recovered", "unreachable", "gone"];

/// The answer of `/state-summary/agents`, and of `/slaves` of other masters.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    #[serde(default, alias = "agents")]
    pub(crate) slaves: Vec<Listed>,
}

/// An agent, as `/slaves` shows it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Listed {
    pub(crate) id: String,
    pub(crate) hostname: String,
    pub(crate) pid: String,
    /// In one word, of masters that say it.
    #[serde(rename = "state")]
    pub(crate) told_state: String,
    /// Since when.
    pub(crate) state_time: Option<f64>,
    pub(crate) registered_time: f64,
    pub(crate) resources: Amounts,
    pub(crate) used_resources: Amounts,
    pub(crate) offered_resources: Amounts,
    pub(crate) reserved_resources: std::collections::BTreeMap<String, Amounts>,
    pub(crate) attributes: serde_json::Map<String, serde_json::Value>,
    pub(crate) active: bool,
    pub(crate) deactivated: bool,
    pub(crate) version: String,
    pub(crate) drain_info: Option<Draining>,
}

/// How far an agent is with its draining.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Draining {
    pub(crate) state: String,
}

impl Listed {
    /// What an operator is to know of its state, in one word.
    pub(crate) fn state(&self) -> &'static str {
        if let Some(told) = STATES.into_iter().find(|state| *state == self.told_state) {
            return told;
        }
        state(self.active, self.deactivated, self.drain_info.as_ref().map(|drain| drain.state.as_str()))
    }

    /// Where it is: its host and port.
    pub(crate) fn address(&self) -> String {
        match Address::from_pid(&self.pid) {
            Some(address) => format!("{}:{}", self.hostname, address.port),
            None => self.hostname.clone(),
        }
    }
}

/// The state of an agent in one word. What an operator has asked for is told before the rest.
pub(crate) fn state(active: bool, deactivated: bool, draining: Option<&str>) -> &'static str {
    match draining {
        Some("DRAINED") => "drained",
        Some(_) => "draining",
        None if deactivated => "deactivated",
        None if active => "active",
        None => "disconnected",
    }
}

/// The state of an agent as the operator API tells it.
pub(crate) fn state_of(agent: &Agent) -> &'static str {
    let draining = agent.drain_info.as_ref().map(|drain| drain.state().as_str_name());
    state(agent.active, agent.deactivated.unwrap_or(false), draining)
}

/// An agent as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    id: String,
    hostname: String,
    address: String,
    state: &'static str,
    /// Seconds since 1970.
    since: Option<f64>,
    total: Amounts,
    used: Amounts,
    offered: Amounts,
    reserved: std::collections::BTreeMap<String, Amounts>,
    attributes: Vec<String>,
    version: String,
    /// Seconds since 1970.
    registered: f64,
}

impl From<Listed> for Row {
    fn from(agent: Listed) -> Self {
        let attribute = |(name, value): (&String, &serde_json::Value)| match value {
            serde_json::Value::String(text) => format!("{name}:{text}"),
            other => format!("{name}:{other}"),
        };
        Self {
            address: agent.address(),
            state: agent.state(),
            since: agent.state_time,
            attributes: agent.attributes.iter().map(attribute).collect(),
            id: agent.id,
            hostname: agent.hostname,
            total: agent.resources,
            used: agent.used_resources,
            offered: agent.offered_resources,
            reserved: agent.reserved_resources,
            version: agent.version,
            registered: agent.registered_time,
        }
    }
}

impl Row {
    /// Whether nothing more is known of it.
    fn is_lost(&self) -> bool {
        matches!(self.state, "unreachable" | "gone")
    }
}

const COLUMNS: &[Column] = &[
    Column("ID", false),
    Column("ADDRESS", false),
    Column("STATE", false),
    Column("FOR", true),
    Column("CPUS", true),
    Column("MEM", true),
    Column("DISK", true),
    Column("GPUS", true),
    Column("ATTRIBUTES", false),
];

const WIDE: &[Column] = &[
    Column("ID", false),
    Column("ADDRESS", false),
    Column("STATE", false),
    Column("FOR", true),
    Column("VERSION", false),
    Column("SINCE", true),
    Column("CPUS", true),
    Column("MEM", true),
    Column("DISK", true),
    Column("GPUS", true),
    Column("OFFERED", false),
    Column("RESERVED", false),
    Column("ATTRIBUTES", false),
];

/// Lists agents.
pub(crate) async fn run(options: Options) -> Result<()> {
    if options.limit == Some(0) {
        return Err(usage("--limit 0 would show nothing; say how many are to be shown"));
    }
    let operator = options.connection.operator();
    let picked = fetch(&operator, &options).await?;
    let rows: Vec<Row> = picked.entries.into_iter().map(Row::from).collect();
    let narrowed = options.search.is_some() || options.role.is_some() || !options.state.is_empty();
    match options.output {
        Form::Json => view::print_json(&rows)?,
        Form::Table | Form::Wide if rows.is_empty() && narrowed => tell(format_args!("no such agents")),
        Form::Table | Form::Wide if rows.is_empty() => tell(format_args!(
            "no agents; start one with `meseta agent --master={}`",
            options.connection.master
        )),
        form => view::print(&table(&rows, form == Form::Wide, view::now()))?,
    }
    if picked.more {
        tell(format_args!(
            "only {} are shown, there are more: raise --limit, or narrow the list",
            rows.len()
        ));
    }
    Ok(())
}

/// Those that are asked for, also lost ones where the master tells of them.
async fn fetch(operator: &Operator, options: &Options) -> Result<Picked<Listed>> {
    let query: Vec<_> = options.search.iter().map(|text| ("search", text.clone())).collect();
    let list = |answer: Answer| answer.slaves;
    let key = |agent: &Listed| agent.id.clone();
    let takes = |agent: &Listed| takes(options, agent);
    let states = (!options.state.is_empty()).then(|| ("state", options.state.join(",")));
    let every: Vec<_> = query.iter().cloned().chain(states).collect();
    let picked =
        pages::fetch(operator, ("/state-summary/agents", &every), options.limit, list, key, takes).await;
    match picked {
        Err(error) if is_unknown(&error) => {}
        picked => return picked,
    }
    pages::fetch(operator, ("/slaves", &query), options.limit, list, key, takes).await
}

/// Whether a master does not know what it was asked for, because it is not one of Meseta.
fn is_unknown(error: &anyhow::Error) -> bool {
    let status = error.downcast_ref::<OperatorError>().and_then(OperatorError::status);
    status.is_some_and(|status| status.as_u16() == 404)
}

fn takes(options: &Options, agent: &Listed) -> bool {
    let searched = options.search.as_ref().is_none_or(|text| {
        let text = text.to_lowercase();
        agent.id.to_lowercase().contains(&text) || agent.hostname.to_lowercase().contains(&text)
    });
    let has_role = options.role.as_ref().is_none_or(|role| agent.reserved_resources.contains_key(role));
    searched && has_role && (options.state.is_empty() || options.state.iter().any(|s| s == agent.state()))
}

/// Where an agent is, short: its host and port.
pub(crate) fn place(agent: &Agent) -> String {
    let port = agent.pid.as_deref().and_then(Address::from_pid).map(|address| address.port);
    match port {
        Some(port) => format!("{}:{port}", agent.agent_info.hostname),
        None => agent.agent_info.hostname.clone(),
    }
}

/// An attribute as `name:value`.
pub(crate) fn attribute_text(attribute: &Attribute) -> String {
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

/// The colour in which a state of an agent is shown.
pub(crate) fn colour(state: &str) -> Color {
    match state {
        "active" => Color::Green,
        "disconnected" | "unreachable" => Color::Red,
        _ => Color::Yellow,
    }
}

/// The list for people.
pub(crate) fn table(rows: &[Row], wide: bool, now: f64) -> String {
    let mut table = Table::new(if wide { WIDE } else { COLUMNS });
    for row in rows {
        let share = |used: f64, total: f64| format!("{} / {}", view::number(used), view::number(total));
        let memory =
            |used: f64, total: f64| format!("{} / {}", view::megabytes(used), view::megabytes(total));
        let gpus = if row.total.gpus > 0.0 { share(row.used.gpus, row.total.gpus) } else { String::new() };
        let mut cells = vec![
            (row.id.clone(), None),
            (row.address.clone(), None),
            (row.state.to_owned(), Some(colour(row.state))),
            (row.since.map(|since| view::span(now - since)).unwrap_or_default(), None),
        ];
        if wide {
            let registered =
                if row.registered > 0.0 { view::span(now - row.registered) } else { String::new() };
            cells.extend([(row.version.clone(), None), (registered, None)]);
        }
        if row.is_lost() {
            table.row(cells);
            continue;
        }
        cells.extend([
            (share(row.used.cpus, row.total.cpus), None),
            (memory(row.used.mem, row.total.mem), None),
            (memory(row.used.disk, row.total.disk), None),
            (gpus, None),
        ]);
        if wide {
            let reserved = row.reserved.iter().map(|(role, amounts)| format!("{role}: {}", amounts.line()));
            cells.push((row.offered.line(), None));
            cells.push((reserved.collect::<Vec<_>>().join("; "), None));
        }
        cells.push((row.attributes.join(" "), None));
        table.row(cells);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn the_agents_of_a_recorded_answer() {
        let answer: Answer = recorded::json("master.get.slaves");
        let rows: Vec<Row> = answer.slaves.into_iter().map(Row::from).collect();
        let expected = "\
ID                                       ADDRESS         STATE  FOR  CPUS           MEM          DISK  GPUS  ATTRIBUTES
82e1ebe4-4067-4374-be55-44b8107ea46b-S0  127.0.0.1:6051  active  0.04 / 8  32 MB / 8192 MB  0 MB / 20 GB        rack:r1 zone:a
";
        let told = table(&rows, false, 0.0);
        let words = |text: &str| text.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&told), words(expected));
        let wide = table(&rows, true, rows[0].registered + 60.0);
        assert!(
            wide.contains("1.12.0") && wide.contains("60s") && wide.contains("ads: cpus:4 disk:2048 MB"),
            "{wide}"
        );
        let json = serde_json::to_value(&rows).unwrap();
        assert_eq!((&json[0]["state"], &json[0]["reserved"]["ads"]["cpus"]), (&"active".into(), &4.0.into()));
    }

    #[test]
    fn the_same_agent_of_the_operator_api() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_AGENTS");
        let agent = &reply.get_agents.unwrap().agents[0];
        assert_eq!((place(agent).as_str(), state_of(agent)), ("127.0.0.1:6051", "active"));
        let attributes: Vec<_> = agent.agent_info.attributes.iter().map(attribute_text).collect();
        assert_eq!(attributes, ["rack:r1", "zone:a"]);
    }

    #[test]
    fn what_an_operator_asked_for_comes_first() {
        assert_eq!(state(false, true, Some("DRAINING")), "draining");
        assert_eq!(state(true, true, Some("DRAINED")), "drained");
        assert_eq!(
            [state(false, true, None), state(true, false, None), state(false, false, None)],
            ["deactivated", "active", "disconnected"]
        );
    }
}

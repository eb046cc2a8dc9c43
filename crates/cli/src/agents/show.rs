//! `meseta agent show`.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use proto::v1::master::response::get_agents::Agent;
use proto::v1::{Resource, TimeInfo};
use sdk::build::Quantities;
use sdk::{Address, Operator, operator};
use serde::Serialize;

use super::known::{Known, find};
use crate::cluster::{Connection, agent_id};
use crate::inspect::agents::{Listed, attribute_text, place, state_of};
use crate::inspect::tasks::{Row, ever_of_agent, of_agent, table};
use crate::view::{self, Amounts, Details, Form};

/// How long the agent has for a word of its own.
const PATIENCE: Duration = Duration::from_secs(5);

/// Arguments of `meseta agent show`.
#[derive(Args)]
#[command(
    after_help = "JSON: an object with id, hostname, address, state, version, registered, reregistered, attributes, \
capabilities, total, used, offered, resources, reachable (from here), flags (null where it is not), tasks (as in \
`meseta task list`). Of an agent that is not registered (recovered, unreachable, gone): id, hostname, state, since, help, tasks.

Examples:
  meseta agent show S0
  meseta agent show host7 --output json"
)]
pub(crate) struct Options {
    /// The id of the agent, the end of it (S0), or its host
    agent: String,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Shown {
    id: String,
    hostname: String,
    address: String,
    state: &'static str,
    version: String,
    registered: f64,
    reregistered: f64,
    attributes: Vec<String>,
    capabilities: Vec<&'static str>,
    total: Amounts,
    used: Amounts,
    offered: Amounts,
    /// Each with its reservations and volumes, as text.
    resources: Vec<String>,
    reachable: bool,
    flags: Option<serde_json::Value>,
    tasks: Vec<Row>,
}

/// Tells all about an agent.
pub(crate) async fn run(options: Options) -> Result<()> {
    let operator = options.connection.operator();
    let agent = match find(&operator, &options.agent).await? {
        Known::Registered(agent) => *agent,
        Known::Lost(agent) => return show_lost(&operator, &agent, options.output).await,
    };
    let (tasks, flags) = tokio::join!(of_agent(&operator, agent_id(&agent)), flags(&agent));
    let shown = shown(&agent, tasks?, flags);
    match options.output {
        Form::Json => view::print_json(&shown),
        form => view::print(&text(&shown, form == Form::Wide, view::now())),
    }
}

/// An agent that is not registered.
#[derive(Serialize)]
struct Lost {
    id: String,
    hostname: String,
    state: &'static str,
    /// Seconds since 1970; none where it is not known.
    since: Option<f64>,
    help: &'static str,
    tasks: Vec<Row>,
}

async fn show_lost(operator: &Operator, agent: &Listed, output: Form) -> Result<()> {
    let tasks = ever_of_agent(operator, &agent.id).await?;
    let state = agent.state();
    let shown = Lost {
        id: agent.id.clone(),
        hostname: agent.hostname.clone(),
        state,
        since: agent.state_time,
        help: help(state),
        tasks,
    };
    match output {
        Form::Json => view::print_json(&shown),
        form => view::print(&lost_text(&shown, form == Form::Wide, view::now())),
    }
}

fn help(state: &str) -> &'static str {
    match state {
        "recovered" => {
            "It was there under the master before. After --agent_reregister_timeout it is unreachable."
        }
        "unreachable" => {
            "See whether its machine and its network are well: its tasks may still run, and come back with it. If it never \
             will: `meseta agent gone`"
        }
        _ => "Its machine may come back as another agent.",
    }
}

fn lost_text(shown: &Lost, wide: bool, now: f64) -> String {
    let details = Details::default()
        .line("Id", &shown.id)
        .line("Host", &shown.hostname)
        .line("State", shown.state)
        .line("Since", shown.since.map(|since| view::ago(since, now)).unwrap_or_default())
        .line("Help", shown.help);
    let tasks = match shown.tasks.len() {
        0 => "\nNo tasks of it are known.\n".to_owned(),
        _ => format!("\n{}", table(&shown.tasks, wide, now)),
    };
    details.render() + &tasks
}

/// What the agent itself was started with; none where it cannot be reached from here.
async fn flags(agent: &Agent) -> Option<serde_json::Value> {
    let address = Address::from_pid(agent.pid.as_deref()?)?;
    let answer = operator::probe(&address, "/flags", PATIENCE).await.ok()?;
    let flags: serde_json::Value = answer.json().ok()?;
    flags.get("flags").cloned()
}

fn shown(agent: &Agent, tasks: Vec<Row>, flags: Option<serde_json::Value>) -> Shown {
    let seconds = |time: &Option<TimeInfo>| time.as_ref().map_or(0.0, |time| time.nanoseconds as f64 / 1e9);
    Shown {
        id: agent_id(agent).to_owned(),
        hostname: agent.agent_info.hostname.clone(),
        address: place(agent),
        state: state_of(agent),
        version: agent.version.clone(),
        registered: seconds(&agent.registered_time),
        reregistered: seconds(&agent.reregistered_time),
        attributes: agent.agent_info.attributes.iter().map(attribute_text).collect(),
        capabilities: agent.capabilities.iter().map(|c| c.r#type().as_str_name()).collect(),
        total: Quantities::of(&agent.total_resources).into(),
        used: Quantities::of(&agent.allocated_resources).into(),
        offered: Quantities::of(&agent.offered_resources).into(),
        resources: agent.total_resources.iter().map(resource_text).collect(),
        reachable: flags.is_some(),
        flags,
        tasks,
    }
}

/// A resource with its reservations and its volume: `disk(reservations: [(DYNAMIC,ads)])[vol1:data]:1024`.
pub(crate) fn resource_text(resource: &Resource) -> String {
    match wire::resources_from_proto(std::slice::from_ref(resource)) {
        Ok(read) => read.to_string(),
        // What we do not understand is at least named.
        Err(_) => resource.name.clone(),
    }
}

fn text(shown: &Shown, wide: bool, now: f64) -> String {
    let flag = |name: &str| {
        let flags = shown.flags.as_ref()?;
        flags.get(name)?.as_str().map(ToOwned::to_owned)
    };
    let reached =
        if shown.reachable { "" } else { "not from here; its sandboxes cannot be read from here either" };
    let mut details = Details::default()
        .line("Id", &shown.id)
        .line("Address", &shown.address)
        .line("State", shown.state)
        .line("Reachable", reached)
        .line("Version", &shown.version)
        .line("Registered", view::ago(shown.registered, now))
        .line("Reregistered", view::ago(shown.reregistered, now))
        .line("Attributes", shown.attributes.join(" "))
        .line("Total", shown.total.line())
        .line("Used", shown.used.line())
        .line("Offered", shown.offered.line())
        .line("Resources", shown.resources.join("\n"))
        .line("Isolation", flag("isolation").unwrap_or_default())
        .line("Launcher", flag("launcher").unwrap_or_default())
        .line("Work dir", flag("work_dir").unwrap_or_default());
    if wide {
        details = details.line("Capabilities", shown.capabilities.join(" "));
    }
    let tasks = match shown.tasks.len() {
        0 => "\nNo tasks run on it.\n".to_owned(),
        _ => format!("\n{}", table(&shown.tasks, wide, now)),
    };
    details.render() + &tasks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn a_recorded_agent_with_its_reservations() {
        let reply: proto::v1::master::Response = recorded::message("master.v1.GET_AGENTS");
        let agent = &reply.get_agents.unwrap().agents[0];
        let flags: serde_json::Value = recorded::json("agent.get.flags");
        let told = text(&shown(agent, Vec::new(), flags.get("flags").cloned()), true, 1_795_359_310.0);
        for part in [
            "Id            82e1ebe4-4067-4374-be55-44b8107ea46b-S0\n",
            "State         active\n",
            "Registered    2026-11-22T14:54:10Z (59s ago)\n",
            "Attributes    rack:r1 zone:a\n",
            "Total         cpus:8 mem:8192 MB disk:20 GB\n",
            "vol1:data",
            "Isolation     cgroups/cpu,cgroups/mem,namespaces/pid,filesystem/linux\n",
            "AGENT_DRAINING",
            "\nNo tasks run on it.\n",
        ] {
            assert!(told.contains(part), "{part:?} in\n{told}");
        }
        let told = text(&shown(agent, Vec::new(), None), false, 0.0);
        assert!(told.contains("Reachable   not from here"), "{told}");
    }
}

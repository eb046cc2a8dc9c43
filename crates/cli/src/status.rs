//! `meseta status`: the cluster on one screen.

use anyhow::Result;
use clap::Args;
use sdk::build::Quantities;
use serde::Serialize;

use crate::cluster::Connection;
use crate::doctor::cluster::{Cluster, findings};
use crate::doctor::finding::{self, Finding};
use crate::failure::FOUND;
use crate::inspect::agents::state_of;
use crate::inspect::frameworks;
use crate::roles::list::{self, Row as Role};
use crate::view::{self, Amounts, Column, Details, Form, Table};

/// How many roles people are shown.
const ROLES: usize = 10;

/// Arguments of `meseta status`.
#[derive(Args)]
#[command(
    after_help = "What is wrong is taken from the master's own answers; `meseta doctor` also asks every agent.

JSON: an object with leader (address, id, version, started, elected), agents (how many by state, and unreachable), frameworks (by \
state), tasks (by state), resources (total, used, offered, free, each with cpus, mem, disk, gpus), roles (as in `meseta role \
list`), findings (as in `meseta doctor`).

Exit codes: 0 all is well, 3 something is wrong, 1 the cluster could not be asked, 2 wrong usage.

Examples:
  meseta status
  meseta status --output json | jq .resources.free.cpus"
)]
pub(crate) struct Options {
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Status {
    leader: Leader,
    agents: AgentCounts,
    frameworks: FrameworkCounts,
    tasks: TaskCounts,
    resources: Resources,
    roles: Vec<Role>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Leader {
    address: String,
    id: String,
    version: String,
    started: f64,
    elected: f64,
}

#[derive(Default, Serialize)]
struct AgentCounts {
    active: usize,
    disconnected: usize,
    deactivated: usize,
    draining: usize,
    drained: usize,
    unreachable: f64,
}

#[derive(Default, Serialize)]
struct FrameworkCounts {
    active: usize,
    inactive: usize,
    disconnected: usize,
    recovered: usize,
    completed: usize,
}

#[derive(Serialize)]
struct TaskCounts {
    staging: f64,
    starting: f64,
    running: f64,
    killing: f64,
    unreachable: f64,
}

#[derive(Serialize)]
struct Resources {
    total: Amounts,
    used: Amounts,
    offered: Amounts,
    free: Amounts,
}

/// Shows it; the number is the exit code.
pub(crate) async fn run(options: Options) -> Result<u8> {
    let cluster = Cluster::ask(&options.connection.operator()).await?;
    let status = status(cluster);
    match options.output {
        Form::Json => view::print_json(&status)?,
        form => view::print(&text(&status, form == Form::Wide, view::now()))?,
    }
    Ok(if finding::is_wrong(&status.findings) { FOUND } else { 0 })
}

fn status(cluster: Cluster) -> Status {
    let findings = findings(&cluster);
    let info = cluster.master.master_info.clone().unwrap_or_default();
    let host = info.address.as_ref().and_then(|address| address.ip.clone().or(address.hostname.clone()));
    let sum = |of: fn(&proto::v1::master::response::get_agents::Agent) -> &[proto::v1::Resource]| {
        let agents = cluster.agents.agents.iter();
        agents.fold(Amounts::default(), |sum, agent| sum.plus(&Quantities::of(of(agent)).into()))
    };
    let total = sum(|agent| &agent.total_resources);
    let (used, offered) = (sum(|agent| &agent.allocated_resources), sum(|agent| &agent.offered_resources));
    let taken = used.plus(&offered);
    let less = |a: f64, b: f64| (((a - b) * 1000.0).round() / 1000.0).max(0.0);
    let free = Amounts {
        cpus: less(total.cpus, taken.cpus),
        mem: less(total.mem, taken.mem),
        disk: less(total.disk, taken.disk),
        gpus: less(total.gpus, taken.gpus),
    };
    let tasks = |state: &str| cluster.metric(&format!("master/tasks_{state}"));
    let mut agents =
        AgentCounts { unreachable: cluster.metric("master/slaves_unreachable"), ..AgentCounts::default() };
    for agent in &cluster.agents.agents {
        *match state_of(agent) {
            "active" => &mut agents.active,
            "deactivated" => &mut agents.deactivated,
            "draining" => &mut agents.draining,
            "drained" => &mut agents.drained,
            _ => &mut agents.disconnected,
        } += 1;
    }
    let mut known = FrameworkCounts {
        completed: cluster.frameworks.completed_frameworks.len(),
        ..FrameworkCounts::default()
    };
    for framework in &cluster.frameworks.frameworks {
        *match frameworks::state(framework) {
            "active" => &mut known.active,
            "inactive" => &mut known.inactive,
            "recovered" => &mut known.recovered,
            _ => &mut known.disconnected,
        } += 1;
    }
    Status {
        leader: Leader {
            address: host.map(|host| format!("{host}:{}", info.port)).unwrap_or_default(),
            version: info.version().to_owned(),
            started: cluster.master.start_time.unwrap_or(0.0),
            elected: cluster.master.elected_time.unwrap_or(0.0),
            id: info.id,
        },
        agents,
        frameworks: known,
        tasks: TaskCounts {
            staging: tasks("staging"),
            starting: tasks("starting"),
            running: tasks("running"),
            killing: tasks("killing"),
            unreachable: tasks("unreachable"),
        },
        resources: Resources { total, used, offered, free },
        roles: list::rows(cluster.roles, &total),
        findings,
    }
}

/// `3 active, 1 drained`: those of which there are any; the first always.
fn counts(of: &[(f64, &str)]) -> String {
    let some = of.iter().enumerate().filter(|(place, (count, _))| *place == 0 || *count > 0.0);
    some.map(|(_, (count, name))| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

const RESOURCES: &[Column] = &[
    Column("RESOURCE", false),
    Column("TOTAL", true),
    Column("USED", true),
    Column("OFFERED", true),
    Column("FREE", true),
    Column("USED %", true),
];

fn text(status: &Status, wide: bool, now: f64) -> String {
    let number = |count: usize| count as f64;
    let (agents, frameworks, tasks) = (&status.agents, &status.frameworks, &status.tasks);
    let head = Details::default()
        .line("Leader", format!("{}, version {}", status.leader.address, status.leader.version))
        .line("Leads since", view::ago(status.leader.elected, now))
        .line(
            "Agents",
            counts(&[
                (number(agents.active), "active"),
                (number(agents.disconnected), "disconnected"),
                (agents.unreachable, "unreachable"),
                (number(agents.deactivated), "deactivated"),
                (number(agents.draining), "draining"),
                (number(agents.drained), "drained"),
            ]),
        )
        .line(
            "Frameworks",
            counts(&[
                (number(frameworks.active), "active"),
                (number(frameworks.inactive), "inactive"),
                (number(frameworks.disconnected), "disconnected"),
                (number(frameworks.recovered), "not back yet"),
                (number(frameworks.completed), "ended"),
            ]),
        )
        .line(
            "Tasks",
            counts(&[
                (tasks.running, "running"),
                (tasks.staging, "staging"),
                (tasks.starting, "starting"),
                (tasks.killing, "being killed"),
                (tasks.unreachable, "unreachable"),
            ]),
        );
    let mut resources = Table::new(RESOURCES);
    let all =
        [status.resources.total, status.resources.used, status.resources.offered, status.resources.free]
            .map(|amounts| amounts.named());
    for (place, (name, total, write)) in all[0].into_iter().enumerate() {
        if total > 0.0 {
            let amounts = all.map(|named| write(named[place].1));
            let share = view::percent(all[1][place].1 / total);
            resources
                .row(std::iter::once(name.to_owned()).chain(amounts).chain([share]).map(|cell| (cell, None)));
        }
    }
    let mut text = format!("{}\n{}", head.render(), resources.render());
    if !status.roles.is_empty() {
        let shown = if wide { status.roles.len() } else { status.roles.len().min(ROLES) };
        text.push_str(&format!("\n{}", list::table(&status.roles[..shown], wide)));
        if shown < status.roles.len() {
            text.push_str(&format!("and {} more: meseta role list\n", status.roles.len() - shown));
        }
    }
    match status.findings.is_empty() {
        true => text + "\nNothing is wrong.\n",
        false => format!("{text}\n{}", finding::text(&status.findings)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    #[test]
    fn a_recorded_cluster_on_one_screen() {
        let ask = |name: &str| recorded::message::<proto::v1::master::Response>(name);
        let cluster = Cluster {
            master: ask("master.v1.GET_MASTER").get_master.unwrap(),
            agents: ask("master.v1.GET_AGENTS").get_agents.unwrap(),
            frameworks: ask("master.v1.GET_FRAMEWORKS").get_frameworks.unwrap(),
            summary: recorded::json("master.get.state-summary"),
            roles: recorded::json("master.get.roles"),
            metrics: [("master/tasks_running".to_owned(), 4.0)].into(),
        };
        let expected = "\
Leader       127.0.0.1:6050, version 1.12.0
Leads since  2026-11-22T14:54:06Z (59s ago)
Agents       1 active
Frameworks   2 active, 2 ended
Tasks        4 running

RESOURCE    TOTAL   USED  OFFERED     FREE  USED %
cpus            8   0.04        0     7.96    0.5%
mem       8192 MB  32 MB     0 MB  8160 MB    0.4%
disk        20 GB   0 MB     0 MB    20 GB      0%

ROLE  WEIGHT  SHARE  CPUS    MEM  FRAMEWORKS
*          1   0.3%  0.02  16 MB           1
ads      2.5   0.3%  0.02  16 MB           1

Nothing is wrong.
";
        assert_eq!(text(&status(cluster), false, 1_795_359_306.0), expected);
    }
}

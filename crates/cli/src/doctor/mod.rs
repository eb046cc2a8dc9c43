//! `meseta doctor`: finds what is wrong, and says what to do about it.

mod agents;
mod clock;
pub(crate) mod cluster;
pub(crate) mod finding;
mod masters;
mod starving;

use std::collections::BTreeSet;

use anyhow::Result;
use clap::Args;
use sdk::Address;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::cluster::{Connection, framework_id};
use crate::failure::FOUND;
use crate::flags::PositiveDuration;
use crate::view::{self, Form};
use cluster::Cluster;
use finding::{Finding, Severity};

/// How many servers are asked at the same time.
const AT_ONCE: usize = 128;

/// Arguments of `meseta doctor`.
#[derive(Args)]
#[command(
    after_help = "Looked at: masters that do not answer, do not agree or have no leader; versions; clocks; agents that are \
disconnected, unreachable, not back or not to be reached from here; full disks; what is not isolated; containers that nobody \
knows; frameworks without a scheduler, and those that want offers and get none; guarantees that cannot be kept. Each master of a \
list is asked, and each that stands for election at zk://... or etcd://....

JSON: an object with masters and agents (how many were asked) and findings: a list of severity (problem, warning, note), kind, \
what, subjects, advice.

Exit codes: 0 all is well (notes do not count), 3 something was found, 1 no master could be asked, 2 wrong usage.

Examples:
  meseta doctor
  meseta doctor --no-agents --output json
  meseta doctor --master zk://10.0.0.1,10.0.0.2/meseta || mail -s 'look at the cluster' ops"
)]
pub(crate) struct Options {
    /// Do not ask each agent, only the masters
    #[arg(long)]
    no_agents: bool,
    /// How long agents are asked altogether; those that are left over by then are not
    #[arg(long, default_value = "60s", value_name = "DURATION")]
    timeout: PositiveDuration,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Serialize)]
struct Report {
    masters: usize,
    agents: usize,
    findings: Vec<Finding>,
}

/// Looks for what is wrong; the number is the exit code.
pub(crate) async fn run(options: Options) -> Result<u8> {
    let operator = options.connection.operator();
    let (asked, listed) = tokio::join!(Cluster::ask(&operator), masters::listed(&options.connection.master));
    let (mut masters, of_service) = listed;
    if masters.is_empty() {
        masters.extend(asked.as_ref().ok().and_then(leader));
    }
    let until = Instant::now().checked_add(options.timeout.0);
    let masters = all(masters, masters::ask, until).await;
    let mut findings = of_service;
    findings.extend(masters::findings(&masters));
    let mut report = Report { masters: masters.len(), agents: 0, findings: Vec::new() };
    let cluster = match asked {
        Ok(cluster) => cluster,
        // Nobody leads, but there is something to be told of those who are there.
        Err(error) if masters.iter().any(|told| told.state.is_ok()) => {
            findings.push(
                Finding::new(Severity::Problem, "no_answer", "the leading master cannot be asked")
                    .about([format!("{error:#}")])
                    .advice("start more masters, or see why those that are there elect none"),
            );
            report.findings = findings;
            return show(&report, options.output);
        }
        Err(error) => return Err(error),
    };
    findings.extend(cluster::findings(&cluster));
    findings.extend(starving::findings(&operator, &cluster.frameworks).await);
    if !options.no_agents {
        let known: BTreeSet<String> = cluster
            .frameworks
            .frameworks
            .iter()
            .map(|framework| framework_id(&framework.framework_info).to_owned())
            .collect();
        let active: Vec<_> = cluster.agents.agents.iter().filter(|agent| agent.active).cloned().collect();
        let count = active.len();
        let told = all(active, agents::ask, until).await;
        report.agents = told.len();
        findings.extend(left_over(count - told.len()));
        findings.extend(agents::findings(&told, &known));
    }
    report.findings = findings;
    show(&report, options.output)
}

fn leader(cluster: &Cluster) -> Option<Address> {
    let info = cluster.master.master_info.as_ref()?;
    Address::from_pid(info.pid())
}

/// What is to be said of agents for which there was no time.
fn left_over(count: usize) -> Option<Finding> {
    let what = format!("agents for which there was no time: {count}");
    let note = Finding::new(Severity::Note, "not_asked", what);
    (count > 0).then(|| note.advice("give more with --timeout"))
}

/// Asks all of them, many at a time, and no new ones after `until`; what they tell, in their order.
async fn all<T, R, F>(of: Vec<T>, ask: impl Fn(T) -> F, until: Option<Instant>) -> Vec<R>
where
    F: Future<Output = R> + Send + 'static,
    R: Send + 'static,
{
    let mut told: Vec<(usize, R)> = Vec::with_capacity(of.len());
    let mut asked = JoinSet::new();
    for (place, one) in of.into_iter().enumerate() {
        while asked.len() >= AT_ONCE {
            told.extend(asked.join_next().await.into_iter().flatten());
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let question = ask(one);
        asked.spawn(async move { (place, question.await) });
    }
    while let Some(one) = asked.join_next().await {
        told.extend(one);
    }
    told.sort_by_key(|(place, _)| *place);
    told.into_iter().map(|(_, one)| one).collect()
}

fn show(report: &Report, output: Form) -> Result<u8> {
    match output {
        Form::Json => view::print_json(report)?,
        Form::Table | Form::Wide => {
            let asked =
                [view::count(report.masters, "master"), view::count(report.agents, "agent")].join(" and ");
            let told = match finding::is_wrong(&report.findings) {
                true => format!("{}\n{asked} asked.\n", finding::text(&report.findings)),
                false => format!("{}{asked} asked: nothing is wrong.\n", finding::text(&report.findings)),
            };
            view::print(&told)?;
        }
    }
    Ok(if finding::is_wrong(&report.findings) { FOUND } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_asked_when_time_is_over_and_all_are_in_order_before() {
        let ask = |number: usize| async move {
            // The last ones answer first.
            for _ in number..10 {
                tokio::task::yield_now().await;
            }
            number
        };
        assert_eq!(all((0..10).collect(), ask, None).await, (0..10).collect::<Vec<_>>());
        assert_eq!(all((0..10).collect(), ask, Some(Instant::now())).await, [0; 0]);
        assert!(left_over(0).is_none());
        assert_eq!(left_over(3).map(|finding| finding.severity), Some(Severity::Note));
    }
}

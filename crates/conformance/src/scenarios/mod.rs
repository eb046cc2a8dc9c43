//! Small frameworks whose schedulers must see what Mesos' schedulers saw.
//!
//! A scenario is a function that drives a cluster and writes down what it sees; [`run`] compares that with the
//! recording of the same name.

mod checks;
mod commands;
mod environment;
mod executors;
mod frameworks;
mod groups;
mod invalid;
mod kills;
mod operations;
mod reconcile;

use anyhow::{Context, Result};

use crate::recording;
use crate::scheduler::Log;
use crate::sequence::{self, Order};

pub use environment::sandbox_file;

/// A cluster under test.
#[derive(Clone, Debug)]
pub struct Target {
    /// The master, as `ip:port`.
    pub master: String,
    /// An agent of it, as `ip:port`.
    pub agent: String,
}

/// One scenario.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The name of its recording.
    pub name: &'static str,
    order: Order,
    run: fn(&Target, &Log) -> Result<()>,
}

const fn scenario(name: &'static str, run: fn(&Target, &Log) -> Result<()>) -> Scenario {
    Scenario { name, order: Order::Total, run }
}

const fn unordered(name: &'static str, run: fn(&Target, &Log) -> Result<()>) -> Scenario {
    Scenario { name, order: Order::OfEachSubject, run }
}

/// All scenarios that were recorded. `oom` needs an agent that limits memory.
pub const ALL: &[Scenario] = &[
    scenario("bad_offer", invalid::bad_offer),
    scenario("bad_offer_partition_aware", invalid::bad_offer_partition_aware),
    scenario("bad_reserve", operations::bad_reserve),
    scenario("bad_roles", frameworks::bad_roles),
    scenario("bad_task_id", invalid::bad_task_id),
    scenario("check_command", checks::check_command),
    scenario("decline_revive", frameworks::decline_revive),
    scenario("duplicate_task", invalid::duplicate_task),
    scenario("environment", environment::environment),
    scenario("executor_environment", environment::executor_environment),
    scenario("executor_exits", executors::executor_exits),
    scenario("executor_shutdown", executors::executor_shutdown),
    scenario("fail", commands::fail),
    scenario("failover", frameworks::failover),
    scenario("fetch_failure", commands::fetch_failure),
    scenario("finish", commands::finish),
    scenario("health_failing", checks::health_failing),
    scenario("health_passing", checks::health_passing),
    scenario("kill", kills::kill),
    scenario("kill_policy", kills::kill_policy),
    scenario("kill_unknown", kills::kill_unknown),
    scenario("max_completion", commands::max_completion),
    scenario("negative", invalid::negative),
    scenario("no_command", invalid::no_command),
    scenario("no_resources", commands::no_resources),
    scenario("not_found_exec", commands::not_found_exec),
    scenario("not_found_shell", commands::not_found_shell),
    scenario("oom", commands::oom),
    scenario("operation_feedback", operations::operation_feedback),
    unordered("pod_finish", groups::pod_finish),
    unordered("pod_kill_one", groups::pod_kill_one),
    unordered("pod_one_fails", groups::pod_one_fails),
    scenario("reconcile", reconcile::reconcile),
    scenario("reconcile_partition_aware", reconcile::reconcile_partition_aware),
    scenario("reserve_create_launch", operations::reserve_create_launch),
    scenario("shutdown_while_running", frameworks::shutdown_while_running),
    scenario("signal", commands::signal),
    scenario("too_big", invalid::too_big),
    scenario("wrong_agent", invalid::wrong_agent),
];

/// The scenario of a name.
#[must_use]
pub fn find(name: &str) -> Option<Scenario> {
    ALL.iter().find(|s| s.name == name).copied()
}

/// What a run showed.
#[derive(Debug)]
pub struct Report {
    /// How it differs from the recording; empty when it agrees.
    pub differences: Vec<String>,
    /// All that was seen.
    pub log: Log,
}

/// Runs a scenario against a cluster and compares. Fails when there is no recording or it cannot be read; whatever the
/// cluster does wrong is in the report.
pub fn run(scenario: Scenario, target: &Target) -> Result<Report> {
    let recorded =
        recording::scenario(scenario.name).with_context(|| format!("no recording '{}'", scenario.name))?;
    let recorded = recording::lines(recorded)?;
    let log = Log::default();
    let mut differences = Vec::new();
    if let Err(stuck) = (scenario.run)(target, &log) {
        differences.push(format!("the scenario could not go on: {stuck:#}"));
    }
    let seen = log.entries();
    let (expected, got) = (sequence::steps(&recorded), sequence::steps(&seen));
    differences.extend(sequence::differences(&expected, &got, scenario.order));
    differences.extend(environment::differences(&recorded, &seen));
    Ok(Report { differences, log })
}

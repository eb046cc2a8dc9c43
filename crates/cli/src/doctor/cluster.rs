//! What the leading master's own answers show to be wrong. No agent is asked, so that `meseta status` can look, too.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use proto::v1::master::response::{GetAgents, GetFrameworks, GetMaster};
use sdk::Operator;

use super::finding::{Finding, Severity};
use crate::cluster::{agent_id, framework_id};
use crate::inspect::agents::{place, state_of};
use crate::inspect::frameworks::{self, Summary};
use crate::roles::list::{Answer as Roles, total};
use crate::view;

/// More pieces of work than this wait for a master that is not keeping up.
const LONG_QUEUE: f64 = 10_000.0;

/// What the master answers.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) master: GetMaster,
    pub(crate) agents: GetAgents,
    pub(crate) frameworks: GetFrameworks,
    pub(crate) summary: Summary,
    pub(crate) roles: Roles,
    pub(crate) metrics: BTreeMap<String, f64>,
}

impl Cluster {
    pub(crate) async fn ask(operator: &Operator) -> Result<Self> {
        let (master, agents, frameworks, summary, roles, metrics) = tokio::try_join!(
            operator.master(),
            operator.agents(),
            operator.frameworks(),
            operator.get_as("/state-summary"),
            operator.get_as("/roles"),
            operator.get_as("/metrics/snapshot"),
        )?;
        Ok(Self { master, agents, frameworks, summary, roles, metrics })
    }

    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.metrics.get(name).copied().unwrap_or(0.0)
    }

    /// The version of the leader.
    pub(crate) fn version(&self) -> &str {
        self.master.master_info.as_ref().map_or("", |info| info.version())
    }
}

/// What is wrong.
pub(crate) fn findings(cluster: &Cluster) -> Vec<Finding> {
    let mut found = Vec::new();
    agents(cluster, &mut found);
    versions(cluster, &mut found);
    orphans(cluster, &mut found);
    guarantees(cluster, &mut found);
    queues(cluster, &mut found);
    found
}

fn agents(cluster: &Cluster, found: &mut Vec<Finding>) {
    let of = |state: &str| -> Vec<String> {
        let agents = cluster.agents.agents.iter().filter(|agent| state_of(agent) == state);
        agents.map(|agent| format!("{} at {}", agent_id(agent), place(agent))).collect()
    };
    if cluster.agents.agents.is_empty() {
        let none =
            Finding::new(Severity::Problem, "no_agents", "there are no agents, so that nothing can run");
        found.push(
            none.advice("start one on each machine: meseta agent --master=ADDRESS --work_dir=DIRECTORY"),
        );
    }
    let disconnected = of("disconnected");
    if !disconnected.is_empty() {
        let what = format!("agents without a connection to the master: {}", disconnected.len());
        found.push(Finding::new(Severity::Problem, "agents_disconnected", what).about(disconnected).advice(
            "see whether the machine is up, the agent runs and port 5050 of the master can be reached from there; an agent \
             that does not come back is marked unreachable, and its tasks with it",
        ));
    }
    let unreachable = cluster.metric("master/slaves_unreachable");
    if unreachable > 0.0 {
        let what = format!("unreachable agents, and so are their tasks: {unreachable}");
        found.push(Finding::new(Severity::Problem, "agents_unreachable", what).advice(
            "bring their machines back; of one that will never be back say so with `meseta agent gone ID`, so that \
             frameworks replace what ran there",
        ));
    }
    let recovered = &cluster.agents.recovered_agents;
    if !recovered.is_empty() {
        let ids = recovered
            .iter()
            .map(|info| format!("{} at {}", info.id.as_ref().map_or("", |id| &id.value), info.hostname));
        let what = format!("agents that have not come back since this master leads: {}", recovered.len());
        found.push(Finding::new(Severity::Warning, "agents_not_back", what).about(ids).advice(
            "those that do not within --agent_reregister_timeout are marked unreachable; see whether they find the new leader",
        ));
    }
    let drained = of("drained");
    if !drained.is_empty() {
        let what = format!("drained agents: {}", drained.len());
        found.push(Finding::new(Severity::Note, "agents_drained", what).about(drained).advice(
            "their machines can be worked on; `meseta agent activate ID` takes one back into service",
        ));
    }
    let deactivated = of("deactivated");
    if !deactivated.is_empty() {
        let what = format!("deactivated agents, of which nothing is offered: {}", deactivated.len());
        found.push(
            Finding::new(Severity::Note, "agents_deactivated", what)
                .about(deactivated)
                .advice("`meseta agent activate ID` takes one back into service"),
        );
    }
}

fn versions(cluster: &Cluster, found: &mut Vec<Finding>) {
    let leader = cluster.version();
    let mut others: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for agent in &cluster.agents.agents {
        if agent.version != leader && !leader.is_empty() {
            others.entry(&agent.version).or_default().push(format!(
                "{} at {}",
                agent_id(agent),
                place(agent)
            ));
        }
    }
    for (version, agents) in others {
        let what =
            format!("agents of version {version}, where the leading master has {leader}: {}", agents.len());
        found.push(
            Finding::new(Severity::Warning, "agent_version", what)
                .about(agents)
                .advice("bring all to one version, the masters first"),
        );
    }
}

/// Tasks of whose scheduler nothing is heard.
fn orphans(cluster: &Cluster, found: &mut Vec<Finding>) {
    let counts: HashMap<&str, usize> = cluster.summary.counts();
    let mut away = Vec::new();
    for framework in &cluster.frameworks.frameworks {
        let (info, state) = (&framework.framework_info, frameworks::state(framework));
        let tasks = counts.get(framework_id(info)).copied().unwrap_or(0);
        if matches!(state, "disconnected" | "recovered") && tasks > 0 {
            away.push(format!("{} ({}): {}", framework_id(info), info.name, view::count(tasks, "task")));
        }
    }
    if !away.is_empty() {
        let what = format!("frameworks with tasks, but no scheduler that is connected: {}", away.len());
        found.push(Finding::new(Severity::Warning, "orphans", what).about(away).advice(
            "start their schedulers again, or end them with `meseta framework teardown ID`; when their failover timeout is \
             over, the master does",
        ));
    }
    let unreachable = cluster.metric("master/tasks_unreachable");
    if unreachable > 0.0 {
        let what = format!("tasks on unreachable agents: {unreachable}");
        found.push(
            Finding::new(Severity::Warning, "tasks_unreachable", what)
                .advice("`meseta task list --state unreachable` shows them"),
        );
    }
}

/// Guarantees that cannot be kept.
fn guarantees(cluster: &Cluster, found: &mut Vec<Finding>) {
    let total = total(&cluster.agents);
    for (name, have, write) in total.named() {
        // A role's guarantee holds for the roles below it, too; only the top ones are summed up.
        let top = cluster.roles.roles.iter().filter(|role| !role.name.contains('/'));
        let promised: f64 =
            top.filter_map(|role| role.quota.guarantee.get(name)).filter_map(serde_json::Value::as_f64).sum();
        if promised > have {
            let what = format!(
                "roles are guaranteed {} of {name}, and the cluster has {}",
                write(promised),
                write(have)
            );
            found.push(
                Finding::new(Severity::Warning, "guarantees", what)
                    .advice("add agents, or lower a guarantee with `meseta quota set`"),
            );
        }
    }
}

fn queues(cluster: &Cluster, found: &mut Vec<Finding>) {
    let long =
        cluster.metrics.iter().filter(|(name, length)| name.contains("queue") && **length > LONG_QUEUE);
    let long: Vec<String> = long.map(|(name, length)| format!("{name}: {length}")).collect();
    if !long.is_empty() {
        found.push(
            Finding::new(
                Severity::Warning,
                "queues",
                "the leading master does not keep up with what it is asked",
            )
            .about(long)
            .advice("see who asks so much, and whether its machine has processors to spare"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    fn recorded_cluster() -> Cluster {
        let ask = |name: &str| recorded::message::<proto::v1::master::Response>(name);
        Cluster {
            master: ask("master.v1.GET_MASTER").get_master.unwrap(),
            agents: ask("master.v1.GET_AGENTS").get_agents.unwrap(),
            frameworks: ask("master.v1.GET_FRAMEWORKS").get_frameworks.unwrap(),
            summary: recorded::json("master.get.state-summary"),
            roles: recorded::json("master.get.roles"),
            metrics: BTreeMap::new(),
        }
    }

    fn kinds(cluster: &Cluster) -> Vec<&'static str> {
        findings(cluster).iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn a_recorded_cluster_is_well() {
        assert_eq!(findings(&recorded_cluster()), []);
    }

    #[test]
    fn agents_that_are_away_are_found() {
        let mut cluster = recorded_cluster();
        cluster.agents.agents[0].active = false;
        cluster.metrics.insert("master/slaves_unreachable".into(), 2.0);
        cluster.metrics.insert("master/tasks_unreachable".into(), 3.0);
        assert_eq!(kinds(&cluster), ["agents_disconnected", "agents_unreachable", "tasks_unreachable"]);
        cluster.agents.agents[0].deactivated = Some(true);
        assert!(kinds(&cluster).contains(&"agents_deactivated"));
        cluster.agents.agents.clear();
        assert!(kinds(&cluster).contains(&"no_agents"));
    }

    #[test]
    fn versions_orphans_and_broken_promises_are_found() {
        let mut cluster = recorded_cluster();
        cluster.agents.agents[0].version = "1.11.0".into();
        cluster.frameworks.frameworks[0].connected = false;
        cluster.roles.roles[1].quota.guarantee.insert("cpus".into(), 9.into());
        cluster.metrics.insert("master/event_queue_messages".into(), 20_000.0);
        assert_eq!(kinds(&cluster), ["agent_version", "orphans", "guarantees", "queues"]);
        let orphans = &findings(&cluster)[1];
        assert_eq!(orphans.subjects, ["82e1ebe4-4067-4374-be55-44b8107ea46b-0002 (fw-star): 2 tasks"]);
    }
}

//! Metrics by name, under the names that Mesos gives them.

use std::collections::BTreeMap;
use std::time::Duration;

use master_core::{Agent, Snapshot, TaskState};
use resources::{Name, Quantities, Resource, Value};

use super::agent::used;
use super::framework_metrics::{self, Counted};
use super::sharing::{self, Sharing};
use super::state::number;
use crate::timings::Statistics;

/// Values by name.
pub(crate) type Metrics = BTreeMap<String, f64>;

/// What is counted outside the core.
pub(crate) struct ServerFigures {
    /// Whether it leads.
    pub(crate) leads: bool,
    /// Messages that were dropped because it did not.
    pub(crate) dropped: u64,
    /// How long the master has been running.
    pub(crate) uptime: Duration,
    /// Who watches the operator API's events.
    pub(crate) watchers: usize,
    /// How many of those were disconnected because they read too slowly.
    pub(crate) watchers_given_up: u64,
    /// How many schedulers were.
    pub(crate) schedulers_given_up: u64,
    /// How often an answer was given to several who had asked at the same time.
    pub(crate) answers_shared: u64,
    /// Work that waits for the core.
    pub(crate) queued: usize,
    /// How long allocations took.
    pub(crate) allocation_run: Statistics,
    /// How long what calls for an allocation waited for it.
    pub(crate) allocation_run_latency: Statistics,
    /// How long it took to read the registry.
    pub(crate) registry_fetch: Statistics,
    /// How long writes to the registry took.
    pub(crate) registry_store: Statistics,
    /// How large the values of the registry are, in bytes.
    pub(crate) registry_bytes: usize,
}

/// All metrics; those of single frameworks if they are `counted`.
pub(crate) fn metrics(
    snapshot: &Snapshot,
    sharing: &Sharing,
    counted: Option<&Counted>,
    server: &ServerFigures,
) -> Metrics {
    let mut metrics = Metrics::new();
    for (name, value) in snapshot.metrics.counters() {
        // Counts are exact below 2^53.
        metrics.insert(name.to_owned(), value as f64);
    }
    for (name, count) in snapshot.metrics.operations.named() {
        metrics.insert(name, count as f64);
    }
    for ((state, source, reason), count) in &snapshot.metrics.task_reasons {
        metrics.insert(reason_name(*state, *source, *reason), *count as f64);
    }
    let mut set = |name: &str, value: f64| {
        metrics.insert(name.to_owned(), value);
    };
    set("master/elected", if server.leads { 1.0 } else { 0.0 });
    if !server.leads {
        set("master/dropped_messages", server.dropped as f64);
    }
    set("master/uptime_secs", server.uptime.as_secs_f64());
    // Ours, and the agent's has the same name: what cannot be, and was survived.
    set("meseta/broken_assumptions", base::broken_assumptions_in_all() as f64);
    set("master/event_queue_dispatches", number(server.queued));
    // Exporters ask for these queues by name. Here everything waits in the one above.
    set("master/event_queue_http_requests", 0.0);
    set("master/event_queue_messages", 0.0);
    set("master/http_cache_hits", server.answers_shared as f64);
    // Mesos has had these for long and counts nothing in them any more, or what only drivers and credentials bring.
    for name in [
        "master/slave_shutdowns_scheduled",
        "master/slave_shutdowns_completed",
        "master/slave_shutdowns_canceled",
        "master/messages_authenticate",
        "master/messages_deactivate_framework",
    ] {
        set(name, 0.0);
    }
    // There is no log; who asks wants to know whether the registry can be used. A master that leads has read it.
    set("registrar/log/recovered", if server.leads { 1.0 } else { 0.0 });
    set("registrar/log/ensemble_size", 1.0);
    set("registrar/queued_operations", number(snapshot.registry_queued));
    set("registrar/registry_size_bytes", number(server.registry_bytes));
    for (name, times) in [("fetch", &server.registry_fetch), ("store", &server.registry_store)] {
        for (part, value) in times.named() {
            set(&format!("registrar/state_{name}_ms{part}"), value);
        }
    }
    set("master/operator_event_stream_subscribers", number(server.watchers));
    // These two are ours: Mesos keeps what a slow client does not read until its memory is full (MESOS-7748).
    set("master/operator_event_streams_too_slow", server.watchers_given_up as f64);
    set("master/scheduler_event_streams_too_slow", server.schedulers_given_up as f64);
    frameworks(snapshot, &mut metrics);
    agents(snapshot, &mut metrics);
    tasks(snapshot, &mut metrics);
    resource_use(snapshot, &mut metrics);
    sharing::metrics(snapshot, sharing, server, &mut metrics);
    if let Some(counted) = counted {
        framework_metrics::metrics(snapshot, counted, &mut metrics);
    }
    system(&mut metrics);
    metrics
}

fn reason_name(state: TaskState, source: Option<master_core::Source>, reason: master_core::Reason) -> String {
    use proto::v1::task_status::{Reason, Source};
    let state = state.name().to_lowercase();
    let source = source.and_then(|source| Source::try_from(source.number()).ok()).unwrap_or_default();
    let source = source.as_str_name().to_lowercase();
    let reason =
        Reason::try_from(reason.0).map_or_else(|_| reason.0.to_string(), |r| r.as_str_name().to_lowercase());
    // Metrics have the names of v0, in which agents are slaves.
    format!("master/{state}/{source}/{reason}").replace("agent", "slave")
}

fn frameworks(snapshot: &Snapshot, metrics: &mut Metrics) {
    let count = |of: fn(&master_core::Framework) -> bool| {
        number(snapshot.frameworks.iter().filter(|framework| of(framework)).count())
    };
    let offers = snapshot.frameworks.iter().map(|framework| framework.offers.len()).sum();
    let figures = [
        ("master/frameworks_active", count(|framework| framework.active)),
        ("master/frameworks_inactive", count(|framework| framework.connected() && !framework.active)),
        ("master/frameworks_connected", count(|framework| framework.connected())),
        ("master/frameworks_disconnected", count(|framework| !framework.connected())),
        ("master/outstanding_offers", number(offers)),
    ];
    metrics.extend(figures.map(|(name, value)| (name.to_owned(), value)));
}

fn agents(snapshot: &Snapshot, metrics: &mut Metrics) {
    let count = |of: fn(&Agent) -> bool| number(snapshot.agents.iter().filter(|agent| of(agent)).count());
    let figures = [
        ("master/slaves_active", count(|agent| agent.active)),
        ("master/slaves_inactive", count(|agent| !agent.active)),
        ("master/slaves_connected", count(|agent| agent.connected)),
        ("master/slaves_disconnected", count(|agent| !agent.connected)),
        ("master/slaves_unreachable", number(snapshot.unreachable.len())),
    ];
    metrics.extend(figures.map(|(name, value)| (name.to_owned(), value)));
}

fn tasks(snapshot: &Snapshot, metrics: &mut Metrics) {
    let counted = [
        (TaskState::Staging, "master/tasks_staging"),
        (TaskState::Starting, "master/tasks_starting"),
        (TaskState::Running, "master/tasks_running"),
        (TaskState::Killing, "master/tasks_killing"),
        (TaskState::Unreachable, "master/tasks_unreachable"),
    ];
    let mut counts: BTreeMap<TaskState, usize> = BTreeMap::new();
    for framework in &snapshot.frameworks {
        for task in framework.tasks.values().chain(framework.unreachable_tasks.values()) {
            *counts.entry(task.state).or_default() += 1;
        }
    }
    for (state, name) in counted {
        metrics.insert(name.to_owned(), number(counts.get(&state).copied().unwrap_or(0)));
    }
}

/// What the cluster has and what of it is used. What may be taken back is told apart.
fn resource_use(snapshot: &Snapshot, metrics: &mut Metrics) {
    let mut sums = [Quantities::new(), Quantities::new()].map(|zero| (zero.clone(), zero));
    let mut add = |resource: &Resource, used: bool| {
        let Value::Scalar(amount) = resource.value else { return };
        let (total, taken) = &mut sums[usize::from(resource.is_revocable())];
        (if used { taken } else { total }).add(resource.name.clone(), amount);
    };
    for agent in &snapshot.agents {
        agent.total.iter().for_each(|resource| add(resource, false));
        used(agent).iter().for_each(|resource| add(resource, true));
    }
    for name in [Name::Cpus, Name::Mem, Name::Disk, Name::Gpus] {
        for (suffix, (total, taken)) in ["", "_revocable"].into_iter().zip(&sums) {
            let (total, taken) = (total.get(&name).to_f64(), taken.get(&name).to_f64());
            metrics.insert(format!("master/{name}{suffix}_total"), total);
            metrics.insert(format!("master/{name}{suffix}_used"), taken);
            let share = if total > 0.0 { taken / total } else { 0.0 };
            metrics.insert(format!("master/{name}{suffix}_percent"), share);
        }
    }
}

fn system(metrics: &mut Metrics) {
    for (name, value) in super::system::figures() {
        metrics.insert(format!("system/{name}"), value);
    }
}

#[cfg(test)]
mod tests {
    use master_core::{Reason, Source};

    use super::*;

    #[test]
    fn reasons_have_the_names_of_v0() {
        for (source, reason, name) in [
            (Source::Master, Reason::AGENT_REMOVED, "master/task_lost/source_master/reason_slave_removed"),
            (Source::Agent, Reason(1), "master/task_lost/source_slave/reason_executor_terminated"),
            (Source::Master, Reason::INVALID_OFFERS, "master/task_lost/source_master/reason_invalid_offers"),
        ] {
            assert_eq!(reason_name(TaskState::Lost, Some(source), reason), name);
        }
    }
}

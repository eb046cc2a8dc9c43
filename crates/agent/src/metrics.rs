//! What is counted, and the names under which it is shown: those of Mesos.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use agent_core::{ExecutorState, Snapshot, StatusUpdate, TaskState};
use containerizer::{CacheUsage, ProjectIds};
use resources::{Resources, Scalar};

/// Counts status updates once, however often they are sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Updates {
    pub(crate) valid: u64,
    finished: u64,
    failed: u64,
    killed: u64,
    lost: u64,
    gone: u64,
}

impl Updates {
    /// An update goes to the master, for the first time or again.
    pub(crate) fn sent(&mut self, update: &StatusUpdate) {
        if update.again {
            return;
        }
        self.valid += 1;
        match update.status.state {
            TaskState::Finished => self.finished += 1,
            TaskState::Failed | TaskState::Error => self.failed += 1,
            TaskState::Killed => self.killed += 1,
            TaskState::Lost | TaskState::Dropped => self.lost += 1,
            TaskState::Gone => self.gone += 1,
            _ => {}
        }
    }
}

/// What the core's thread counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) updates: Updates,
    pub(crate) container_launch_errors: u64,
    pub(crate) fetches_succeeded: u64,
    pub(crate) fetches_failed: u64,
    pub(crate) removals_pending: u64,
    pub(crate) removals_succeeded: u64,
    pub(crate) removals_failed: u64,
    /// How old sandboxes may become.
    pub(crate) max_allowed_age: Duration,
    pub(crate) executors_ended: u64,
    pub(crate) commits: u64,
    pub(crate) commit_errors: u64,
    pub(crate) recovery_errors: u64,
    /// How long it took to find out what an earlier agent had left.
    pub(crate) recovery_time: Duration,
}

/// Metrics that are always 0 here: what they count does not happen.
const NEVER: [&str; 7] = [
    "containerizer/mesos/filesystem/containers_new_rootfs",
    "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
    "containerizer/mesos/provisioner/remove_container_errors",
    "resource_provider_manager/events/disconnect",
    "resource_provider_manager/events/subscribe",
    "resource_provider_manager/subscribed",
    "slave/executors_preempted",
];

/// All metrics by name.
pub(crate) fn collect(
    snapshot: &Snapshot,
    counters: &Counters,
    cache: CacheUsage,
    projects: Option<ProjectIds>,
    destroy_errors: u64,
    started: Instant,
) -> BTreeMap<String, f64> {
    let mut all: BTreeMap<String, f64> = NEVER.iter().map(|name| ((*name).to_owned(), 0.0)).collect();
    let updates = &counters.updates;
    let counts = [
        ("containerizer/fetcher/cache_size_total_bytes", cache.total),
        ("containerizer/fetcher/cache_size_used_bytes", cache.used),
        ("containerizer/fetcher/task_fetches_failed", counters.fetches_failed),
        ("containerizer/fetcher/task_fetches_succeeded", counters.fetches_succeeded),
        ("containerizer/mesos/container_destroy_errors", destroy_errors),
        ("gc/path_removals_failed", counters.removals_failed),
        ("gc/path_removals_pending", counters.removals_pending),
        ("gc/path_removals_succeeded", counters.removals_succeeded),
        ("meseta/broken_assumptions", base::broken_assumptions_in_all()),
        ("meseta/checkpoint_commits", counters.commits),
        ("meseta/checkpoint_errors", counters.commit_errors),
        // As in Mesos, a container that no containerizer can make is among those that could not be launched.
        (
            "slave/container_launch_errors",
            counters.container_launch_errors + snapshot.counts.unsupported_launches,
        ),
        ("slave/executors_terminated", counters.executors_ended),
        ("slave/frameworks_active", snapshot.frameworks.len() as u64),
        ("slave/invalid_framework_messages", snapshot.counts.invalid_framework_messages),
        ("slave/invalid_status_updates", snapshot.counts.invalid_status_updates),
        ("slave/recovery_errors", counters.recovery_errors),
        ("slave/registered", u64::from(snapshot.master.is_some())),
        ("slave/tasks_failed", updates.failed),
        ("slave/tasks_finished", updates.finished),
        ("slave/tasks_gone", updates.gone),
        ("slave/tasks_killed", updates.killed),
        ("slave/tasks_lost", updates.lost),
        ("slave/valid_framework_messages", snapshot.counts.valid_framework_messages),
        ("slave/valid_status_updates", updates.valid),
    ];
    all.extend(counts.into_iter().map(|(name, count)| (name.to_owned(), number(count))));
    if let Some(ProjectIds { total, free }) = projects {
        all.insert("containerizer/mesos/disk/project_ids_total".to_owned(), number(total));
        all.insert("containerizer/mesos/disk/project_ids_free".to_owned(), number(free));
    }
    all.insert("slave/uptime_secs".to_owned(), started.elapsed().as_secs_f64());
    all.insert("slave/recovery_time_secs".to_owned(), counters.recovery_time.as_secs_f64());
    all.insert(
        "slave/executor_directory_max_allowed_age_secs".to_owned(),
        counters.max_allowed_age.as_secs_f64(),
    );
    tasks(snapshot, &mut all);
    executors(snapshot, &mut all);
    amounts(snapshot, &mut all);
    system(&mut all);
    all
}

fn number(count: u64) -> f64 {
    // Counters stay far below 2^52, up to which doubles are exact.
    count as f64
}

fn tasks(snapshot: &Snapshot, all: &mut BTreeMap<String, f64>) {
    let executors = || snapshot.frameworks.iter().flat_map(|framework| &framework.executors);
    let in_state =
        |state| executors().flat_map(|e| &e.launched).filter(|task| task.state == state).count() as f64;
    let queued = executors().map(|executor| executor.queued.len()).sum::<usize>() as f64;
    all.insert("slave/tasks_staging".to_owned(), queued + in_state(TaskState::Staging));
    all.insert("slave/tasks_starting".to_owned(), in_state(TaskState::Starting));
    all.insert("slave/tasks_running".to_owned(), in_state(TaskState::Running));
    all.insert("slave/tasks_killing".to_owned(), in_state(TaskState::Killing));
}

fn executors(snapshot: &Snapshot, all: &mut BTreeMap<String, f64>) {
    for (name, state) in [
        ("slave/executors_registering", ExecutorState::Registering),
        ("slave/executors_running", ExecutorState::Running),
        ("slave/executors_terminating", ExecutorState::Terminating),
    ] {
        let executors = snapshot.frameworks.iter().flat_map(|framework| &framework.executors);
        all.insert(name.to_owned(), executors.filter(|executor| executor.state == state).count() as f64);
    }
}

fn amounts(snapshot: &Snapshot, all: &mut BTreeMap<String, f64>) {
    let used = used(snapshot);
    for name in ["cpus", "mem", "disk", "gpus"] {
        let amount = |resources: &Resources| resources.scalar(&name.into()).unwrap_or(Scalar::ZERO).to_f64();
        for (kind, total, used) in [
            ("", amount(&snapshot.total.non_revocable()), amount(&used.non_revocable())),
            ("_revocable", amount(&snapshot.total.revocable()), amount(&used.revocable())),
        ] {
            let percent = if total > 0.0 { used / total } else { 0.0 };
            all.insert(format!("slave/{name}{kind}_total"), total);
            all.insert(format!("slave/{name}{kind}_used"), used);
            all.insert(format!("slave/{name}{kind}_percent"), percent);
        }
    }
}

/// What the living executors and their tasks use.
pub(crate) fn used(snapshot: &Snapshot) -> Resources {
    let mut used = Resources::new();
    for executor in snapshot.frameworks.iter().flat_map(|framework| &framework.executors) {
        used += &executor.resources;
    }
    used
}

/// Load and memory of the machine.
pub(crate) struct System {
    pub(crate) cpus: f64,
    /// Over 1, 5 and 15 minutes.
    pub(crate) load: [f64; 3],
    pub(crate) mem_total: u64,
    pub(crate) mem_free: u64,
}

impl System {
    pub(crate) fn now() -> Self {
        let info = rustix::system::sysinfo();
        let unit = u64::from(info.mem_unit);
        let load = |load: u64| load as f64 / 65536.0; // The kernel's fixed point.
        Self {
            cpus: std::thread::available_parallelism().map_or(1.0, |cpus| number(cpus.get() as u64)),
            load: info.loads.map(load),
            mem_total: info.totalram * unit,
            mem_free: info.freeram * unit,
        }
    }
}

fn system(all: &mut BTreeMap<String, f64>) {
    let system = System::now();
    let values = [
        ("system/cpus_total", system.cpus),
        ("system/load_1min", system.load[0]),
        ("system/load_5min", system.load[1]),
        ("system/load_15min", system.load[2]),
        ("system/mem_free_bytes", number(system.mem_free)),
        ("system/mem_total_bytes", number(system.mem_total)),
    ];
    all.extend(values.map(|(name, value)| (name.to_owned(), value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_that_do_not_go_are_counted() {
        let snapshot = Snapshot {
            agent_id: None,
            master: None,
            registered_at: None,
            total: Resources::new(),
            frameworks: Vec::new(),
            completed_frameworks: Vec::new(),
            operations: Vec::new(),
            drain: None,
            counts: agent_core::Counts::default(),
        };
        let all = collect(&snapshot, &Counters::default(), CacheUsage::default(), None, 3, Instant::now());
        assert!((all["containerizer/mesos/container_destroy_errors"] - 3.0).abs() < f64::EPSILON);
    }
}

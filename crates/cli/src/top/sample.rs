//! What containers use at a moment, and how much that is over a span of time.

use std::collections::HashMap;

use proto::v1::ContainerId;
use proto::v1::agent::response::get_containers::Container;

/// A container at a moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) agent_id: String,
    pub(super) framework_id: String,
    /// The id of the task, where one container is one task; else that of the executor.
    pub(super) task: String,
    pub(super) container: String,
    /// The container that it is nested in.
    pub(super) parent: Option<String>,
    /// When this was measured, by the agent's clock, in seconds.
    pub(super) time: f64,
    /// Seconds of processors that it has used since it began.
    pub(super) cpu_seconds: f64,
    pub(super) cpus: f64,
    pub(super) mem_bytes: u64,
    pub(super) mem_limit_bytes: u64,
    pub(super) disk_bytes: u64,
    pub(super) processes: u32,
}

impl Sample {
    /// From what an agent tells of a container; `tasks` are those of containers that are nested.
    pub(super) fn of(agent_id: &str, container: &Container, tasks: &HashMap<String, String>) -> Self {
        let statistics = container.resource_statistics.clone().unwrap_or_default();
        let id = id_text(&container.container_id);
        let executor = container.executor_id.as_ref().map_or("", |id| &id.value).to_owned();
        Self {
            agent_id: agent_id.to_owned(),
            framework_id: container.framework_id.as_ref().map_or("", |id| &id.value).to_owned(),
            task: tasks.get(&id).cloned().unwrap_or(executor),
            container: id,
            parent: container.container_id.parent.as_deref().map(id_text),
            time: statistics.timestamp,
            cpu_seconds: statistics.cpus_user_time_secs() + statistics.cpus_system_time_secs(),
            cpus: statistics.cpus_limit.or(statistics.cpus_soft_limit).unwrap_or(0.0),
            mem_bytes: statistics.mem_total_bytes.or(statistics.mem_rss_bytes).unwrap_or(0),
            mem_limit_bytes: statistics.mem_limit_bytes(),
            disk_bytes: statistics.disk_used_bytes(),
            processes: statistics.processes(),
        }
    }
}

/// The id with those of the containers around it.
pub(super) fn id_text(id: &ContainerId) -> String {
    id.to_string()
}

/// What is counted together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum By {
    /// Containers of an agent.
    Agent,
    /// Containers of a framework.
    Framework,
    /// Each by itself.
    #[default]
    Task,
}

/// What is used over the time between two samples.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub(super) struct Row {
    /// The id of the agent, the framework or the task.
    pub(super) id: String,
    pub(super) framework_id: Option<String>,
    pub(super) agent_id: Option<String>,
    pub(super) containers: usize,
    /// How many processors were busy.
    pub(super) cpus_used: f64,
    /// How many it may use.
    pub(super) cpus: f64,
    pub(super) mem_used_bytes: u64,
    pub(super) mem_bytes: u64,
    pub(super) disk_used_bytes: u64,
    pub(super) processes: u32,
}

/// The rows, the busiest first.
pub(super) fn rows(before: &[Sample], now: &[Sample], by: By) -> Vec<Row> {
    let earlier: HashMap<(&str, &str), &Sample> =
        before.iter().map(|sample| ((sample.agent_id.as_str(), sample.container.as_str()), sample)).collect();
    let parents: std::collections::HashSet<(&str, &str)> =
        now.iter().filter_map(|s| Some((s.agent_id.as_str(), s.parent.as_deref()?))).collect();
    let mut rows: HashMap<(String, String), Row> = HashMap::new();
    for sample in now {
        let is_parent = parents.contains(&(sample.agent_id.as_str(), sample.container.as_str()));
        // What is nested is in the figures of what it is nested in.
        let counts = if by == By::Task { !is_parent } else { sample.parent.is_none() };
        if !counts {
            continue;
        }
        let (key, row) = head(sample, by);
        let row = rows.entry(key).or_insert(row);
        row.containers += 1;
        let busy = earlier.get(&(sample.agent_id.as_str(), sample.container.as_str())).map(|before| {
            let (spent, span) = (sample.cpu_seconds - before.cpu_seconds, sample.time - before.time);
            if span > 0.0 { (spent / span).max(0.0) } else { 0.0 }
        });
        row.cpus_used += busy.unwrap_or(0.0);
        row.cpus += sample.cpus;
        row.mem_used_bytes += sample.mem_bytes;
        row.mem_bytes += sample.mem_limit_bytes;
        row.disk_used_bytes += sample.disk_bytes;
        row.processes += sample.processes;
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    rows.sort_by(|a, b| {
        let busiest = b.cpus_used.total_cmp(&a.cpus_used).then(b.mem_used_bytes.cmp(&a.mem_used_bytes));
        busiest.then_with(|| (&a.id, &a.framework_id).cmp(&(&b.id, &b.framework_id)))
    });
    rows
}

fn head(sample: &Sample, by: By) -> ((String, String), Row) {
    let (id, framework_id, agent_id) = match by {
        By::Agent => (&sample.agent_id, None, None),
        By::Framework => (&sample.framework_id, None, None),
        By::Task => (&sample.task, Some(sample.framework_id.clone()), Some(sample.agent_id.clone())),
    };
    let key = (id.clone(), framework_id.clone().unwrap_or_default());
    (key, Row { id: id.clone(), framework_id, agent_id, ..Row::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded;

    fn sample(task: &str, parent: Option<&str>, time: f64, cpu_seconds: f64) -> Sample {
        Sample {
            agent_id: "S0".into(),
            framework_id: "f".into(),
            task: task.into(),
            container: task.into(),
            parent: parent.map(ToOwned::to_owned),
            time,
            cpu_seconds,
            mem_bytes: 10,
            ..Sample::default()
        }
    }

    #[test]
    fn what_is_nested_counts_once() {
        let at = |time: f64| {
            let used = |rate: f64| rate * time;
            vec![
                sample("pod", None, time, used(1.5)),
                sample("left", Some("pod"), time, used(1.0)),
                sample("right", Some("pod"), time, used(0.5)),
                sample("lone", None, time, used(0.25)),
            ]
        };
        let of = |by| {
            let rows = rows(&at(10.0), &at(12.0), by);
            rows.into_iter().map(|row| (row.id, row.cpus_used, row.mem_used_bytes)).collect::<Vec<_>>()
        };
        let expected = [("left", 1.0, 10), ("right", 0.5, 10), ("lone", 0.25, 10)];
        assert_eq!(of(By::Task), expected.map(|(id, cpus, mem)| (id.to_owned(), cpus, mem)));
        assert_eq!(of(By::Agent), [("S0".to_owned(), 1.75, 20)]);
        assert_eq!(of(By::Framework), [("f".to_owned(), 1.75, 20)]);
        let first = rows(&[], &at(10.0), By::Agent);
        assert_eq!(first[0].cpus_used, 0.0, "nothing is known of before");
    }

    #[test]
    fn a_recorded_agent_is_sampled() {
        let reply: proto::v1::agent::Response = recorded::message("agent.v1.GET_CONTAINERS");
        let containers = reply.get_containers.unwrap().containers;
        let sample = Sample::of("S0", &containers[0], &HashMap::new());
        assert_eq!((sample.task.as_str(), sample.mem_bytes), ("fw-once-0", 11_689_984));
        assert!((sample.cpu_seconds - 0.28).abs() < 1e-9);
        assert_eq!(sample.cpus, 0.1);
    }
}

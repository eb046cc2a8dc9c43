//! Metrics of single frameworks, as long as the framework is known, also when it is over: `master/frameworks/NAME/ID/...`, the name percent-encoded.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::FrameworkId;
use master_core::{Framework, FrameworkCounts, Snapshot, TaskState};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use proto::v1::offer::operation::Type as OperationType;
use proto::v1::scheduler::{call, event};

use super::metrics::Metrics;
use super::state::number;

/// What is counted of each framework.
pub(crate) struct Counted {
    /// By the core.
    pub(crate) counts: BTreeMap<FrameworkId, Arc<FrameworkCounts>>,
    /// Heartbeats, which the core knows nothing of.
    pub(crate) heartbeats: BTreeMap<FrameworkId, u64>,
}

/// What Mesos escapes in a name.
const ESCAPED: &AsciiSet = &CONTROLS
    .remove(0x7f)
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'$')
    .add(b'%')
    .add(b'&')
    .add(b'+')
    .add(b',')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'<')
    .add(b'=')
    .add(b'>')
    .add(b'?')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'~');

/// All of them.
pub(crate) fn metrics(snapshot: &Snapshot, counted: &Counted, metrics: &mut Metrics) {
    for framework in snapshot.frameworks.iter().chain(&snapshot.completed_frameworks) {
        let Some(counts) = counted.counts.get(&framework.id) else { continue };
        let name = utf8_percent_encode(&framework.info.name, ESCAPED);
        let prefix = format!("master/frameworks/{name}/{}", framework.id);
        let heartbeats = counted.heartbeats.get(&framework.id).copied().unwrap_or_default();
        let mut set = |name: String, value: f64| {
            metrics.insert(format!("{prefix}/{name}"), value);
        };
        of_framework(framework, counts, heartbeats, &mut set);
        // These are the allocator's in Mesos, which remembers as many frameworks that are over as the master.
        for role in &framework.info.roles {
            let suppressed = framework.suppressed_roles.contains(role);
            set(format!("roles/{role}/suppressed"), if suppressed { 1.0 } else { 0.0 });
        }
    }
}

fn of_framework(
    framework: &Framework,
    counts: &FrameworkCounts,
    heartbeats: u64,
    set: &mut impl FnMut(String, f64),
) {
    set("subscribed".to_owned(), if framework.connected() { 1.0 } else { 0.0 });
    for (name, count) in [
        ("sent", counts.offers_sent),
        ("accepted", counts.offers_accepted),
        ("declined", counts.offers_declined),
        ("rescinded", counts.offers_rescinded),
    ] {
        set(format!("offers/{name}"), count as f64);
    }
    let mut events = counts.events.clone();
    events.insert(event::Type::Heartbeat.as_str_name(), heartbeats);
    by_type("calls", &names(|kind: call::Type| kind.as_str_name()), &counts.calls, set);
    by_type("events", &names(|kind: event::Type| kind.as_str_name()), &events, set);
    by_type("operations", &names(|kind: OperationType| kind.as_str_name()), &counts.operations, set);
    tasks(framework, counts, set);
}

/// All together, and each.
fn by_type(
    what: &str,
    names: &[&'static str],
    counts: &BTreeMap<&'static str, u64>,
    set: &mut impl FnMut(String, f64),
) {
    set(what.to_owned(), counts.values().sum::<u64>() as f64);
    for name in names {
        let count = counts.get(name).copied().unwrap_or_default();
        set(format!("{what}/{}", name.to_lowercase()), count as f64);
    }
}

fn tasks(framework: &Framework, counts: &FrameworkCounts, set: &mut impl FnMut(String, f64)) {
    let mut active: BTreeMap<TaskState, usize> = BTreeMap::new();
    for task in framework.tasks.values().chain(framework.unreachable_tasks.values()) {
        *active.entry(task.state).or_default() += 1;
    }
    for state in TaskState::ALL {
        let name = state.name().to_lowercase();
        if state.is_terminal() {
            let count = counts.ended_tasks.get(&state).copied().unwrap_or_default();
            set(format!("tasks/terminal/{name}"), count as f64);
        } else {
            set(format!("tasks/active/{name}"), number(active.get(&state).copied().unwrap_or_default()));
        }
    }
}

/// The names of an enum of the wire, `UNKNOWN` excepted, which is 0.
fn names<T: TryFrom<i32>>(name: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    (1..=64).filter_map(|number| T::try_from(number).ok()).map(name).collect()
}

#[cfg(test)]
mod tests {
    use master_core::{Options, SchedulerCall};
    use testkit::master::{Master, framework_info, launch, task};

    use super::*;

    fn shown(master: &Master, heartbeats: &[(&FrameworkId, u64)]) -> Metrics {
        let heartbeats = heartbeats.iter().map(|(id, count)| ((*id).clone(), *count)).collect();
        let counted = Counted { counts: master.core.framework_counts(), heartbeats };
        let mut shown = Metrics::new();
        metrics(&master.core.snapshot(master.now), &counted, &mut shown);
        shown
    }

    #[test]
    fn each_framework_has_all_that_mesos_shows_until_it_is_forgotten() {
        let options = Options { max_completed_frameworks: 1, ..Options::new("master".to_owned(), 1) };
        let mut master = Master::new(options);
        let (agent, _) = master.agent("h", "cpus:4;mem:4096");
        let scheduler = master.subscribe(framework_info("a/b é~"));
        let offer = master.offer(&scheduler);
        master.accept(&scheduler, &offer.id, [launch([task("t", &agent, "cpus:1;mem:32")])]);
        let figures = shown(&master, &[(&scheduler.id, 2)]);
        let prefix = format!("master/frameworks/a%2Fb%20%C3%A9%7E/{}", scheduler.id);
        for (name, value) in [
            ("subscribed", 1.0),
            ("calls", 2.0),
            ("calls/subscribe", 1.0),
            ("calls/accept", 1.0),
            ("calls/update_framework", 0.0),
            ("events/subscribed", 1.0),
            ("events/heartbeat", 2.0),
            ("events/rescind_inverse_offer", 0.0),
            ("offers/accepted", 1.0),
            ("operations", 1.0),
            ("operations/launch", 1.0),
            ("operations/destroy_disk", 0.0),
            ("tasks/active/task_staging", 1.0),
            ("tasks/active/task_unreachable", 0.0),
            ("tasks/terminal/task_gone_by_operator", 0.0),
            ("roles/*/suppressed", 0.0),
        ] {
            assert_eq!(figures.get(&format!("{prefix}/{name}")), Some(&value), "{name}: {figures:?}");
        }
        // 17 calls, 11 events and 10 operations with their sums, 14 states of tasks, 4 counts of offers, a role.
        assert_eq!(figures.len(), 1 + 18 + 12 + 11 + 14 + 4 + 1, "{:?}", figures.keys());

        master.call(&scheduler, SchedulerCall::Suppress(Vec::new()));
        assert_eq!(shown(&master, &[])[&format!("{prefix}/roles/*/suppressed")], 1.0);
        master.call(&scheduler, SchedulerCall::Teardown);
        let over = shown(&master, &[(&scheduler.id, 3)]);
        for (name, value) in [
            ("subscribed", 0.0),
            ("calls/teardown", 1.0),
            ("events/heartbeat", 3.0),
            ("tasks/active/task_staging", 0.0),
            ("tasks/terminal/task_killed", 1.0),
            ("roles/*/suppressed", 1.0),
        ] {
            assert_eq!(over.get(&format!("{prefix}/{name}")), Some(&value), "{name}: {over:?}");
        }
        assert_eq!(over.len(), figures.len(), "{:?}", over.keys());

        let next = master.subscribe(framework_info("next"));
        master.call(&next, SchedulerCall::Teardown);
        let kept = shown(&master, &[]);
        assert!(!kept.is_empty() && kept.keys().all(|name| name.contains("/next/")), "{:?}", kept.keys());
    }
}

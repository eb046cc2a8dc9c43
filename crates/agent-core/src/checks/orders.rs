//! When checks are performed: planned, ordered, called off.

use std::collections::BTreeMap;
use std::time::Duration;

use base::{ContainerId, Time};

use super::{Checked, Health, Kind, Pace};
use crate::checkpoint::HealthRecord;
use crate::core::{AgentCore, Step};
use crate::output::Output;
use crate::specs;
use crate::state::Run;
use crate::timers::{Timer, Timers};
use crate::types::{Check, CheckId, CheckOrder, Probe, TaskInfo, TaskStatus};

/// The shortest pause between two checks: one that asks for none must not keep the agent busy.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The checks that are being performed, of all tasks.
#[derive(Debug, Default)]
pub(crate) struct Orders {
    newest: u64,
    pub(crate) performing: BTreeMap<CheckId, (ContainerId, Kind)>,
}

impl Orders {
    fn add(&mut self, container: &ContainerId, kind: Kind) -> CheckId {
        self.newest += 1;
        let id = CheckId(self.newest);
        self.performing.insert(id, (container.clone(), kind));
        id
    }
}

/// A task's check of that kind, if it has one.
pub(super) fn of(info: &TaskInfo, kind: Kind) -> Option<&Check> {
    match kind {
        Kind::Check => info.check.as_ref(),
        Kind::Health => info.health_check.as_ref().map(|health| &health.check),
    }
}

/// A task begins to run.
pub(crate) fn begin(timers: &mut Timers, now: Time, info: &TaskInfo, run: &mut Run) {
    run.checked.since = now;
    plan_first(timers, now, info, run);
}

/// A task that an earlier life of the agent has started goes on.
pub(crate) fn resume(
    timers: &mut Timers,
    now: Time,
    info: &TaskInfo,
    run: &mut Run,
    record: Option<HealthRecord>,
    last: Option<&TaskStatus>,
) {
    let record = record.unwrap_or(HealthRecord { since: now, passed: false, failures: 0 });
    run.checked = Checked {
        since: record.since,
        status: last.and_then(|last| last.check_status),
        healthy: last.and_then(|last| last.healthy),
        health: Health { passed: record.passed, failures: record.failures },
        ..Checked::default()
    };
    plan_first(timers, now, info, run);
}

fn plan_first(timers: &mut Timers, now: Time, info: &TaskInfo, run: &mut Run) {
    for kind in [Kind::Check, Kind::Health] {
        if let Some(check) = of(info, kind) {
            let first = now.max(run.checked.since + check.delay);
            let timer = timers.set(first, Timer::Check(run.container_id.clone(), kind));
            *run.checked.pace(kind) = Pace::Waiting(timer);
        }
    }
}

/// Plans the next time, after one has ended.
pub(super) fn plan_next(timers: &mut Timers, now: Time, check: &Check, kind: Kind, run: &mut Run) {
    let next = now + check.interval.max(SHORTEST_INTERVAL);
    let timer = timers.set(next, Timer::Check(run.container_id.clone(), kind));
    *run.checked.pace(kind) = Pace::Waiting(timer);
}

/// The time for a check has come.
pub(crate) fn due(core: &mut AgentCore, step: &mut Step<'_>, container: &ContainerId, kind: Kind) {
    let Some(owner) = core.containers.get(container).cloned() else { return };
    let Some(task_id) = owner.task_id.clone() else { return };
    let Some(framework) = core.frameworks.get_mut(&owner.framework_id) else { return };
    let Some(entry) = framework.entry(&task_id) else { return };
    let (Some(check), Some(run)) = (of(&entry.task.info, kind), entry.run.as_mut()) else { return };
    let (probe, timeout) = (check.probe.clone(), check.timeout);
    let id = core.checks.add(container, kind);
    *run.checked.pace(kind) = Pace::Performing(id);
    let place = match &probe {
        Probe::Command(command) => specs::of_check(core, &owner, container, command),
        Probe::Http { .. } | Probe::Tcp { .. } => None,
    };
    let order = CheckOrder { id, container_id: container.clone(), task_id, probe, timeout, place };
    step.out.push(Output::PerformCheck(Box::new(order)));
}

/// A task's kill begins, or it has ended: nothing is checked any more, and what is under way is called off.
pub(crate) fn stop(timers: &mut Timers, orders: &mut Orders, out: &mut Vec<Output>, run: &mut Run) {
    for kind in [Kind::Check, Kind::Health] {
        match std::mem::take(run.checked.pace(kind)) {
            Pace::Off => {}
            Pace::Waiting(timer) => timers.cancel(&mut Some(timer)),
            Pace::Performing(id) => {
                orders.performing.remove(&id);
                out.push(Output::CancelCheck(id));
            }
        }
    }
}

//! Marking agents unreachable, at a limited rate: when very many do not answer, it may be the network, and what follows
//! costs everybody much.
//!
//! The limit is on taking agents out, which schedulers that do not know `TASK_UNREACHABLE` hear of as lost tasks. Those that
//! know it are told at once, and told again when the agent is back before its turn comes (MESOS-7721).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use base::{AgentId, FrameworkId, TaskId, Time};

use super::{Effect, Leaving, write};
use crate::core::{MasterCore, send};
use crate::input::Timer;
use crate::output::{Output, SchedulerEvent};
use crate::tasks;
use crate::types::{AgentRecord, Framework, Reason, RegistryOperation, Task, TaskState};

/// Why an agent is unreachable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// It does not answer pings.
    HealthCheck,
    /// Its connection broke, and it did not come back.
    Disconnected,
    /// It did not come to this master, which took over from another.
    Failover,
}

impl Why {
    /// What schedulers are told.
    fn message(self, core: &MasterCore) -> String {
        let timeout = mesos_duration(core.options.agent_reregister_timeout);
        match self {
            Self::HealthCheck => "health check timed out".to_owned(),
            Self::Disconnected => format!("agent did not reregister within {timeout} after disconnecting"),
            Self::Failover => format!("did not reregister within {timeout} after master failover"),
        }
    }
}

/// A duration in the largest unit that fits, as Mesos writes it in messages.
fn mesos_duration(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (unit, name) =
        [(604_800.0, "weeks"), (86_400.0, "days"), (3_600.0, "hrs"), (60.0, "mins"), (1.0, "secs")]
            .into_iter()
            .find(|(unit, _)| seconds >= *unit)
            .unwrap_or((0.001, "ms"));
    format!("{}{name}", seconds / unit)
}

/// Agents that are to be marked unreachable as soon as the limit lets it happen.
#[derive(Default, Debug)]
pub(crate) struct Removals {
    /// In the order in which they came.
    queue: VecDeque<AgentId>,
    /// Those of them that are not back meanwhile: why, and since when.
    waiting: BTreeMap<AgentId, (Why, Time)>,
    /// When the next one may be.
    next: Time,
}

impl Removals {
    /// An agent is there no more.
    pub(crate) fn forget(&mut self, id: &AgentId) {
        self.waiting.remove(id);
    }
}

/// Since when an agent has been waiting to be marked unreachable.
pub(crate) fn held(core: &MasterCore, id: &AgentId) -> Option<Time> {
    core.removals.waiting.get(id).map(|(_, since)| *since)
}

/// An agent is unreachable: it is marked so, now or as soon as the limit lets it happen.
pub(crate) fn unreachable_due(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    why: Why,
    out: &mut Vec<Output>,
) {
    if core.removals.waiting.contains_key(id) || core.registry.leaving.contains_key(id) {
        return;
    }
    core.metrics.agent_unreachable_scheduled += 1;
    let pause = core.options.agent_removal_pause;
    if pause.is_zero() || (core.removals.waiting.is_empty() && now >= core.removals.next) {
        core.removals.next = now + pause;
        mark(core, now, id, why, out);
        return;
    }
    if core.removals.queue.is_empty() {
        out.push(Output::SetTimer { at: core.removals.next, timer: Timer::Removal });
    }
    core.removals.queue.push_back(id.clone());
    core.removals.waiting.insert(id.clone(), (why, now));
    tell_partition_aware(core, now, id, Told::Unreachable, out);
}

/// The limit lets another agent be marked unreachable.
pub(crate) fn removal_due(core: &mut MasterCore, now: Time, out: &mut Vec<Output>) {
    if now < core.removals.next {
        // Another one was marked at this very moment: those that wait have their turn later, and are not forgotten.
        return arm(core, out);
    }
    while let Some(id) = core.removals.queue.pop_front() {
        let Some((why, _)) = core.removals.waiting.remove(&id) else { continue };
        core.removals.next = now + core.options.agent_removal_pause;
        mark(core, now, &id, why, out);
        break;
    }
    arm(core, out);
}

/// Sets the time of the next one, if any is left.
fn arm(core: &MasterCore, out: &mut Vec<Output>) {
    if !core.removals.queue.is_empty() {
        out.push(Output::SetTimer { at: core.removals.next, timer: Timer::Removal });
    }
}

/// An agent that was waiting to be marked unreachable is back; with `answers_only` all that is known is that it answers
/// pings, which is not enough for one that has to reregister.
pub(crate) fn back(
    core: &mut MasterCore,
    now: Time,
    id: &AgentId,
    answers_only: bool,
    out: &mut Vec<Output>,
) {
    let Some((why, _)) = core.removals.waiting.get(id) else { return };
    if answers_only && *why != Why::HealthCheck {
        return;
    }
    core.removals.waiting.remove(id);

    core.metrics.agent_unreachable_canceled += 1;
    tell_partition_aware(core, now, id, Told::Back, out);
}

/// Marks an agent unreachable, unless something else happens to it.
fn mark(core: &mut MasterCore, now: Time, id: &AgentId, why: Why, out: &mut Vec<Output>) {
    let there = core.agents.registered.contains_key(id) || core.agents.recovered.contains_key(id);
    let busy = core.registry.leaving.contains_key(id) || core.registry.reregistering.contains_key(id);
    let Some(record) = core.registry.agent(id).filter(|_| there && !busy) else {
        core.metrics.agent_unreachable_canceled += 1;
        return;
    };
    core.metrics.agent_unreachable_completed += 1;
    let (drain, deactivated) = record.treatment();
    let record = AgentRecord::Unreachable { since: now, hostname: record.hostname(), drain, deactivated };
    let operations = vec![RegistryOperation::Agent(id.clone(), Some(record))];
    core.registry.leaving.insert(id.clone(), Leaving::Unreachable);
    let message = why.message(core);
    write(core, operations, Effect::Unreachable { id: id.clone(), since: now, message }, out);
}

/// What partition-aware frameworks are told of the tasks on an agent that waits to be marked unreachable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Unreachable,
    Back,
}

fn tell_partition_aware(core: &MasterCore, now: Time, id: &AgentId, told: Told, out: &mut Vec<Output>) {
    let Some(agent) = core.agents.get(id) else { return };
    for (framework_id, task_ids) in &agent.tasks {
        let Some(framework) = aware(core, framework_id) else { continue };
        for task in task_ids.iter().filter_map(|task_id: &TaskId| framework.tasks.get(task_id)) {
            if !task.state.is_terminal() {
                tell(core, now, framework, task, told, out);
            }
        }
    }
}

fn aware<'a>(core: &'a MasterCore, id: &FrameworkId) -> Option<&'a Arc<Framework>> {
    core.frameworks.get(id).filter(|framework| framework.info.capabilities.partition_aware)
}

fn tell(core: &MasterCore, now: Time, framework: &Framework, task: &Task, told: Told, out: &mut Vec<Output>) {
    let status = match told {
        Told::Unreachable => {
            let message = Why::HealthCheck.message(core);
            let mut status =
                tasks::master_status(task, now, TaskState::Unreachable, message, Reason::AGENT_REMOVED);
            status.unreachable_time = Some(now);
            status
        }
        Told::Back => {
            let message = "Unreachable agent re-reregistered".to_owned();
            let mut status = tasks::master_status(task, now, task.state, message, Reason::AGENT_REREGISTERED);
            status.repeats = task.statuses.last().cloned();
            status
        }
    };
    send(framework, SchedulerEvent::Update(Arc::new(status)), out);
}

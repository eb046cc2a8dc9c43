//! Frameworks that checkpoint, as an earlier life of the agent left them.
//!
//! What has been decided is taken up as it was: who was told what, which kills had begun, what waits. A container that is
//! not there any more ends by an event, as any other; one that was ordered and never started is ordered again. Custom
//! executors have to subscribe again.

use std::collections::{BTreeMap, BTreeSet};

use base::{ContainerId, ExecutorId, FrameworkId, TaskId, Time};
use tracing::info;

use crate::Output;
use crate::checkpoint::{
    Found, KillRecord, Past, Place, Progress, RecoveredExecutor, RecoveredFramework, TaskRecord,
};
use crate::core::{AgentCore, Step};
use crate::input::ContainerEvent;
use crate::state::{Executor, Kill, Owner, Queued, Run, TaskEntry};
use crate::timers::Timer;
use crate::types::{ExecutorKind, ExecutorState, Task, TaskState};
use crate::{checks, containers, executors, frameworks, past, specs};

const SIGTERM: i32 = 15;

type Containers = BTreeMap<ContainerId, Found>;

/// Takes up all frameworks, and what was over.
pub(crate) fn all(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    recovered: Vec<RecoveredFramework>,
    past: Vec<(u64, Past)>,
    found: &Containers,
) {
    let (mut up, mut unstarted) = (Vec::new(), Vec::new());
    let mut here: Vec<(FrameworkId, Vec<ExecutorId>)> = Vec::new();
    for RecoveredFramework { info, terminating, executors } in recovered {
        let id = info.id.clone();
        frameworks::ensure(core, &info).terminating = terminating;
        let ids: Vec<ExecutorId> = executors.iter().map(|e| e.record.info.executor_id.clone()).collect();
        for executor in executors {
            unstarted.extend(not_started(&executor, found));
            self::executor(core, step, &id, executor, found, &mut up);
        }
        info!(framework = %id, executors = ids.len(), "recovered a framework");
        here.push((id, ids));
    }
    past::recover(core, past);
    for (id, executors) in here {
        for executor in executors {
            executors::settle(core, step, &id, &executor);
        }
        frameworks::remove_if_idle(core, step, &id);
    }
    // Those that came up without the agent having known.
    for (container, pid) in up {
        containers::event(core, step, &container, ContainerEvent::Launched { pid });
    }
    for container in unstarted {
        executors::order(core, step, &container);
    }
}

/// Those of an executor's containers that never started.
fn not_started(executor: &RecoveredExecutor, found: &Containers) -> Vec<ContainerId> {
    let nested = executor.tasks.iter().filter_map(|(task, _)| match &task.place {
        Place::Run { container_id, .. } => Some(container_id),
        Place::Queued { .. } | Place::Sent => None,
    });
    let all: BTreeSet<&ContainerId> = nested.chain([&executor.record.container_id]).collect();
    all.into_iter().filter(|id| found.get(*id) == Some(&Found::Unstarted)).cloned().collect()
}

fn executor(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    recovered: RecoveredExecutor,
    found: &Containers,
    up: &mut Vec<(ContainerId, Option<u32>)>,
) {
    let RecoveredExecutor { record, tasks } = recovered;
    let executor_id = record.info.executor_id.clone();
    let container_id = record.container_id.clone();
    let directory = specs::directory(core, framework_id, &executor_id, &container_id);
    let mut executor = Executor::new(record.info, container_id.clone(), directory);
    executor.state = record.state;
    executor.subscribed = record.subscribed;
    executor.ever_sent_task = record.ever_sent_task;
    executor.groups = record.groups;
    let here = found.get(&container_id).copied().unwrap_or(Found::Lost);
    if let Found::Running(pid) = here {
        executor.launched = true;
        executor.pid = pid;
    }
    let ended = record.state == ExecutorState::Terminated;
    let owner = |task_id: Option<TaskId>| Owner {
        framework_id: framework_id.clone(),
        executor_id: executor_id.clone(),
        task_id,
    };
    if !ended {
        let task = (executor.kind() == ExecutorKind::Command)
            .then(|| tasks.first().map(|(task, _)| task.info.task_id.clone()));
        core.containers.insert(container_id.clone(), owner(task.flatten()));
        await_executor(core, step, &mut executor, here, up);
    }
    let mut waiting: BTreeMap<u32, Queued> = BTreeMap::new();
    let mut known = Vec::new();
    for (task, progress) in tasks {
        known.push(task.info.task_id.clone());
        match &task.place {
            Place::Queued { order, group } if progress.is_none() && !ended => {
                let queued = Queued { tasks: Vec::new(), group: *group, order: *order };
                waiting.entry(*order).or_insert(queued).tasks.push(task.info);
            }
            _ => {
                let run = self::task(core, step, &mut executor, task, progress, found, up);
                if let Some((task, container)) = run.filter(|(_, container)| *container != container_id) {
                    core.containers.insert(container, owner(Some(task)));
                }
            }
        }
    }
    executor.orders = waiting.keys().next_back().map_or(0, |last| last + 1);
    executor.queued = waiting.into_values().collect();
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    framework.tasks.extend(known.into_iter().map(|task| (task, executor_id.clone())));
    framework.executors.insert(executor_id, executor);
}

/// What is due about an executor whose container is, or was, there.
fn await_executor(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    executor: &mut Executor,
    here: Found,
    up: &mut Vec<(ContainerId, Option<u32>)>,
) {
    let container = executor.container_id.clone();
    let (kind, state) = (executor.kind(), executor.state);
    match (kind, state) {
        (_, ExecutorState::Terminating) => {
            let grace = executor.info.shutdown_grace.unwrap_or(core.options.executor_shutdown_grace);
            executor.timer = Some(core.timers.set(step.now + grace, Timer::ExecutorShutdown(container)));
        }
        (ExecutorKind::Custom, _) => {
            executor.state = ExecutorState::Registering;
            executor.orphaned = true;
            let patience = if executor.subscribed {
                core.options.executor_reregistration_timeout
            } else {
                core.options.executor_registration_timeout
            };
            let timer = Timer::ExecutorRegistration(container);
            executor.timer = Some(core.timers.set(step.now + patience, timer));
        }
        (ExecutorKind::Default, ExecutorState::Registering) => {
            if let Found::Running(pid) = here {
                up.push((container, pid));
            }
        }
        (ExecutorKind::Default | ExecutorKind::Command, _) => {}
    }
}

/// Takes up a task that its executor has been given, or that has ended; and the container in which it still runs.
fn task(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    executor: &mut Executor,
    record: TaskRecord,
    progress: Option<Progress>,
    found: &Containers,
    up: &mut Vec<(ContainerId, Option<u32>)>,
) -> Option<(TaskId, ContainerId)> {
    let TaskRecord { framework_id, info, place, .. } = record;
    let task_id = info.task_id.clone();
    let progress = progress.unwrap_or_else(|| Progress {
        framework_id: framework_id.clone(),
        task_id: task_id.clone(),
        statuses: Vec::new(),
        pending: Vec::new(),
        received: Vec::new(),
        kill: None,
        completion: None,
        order: None,
        health: None,
    });
    let state = progress.statuses.last().map_or(TaskState::Staging, |status| status.state);
    let task = Task {
        framework_id: framework_id.clone(),
        state,
        last_sent: progress.pending.first().or(progress.statuses.last()).map(|s| (s.state, s.uuid)),
        statuses: progress.statuses,
        info,
    };
    let mut run = None;
    if let Place::Run { container_id, group } = place
        && !state.is_terminal()
    {
        let here = found.get(&container_id).copied().unwrap_or(Found::Lost);
        let mut found_run = Run::new(container_id.clone(), group);
        found_run.launched = matches!(here, Found::Running(_) | Found::Ended);
        if let Found::Running(pid) = here {
            found_run.pid = pid;
        }
        if let Some(kill) = progress.kill {
            found_run.kill = Some(resume_kill(core, step, &container_id, here, kill));
        }
        match (here, state) {
            (Found::Running(pid), TaskState::Staging | TaskState::Starting) => up.push((container_id, pid)),
            (Found::Running(_), _) => {
                let timer =
                    |at: Time| core.timers.set(step.now.max(at), Timer::MaxCompletion(container_id.clone()));
                found_run.completion = progress.completion.map(timer);
                if found_run.kill.is_none() {
                    let last = task.statuses.last().map(AsRef::as_ref);
                    let (timers, now) = (&mut core.timers, step.now);
                    checks::resume(timers, now, &task.info, &mut found_run, progress.health, last);
                }
                if executor.kind() == ExecutorKind::Command && executor.state == ExecutorState::Registering {
                    executor.state = ExecutorState::Running;
                }
            }
            _ => {}
        }
        run = Some(found_run);
    }
    let container = run.as_ref().map(|run| (task_id.clone(), run.container_id.clone()));
    // Nobody waits for the updates of a framework that is being shut down.
    let wanted = core.frameworks.get(&framework_id).is_some_and(|framework| !framework.terminating);
    if wanted && !progress.received.is_empty() {
        core.updates.recover(&framework_id, &task_id, progress.pending, progress.received);
    }
    executor.tasks.insert(task_id, TaskEntry { order: progress.order, ..TaskEntry::new(task, run) });
    container
}

/// Goes on with a kill: politely once more, because nobody knows whether it was, and by force in its time.
fn resume_kill(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    container: &ContainerId,
    here: Found,
    KillRecord { cause, deadline }: KillRecord,
) -> Kill {
    let escalation = matches!(here, Found::Running(_)).then(|| {
        step.out.push(Output::SignalContainer { container_id: container.clone(), signal: SIGTERM });
        core.timers.set(step.now.max(deadline), Timer::KillEscalation(container.clone()))
    });
    Kill { cause, deadline, escalation }
}

//! Kills: politely, and after the grace period by force.

use std::time::Duration;

use base::{ContainerId, ExecutorId, FrameworkId, TaskId};
use tracing::{info, warn};

use crate::checkpoint::{KillCause, KillOrder};
use crate::core::{AgentCore, Step};
use crate::output::{ExecutorEvent, Output};
use crate::state::Kill;
use crate::timers::Timer;
use crate::types::{ExecutorKind, ExecutorState, Reason, StatusSource, TaskState};
use crate::{builtin, checks, executors, remember, shutdown, status, updates};

/// Between a polite and a forced kill, where the task says nothing.
const DEFAULT_GRACE: Duration = Duration::from_secs(3);

/// A shorter grace counts as this: on a busy machine the polite signal would have no time to reach the task, and how it ended
/// would depend on luck.
const SHORTEST_GRACE: Duration = Duration::from_millis(500);

const SIGTERM: i32 = 15;

/// The framework wants a task gone. `grace` overrides the task's own grace period.
pub(crate) fn kill_task(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    task_id: &TaskId,
    grace: Option<Duration>,
) {
    let Some(framework) = core.frameworks.get_mut(framework_id).filter(|framework| !framework.terminating)
    else {
        warn!(framework = %framework_id, task = %task_id, "ignoring a kill: no such framework is running");
        return;
    };
    let Some(executor_id) = framework.tasks.get(task_id).cloned() else {
        return unknown_task(core, step, framework_id, task_id);
    };
    let Some(executor) = framework.executors.get_mut(&executor_id) else { return };
    if matches!(executor.state, ExecutorState::Terminating | ExecutorState::Terminated) {
        info!(task = %task_id, executor = %executor_id, "ignoring a kill: the executor is ending");
        return;
    }
    info!(framework = %framework_id, task = %task_id, "killing a task");
    if executor.queued.iter().any(|queued| queued.tasks.iter().any(|task| task.task_id == *task_id)) {
        return kill_queued(core, step, framework_id, &executor_id, task_id);
    }
    let kind = executor.kind();
    let Some(entry) = executor.tasks.get_mut(task_id) else { return };
    match &entry.run {
        Some(run) => {
            let container = run.container_id.clone();
            kill_run(core, step, &container, grace, KillCause::Requested);
        }
        None if kind == ExecutorKind::Custom && !entry.task.state.is_terminal() => {
            entry.order = Some(KillOrder { grace });
            remember::progress(core, step, framework_id, task_id);
            tell_executor(core, step, framework_id, &executor_id, task_id);
        }
        None => info!(task = %task_id, "ignoring a kill: the task has ended"),
    }
}

/// Tells a custom executor the kill that was asked of it, or leaves that until it has subscribed.
fn tell_executor(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    task_id: &TaskId,
) {
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    let Some(KillOrder { grace }) = executor.tasks.get(task_id).and_then(|entry| entry.order) else { return };
    match executor.stream {
        Some(stream) => {
            let event = ExecutorEvent::Kill { task_id: task_id.clone(), grace };
            step.out.push(Output::ExecutorEvent { stream, event });
        }
        None => {
            info!(task = %task_id, executor = %executor_id, "the executor is away; it hears of the kill when it is back")
        }
    }
}

/// A custom executor has subscribed: it hears the kills that were asked of it and have not come to pass.
pub(crate) fn tell_all(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) {
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    let open = executor.tasks.iter().filter(|(_, entry)| !entry.task.state.is_terminal());
    let ordered: Vec<TaskId> =
        open.filter(|(_, entry)| entry.order.is_some()).map(|(task, _)| task.clone()).collect();
    for task_id in ordered {
        tell_executor(core, step, framework_id, executor_id, &task_id);
    }
}

fn unknown_task(core: &mut AgentCore, step: &mut Step<'_>, framework_id: &FrameworkId, task_id: &TaskId) {
    warn!(framework = %framework_id, task = %task_id, "asked to kill a task that is not here");
    if let Some(end) = updates::acknowledged_end(core, framework_id, task_id) {
        // Whoever asks does not know yet.
        return updates::add(core, step, framework_id, end);
    }
    let aware = core.frameworks.get(framework_id).is_some_and(|framework| framework.info.partition_aware);
    let state = if aware { TaskState::Dropped } else { TaskState::Lost };
    let mut lost = status::new(core, step, task_id.clone(), None, state, StatusSource::Agent);
    lost.reason = Some(Reason::ExecutorTerminated);
    lost.message = Some("Cannot find executor".into());
    updates::add(core, step, framework_id, lost.into());
}

/// A task that waits for its executor never gets there, nor do those of its group.
fn kill_queued(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    task_id: &TaskId,
) {
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    let Some(queued) = executor.take_queued(task_id) else { return };
    let message = if queued.group && executor.state == ExecutorState::Registering {
        "A task within the task group was killed before delivery to the executor"
    } else {
        "Killed before delivery to the executor"
    };
    for task in &queued.tasks {
        executor.admit(framework_id, task.clone(), None);
    }
    // Whoever never got a task and has none to wait for is not needed; one that has yet to subscribe is told then.
    let needless = executor.kind() == ExecutorKind::Custom
        && executor.state == ExecutorState::Running
        && !executor.ever_sent_task
        && executor.queued.is_empty();
    for task in &queued.tasks {
        let (state, reason) = (TaskState::Killed, Reason::TaskKilledDuringLaunch);
        let end = status::Ending { state, reason, message, limitation: None };
        status::report_by_agent(core, step, framework_id, &task.task_id, executor_id, end);
    }
    if needless {
        shutdown::executor(core, step, framework_id, executor_id);
    }
    executors::settle(core, step, framework_id, executor_id);
}

/// Begins to kill the task in a container, or hastens a kill that has begun.
pub(crate) fn kill_run(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    container: &ContainerId,
    grace: Option<Duration>,
    cause: KillCause,
) {
    let Some(owner) = core.containers.get(container).cloned() else { return };
    let Some(task_id) = owner.task_id.clone() else { return };
    let Some(framework) = core.frameworks.get_mut(&owner.framework_id) else { return };
    let tells = framework.info.task_killing && cause != KillCause::MaxCompletion;
    let Some(entry) = framework.entry(&task_id) else { return };
    let own_grace = entry.task.info.kill_grace;
    let Some(run) = entry.run.as_mut() else { return };

    let longest = core.drain.as_ref().and_then(|drain| drain.max_grace).unwrap_or(Duration::MAX);
    let grace = grace.or(own_grace).unwrap_or(DEFAULT_GRACE).min(longest).max(SHORTEST_GRACE);
    let deadline = step.now + grace;
    if let Some(kill) = &mut run.kill {
        if kill.escalation.is_none() {
            // Force has been used; should it have come to nothing, it is used again.
            step.out.push(Output::DestroyContainer(container.clone()));
        }
        if kill.escalation.is_some() && deadline < kill.deadline {
            core.timers.cancel(&mut kill.escalation);
            kill.deadline = deadline;
            kill.escalation = Some(core.timers.set(deadline, Timer::KillEscalation(container.clone())));
        }
        return remember::progress(core, step, &owner.framework_id, &task_id);
    }
    // From here on its end has this cause, however long it takes, and nothing is checked.
    core.timers.cancel(&mut run.completion);
    checks::stop(&mut core.timers, &mut core.checks, step.out, run);
    if !run.launched {
        run.kill = Some(Kill { cause, deadline: step.now, escalation: None });
        remember::progress(core, step, &owner.framework_id, &task_id);
        step.out.push(Output::DestroyContainer(container.clone()));
        return;
    }
    let escalation = core.timers.set(deadline, Timer::KillEscalation(container.clone()));
    run.kill = Some(Kill { cause, deadline, escalation: Some(escalation) });
    remember::progress(core, step, &owner.framework_id, &task_id);
    if tells {
        let killing = builtin::by_executor(core, step, &owner, &task_id, TaskState::Killing);
        status::report(core, step, &owner.framework_id, killing);
    }
    step.out.push(Output::SignalContainer { container_id: container.clone(), signal: SIGTERM });
}

/// A task has run as long as it may: it ends with no grace but the shortest.
pub(crate) fn max_completion(core: &mut AgentCore, step: &mut Step<'_>, container: &ContainerId) {
    if let Some(owner) = core.containers.get(container)
        && let Some(task) = owner.task_id.clone()
        && let Some(framework) = core.frameworks.get_mut(&owner.framework_id)
        && let Some(run) = framework.entry(&task).and_then(|entry| entry.run.as_mut())
    {
        run.completion = None;
    }
    kill_run(core, step, container, Some(Duration::ZERO), KillCause::MaxCompletion);
}

/// The grace period is over.
pub(crate) fn escalate(core: &mut AgentCore, step: &mut Step<'_>, container: &ContainerId) {
    let Some(owner) = core.containers.get(container) else { return };
    let Some(task) = owner.task_id.clone() else { return };
    let run = core.frameworks.get_mut(&owner.framework_id).and_then(|f| f.entry(&task)?.run.as_mut());
    if let Some(kill) = run.and_then(|run| run.kill.as_mut()) {
        info!(%container, %task, "the task has not ended in its grace period; ending it by force");
        kill.escalation = None;
        step.out.push(Output::DestroyContainer(container.clone()));
    }
}

//! Writing down what the agent has of frameworks that checkpoint. Of the others nothing outlives it.
//!
//! Each function writes one thing as it is now. What came of one input is committed together, so that of several writes of
//! one thing the last counts.

use base::{ExecutorId, FrameworkId, TaskId};

use crate::Output;
use crate::checkpoint::{ExecutorRecord, HealthRecord, KillRecord, Place, Progress, TaskRecord, Write};
use crate::core::{AgentCore, Step};
use crate::state::{Executor, Framework, Run, TaskEntry};

fn checkpointing<'a>(core: &'a AgentCore, id: &FrameworkId) -> Option<&'a Framework> {
    core.frameworks.get(id).filter(|framework| framework.info.checkpoint)
}

fn write(step: &mut Step<'_>, write: Write) {
    step.out.push(Output::checkpoint(write));
}

/// The framework itself.
pub(crate) fn framework(core: &AgentCore, step: &mut Step<'_>, id: &FrameworkId) {
    let Some(framework) = checkpointing(core, id).filter(|framework| !framework.executors.is_empty()) else {
        return;
    };
    let (info, terminating) = (framework.info.clone(), framework.terminating);
    write(step, Write::Framework { info, terminating });
}

/// One of its executors, without its tasks.
pub(crate) fn executor(core: &AgentCore, step: &mut Step<'_>, framework_id: &FrameworkId, id: &ExecutorId) {
    let Some(executor) = checkpointing(core, framework_id).and_then(|f| f.executors.get(id)) else { return };
    let record = ExecutorRecord::of(framework_id, executor);
    write(step, Write::Executor(Box::new(record)));
}

/// The tasks that came last to those that wait for an executor.
pub(crate) fn enqueued(core: &AgentCore, step: &mut Step<'_>, framework_id: &FrameworkId, id: &ExecutorId) {
    let executor = checkpointing(core, framework_id).and_then(|f| f.executors.get(id));
    let Some(queued) = executor.and_then(|executor| executor.queued.back()) else { return };
    for info in &queued.tasks {
        let record = TaskRecord {
            framework_id: framework_id.clone(),
            executor_id: id.clone(),
            info: info.clone(),
            place: Place::Queued { order: queued.order, group: queued.group },
        };
        write(step, Write::Task(Box::new(record)));
    }
}

/// Tasks that an executor has just been given.
pub(crate) fn given_tasks(
    core: &AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    id: &ExecutorId,
    tasks: &[TaskId],
) {
    let Some(executor) = checkpointing(core, framework_id).and_then(|f| f.executors.get(id)) else { return };
    for entry in tasks.iter().filter_map(|task| executor.tasks.get(task)) {
        write(step, Write::Task(Box::new(given(framework_id, executor, entry))));
    }
}

fn given(framework_id: &FrameworkId, executor: &Executor, entry: &TaskEntry) -> TaskRecord {
    let place = match &entry.run {
        Some(run) => Place::Run { container_id: run.container_id.clone(), group: run.group },
        None => Place::Sent,
    };
    TaskRecord {
        framework_id: framework_id.clone(),
        executor_id: executor.info.executor_id.clone(),
        info: entry.task.info.clone(),
        place,
    }
}

/// How far a task has come that was given to its executor.
pub(crate) fn progress(core: &AgentCore, step: &mut Step<'_>, framework_id: &FrameworkId, task_id: &TaskId) {
    let Some(framework) = checkpointing(core, framework_id) else { return };
    let executor = framework.tasks.get(task_id).and_then(|executor| framework.executors.get(executor));
    let Some(entry) = executor.and_then(|executor| executor.tasks.get(task_id)) else { return };
    let (pending, received) = core.updates.remembered(framework_id, task_id);
    let kill = entry.run.as_ref().and_then(|run| run.kill.as_ref());
    let progress = Progress {
        framework_id: framework_id.clone(),
        task_id: task_id.clone(),
        statuses: entry.task.statuses.clone(),
        pending,
        received,
        kill: kill.map(|kill| KillRecord { cause: kill.cause, deadline: kill.deadline }),
        completion: entry.run.as_ref().and_then(|run| run.completion.map(|timer| timer.time())),
        order: entry.order,
        health: entry.run.as_ref().and_then(|run| health(entry, run)),
    };
    write(step, Write::Progress(Box::new(progress)));
}

fn health(entry: &TaskEntry, run: &Run) -> Option<HealthRecord> {
    let info = &entry.task.info;
    let checked = info.check.is_some() || info.health_check.is_some();
    let health = &run.checked.health;
    (checked && run.launched).then_some(HealthRecord {
        since: run.checked.since,
        passed: health.passed,
        failures: health.failures,
    })
}

/// A task that is through.
pub(crate) fn forget_task(core: &AgentCore, step: &mut Step<'_>, framework_id: &FrameworkId, task: &TaskId) {
    if checkpointing(core, framework_id).is_some() {
        write(step, Write::ForgetTask(framework_id.clone(), task.clone()));
    }
}

/// A framework that has nothing here any more.
pub(crate) fn forget_framework(framework: &Framework, step: &mut Step<'_>) {
    if framework.info.checkpoint {
        write(step, Write::ForgetFramework(framework.info.id.clone()));
    }
}

/// An executor that is through.
pub(crate) fn forget_executor(
    core: &AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor: &ExecutorId,
) {
    if checkpointing(core, framework_id).is_some() {
        write(step, Write::ForgetExecutor(framework_id.clone(), executor.clone()));
    }
}

//! Executors' lives: launched, running, ended, forgotten when everything is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use base::{ContainerId, ExecutorId, FrameworkId, TaskId, duration_text};
use tracing::{info, warn};

use crate::allowance::Allowance;
use crate::containers::End;
use crate::core::{AgentCore, Step};
use crate::output::{Output, ToMaster};
use crate::state::{Executor, Owner, Queued, TaskEntry, Termination};
use crate::timers::{Timer, Timers};
use crate::types::{ExecutorInfo, ExecutorKind, ExecutorState, Reason, Task, TaskState};
use crate::{builtin, frameworks, past, registration, remember, specs, status, views};

/// How long a task group's executor waits for its last acknowledgements.
const LINGER: Duration = Duration::from_secs(60);

/// How long a task group's executor with nothing left to do stays, so that a scheduler that answers the last update with
/// another group or with its own end is not told of a failure first. About what the executor of Mesos takes to exit.
const IDLE: Duration = Duration::from_millis(50);

/// Adds an executor for tasks that wait for it, and orders its container.
pub(crate) fn add(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    info: Arc<ExecutorInfo>,
    first: Queued,
) {
    let container_id = ContainerId::from(core.rng.uuid().to_string());
    let executor_id = info.executor_id.clone();
    let directory = specs::directory(core, framework_id, &executor_id, &container_id);
    let kind = info.kind;
    let mut executor = Executor::new(info, container_id.clone(), directory);
    let mut task_id = None;
    if kind == ExecutorKind::Command {
        task_id = first.tasks.first().map(|task| task.task_id.clone());
        builtin::admit(&mut executor, framework_id, &first);
    } else {
        executor.enqueue(first);
    }
    if kind == ExecutorKind::Custom {
        let deadline = step.now + core.options.executor_registration_timeout;
        executor.timer = Some(core.timers.set(deadline, Timer::ExecutorRegistration(container_id.clone())));
    }
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    info!(framework = %framework_id, executor = %executor_id, container = %container_id, "launching an executor");
    framework.executors.insert(executor_id.clone(), executor);
    core.containers.insert(
        container_id.clone(),
        Owner {
            framework_id: framework_id.clone(),
            executor_id: executor_id.clone(),
            task_id: task_id.clone(),
        },
    );
    remember::framework(core, step, framework_id);
    remember::executor(core, step, framework_id, &executor_id);
    remember::enqueued(core, step, framework_id, &executor_id);
    if let Some(task) = task_id {
        remember::given_tasks(core, step, framework_id, &executor_id, &[task]);
    }
    order(core, step, &container_id);
}

/// Orders a container that is known: an executor's own, or that of a group's task.
pub(crate) fn order(core: &mut AgentCore, step: &mut Step<'_>, container: &ContainerId) {
    let Some(owner) = core.containers.get(container).cloned() else { return };
    let Owner { framework_id, executor_id, task_id } = &owner;
    let own = core.executor(framework_id, executor_id).is_some_and(|e| e.container_id == *container);
    let spec = match task_id {
        Some(task) if !own => specs::of_group_task(core, framework_id, executor_id, task, container.clone()),
        _ => specs::of_executor(core, framework_id, executor_id),
    };
    let Some(spec) = spec else { return };
    if let Some(executor) = core.executor(framework_id, executor_id).filter(|_| own) {
        executor.volumes.clone_from(&spec.volumes);
        executor.allowed = Some(Allowance { resources: spec.resources.clone(), limits: spec.limits });
    }
    step.out.push(Output::LaunchContainer(Box::new(spec)));
}

/// The container of a task group's or a custom executor is up.
pub(crate) fn launched(core: &mut AgentCore, step: &mut Step<'_>, owner: &Owner, pid: Option<u32>) {
    let Some(executor) = core.executor(&owner.framework_id, &owner.executor_id) else { return };
    executor.launched = true;
    executor.pid = pid;
    if executor.kind() == ExecutorKind::Default && executor.state == ExecutorState::Registering {
        executor.state = ExecutorState::Running;
        remember::executor(core, step, &owner.framework_id, &owner.executor_id);
        // One after the other: those that still wait keep their share of the container.
        let next =
            |core: &mut AgentCore| core.executor(&owner.framework_id, &owner.executor_id)?.queued.pop_front();
        while let Some(queued) = next(core) {
            builtin::start_group(core, step, &owner.framework_id, &owner.executor_id, &queued);
        }
    }
}

/// The container of a task group's or a custom executor is gone: so is the executor, and its tasks with it.
pub(crate) fn ended(core: &mut AgentCore, step: &mut Step<'_>, owner: &Owner, end: &End) {
    let (framework_id, executor_id) = (&owner.framework_id, &owner.executor_id);
    release_nested(core, step, framework_id, executor_id);
    let Some(executor) = core.frameworks.get_mut(framework_id).and_then(|f| f.executors.get_mut(executor_id))
    else {
        return;
    };
    info!(framework = %framework_id, executor = %executor_id, ?end, "the executor has ended");
    executor.state = ExecutorState::Terminated;
    executor.pid = None;
    core.timers.cancel(&mut executor.timer);
    executor.admit_all_queued(framework_id);
    if let Some(stream) = executor.stream.take() {
        core.streams.remove(&stream);
        step.out.push(Output::CloseExecutorStream(stream));
    }
    let (state, reason, message) = why(executor, end);
    let limitation = match end {
        End::Exited { limitation: Some(limitation), .. } => Some(&limitation.resources),
        _ => None,
    };
    let lost: Vec<TaskId> = executor
        .tasks
        .values()
        .filter(|entry| !entry.task.state.is_terminal())
        .map(|entry| entry.task.info.task_id.clone())
        .collect();
    let raw = match (executor.kind(), end) {
        (ExecutorKind::Default, End::Exited { status, .. }) => status.unwrap_or(0),
        (_, End::Exited { status, .. }) => status.unwrap_or(-1),
        (_, End::NoSandbox(..) | End::LaunchFailed(_)) => -1,
    };
    remember::executor(core, step, framework_id, executor_id);
    tell_exit(core, step, framework_id, executor_id, raw);
    for task_id in lost {
        let end = status::Ending { state, reason, message: &message, limitation };
        status::report_by_agent(core, step, framework_id, &task_id, executor_id, end);
    }
    settle(core, step, framework_id, executor_id);
}

/// The agent's own reason for ending the container goes before what the exit status lets one guess.
fn why(executor: &Executor, end: &End) -> (TaskState, Reason, Arc<str>) {
    let (reason, message): (_, Arc<str>) = match (end, &executor.termination) {
        (End::NoSandbox(state, message), None) => {
            return (*state, Reason::ExecutorTerminated, message.as_str().into());
        }
        (End::LaunchFailed(message), None) => {
            (Reason::ContainerLaunchFailed, format!("Failed to launch container: {message}").into())
        }
        (End::Exited { limitation: Some(limitation), .. }, _) => {
            (limitation.reason, limitation.message.as_str().into())
        }
        (_, Some(termination)) => {
            let state = termination.state.unwrap_or(TaskState::Failed);
            return (state, termination.reason, termination.message.clone());
        }
        (End::Exited { .. }, None) => (Reason::ExecutorTerminated, "Executor terminated".into()),
    };
    (TaskState::Failed, reason, message)
}

/// Forgets the containers of a group's tasks whose parent is gone, and makes sure that they are gone too.
fn release_nested(core: &mut AgentCore, step: &mut Step<'_>, framework: &FrameworkId, executor: &ExecutorId) {
    let Some(executor) = core.frameworks.get_mut(framework).and_then(|f| f.executors.get_mut(executor))
    else {
        return;
    };
    for mut run in executor.tasks.values_mut().filter_map(|entry| entry.run.take()) {
        builtin::call_off(&mut core.timers, &mut core.checks, step.out, &mut run);
        core.containers.remove(&run.container_id);
        step.out.push(Output::DestroyContainer(run.container_id));
    }
}

/// Tells the master that an executor is no more. Of a command task's executor it knows nothing.
pub(crate) fn tell_exit(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    status: i32,
) {
    let message = exit(core, framework_id, executor_id, status);
    registration::send_exit(core, step, message);
}

/// What the master is told when an executor is no more.
pub(crate) fn exit(
    core: &AgentCore,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    status: i32,
) -> ToMaster {
    let (framework_id, executor_id) = (framework_id.clone(), executor_id.clone());
    ToMaster::ExitedExecutor { agent_id: core.agent_id(), framework_id, executor_id, status }
}

/// A custom executor has not subscribed in time.
pub(crate) fn registration_timeout(core: &mut AgentCore, step: &mut Step<'_>, container: &ContainerId) {
    let limit = duration_text(core.options.executor_registration_timeout);
    let again = duration_text(core.options.executor_reregistration_timeout);
    let Some(owner) = core.containers.get(container) else { return };
    let Some(framework) = core.frameworks.get_mut(&owner.framework_id) else { return };
    let aware = framework.info.partition_aware;
    let Some(executor) = framework.executors.get_mut(&owner.executor_id) else { return };
    executor.timer = None;
    if executor.state != ExecutorState::Registering {
        return;
    }
    warn!(executor = %executor.info.executor_id, %container, "the executor has not subscribed in time; ending it");
    executor.termination = Some(if !executor.launched && !executor.orphaned {
        // It had no chance to: what it needs is still being fetched.
        Termination {
            state: None,
            reason: Reason::ContainerLaunchFailed,
            message: format!("Failed to launch container: it was not ready within {limit}").into(),
        }
    } else if executor.orphaned && executor.subscribed {
        Termination {
            state: Some(if aware { TaskState::Gone } else { TaskState::Lost }),
            reason: Reason::ExecutorReregistrationTimeout,
            message: format!("Executor did not reregister within {again}").into(),
        }
    } else {
        Termination {
            state: None,
            reason: Reason::ExecutorRegistrationTimeout,
            message: format!("Executor did not register within {limit}").into(),
        }
    });
    executor.destroy(step.out);
}

/// A task group's executor has waited long enough, for its last acknowledgements or for another group.
pub(crate) fn linger_timeout(core: &mut AgentCore, step: &mut Step<'_>, container: &ContainerId) {
    let Some(executor) = by_container(core, container) else { return };
    executor.timer = None;
    if executor.state == ExecutorState::Running && !executor.has_active_task() {
        executor.destroy(step.out);
    }
}

/// The executor whose own container that is.
pub(crate) fn by_container<'a>(core: &'a mut AgentCore, container: &ContainerId) -> Option<&'a mut Executor> {
    let owner = core.containers.get(container)?;
    core.frameworks.get_mut(&owner.framework_id)?.executors.get_mut(&owner.executor_id)
}

/// A task has ended and the framework knows it: only the history remains.
pub(crate) fn complete_task(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    task: &TaskId,
) {
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    let Some(executor_id) = framework.tasks.remove(task) else { return };
    if let Some(executor) = framework.executors.get_mut(&executor_id)
        && let Some(TaskEntry { task: completed, .. }) = executor.tasks.remove(task)
    {
        executor.completed.push(completed.clone());
        past::task(core, step, framework_id, &executor_id, &completed);
    }
    remember::forget_task(core, step, framework_id, task);
    settle(core, step, framework_id, &executor_id);
}

/// Does what is due after anything about an executor has changed: ends a group's executor that has nothing left to do,
/// forgets an executor that is through, and its framework with it.
pub(crate) fn settle(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) {
    let ending = core.ending.is_some();
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    let Some(executor) = framework.executors.get_mut(executor_id) else { return };
    if executor.kind() == ExecutorKind::Default {
        settle_group_executor(&mut core.timers, step, executor);
    }
    if executor.state == ExecutorState::Terminated
        && (executor.is_through() || framework.terminating || ending)
    {
        remove(core, step, framework_id, executor_id);
        frameworks::remove_if_idle(core, step, framework_id);
    }
}

fn settle_group_executor(timers: &mut Timers, step: &mut Step<'_>, executor: &mut Executor) {
    let active = executor.has_active_task();
    match executor.state {
        // All its tasks were killed before it was up.
        ExecutorState::Registering if executor.queued.is_empty() => executor.destroy(step.out),
        ExecutorState::Running if active => timers.cancel(&mut executor.timer),
        ExecutorState::Running if executor.is_through() => {
            timers.cancel(&mut executor.timer);
            let timer = Timer::ExecutorLinger(executor.container_id.clone());
            executor.timer = Some(timers.set(step.now + IDLE, timer));
        }
        ExecutorState::Running if executor.timer.is_none() => {
            let timer = Timer::ExecutorLinger(executor.container_id.clone());
            executor.timer = Some(timers.set(step.now + LINGER, timer));
        }
        ExecutorState::Terminating if !executor.has_runs() => {
            timers.cancel(&mut executor.timer);
            executor.destroy(step.out);
        }
        _ => {}
    }
}

/// Moves a terminated executor into the framework's history.
fn remove(core: &mut AgentCore, step: &mut Step<'_>, framework_id: &FrameworkId, executor_id: &ExecutorId) {
    remember::forget_executor(core, step, framework_id, executor_id);
    let executor = core.frameworks.get(framework_id).and_then(|f| f.executors.get(executor_id));
    let left: Vec<Arc<Task>> = executor
        .into_iter()
        .flat_map(|executor| executor.tasks.values())
        .map(|entry| entry.task.clone())
        .collect();
    for task in &left {
        remember::forget_task(core, step, framework_id, &task.info.task_id);
        past::task(core, step, framework_id, executor_id, task);
    }
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    let Some(mut executor) = framework.executors.remove(executor_id) else { return };
    core.timers.cancel(&mut executor.timer);
    for (task_id, entry) in std::mem::take(&mut executor.tasks) {
        framework.tasks.remove(&task_id);
        executor.completed.push(entry.task);
    }
    framework.completed_executors.push(Arc::new(views::executor(&executor)));
    past::executor(core, step, framework_id, &executor);
}

//! Launches: who may come, and where a task goes.

use std::borrow::Cow;
use std::sync::Arc;

use base::{ExecutorId, FrameworkId, Uuid, validate_id};
use tracing::{info, warn};

use crate::core::{AgentCore, Step};
use crate::input::{RunTask, RunTaskGroup};
use crate::output::{ExecutorEvent, Output};
use crate::state::Queued;
use crate::types::{
    ExecutorInfo, ExecutorKind, ExecutorState, FrameworkInfo, Reason, StatusSource, TaskInfo, TaskState,
};
use crate::{allowance, builtin, executors, frameworks, registration, remember, shutdown, status, updates};

/// Tasks that the master wants launched together.
struct Launch {
    framework: Arc<FrameworkInfo>,
    executor: Arc<ExecutorInfo>,
    tasks: Queued,
    resource_version: Option<Uuid>,
    launch_executor: Option<bool>,
}

/// Why tasks are not launched.
struct Refusal {
    /// The tasks' state; what tells the framework that they were dropped if unset.
    state: Option<TaskState>,
    reason: Reason,
    message: Cow<'static, str>,
    /// What else the master hears or the agent does.
    also: Also,
}

impl Refusal {
    /// Nothing was tried.
    fn dropping(reason: Reason, message: &'static str, also: Also) -> Self {
        Self { state: None, reason, message: Cow::Borrowed(message), also }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Also {
    Nothing,
    /// The executor that the master expects to be launched will never be.
    TellExit,
    /// The same, if the master still expects it: it named this version of the resources.
    TellOutdated(Uuid),
    /// The executor that is here is one that the master does not know of.
    ShutDown,
}

/// The master wants a task launched.
pub(crate) fn run_task(core: &mut AgentCore, step: &mut Step<'_>, run: RunTask) {
    let executor = run.task.executor.clone().unwrap_or_else(|| Arc::new(command_executor(&run.task)));
    let tasks = Queued { tasks: vec![run.task], group: false, order: 0 };
    place(
        core,
        step,
        Launch {
            framework: run.framework,
            executor,
            tasks,
            resource_version: run.resource_version,
            launch_executor: run.launch_executor,
        },
    );
}

/// The master wants a group of tasks launched.
pub(crate) fn run_task_group(core: &mut AgentCore, step: &mut Step<'_>, run: RunTaskGroup) {
    let tasks = Queued { tasks: run.tasks, group: true, order: 0 };
    place(
        core,
        step,
        Launch {
            framework: run.framework,
            executor: run.executor,
            tasks,
            resource_version: run.resource_version,
            launch_executor: run.launch_executor,
        },
    );
}

/// The executor of a command task has the task's id and nothing of its own.
fn command_executor(task: &TaskInfo) -> ExecutorInfo {
    ExecutorInfo {
        executor_id: task.task_id.as_str().into(),
        kind: ExecutorKind::Command,
        command: None,
        resources: resources::Resources::default(),
        shutdown_grace: None,
        unsupported: None,
        body: base::Payload::default(),
    }
}

fn place(core: &mut AgentCore, step: &mut Step<'_>, launch: Launch) {
    let (framework_id, executor_id) = (&launch.framework.id, &launch.executor.executor_id);
    if core.ending.is_some() {
        warn!(framework = %framework_id, "ignoring a launch: the agent is ending");
        return;
    }
    if let Some(ending) = core.frameworks.get_mut(framework_id).filter(|framework| framework.terminating) {
        // One master has ended it and the next, which does not know that, has taken it back. In Mesos its tasks never start, and
        // stay with the master.
        warn!(framework = %framework_id, "ignoring a launch: the framework is ending");
        ending.believed = true;
        return;
    }
    let framework = frameworks::ensure(core, &launch.framework);
    if let Some(known) = launch.tasks.tasks.iter().find(|task| framework.tasks.contains_key(&task.task_id)) {
        warn!(framework = %framework_id, task = %known.task_id, "ignoring a launch: the task is here already");
        return;
    }
    if let Some(lost) =
        launch.tasks.tasks.iter().find(|task| core.updates.has_ended(framework_id, &task.task_id))
    {
        // The master asked about it before it came, and was told that it is lost.
        warn!(framework = %framework_id, task = %lost.task_id, "ignoring a launch: the task was declared lost");
        return frameworks::remove_if_idle(core, step, framework_id);
    }
    if let Some(refusal) = refusal(core, &launch) {
        if refusal.reason == Reason::ContainerLaunchFailed {
            core.counts.unsupported_launches += 1;
        }
        drop_tasks(core, step, &launch, &refusal, true);
        match refusal.also {
            Also::TellExit => executors::tell_exit(core, step, framework_id, executor_id, -1),
            Also::TellOutdated(version) => {
                let exit = executors::exit(core, framework_id, executor_id, -1);
                registration::launch_outdated(core, step, version, exit);
            }
            Also::ShutDown => shutdown::executor(core, step, framework_id, executor_id),
            Also::Nothing => {}
        }
        return frameworks::remove_if_idle(core, step, framework_id);
    }
    let ending = core.executor(framework_id, executor_id).and_then(|executor| match executor.state {
        ExecutorState::Terminating => Some("Executor terminating"),
        ExecutorState::Terminated => Some("Executor terminated"),
        ExecutorState::Registering | ExecutorState::Running => None,
    });
    if let Some(message) = ending {
        let refusal = Refusal::dropping(Reason::ExecutorTerminated, message, Also::Nothing);
        return drop_tasks(core, step, &launch, &refusal, false);
    }
    for task in &launch.tasks.tasks {
        info!(framework = %framework_id, task = %task.task_id, executor = %executor_id, "launching a task");
    }
    deliver(core, step, &launch);
}

/// Gives tasks to their executor, which is added if it is not there, or lets them wait for it.
fn deliver(core: &mut AgentCore, step: &mut Step<'_>, launch: &Launch) {
    let (framework_id, executor_id) = (&launch.framework.id, &launch.executor.executor_id);
    for task in &launch.tasks.tasks {
        updates::begin(core, framework_id, &task.task_id);
    }
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    for task in &launch.tasks.tasks {
        framework.tasks.insert(task.task_id.clone(), executor_id.clone());
    }
    let Some(executor) = framework.executors.get_mut(executor_id) else {
        return executors::add(core, step, framework_id, launch.executor.clone(), launch.tasks.clone());
    };
    match (executor.kind(), executor.state, executor.stream) {
        (ExecutorKind::Default, ExecutorState::Running, _) => {
            builtin::start_group(core, step, framework_id, executor_id, &launch.tasks);
        }
        (ExecutorKind::Custom, ExecutorState::Running, Some(_)) => {
            executor.enqueue(launch.tasks.clone());
            flush(core, step, framework_id, executor_id);
        }
        _ => {
            executor.enqueue(launch.tasks.clone());
            remember::enqueued(core, step, framework_id, executor_id);
        }
    }
}

/// Sends a custom executor everything that waits for it.
pub(crate) fn flush(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
) {
    allowance::adjust(core, step, framework_id, executor_id);
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    let Some(stream) = executor.stream else { return };
    let waiting = std::mem::take(&mut executor.queued);
    let first = !waiting.is_empty() && !std::mem::replace(&mut executor.ever_sent_task, true);
    let mut given = Vec::new();
    for task in waiting.iter().flat_map(|queued| &queued.tasks) {
        executor.admit(framework_id, task.clone(), None);
        given.push(task.task_id.clone());
    }
    if first {
        remember::executor(core, step, framework_id, executor_id);
    }
    remember::given_tasks(core, step, framework_id, executor_id, &given);
    for queued in waiting {
        if queued.group {
            step.out.push(Output::ExecutorEvent { stream, event: ExecutorEvent::LaunchGroup(queued.tasks) });
        } else {
            let launches = queued.tasks.into_iter().map(ExecutorEvent::Launch);
            step.out.extend(launches.map(|event| Output::ExecutorEvent { stream, event }));
        }
    }
}

/// Why the tasks cannot be launched, if they cannot.
fn refusal(core: &mut AgentCore, launch: &Launch) -> Option<Refusal> {
    let expected = launch.launch_executor == Some(true);
    let also = if expected { Also::TellExit } else { Also::Nothing };
    if core.drain.is_some() {
        let message = "Task was received while agent was already draining";
        return Some(Refusal::dropping(Reason::AgentDraining, message, also));
    }
    if let Some(assumed) = launch.resource_version.filter(|assumed| *assumed != core.resource_version) {
        let also = if expected { Also::TellOutdated(assumed) } else { Also::Nothing };
        return Some(Refusal::dropping(Reason::InvalidOffers, "Task assumes outdated resource state", also));
    }
    let ids = [launch.framework.id.as_str(), launch.executor.executor_id.as_str()];
    if ids.iter().any(|id| validate_id(id).is_err()) {
        let message = "The framework's or the executor's id cannot name a directory";
        return Some(Refusal::dropping(Reason::TaskInvalid, message, also));
    }
    let here =
        core.executor(&launch.framework.id, &launch.executor.executor_id).map(|executor| executor.state);
    let refusal = match (launch.executor.kind, here, launch.launch_executor) {
        (ExecutorKind::Command, Some(_), _) => Refusal::dropping(
            Reason::TaskInvalid,
            "Cannot reuse an already existing executor for a command task",
            Also::Nothing,
        ),
        (_, Some(state), Some(true)) => Refusal::dropping(
            Reason::ExecutorTerminated,
            "Master wants to launch executor, but one already exists",
            if state == ExecutorState::Terminated { Also::TellExit } else { Also::ShutDown },
        ),
        (ExecutorKind::Custom | ExecutorKind::Default, None, Some(false)) => Refusal::dropping(
            Reason::ExecutorTerminated,
            "No executor is expected to launch and there is none running",
            Also::Nothing,
        ),
        _ => Refusal {
            state: Some(TaskState::Failed),
            reason: Reason::ContainerLaunchFailed,
            message: format!("Failed to launch container: {}", unsupported(launch)?).into(),
            also,
        },
    };
    Some(refusal)
}

/// What containers would have to be given and cannot. A custom executor sees to its tasks' containers by itself.
fn unsupported(launch: &Launch) -> Option<&str> {
    let tasks: &[_] = if launch.executor.kind == ExecutorKind::Custom { &[] } else { &launch.tasks.tasks };
    let of_tasks = tasks.iter().map(|task| &task.unsupported);
    std::iter::once(&launch.executor.unsupported).chain(of_tasks).find_map(Option::as_deref)
}

/// Tells the framework that tasks were never launched.
fn drop_tasks(core: &mut AgentCore, step: &mut Step<'_>, launch: &Launch, refusal: &Refusal, named: bool) {
    let dropped = if launch.framework.partition_aware { TaskState::Dropped } else { TaskState::Lost };
    let state = refusal.state.unwrap_or(dropped);
    for task in &launch.tasks.tasks {
        warn!(framework = %launch.framework.id, task = %task.task_id, why = &*refusal.message, "not launching a task");
        let executor_id = named.then(|| launch.executor.executor_id.clone());
        let mut dropped =
            status::new(core, step, task.task_id.clone(), executor_id, state, StatusSource::Agent);
        dropped.reason = Some(refusal.reason);
        dropped.message = Some((&*refusal.message).into());
        updates::add(core, step, &launch.framework.id, dropped.into());
    }
}

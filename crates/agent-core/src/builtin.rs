//! The built-in executors: a command task in its container, and the tasks of a group in theirs.
//!
//! They behave as Mesos' command and default executors do towards the framework, but live in the agent: a task's status
//! follows from its container's events.

use base::{ContainerId, ExecutorId, FrameworkId, TaskId};
use resources::Resources;

use crate::checkpoint::KillCause;
use crate::checks::Orders;
use crate::containers::End;
use crate::core::{AgentCore, Step};
use crate::input::Limitation;
use crate::output::Output;
use crate::state::{Executor, Kill, Owner, Queued, Run};
use crate::text::wait_status;
use crate::timers::{Timer, Timers};
use crate::types::{
    ContainerStatus, ExecutorKind, ExecutorState, Reason, StatusSource, TaskState, TaskStatus,
};
use crate::{allowance, checks, executors, kill, remember, status};

/// Gives a command executor its only task: its container is the executor's.
pub(crate) fn admit(executor: &mut Executor, framework_id: &FrameworkId, queued: &Queued) {
    for info in &queued.tasks {
        let run = Run::new(executor.container_id.clone(), 0);
        executor.admit(framework_id, info.clone(), Some(run));
    }
    executor.ever_sent_task = true;
}

/// Starts all tasks of a group, each in a container nested in the executor's.
pub(crate) fn start_group(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    queued: &Queued,
) {
    let Some(executor) = core.frameworks.get_mut(framework_id).and_then(|f| f.executors.get_mut(executor_id))
    else {
        return;
    };
    core.timers.cancel(&mut executor.timer); // it lingered, and has something to do again
    executor.ever_sent_task = true;
    executor.groups += 1;
    let mut starting = Vec::new();
    for info in &queued.tasks {
        let container_id = executor.container_id.nested(&core.rng.uuid().to_string());
        let run = Run::new(container_id.clone(), executor.groups);
        executor.admit(framework_id, info.clone(), Some(run));
        let owner = Owner {
            framework_id: framework_id.clone(),
            executor_id: executor_id.clone(),
            task_id: Some(info.task_id.clone()),
        };
        core.containers.insert(container_id.clone(), owner.clone());
        starting.push((info.task_id.clone(), container_id, owner));
    }
    remember::executor(core, step, framework_id, executor_id);
    let given: Vec<TaskId> = starting.iter().map(|(task_id, ..)| task_id.clone()).collect();
    remember::given_tasks(core, step, framework_id, executor_id, &given);
    allowance::adjust(core, step, framework_id, executor_id);
    for (task_id, container_id, owner) in starting {
        let mut starting = by_executor(core, step, &owner, &task_id, TaskState::Starting);
        starting.container_status =
            Some(ContainerStatus { container_id: container_id.clone(), pid: None, agent_address: false });
        status::report(core, step, framework_id, starting);
        executors::order(core, step, &container_id);
    }
}

/// A task's container is up.
pub(crate) fn launched(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    owner: &Owner,
    task_id: &TaskId,
    pid: Option<u32>,
) {
    let (framework_id, executor_id) = (&owner.framework_id, &owner.executor_id);
    let Some(executor) = core.frameworks.get_mut(framework_id).and_then(|f| f.executors.get_mut(executor_id))
    else {
        return;
    };
    let command = executor.kind() == ExecutorKind::Command;
    if command {
        executor.launched = true;
        executor.pid = pid;
        if executor.state == ExecutorState::Registering {
            executor.state = ExecutorState::Running;
        }
    }
    let Some(entry) = executor.tasks.get_mut(task_id) else { return };
    let Some(run) = entry.run.as_mut() else { return };
    run.launched = true;
    run.pid = pid;
    if run.kill.is_some() {
        return; // it was killed while it was launched, and is being destroyed
    }
    let container_id = run.container_id.clone();
    if let Some(longest) = entry.task.info.max_completion_time {
        let timer = Timer::MaxCompletion(container_id.clone());
        run.completion = Some(core.timers.set(step.now + longest, timer));
    }
    checks::begin(&mut core.timers, step.now, &entry.task.info, run);
    // A group's task said that it starts before its container was ordered; a command task says it now, when it is
    // sure that everything could be fetched.
    let states: &[_] =
        if command { &[TaskState::Starting, TaskState::Running] } else { &[TaskState::Running] };
    for state in states {
        let mut report = by_executor(core, step, owner, task_id, *state);
        report.container_status =
            Some(ContainerStatus { container_id: container_id.clone(), pid, agent_address: true });
        status::report(core, step, framework_id, report);
    }
}

/// A task's container is gone.
pub(crate) fn ended(core: &mut AgentCore, step: &mut Step<'_>, owner: &Owner, task_id: &TaskId, end: End) {
    let (framework_id, executor_id) = (&owner.framework_id, &owner.executor_id);
    let Some(executor) = core.frameworks.get_mut(framework_id).and_then(|f| f.executors.get_mut(executor_id))
    else {
        return;
    };
    let command = executor.kind() == ExecutorKind::Command;
    if command {
        executor.state = ExecutorState::Terminated;
        executor.pid = None;
        core.timers.cancel(&mut executor.timer);
    }
    let Some(mut run) = executor.tasks.get_mut(task_id).and_then(|entry| entry.run.take()) else { return };
    call_off(&mut core.timers, &mut core.checks, step.out, &mut run);
    if command {
        remember::executor(core, step, framework_id, executor_id);
    }
    let outcome = outcome(command, &run, end);
    let cause = run.kill.as_ref().map(|kill| kill.cause);
    let mut last = by_executor(core, step, owner, task_id, outcome.state);
    last.source = outcome.source;
    if outcome.source == StatusSource::Agent {
        last.check_status = None; // the agent itself knows nothing of checks
    } else if cause == Some(KillCause::Unhealthy) {
        last.healthy = Some(false);
    }
    last.reason = outcome.reason;
    last.message = Some(outcome.message.into());
    last.limitation = outcome.limitation;
    if outcome.with_container {
        last.container_status = Some(ContainerStatus {
            container_id: run.container_id.clone(),
            pid: run.pid.filter(|_| command),
            agent_address: command,
        });
    }
    status::report(core, step, framework_id, last);
    if !command && matches!(outcome.state, TaskState::Failed | TaskState::Killed) {
        let unhealthy = cause == Some(KillCause::Unhealthy);
        let cause = if unhealthy { KillCause::Unhealthy } else { KillCause::Requested };
        kill_group(core, step, owner, run.group, cause);
    }
    executors::settle(core, step, framework_id, executor_id);
}

/// One task of the group has not finished well: the others must end as well.
fn kill_group(core: &mut AgentCore, step: &mut Step<'_>, owner: &Owner, group: u32, cause: KillCause) {
    let Some(executor) = core.executor(&owner.framework_id, &owner.executor_id) else { return };
    let others: Vec<ContainerId> = executor
        .tasks
        .values()
        .filter_map(|entry| entry.run.as_ref())
        .filter(|run| run.group == group && run.kill.is_none())
        .map(|run| run.container_id.clone())
        .collect();
    for container in others {
        kill::kill_run(core, step, &container, None, cause);
    }
}

/// A status in the name of a built-in executor. As in Mesos one of a task with a check says so, also where nothing is known.
pub(crate) fn by_executor(
    core: &mut AgentCore,
    step: &Step<'_>,
    owner: &Owner,
    task_id: &TaskId,
    state: TaskState,
) -> TaskStatus {
    let executor_id = Some(owner.executor_id.clone());
    let mut made = status::new(core, step, task_id.clone(), executor_id, state, StatusSource::Executor);
    let entry = core.frameworks.get_mut(&owner.framework_id).and_then(|framework| framework.entry(task_id));
    made.check_status =
        entry.and_then(|entry| entry.task.info.check.as_ref()).map(|check| check.probe.unknown());
    made
}

/// Forgets what was planned for a task's container, and calls off what is under way.
pub(crate) fn call_off(timers: &mut Timers, orders: &mut Orders, out: &mut Vec<Output>, run: &mut Run) {
    timers.cancel(&mut run.completion);
    if let Some(kill) = &mut run.kill {
        timers.cancel(&mut kill.escalation);
    }
    checks::stop(timers, orders, out, run);
}

/// What a container's end means for its task.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    state: TaskState,
    source: StatusSource,
    reason: Option<Reason>,
    message: String,
    with_container: bool,
    limitation: Resources,
}

fn outcome(command: bool, run: &Run, end: End) -> Outcome {
    let agent = |state, reason, message| Outcome {
        state,
        source: StatusSource::Agent,
        reason: Some(reason),
        message,
        with_container: false,
        limitation: Resources::default(),
    };
    let cause = run.kill.as_ref().map(|Kill { cause, .. }| *cause);
    if command && !run.launched && cause.is_some() {
        let message = "Killed before delivery to the executor".to_owned();
        return agent(TaskState::Killed, Reason::TaskKilledDuringLaunch, message);
    }
    let status = match end {
        // It was killed while it was being launched; its group's executor had it already.
        End::NoSandbox(..) | End::LaunchFailed(_) if cause.is_some() => None,
        End::NoSandbox(state, message) => return agent(state, Reason::ExecutorTerminated, message),
        End::LaunchFailed(message) => {
            let failed = agent(
                TaskState::Failed,
                Reason::ContainerLaunchFailed,
                format!("Failed to launch container: {message}"),
            );
            // In a group the executor launches the container, so the executor reports.
            return if command { failed } else { Outcome { source: StatusSource::Executor, ..failed } };
        }
        End::Exited { limitation: Some(Limitation { reason, message, resources }), status } => {
            let failed = agent(TaskState::Failed, reason, message);
            let failed = Outcome { limitation: resources, ..failed };
            return if command { failed } else { told_by_executor(failed, status) };
        }
        End::Exited { status, .. } => status,
    };
    let (state, reason) = match (cause, status) {
        (Some(KillCause::MaxCompletion), _) => (TaskState::Failed, Some(Reason::MaxCompletionTimeReached)),
        (Some(KillCause::Requested | KillCause::Unhealthy), _) => (TaskState::Killed, None),
        (None, Some(0)) => (TaskState::Finished, None),
        (None, _) => (TaskState::Failed, None),
    };
    Outcome {
        state,
        source: StatusSource::Executor,
        reason,
        message: how(status),
        with_container: true,
        limitation: Resources::default(),
    }
}

/// A task of a group went beyond its limits: its executor hears so from the agent, and lives on to tell it.
fn told_by_executor(failed: Outcome, status: Option<i32>) -> Outcome {
    let message = format!("{}: {}", how(status), failed.message);
    Outcome { source: StatusSource::Executor, message, with_container: true, ..failed }
}

/// How a command ended, in Mesos' words.
fn how(status: Option<i32>) -> String {
    let how = status.map_or_else(|| "terminated with unknown status".to_owned(), wait_status);
    format!("Command {how}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(launched: bool, cause: Option<KillCause>) -> Run {
        let kill = cause.map(|cause| Kill { cause, deadline: base::Time::EPOCH, escalation: None });
        Run { launched, kill, ..Run::new("c".into(), 0) }
    }

    fn exited(status: i32) -> End {
        End::Exited { status: Some(status), limitation: None }
    }

    #[test]
    fn a_groups_executor_tells_itself_which_limit_its_task_went_beyond() {
        let limitation = |message: &str| Limitation {
            reason: Reason::ContainerLimitationMemory,
            message: message.to_owned(),
            resources: Resources::parse("mem:32").expect("resources"),
        };
        let killed =
            || End::Exited { status: Some(9), limitation: Some(limitation("Memory limit exceeded")) };
        let (of_command, of_group) =
            (outcome(true, &run(true, None), killed()), outcome(false, &run(true, None), killed()));
        assert_eq!((of_command.source, of_command.with_container), (StatusSource::Agent, false));
        assert_eq!(of_command.message, "Memory limit exceeded");
        assert_eq!((of_group.source, of_group.with_container), (StatusSource::Executor, true));
        assert_eq!(of_group.message, "Command terminated with signal Killed: Memory limit exceeded");
        for told in [of_command, of_group] {
            assert_eq!(
                (told.state, told.reason),
                (TaskState::Failed, Some(Reason::ContainerLimitationMemory))
            );
            assert_eq!(told.limitation, Resources::parse("mem:32").expect("resources"));
        }
    }

    /// The states, reasons and words of the recorded scenarios.
    #[test]
    fn ends_mean_what_mesos_says_they_mean() {
        let requested = Some(KillCause::Requested);
        let too_long = Some(KillCause::MaxCompletion);
        for (run, end, state, reason, message) in [
            (run(true, None), exited(0), TaskState::Finished, None, "Command exited with status 0"),
            (run(true, None), exited(3 << 8), TaskState::Failed, None, "Command exited with status 3"),
            (run(true, None), exited(9), TaskState::Failed, None, "Command terminated with signal Killed"),
            (
                run(true, requested),
                exited(15),
                TaskState::Killed,
                None,
                "Command terminated with signal Terminated",
            ),
            (run(true, requested), exited(0), TaskState::Killed, None, "Command exited with status 0"),
            (
                run(true, too_long),
                exited(15),
                TaskState::Failed,
                Some(Reason::MaxCompletionTimeReached),
                "Command terminated with signal Terminated",
            ),
            (
                run(false, requested),
                End::LaunchFailed("x".into()),
                TaskState::Killed,
                Some(Reason::TaskKilledDuringLaunch),
                "Killed before delivery to the executor",
            ),
            (
                run(false, None),
                End::LaunchFailed("no".into()),
                TaskState::Failed,
                Some(Reason::ContainerLaunchFailed),
                "Failed to launch container: no",
            ),
        ] {
            let outcome = outcome(true, &run, end);
            assert_eq!((outcome.state, outcome.reason, outcome.message.as_str()), (state, reason, message));
        }
    }
}

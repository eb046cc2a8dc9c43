//! What custom executors ask and report, and what is passed on to them.

use base::{ContainerId, ExecutorId, FrameworkId, Payload, TaskId};
use resources::Resources;
use tracing::{info, warn};

use crate::core::{AgentCore, Step};
use crate::input::{ExecutorCall, ExecutorRequest, ExecutorUpdate, StreamId};
use crate::output::{ExecutorEvent, ExecutorRefusal, Output, ToMaster};
use crate::types::{ContainerStatus, ExecutorState, Reason, StatusSource, TaskState, TaskStatus};
use crate::{kill, registration, remember, run, shutdown, status};

/// An executor asks something.
pub(crate) fn call(core: &mut AgentCore, step: &mut Step<'_>, request: ExecutorRequest) {
    let ExecutorRequest { request, framework_id, executor_id, call } = request;
    let known = core.frameworks.get(&framework_id).map(|framework| framework.executors.get(&executor_id));
    let subscribes = matches!(call, ExecutorCall::Subscribe { .. });
    let reply = match known {
        None => Err(ExecutorRefusal::UnknownFramework),
        Some(None) => Err(ExecutorRefusal::UnknownExecutor),
        Some(Some(executor)) if executor.state == ExecutorState::Registering && !subscribes => {
            Err(ExecutorRefusal::NotSubscribed)
        }
        Some(Some(_)) => Ok(()),
    };
    step.out.push(Output::ExecutorReply { request, reply });
    if let Err(refusal) = reply {
        warn!(framework = %framework_id, executor = %executor_id, %refusal, "refusing an executor's request");
        return;
    }
    match call {
        ExecutorCall::Subscribe { stream, unacknowledged_tasks, unacknowledged_updates } => {
            let known = Unacknowledged { tasks: unacknowledged_tasks, updates: unacknowledged_updates };
            subscribe(core, step, &framework_id, &executor_id, stream, known);
        }
        ExecutorCall::Update(update) => take_update(core, step, &framework_id, &executor_id, *update),
        ExecutorCall::Message(data) => message_to_framework(core, step, framework_id, executor_id, data),
    }
}

/// What an executor that subscribes has had no answer to.
struct Unacknowledged {
    tasks: Vec<TaskId>,
    updates: Vec<ExecutorUpdate>,
}

fn subscribe(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    stream: StreamId,
    unacknowledged: Unacknowledged,
) {
    let unwanted = core.ending.is_some();
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    let unwanted = unwanted || framework.terminating;
    let Some(executor) = framework.executors.get_mut(executor_id) else { return };
    if unwanted || matches!(executor.state, ExecutorState::Terminating | ExecutorState::Terminated) {
        info!(framework = %framework_id, executor = %executor_id, "an executor subscribes that is to end");
        step.out.push(Output::ExecutorEvent { stream, event: ExecutorEvent::Shutdown });
        step.out.push(Output::CloseExecutorStream(stream));
        return;
    }
    info!(framework = %framework_id, executor = %executor_id, "an executor has subscribed");
    if let Some(earlier) = executor.stream.replace(stream) {
        core.streams.remove(&earlier);
        step.out.push(Output::CloseExecutorStream(earlier));
    }
    core.streams.insert(stream, (framework_id.clone(), executor_id.clone()));
    executor.state = ExecutorState::Running;
    executor.orphaned = false;
    let first = !std::mem::replace(&mut executor.subscribed, true);
    core.timers.cancel(&mut executor.timer);
    if first {
        remember::executor(core, step, framework_id, executor_id);
    }

    for update in unacknowledged.updates {
        take_update(core, step, framework_id, executor_id, update);
    }
    drop_unknown(core, step, framework_id, executor_id, &unacknowledged.tasks);
    welcome(core, step, framework_id, executor_id, stream);
}

/// Tasks that were sent on a stream that broke, and that the executor has never seen, are lost. One that has seen none at all
/// is as one that never got a task.
fn drop_unknown(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    seen: &[TaskId],
) {
    let Some(framework) = core.frameworks.get(framework_id) else { return };
    let Some(executor) = framework.executors.get(executor_id) else { return };
    let state = if framework.info.partition_aware { TaskState::Dropped } else { TaskState::Lost };
    let unseen: Vec<TaskId> = executor
        .tasks
        .iter()
        .filter(|(id, entry)| entry.task.state == TaskState::Staging && !seen.contains(id))
        .map(|(id, _)| id.clone())
        .collect();
    if unseen.is_empty() {
        return;
    }
    for task_id in unseen {
        let message = "Task was sent to the executor but is unknown to it";
        let end = status::Ending { state, reason: Reason::AgentRestarted, message, limitation: None };
        status::report_by_agent(core, step, framework_id, &task_id, executor_id, end);
    }
    if let Some(executor) = core.executor(framework_id, executor_id)
        && !executor.knows_a_task()
    {
        executor.ever_sent_task = false;
    }
}

/// Tells the executor that it is subscribed, and gives it what waits; or ends it, if nothing does and nothing did.
fn welcome(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    stream: StreamId,
) {
    let agent_id = core.agent_id();
    let Some(framework) = core.frameworks.get_mut(framework_id) else { return };
    let Some(executor) = framework.executors.get_mut(executor_id) else { return };
    if !executor.ever_sent_task && executor.queued.is_empty() {
        info!(executor = %executor_id, "none of the executor's tasks has reached it, and none waits for it");
        return shutdown::executor(core, step, framework_id, executor_id);
    }
    let subscribed = ExecutorEvent::Subscribed {
        executor: executor.info.clone(),
        framework: framework.info.clone(),
        agent_id,
        container_id: executor.container_id.clone(),
    };
    step.out.push(Output::ExecutorEvent { stream, event: subscribed });
    kill::tell_all(core, step, framework_id, executor_id);
    run::flush(core, step, framework_id, executor_id);
}

/// A status of a custom executor. The executor hears that it is in safe hands: from here on the agent repeats it.
fn take_update(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    update: ExecutorUpdate,
) {
    let agent_id = core.agent_id();
    let Some(executor) = core.executor(framework_id, executor_id) else { return };
    if !update.state.is_for_executors() {
        warn!(executor = %executor_id, "an executor must not report {:?}; shutting it down", update.state);
        core.counts.invalid_status_updates += 1;
        return shutdown::executor(core, step, framework_id, executor_id);
    }
    let container: ContainerId = update.container_id.clone().unwrap_or_else(|| executor.container_id.clone());
    let container_status = ContainerStatus {
        pid: executor.pid.filter(|_| container == executor.container_id),
        container_id: container,
        agent_address: !update.has_addresses,
    };
    let stream = executor.stream;
    let report = TaskStatus {
        task_id: update.task_id.clone(),
        state: update.state,
        message: None,
        source: StatusSource::Executor,
        reason: None,
        agent_id,
        executor_id: Some(executor_id.clone()),
        timestamp: update.timestamp.unwrap_or(step.now),
        uuid: update.uuid,
        container_status: Some(container_status),
        healthy: None,
        check_status: None,
        limitation: Resources::default(),
        body: update.body.clone(),
    };
    if is_not_its(core, framework_id, executor_id, &update.task_id) {
        core.counts.invalid_status_updates += 1;
    } else if !is_over(core, framework_id, executor_id, &update) {
        status::report(core, step, framework_id, report);
    }
    if let Some(stream) = stream {
        let event = ExecutorEvent::Acknowledged { task_id: update.task_id, uuid: update.uuid };
        step.out.push(Output::ExecutorEvent { stream, event });
    }
}

/// Whether a task is in the hands of another executor, or was not given to this one yet.
fn is_not_its(core: &AgentCore, framework: &FrameworkId, executor: &ExecutorId, task: &TaskId) -> bool {
    let known =
        core.frameworks.get(framework).and_then(|f| Some((f.executors.get(executor)?, f.tasks.get(task)?)));
    let not_its = known.is_some_and(|(own, owner)| owner != executor || !own.tasks.contains_key(task));
    if not_its {
        warn!(%framework, %executor, %task, "ignoring a status of a task that the executor does not have");
    }
    not_its
}

/// Whether an update is of a task that is over, with everything acknowledged. An executor repeats what it had no answer
/// to, and the answer may have been on its way when the agent died; the framework is not to hear of it again.
fn is_over(
    core: &AgentCore,
    framework: &FrameworkId,
    executor: &ExecutorId,
    update: &ExecutorUpdate,
) -> bool {
    let Some(framework) = core.frameworks.get(framework) else { return false };
    let Some(executor) = framework.executors.get(executor) else { return false };
    let lives = framework.tasks.contains_key(&update.task_id);
    let mut completed = executor.completed.iter().filter(|task| task.info.task_id == update.task_id);
    // Another task of the same name may have begun.
    let over = completed.any(|task| !lives || task.statuses.iter().any(|status| status.uuid == update.uuid));
    if over {
        info!(task = %update.task_id, uuid = %update.uuid, "ignoring an update of a task that is over");
    }
    over
}

/// An executor's stream ended on its side. Its process decides its fate, and it may subscribe again.
pub(crate) fn stream_closed(core: &mut AgentCore, stream: StreamId) {
    let Some((framework, executor)) = core.streams.remove(&stream) else { return };
    if let Some(executor) = core.executor(&framework, &executor) {
        info!(executor = %executor.info.executor_id, "an executor's stream has ended");
        executor.stream = None;
    }
}

/// The framework has a message for an executor.
pub(crate) fn message_to_executor(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: &FrameworkId,
    executor_id: &ExecutorId,
    data: Payload,
) {
    let executor =
        core.executor(framework_id, executor_id).filter(|executor| executor.state == ExecutorState::Running);
    match executor.and_then(|executor| executor.stream) {
        Some(stream) => {
            core.counts.valid_framework_messages += 1;
            step.out.push(Output::ExecutorEvent { stream, event: ExecutorEvent::Message(data) });
        }
        None => {
            warn!(framework = %framework_id, executor = %executor_id, "dropping a message: nobody takes it");
            core.counts.invalid_framework_messages += 1;
        }
    }
}

/// An executor has a message for its framework: by way of the master, as long as there is one to take it.
fn message_to_framework(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    framework_id: FrameworkId,
    executor_id: ExecutorId,
    data: Payload,
) {
    let ending = core.frameworks.get(&framework_id).is_none_or(|framework| framework.terminating);
    if ending || !core.registration.registered {
        warn!(framework = %framework_id, executor = %executor_id, "dropping an executor's message: nobody takes it");
        core.counts.invalid_framework_messages += 1;
        return;
    }
    core.counts.valid_framework_messages += 1;
    let message = ToMaster::Message { agent_id: core.agent_id(), framework_id, executor_id, data };
    registration::send(core, step, message);
}

//! LAUNCH and LAUNCH_GROUP.

use std::sync::Arc;

use base::{AgentId, FrameworkId, TaskId, Time};
use resources::Role;

use super::books::{add_executor, add_task};
use super::validate::Place;
use crate::core::{MasterCore, send, send_agent};
use crate::frameworks::framework_ref;
use crate::offers::Accepted;
use crate::output::{Output, SchedulerEvent, ToAgent};
use crate::types::{
    ExecutorInfo, Reason, RefusedTask, Source, Task, TaskBody, TaskInfo, TaskState, TaskStatus,
};

/// Why a task is not launched.
pub(crate) struct Refusal<'a> {
    pub(crate) state: TaskState,
    pub(crate) reason: Reason,
    pub(crate) message: &'a str,
}

/// Tells the scheduler that a task is not launched. The status has no uuid: there is no agent that would repeat it.
pub(crate) fn refuse(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    task_id: TaskId,
    agent_id: AgentId,
    refusal: &Refusal<'_>,
    out: &mut Vec<Output>,
) {
    core.metrics.task_ended(refusal.state, Some(Source::Master), Some(refusal.reason));
    let Some(framework) = core.frameworks.get(id) else { return };
    let status = TaskStatus {
        task_id,
        agent_id: Some(agent_id),
        executor_id: None,
        state: refusal.state,
        source: Some(Source::Master),
        reason: Some(refusal.reason),
        message: Some(refusal.message.to_owned()),
        uuid: None,
        timestamp: now,
        healthy: None,
        unreachable_time: None,
        body: None,
        repeats: None,
    };
    send(framework, SchedulerEvent::Update(Arc::new(status)), out);
}

/// Launches one task, or tells why not.
pub(crate) fn launch(
    core: &mut MasterCore,
    now: Time,
    accepted: &mut Accepted<'_>,
    task: Result<Arc<TaskInfo>, RefusedTask>,
    out: &mut Vec<Output>,
) {
    let refused = match task {
        Ok(mut task) => {
            allocate(Arc::make_mut(&mut task), &accepted.role);
            match try_launch(core, accepted, &task, out) {
                Ok(()) => return,
                Err(message) => {
                    RefusedTask { task_id: task.task_id.clone(), agent_id: task.agent_id.clone(), message }
                }
            }
        }
        Err(refused) => refused,
    };
    let refusal =
        Refusal { state: TaskState::Error, reason: Reason::TASK_INVALID, message: &refused.message };
    refuse(core, now, accepted.framework_id, refused.task_id, refused.agent_id, &refusal, out);
}

/// Allocates what a task asks for to the role of the offer.
fn allocate(task: &mut TaskInfo, role: &Role) {
    task.resources.allocate(role);
    if let Some(executor) = &mut task.executor {
        Arc::make_mut(executor).resources.allocate(role);
    }
}

fn try_launch(
    core: &mut MasterCore,
    accepted: &mut Accepted<'_>,
    task: &Arc<TaskInfo>,
    out: &mut Vec<Output>,
) -> Result<(), String> {
    let (framework_id, agent_id) = (accepted.framework_id, accepted.agent_id.clone());
    let (Some(framework), Some(agent)) = (core.frameworks.get(framework_id), core.agents.get(&agent_id))
    else {
        return Err(format!("Agent {agent_id} is no longer registered"));
    };
    let place = Place { framework, agent, available: &accepted.available() };
    place.check_task(task)?;
    let launch_executor = task.executor.as_ref().is_none_or(|executor| place.launches(executor));
    let message = ToAgent::RunTask {
        framework: framework_ref(framework),
        task: Arc::clone(task),
        launch_executor,
        resource_version: agent.resource_version,
    };
    send_agent(agent, message, out);

    let executor = task.executor.as_ref();
    let mut consumed = task.resources.clone();
    let launched = executor.filter(|_| launch_executor);
    if let Some(executor) = launched {
        consumed += &executor.resources;
    }
    accepted.consume(core, &consumed);
    if let Some(executor) = launched {
        add_executor(core, &agent_id, framework_id, executor);
    }
    add_task(core, new_task(accepted, task, executor), out);
    core.frameworks.count(framework_id, |counts| counts.operation("LAUNCH"));
    Ok(())
}

fn new_task(accepted: &Accepted<'_>, task: &TaskInfo, executor: Option<&Arc<ExecutorInfo>>) -> Task {
    Task {
        task_id: task.task_id.clone(),
        framework_id: accepted.framework_id.clone(),
        agent_id: accepted.agent_id.clone(),
        executor_id: executor.map(|executor| executor.executor_id.clone()),
        name: task.name.clone(),
        role: accepted.role.clone(),
        resources: task.resources.clone(),
        state: TaskState::Staging,
        status_update_state: None,
        status_update_uuid: None,
        statuses: Vec::new(),
        body: TaskBody::Info(task.body.clone()),
    }
}

/// Launches tasks together, or none of them.
pub(crate) fn launch_group(
    core: &mut MasterCore,
    now: Time,
    accepted: &mut Accepted<'_>,
    mut executor: Arc<ExecutorInfo>,
    mut tasks: Vec<Arc<TaskInfo>>,
    refused: Option<String>,
    out: &mut Vec<Output>,
) {
    Arc::make_mut(&mut executor).resources.allocate(&accepted.role);
    for task in &mut tasks {
        allocate(Arc::make_mut(task), &accepted.role);
    }
    let ids: Vec<(TaskId, AgentId)> =
        tasks.iter().map(|task| (task.task_id.clone(), task.agent_id.clone())).collect();
    let result = match refused {
        Some(message) => Err(message),
        None => try_launch_group(core, accepted, executor, tasks, out),
    };
    if let Err(message) = result {
        let refusal =
            Refusal { state: TaskState::Error, reason: Reason::TASK_GROUP_INVALID, message: &message };
        for (task_id, agent_id) in ids {
            refuse(core, now, accepted.framework_id, task_id, agent_id, &refusal, out);
        }
    }
}

fn try_launch_group(
    core: &mut MasterCore,
    accepted: &mut Accepted<'_>,
    executor: Arc<ExecutorInfo>,
    tasks: Vec<Arc<TaskInfo>>,
    out: &mut Vec<Output>,
) -> Result<(), String> {
    let (framework_id, agent_id) = (accepted.framework_id, accepted.agent_id.clone());
    let (Some(framework), Some(agent)) = (core.frameworks.get(framework_id), core.agents.get(&agent_id))
    else {
        return Err(format!("Agent {agent_id} is no longer registered"));
    };
    let place = Place { framework, agent, available: &accepted.remaining };
    let total = place.check_group(&executor, tasks.iter().map(AsRef::as_ref))?;
    let launch_executor = place.launches(&executor);
    let message = ToAgent::RunTaskGroup {
        framework: framework_ref(framework),
        executor: Arc::clone(&executor),
        tasks: tasks.clone(),
        launch_executor,
        resource_version: agent.resource_version,
    };
    send_agent(agent, message, out);

    accepted.consume(core, &total);
    if launch_executor {
        add_executor(core, &agent_id, framework_id, &executor);
    }
    for task in &tasks {
        add_task(core, new_task(accepted, task, Some(&executor)), out);
    }
    core.frameworks.count(framework_id, |counts| counts.operation("LAUNCH_GROUP"));
    Ok(())
}

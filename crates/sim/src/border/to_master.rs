//! What agents say, as masters understand it.

use std::sync::Arc;

use agent_core as agent;
use agent_core::ToMaster;
use base::Payload;
use master_core as master;
use master_core::FromAgent;
use resources::{Resources, Role};

use crate::bodies::Bodies;

/// What an agent's server adds to its core's words: what never changes.
#[derive(Clone, Debug)]
pub(crate) struct SelfDescription {
    /// What it says of itself.
    pub(crate) info: Arc<master::AgentInfo>,
}

/// An agent's message; `None` for one that makes no sense, as a master's server would drop it.
pub(crate) fn to_master(bodies: &Bodies, own: &SelfDescription, message: ToMaster) -> Option<FromAgent> {
    Some(match message {
        ToMaster::Register { checkpointed, resource_version } => {
            FromAgent::Register(Box::new(register(own, &checkpointed, resource_version)?))
        }
        ToMaster::Reregister(message) => FromAgent::Reregister(Box::new(reregister(bodies, own, *message)?)),
        ToMaster::UpdateAgent { agent_id, resource_version, operations } => {
            let known = operations.iter().filter_map(|known| operation(bodies, known)).map(Arc::new);
            FromAgent::Update(Box::new(master::UpdateAgent {
                agent_id,
                oversubscribed: None,
                resource_version: Some(resource_version),
                operations: Some(known.collect()),
            }))
        }
        ToMaster::Unregister { agent_id } => FromAgent::Unregister(agent_id),
        ToMaster::StatusUpdate(update) => FromAgent::StatusUpdate(master::StatusUpdate {
            framework_id: update.framework_id,
            status: Arc::new(status(&update.status)),
            latest_state: Some(state(update.latest_state)),
        }),
        ToMaster::ExitedExecutor { agent_id, framework_id, executor_id, status } => {
            FromAgent::ExitedExecutor { agent_id, framework_id, executor_id, status }
        }
        ToMaster::Message { agent_id, framework_id, executor_id, data } => {
            FromAgent::ExecutorMessage { agent_id, framework_id, executor_id, data }
        }
        ToMaster::OperationStatus(update) => {
            let status = operation_status(&update);
            FromAgent::OperationStatus(Box::new(master::UpdateOperation {
                agent_id: Some(update.agent_id),
                framework_id: update.framework_id,
                operation_uuid: Some(update.operation_uuid),
                latest_status: Some(status.clone()),
                status,
            }))
        }
        ToMaster::Pong => FromAgent::Pong,
    })
}

fn register(
    own: &SelfDescription,
    checkpointed: &Resources,
    version: base::Uuid,
) -> Option<master::RegisterAgent> {
    Some(master::RegisterAgent {
        info: Arc::clone(&own.info),
        total: own.info.resources.with_checkpointed(checkpointed).ok()?,
        version: "1.12.0".to_owned(),
        capabilities: master::AgentCapabilities {
            multi_role: true,
            reservation_refinement: true,
            resource_provider: true,
            agent_operation_feedback: true,
            hierarchical_role: true,
            resize_volume: true,
            agent_draining: true,
            task_resource_limits: true,
        },
        capabilities_body: Payload::default(),
        resource_version: Some(version),
    })
}

fn reregister(
    bodies: &Bodies,
    own: &SelfDescription,
    message: agent::Reregister,
) -> Option<master::ReregisterAgent> {
    let agent_id = message.agent_id;
    let executors = message.executors.iter();
    let completed = message.completed_frameworks.iter().filter_map(|view| {
        let tasks = view.completed_executors.iter().flat_map(|executor| &executor.completed);
        Some(master::ArchivedFramework {
            id: view.info.id.clone(),
            info: framework(bodies, &view.info)?,
            tasks: tasks.map(|known| Arc::new(task(&agent_id, known))).collect(),
        })
    });
    Some(master::ReregisterAgent {
        agent: register(own, &message.checkpointed, message.resource_version)?,
        frameworks: message
            .frameworks
            .iter()
            .filter_map(|info| Some((info.id.clone(), framework(bodies, info)?)))
            .collect(),
        executors: executors.map(|(id, info)| (id.clone(), Arc::new(executor(id, info)))).collect(),
        tasks: message.tasks.iter().map(|known| Arc::new(task(&agent_id, known))).collect(),
        completed_frameworks: completed.collect(),
        agent_id,
    })
}

/// What the agent knows better, because an update told it, counts.
fn framework(bodies: &Bodies, info: &agent::FrameworkInfo) -> Option<Arc<master::FrameworkInfo>> {
    let mut said = bodies.framework_of(&info.body)?;
    if *said.user != *info.user || said.checkpoint != info.checkpoint {
        let said = Arc::make_mut(&mut said);
        said.user = info.user.to_string();
        said.checkpoint = info.checkpoint;
    }
    Some(said)
}

fn executor(of: &base::FrameworkId, info: &agent::ExecutorInfo) -> master::ExecutorInfo {
    master::ExecutorInfo {
        executor_id: info.executor_id.clone(),
        framework_id: Some(of.clone()),
        kind: match info.kind {
            agent::ExecutorKind::Default => master::ExecutorKind::Default,
            agent::ExecutorKind::Command | agent::ExecutorKind::Custom => master::ExecutorKind::Custom,
        },
        resources: info.resources.clone(),
        body: info.body.clone(),
    }
}

fn task(agent_id: &base::AgentId, task: &agent::Task) -> master::Task {
    let info = &task.info;
    let role = info.resources.iter().find_map(|resource| resource.allocation.clone());
    master::Task {
        task_id: info.task_id.clone(),
        framework_id: task.framework_id.clone(),
        agent_id: agent_id.clone(),
        executor_id: info.executor.as_ref().map(|executor| executor.executor_id.clone()),
        name: info.name.to_string(),
        role: role.unwrap_or_else(Role::star),
        resources: info.resources.clone(),
        state: state(task.state),
        status_update_state: task.last_sent.map(|(of, _)| state(of)),
        status_update_uuid: task.last_sent.map(|(_, uuid)| uuid),
        statuses: task.statuses.iter().map(|known| Arc::new(status(known))).collect(),
        body: master::TaskBody::Recovered(info.body.clone()),
    }
}

fn status(status: &agent::TaskStatus) -> master::TaskStatus {
    master::TaskStatus {
        task_id: status.task_id.clone(),
        agent_id: Some(status.agent_id.clone()),
        executor_id: status.executor_id.clone(),
        state: state(status.state),
        source: Some(match status.source {
            agent::StatusSource::Agent => master::Source::Agent,
            agent::StatusSource::Executor => master::Source::Executor,
        }),
        // The numbers matter to people only.
        reason: None,
        message: status.message.as_ref().map(ToString::to_string),
        uuid: Some(status.uuid),
        timestamp: status.timestamp,
        healthy: None,
        unreachable_time: None,
        body: Some(status.body.clone()),
        repeats: None,
    }
}

/// The state as the other core knows it.
pub(crate) fn state(state: agent::TaskState) -> master::TaskState {
    match state {
        agent::TaskState::Staging => master::TaskState::Staging,
        agent::TaskState::Starting => master::TaskState::Starting,
        agent::TaskState::Running => master::TaskState::Running,
        agent::TaskState::Killing => master::TaskState::Killing,
        agent::TaskState::Finished => master::TaskState::Finished,
        agent::TaskState::Failed => master::TaskState::Failed,
        agent::TaskState::Killed => master::TaskState::Killed,
        agent::TaskState::Error => master::TaskState::Error,
        agent::TaskState::Lost => master::TaskState::Lost,
        agent::TaskState::Dropped => master::TaskState::Dropped,
        agent::TaskState::Unreachable => master::TaskState::Unreachable,
        agent::TaskState::Gone => master::TaskState::Gone,
        agent::TaskState::GoneByOperator => master::TaskState::GoneByOperator,
        agent::TaskState::Unknown => master::TaskState::Unknown,
    }
}

fn operation(bodies: &Bodies, operation: &agent::Operation) -> Option<master::Operation> {
    let update = &operation.update;
    let status = Arc::new(operation_status(update));
    Some(master::Operation {
        uuid: update.operation_uuid,
        id: update.operation_id.clone(),
        framework_id: update.framework_id.clone(),
        agent_id: update.agent_id.clone(),
        info: bodies.operation_of(&operation.body)?,
        statuses: vec![Arc::clone(&status)],
        latest_status: status,
    })
}

fn operation_status(update: &agent::OperationUpdate) -> master::OperationStatus {
    master::OperationStatus {
        operation_id: update.operation_id.clone(),
        state: match update.state {
            agent::OperationState::Pending => master::OperationState::Pending,
            agent::OperationState::Finished => master::OperationState::Finished,
            agent::OperationState::Failed => master::OperationState::Failed,
            agent::OperationState::Error => master::OperationState::Error,
            agent::OperationState::Dropped => master::OperationState::Dropped,
        },
        message: update.message.as_ref().map(ToString::to_string),
        uuid: update.status_uuid,
        agent_id: Some(update.agent_id.clone()),
        body: Some(Payload::default()),
    }
}

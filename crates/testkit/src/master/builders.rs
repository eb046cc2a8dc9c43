//! Descriptions of frameworks, agents and tasks, as short as a scenario wants them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, FrameworkId, Payload, TaskId, Time, Uuid};
use master_core::{
    AcceptOperation, AgentCapabilities, AgentInfo, AgentTraits, ExecutorInfo, ExecutorKind,
    FrameworkCapabilities, FrameworkInfo, Offer, RegisterAgent, ReregisterAgent, Source, StatusUpdate, Task,
    TaskBody, TaskInfo, TaskState, TaskStatus,
};
use resources::{Resources, Role};

/// Resources from their text form.
///
/// # Panics
/// If the text is wrong.
#[must_use]
pub fn resources(text: &str) -> Resources {
    Resources::parse(text).expect("resources of a test are well formed")
}

/// A framework of role `*` with checkpoints, which may be away for a minute.
#[must_use]
pub fn framework_info(name: &str) -> FrameworkInfo {
    FrameworkInfo {
        name: name.to_owned(),
        user: "root".to_owned(),
        principal: None,
        roles: [Role::star()].into(),
        capabilities: FrameworkCapabilities {
            multi_role: true,
            reservation_refinement: true,
            ..FrameworkCapabilities::default()
        },
        failover_timeout: Duration::from_secs(60),
        checkpoint: true,
        min_allocatable: BTreeMap::new(),
        body: Payload::from(name.as_bytes()),
        kept: false,
    }
}

/// What an agent says of itself.
#[must_use]
pub fn agent_info(hostname: &str, total: &str) -> Arc<AgentInfo> {
    Arc::new(AgentInfo {
        hostname: hostname.to_owned(),
        port: 5051,
        traits: Arc::new(AgentTraits { hostname: hostname.to_owned(), ..AgentTraits::default() }),
        resources: resources(total),
        body: Payload::from(hostname.as_bytes()),
    })
}

/// The registration of an agent that can do all that agents can.
#[must_use]
pub fn register(hostname: &str, total: &str) -> RegisterAgent {
    RegisterAgent {
        info: agent_info(hostname, total),
        total: resources(total),
        version: "1.12.0".to_owned(),
        capabilities: AgentCapabilities {
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
        resource_version: Some(Uuid::from_bytes([1; 16])),
    }
}

/// What an agent says that comes back with nothing on it.
#[must_use]
pub fn reregister(agent_id: &AgentId, agent: RegisterAgent) -> ReregisterAgent {
    ReregisterAgent {
        agent,
        agent_id: agent_id.clone(),
        frameworks: Vec::new(),
        executors: Vec::new(),
        tasks: Vec::new(),
        completed_frameworks: Vec::new(),
    }
}

/// The same with tasks of a framework that calls itself `f`.
#[must_use]
pub fn reregister_with(
    agent_id: &AgentId,
    agent: RegisterAgent,
    framework: &FrameworkId,
    tasks: Vec<Task>,
) -> ReregisterAgent {
    ReregisterAgent {
        frameworks: vec![(framework.clone(), Arc::new(framework_info("f")))],
        tasks: tasks.into_iter().map(Arc::new).collect(),
        ..reregister(agent_id, agent)
    }
}

/// A command task.
#[must_use]
pub fn task(id: &str, agent: &AgentId, takes: &str) -> TaskInfo {
    TaskInfo {
        task_id: id.into(),
        name: id.to_owned(),
        agent_id: agent.clone(),
        resources: resources(takes),
        limited: false,
        executor: None,
        body: Payload::from(id.as_bytes()),
    }
}

/// A custom executor.
#[must_use]
pub fn executor(id: &str, framework: &FrameworkId, takes: &str) -> ExecutorInfo {
    ExecutorInfo {
        executor_id: id.into(),
        framework_id: Some(framework.clone()),
        kind: ExecutorKind::Custom,
        resources: resources(takes),
        body: Payload::from(id.as_bytes()),
    }
}

/// A task in an executor.
#[must_use]
pub fn task_with_executor(id: &str, agent: &AgentId, takes: &str, executor: ExecutorInfo) -> TaskInfo {
    TaskInfo { executor: Some(Arc::new(executor)), ..task(id, agent, takes) }
}

/// A LAUNCH of tasks.
#[must_use]
pub fn launch(tasks: impl IntoIterator<Item = TaskInfo>) -> AcceptOperation {
    AcceptOperation::Launch(tasks.into_iter().map(|task| Ok(Arc::new(task))).collect())
}

/// A status from an agent, with a uuid made of `mark`.
#[must_use]
pub fn status(
    framework: &FrameworkId,
    agent: &AgentId,
    task: &TaskId,
    state: TaskState,
    mark: u8,
) -> StatusUpdate {
    let status = TaskStatus {
        task_id: task.clone(),
        agent_id: Some(agent.clone()),
        executor_id: None,
        state,
        source: Some(Source::Executor),
        reason: None,
        message: None,
        uuid: Some(Uuid::from_bytes([mark; 16])),
        timestamp: Time::EPOCH,
        healthy: None,
        unreachable_time: None,
        body: Some(Payload::from(vec![mark])),
        repeats: None,
    };
    StatusUpdate { framework_id: framework.clone(), status: Arc::new(status), latest_state: None }
}

/// A running task as its agent describes it when it reregisters.
#[must_use]
pub fn running(framework: &FrameworkId, agent: &AgentId, info: &TaskInfo, offer: &Offer) -> Task {
    Task {
        task_id: info.task_id.clone(),
        framework_id: framework.clone(),
        agent_id: agent.clone(),
        executor_id: info.executor.as_ref().map(|executor| executor.executor_id.clone()),
        name: info.name.clone(),
        role: offer.role.clone(),
        resources: info.resources.clone().allocated_to(&offer.role),
        state: TaskState::Running,
        status_update_state: None,
        status_update_uuid: None,
        statuses: Vec::new(),
        body: TaskBody::Recovered(info.body.clone()),
    }
}

//! What masters say, as agents understand it.

use std::sync::Arc;
use std::time::Duration;

use agent_core as agent;
use agent_core::{FromMaster, Probe};
use base::Payload;
use master_core as master;
use master_core::{FrameworkRef, ToAgent};

use crate::bodies::Bodies;

/// A master's message. `ping_timeout` is what the master's server adds to confirmations.
pub(crate) fn to_agent(bodies: &mut Bodies, message: ToAgent, ping_timeout: Duration) -> FromMaster {
    let total_ping_timeout = Some(ping_timeout);
    match message {
        ToAgent::Ping { connected } => FromMaster::Ping { connected },
        ToAgent::Registered(agent_id) => FromMaster::Registered { agent_id, total_ping_timeout },
        ToAgent::Reregistered { agent_id, reconciliations } => FromMaster::Reregistered {
            agent_id,
            total_ping_timeout,
            reconciliations: reconciliations.into_iter().map(reconciliation).collect(),
        },
        ToAgent::RunTask { framework: of, task: info, launch_executor, resource_version } => {
            FromMaster::RunTask(Box::new(agent::RunTask {
                framework: framework(&of),
                task: task(bodies, &info, None),
                resource_version,
                launch_executor: Some(launch_executor),
            }))
        }
        ToAgent::RunTaskGroup {
            framework: of,
            executor: of_all,
            tasks,
            launch_executor,
            resource_version,
        } => {
            let executor = executor(bodies, &of_all);
            let tasks = tasks.iter().map(|info| task(bodies, info, Some(&executor))).collect();
            FromMaster::RunTaskGroup(Box::new(agent::RunTaskGroup {
                framework: framework(&of),
                executor,
                tasks,
                resource_version,
                launch_executor: Some(launch_executor),
            }))
        }
        ToAgent::KillTask { framework_id, task_id, kill_policy } => {
            let grace = kill_policy.and_then(|policy| bodies.plan_of(&policy)?.grace);
            FromMaster::KillTask { framework_id, task_id, grace }
        }
        ToAgent::Acknowledge { framework_id, task_id, uuid, .. } => {
            FromMaster::AcknowledgeStatus { framework_id, task_id, uuid: Some(uuid) }
        }
        ToAgent::ApplyOperation { framework_id, id, operation, uuid, resource_version } => {
            let body = bodies.operation(Arc::clone(&operation));
            FromMaster::ApplyOperation(Box::new(agent::ApplyOperation {
                framework_id,
                operation_id: id,
                operation_uuid: uuid,
                operation: Ok((*operation).clone()),
                body,
                resource_version: Some(resource_version),
            }))
        }
        ToAgent::CheckpointResources(resources) => FromMaster::CheckpointResources(resources),
        ToAgent::ReconcileOperations(operations) => {
            FromMaster::ReconcileOperations(agent::ReconcileOperations {
                framework_id: None,
                operations: operations.into_iter().map(|uuid| (Some(uuid), None)).collect(),
            })
        }
        ToAgent::AcknowledgeOperation { status_uuid, operation_uuid } => FromMaster::AcknowledgeOperation {
            status_uuid: Some(status_uuid),
            operation_uuid: Some(operation_uuid),
        },
        ToAgent::Message { framework_id, executor_id, data, .. } => {
            FromMaster::Message { framework_id, executor_id, data }
        }
        ToAgent::ShutdownFramework(id) => FromMaster::ShutdownFramework(id),
        ToAgent::ShutdownExecutor { framework_id, executor_id } => {
            FromMaster::ShutdownExecutor { framework_id, executor_id }
        }
        ToAgent::UpdateFramework(of) => FromMaster::UpdateFramework(framework(&of)),
        ToAgent::Drain(config) => {
            FromMaster::Drain { max_grace: config.max_grace_period, mark_gone: config.mark_gone }
        }
        ToAgent::Shutdown(message) => FromMaster::Shutdown { message },
    }
}

fn framework(of: &FrameworkRef) -> Arc<agent::FrameworkInfo> {
    let info = &of.info;
    Arc::new(agent::FrameworkInfo {
        id: of.id.clone(),
        user: info.user.as_str().into(),
        checkpoint: info.checkpoint,
        task_killing: info.capabilities.task_killing_state,
        partition_aware: info.capabilities.partition_aware,
        body: info.body.clone(),
    })
}

fn command(body: &Payload) -> agent::CommandInfo {
    let number = body.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    agent::CommandInfo {
        value: Some(format!("plan {number}").into()),
        shell: true,
        ..agent::CommandInfo::default()
    }
}

fn executor(bodies: &Bodies, info: &master::ExecutorInfo) -> Arc<agent::ExecutorInfo> {
    let kind = match info.kind {
        master::ExecutorKind::Default => agent::ExecutorKind::Default,
        master::ExecutorKind::Custom | master::ExecutorKind::Unknown => agent::ExecutorKind::Custom,
    };
    Arc::new(agent::ExecutorInfo {
        executor_id: info.executor_id.clone(),
        kind,
        command: (kind == agent::ExecutorKind::Custom).then(|| command(&info.body)),
        resources: info.resources.clone(),
        shutdown_grace: bodies.plan_of(&info.body).and_then(|plan| plan.grace),
        unsupported: None,
        body: info.body.clone(),
    })
}

/// Each task of a group names the group's executor.
fn task(
    bodies: &Bodies,
    info: &master::TaskInfo,
    of_group: Option<&Arc<agent::ExecutorInfo>>,
) -> Arc<agent::TaskInfo> {
    let own = info.executor.as_ref().map(|info| executor(bodies, info));
    let runs_itself = own.is_none();
    let plan = bodies.plan_of(&info.body);
    Arc::new(agent::TaskInfo {
        task_id: info.task_id.clone(),
        name: info.name.as_str().into(),
        resources: info.resources.clone(),
        executor: own.or_else(|| of_group.cloned()),
        command: runs_itself.then(|| command(&info.body)),
        kill_grace: plan.and_then(|plan| plan.grace),
        limits: agent::ResourceLimits::default(),
        max_completion_time: plan.and_then(|plan| plan.longest),
        check: plan
            .and_then(|plan| plan.check)
            .map(|interval| check(Probe::Command(command(&info.body)), interval)),
        health_check: plan.and_then(|plan| plan.health_check).map(|(interval, failures)| {
            agent::HealthCheck {
                check: check(Probe::Tcp { port: 8080, ipv6: false }, interval),
                grace: interval,
                consecutive_failures: failures,
            }
        }),
        unsupported: None,
        body: info.body.clone(),
    })
}

fn check(probe: Probe, interval: Duration) -> agent::Check {
    agent::Check { probe, delay: interval / 2, interval, timeout: Some(interval * 2) }
}

fn reconciliation((of, tasks): (FrameworkRef, Vec<master::ReconciledTask>)) -> agent::Reconciliation {
    agent::Reconciliation {
        framework_id: of.id,
        partition_aware: of.info.capabilities.partition_aware,
        task_ids: tasks.into_iter().map(|task| task.task_id).collect(),
    }
}

//! Messages of masters.

use std::sync::Arc;
use std::time::Duration;

use agent_core::{FromMaster, Reconciliation, RunTask, RunTaskGroup};
use base::{Payload, Uuid};
use proto::internal;

use super::info::{duration, executor, framework, resources, task};
use super::operation;

/// A message that this agent cannot use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableMessage {
    /// Its name is not one of those that an agent receives.
    #[error("this agent receives no such messages")]
    Unknown,
    /// It is no protobuf of its name.
    #[error("it cannot be decoded")]
    Encoding(#[from] proto::DecodeError),
    /// It makes no sense.
    #[error("{0}")]
    Content(String),
}

impl From<String> for UnusableMessage {
    fn from(reason: String) -> Self {
        Self::Content(reason)
    }
}

fn ping_timeout(connection: Option<&internal::MasterSlaveConnection>) -> Option<Duration> {
    let seconds = connection?.total_ping_timeout_seconds?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The version of the agent's own resources; those of resource providers are of no concern.
fn resource_version(versions: &[internal::ResourceVersionUuid]) -> Option<Uuid> {
    let own = versions.iter().find(|version| version.resource_provider_id.is_none())?;
    Uuid::from_slice(&own.uuid.value)
}

/// A message by its full name.
pub(crate) fn from_master(name: &str, body: &[u8]) -> Result<FromMaster, UnusableMessage> {
    let name = name.strip_prefix("mesos.internal.").ok_or(UnusableMessage::Unknown)?;
    Ok(match name {
        "SlaveRegisteredMessage" => {
            let message: internal::SlaveRegisteredMessage = proto::decode(body)?;
            FromMaster::Registered {
                agent_id: message.slave_id.value.into(),
                total_ping_timeout: ping_timeout(message.connection.as_ref()),
            }
        }
        "SlaveReregisteredMessage" => {
            let message: internal::SlaveReregisteredMessage = proto::decode(body)?;
            FromMaster::Reregistered {
                agent_id: message.slave_id.value.as_str().into(),
                total_ping_timeout: ping_timeout(message.connection.as_ref()),
                reconciliations: message.reconciliations.iter().map(reconciliation).collect(),
            }
        }
        "PingSlaveMessage" => {
            let message: internal::PingSlaveMessage = proto::decode(body)?;
            FromMaster::Ping { connected: message.connected }
        }
        "RunTaskMessage" => run_task(&proto::decode(body)?)?,
        "RunTaskGroupMessage" => run_task_group(&proto::decode(body)?)?,
        "KillTaskMessage" => {
            let message: internal::KillTaskMessage = proto::decode(body)?;
            FromMaster::KillTask {
                framework_id: message.framework_id.value.into(),
                task_id: message.task_id.value.into(),
                grace: duration(message.kill_policy.as_ref().and_then(|policy| policy.grace_period.as_ref())),
            }
        }
        "StatusUpdateAcknowledgementMessage" => {
            let message: internal::StatusUpdateAcknowledgementMessage = proto::decode(body)?;
            FromMaster::AcknowledgeStatus {
                framework_id: message.framework_id.value.into(),
                task_id: message.task_id.value.into(),
                uuid: Uuid::from_slice(&message.uuid),
            }
        }
        "ShutdownFrameworkMessage" => {
            let message: internal::ShutdownFrameworkMessage = proto::decode(body)?;
            FromMaster::ShutdownFramework(message.framework_id.value.into())
        }
        _ => rare(name, body)?,
    })
}

/// Messages that come seldom.
fn rare(name: &str, body: &[u8]) -> Result<FromMaster, UnusableMessage> {
    Ok(match name {
        "ShutdownExecutorMessage" => {
            let message: internal::ShutdownExecutorMessage = proto::decode(body)?;
            let (Some(framework_id), Some(executor_id)) = (message.framework_id, message.executor_id) else {
                return Err(UnusableMessage::Content("it names no executor".to_owned()));
            };
            FromMaster::ShutdownExecutor {
                framework_id: framework_id.value.into(),
                executor_id: executor_id.value.into(),
            }
        }
        "FrameworkToExecutorMessage" => {
            let message: internal::FrameworkToExecutorMessage = proto::decode(body)?;
            FromMaster::Message {
                framework_id: message.framework_id.value.into(),
                executor_id: message.executor_id.value.into(),
                data: Payload::from(&*message.data),
            }
        }
        "UpdateFrameworkMessage" => {
            let message: internal::UpdateFrameworkMessage = proto::decode(body)?;
            // Masters from long ago sent only where the framework's scheduler moved to, which nobody here needs.
            let mut info = message.framework_info.ok_or_else(|| "it has no framework info".to_owned())?;
            info.id.get_or_insert(message.framework_id);
            FromMaster::UpdateFramework(Arc::new(framework(&info)?))
        }
        "ShutdownMessage" => {
            let message: internal::ShutdownMessage = proto::decode(body)?;
            FromMaster::Shutdown { message: message.message.unwrap_or_default() }
        }
        "ApplyOperationMessage" => {
            FromMaster::ApplyOperation(Box::new(operation::apply(&proto::decode(body)?)?))
        }
        "AcknowledgeOperationStatusMessage" => {
            let message: internal::AcknowledgeOperationStatusMessage = proto::decode(body)?;
            FromMaster::AcknowledgeOperation {
                status_uuid: Uuid::from_slice(&message.status_uuid.value),
                operation_uuid: Uuid::from_slice(&message.operation_uuid.value),
            }
        }
        "ReconcileOperationsMessage" => {
            let message: internal::ReconcileOperationsMessage = proto::decode(body)?;
            FromMaster::ReconcileOperations(operation::reconcile(&message))
        }
        "CheckpointResourcesMessage" => {
            let message: internal::CheckpointResourcesMessage = proto::decode(body)?;
            FromMaster::CheckpointResources(resources(&message.resources)?)
        }
        "DrainSlaveMessage" => {
            let message: internal::DrainSlaveMessage = proto::decode(body)?;
            FromMaster::Drain {
                max_grace: duration(message.config.max_grace_period.as_ref()),
                mark_gone: message.config.mark_gone.unwrap_or(false),
            }
        }
        _ => return Err(UnusableMessage::Unknown),
    })
}

fn run_task(message: &internal::RunTaskMessage) -> Result<FromMaster, String> {
    let mut info = message.framework.clone();
    if info.id.is_none() {
        info.id.clone_from(&message.framework_id);
    }
    Ok(FromMaster::RunTask(Box::new(RunTask {
        framework: Arc::new(framework(&info)?),
        task: Arc::new(task(&message.task)?),
        resource_version: resource_version(&message.resource_version_uuids),
        launch_executor: message.launch_executor,
    })))
}

fn run_task_group(message: &internal::RunTaskGroupMessage) -> Result<FromMaster, String> {
    let tasks: Result<Vec<_>, String> =
        message.task_group.tasks.iter().map(|info| task(info).map(Arc::new)).collect();
    Ok(FromMaster::RunTaskGroup(Box::new(RunTaskGroup {
        framework: Arc::new(framework(&message.framework)?),
        executor: Arc::new(executor(&message.executor)?),
        tasks: tasks?,
        resource_version: resource_version(&message.resource_version_uuids),
        launch_executor: message.launch_executor,
    })))
}

fn reconciliation(message: &internal::ReconcileTasksMessage) -> Reconciliation {
    use proto::v1::framework_info::capability::Type;
    let capabilities = message.framework.iter().flat_map(|framework| &framework.capabilities);
    Reconciliation {
        framework_id: message.framework_id.value.as_str().into(),
        partition_aware: capabilities
            .into_iter()
            .any(|known| known.r#type == Some(Type::PartitionAware.into())),
        task_ids: message.statuses.iter().map(|status| status.task_id.value.as_str().into()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_agents_receive_is_taken() {
        assert!(matches!(
            from_master("mesos.internal.RegisterSlaveMessage", &[]),
            Err(UnusableMessage::Unknown)
        ));
        assert!(matches!(from_master("nonsense", &[]), Err(UnusableMessage::Unknown)));
        assert!(matches!(
            from_master("mesos.internal.RunTaskMessage", &[]),
            Err(UnusableMessage::Encoding(_))
        ));
        let ping = from_master("mesos.internal.PingSlaveMessage", &[8, 1]).expect("a ping");
        assert!(matches!(ping, FromMaster::Ping { connected: true }));
    }
}

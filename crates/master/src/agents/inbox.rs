//! Messages from agents: from protobuf to the core's inputs. Decoded in the connection's task, not by the core's thread.

use std::sync::Arc;

use base::{AgentId, Payload};
use bytes::Bytes;
use master_core::{FromAgent, Input, Pid, UpdateAgent, UpdateOperation};
use proto::internal;
use transport::{Message, Receiver};

use super::MASTER;
use super::admission::Domains;
use super::old_drivers::{OldDrivers, is_of_driver};
use crate::convert::{self, ConvertError};
use crate::election::Leadership;
use crate::engine::CoreHandle;

/// Gives messages to the core.
#[derive(Clone)]
pub(crate) struct AgentInbox {
    core: CoreHandle,
    leadership: Arc<Leadership>,
    domains: Domains,
    old_drivers: Arc<OldDrivers>,
}

impl AgentInbox {
    pub(crate) fn new(core: CoreHandle, leadership: Arc<Leadership>, domains: Domains) -> Self {
        Self { core, leadership, domains, old_drivers: Arc::default() }
    }
}

impl Receiver for AgentInbox {
    async fn receive(&self, message: Message<'_>) -> bool {
        // Agents answer pings to who sent them: an observer for each agent.
        if message.to != MASTER && !message.to.starts_with("slave-observer(") {
            return false;
        }
        if !self.leadership.leads() {
            // As in Mesos: it has arrived, and that is all.
            self.leadership.drop_message();
            return true;
        }
        let from = message.from;
        match decode_message(message.name, &message.body) {
            Ok(Some(input)) => {
                if let Some(why) = self.domains.refusal(&input) {
                    tracing::warn!("ignoring {} of {from}: {why}", message.name);
                    return true;
                }
                let pid = Pid::from(Arc::clone(from.text()));
                // The server goes down: the agent will notice that its connection does.
                let _ = self.core.input(Input::Agent { from: pid, message: input }).await;
            }
            Ok(None) if is_of_driver(message.name) => {
                if self.old_drivers.is_news(from.text()) {
                    tracing::warn!(
                        "ignoring {} of {from}: the v0 driver protocol is not supported yet; schedulers can use the v1 \
                         HTTP API at /api/v1/scheduler",
                        message.name
                    );
                }
            }
            Ok(None) => {
                tracing::debug!("ignoring {} of {from}: nothing is known of such messages", message.name)
            }
            Err(error) => tracing::warn!("dropping {} of {from}: {error}", message.name),
        }
        true
    }
}

/// Why a message was dropped.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// It is no such message.
    #[error(transparent)]
    Decode(#[from] proto::DecodeError),
    /// What it says makes no sense.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// Of a later version, most likely.
    #[error("the task's state is not known")]
    UnknownState,
}

/// What a message means to the core; `None` for one that it has no use for. `name` is its full protobuf name.
///
/// # Errors
/// Says why the message has to be dropped.
pub fn decode_message(name: &str, body: &Bytes) -> Result<Option<FromAgent>, MessageError> {
    let Some(short) = name.strip_prefix("mesos.internal.") else { return Ok(None) };
    let message = match short {
        "StatusUpdateMessage" => {
            let message = proto::decode::<internal::StatusUpdateMessage>(body)?;
            FromAgent::StatusUpdate(convert::status_update(message, body).ok_or(MessageError::UnknownState)?)
        }
        "PongSlaveMessage" => FromAgent::Pong,
        "RegisterSlaveMessage" => FromAgent::Register(Box::new(convert::register(proto::decode(body)?)?)),
        "ReregisterSlaveMessage" => {
            FromAgent::Reregister(Box::new(convert::reregister(proto::decode(body)?)?))
        }
        "UnregisterSlaveMessage" => {
            let message = proto::decode::<internal::UnregisterSlaveMessage>(body)?;
            FromAgent::Unregister(message.slave_id.value.into())
        }
        "UpdateSlaveMessage" => FromAgent::Update(Box::new(update_agent(proto::decode(body)?)?)),
        "ExitedExecutorMessage" => {
            let message = proto::decode::<internal::ExitedExecutorMessage>(body)?;
            FromAgent::ExitedExecutor {
                agent_id: message.slave_id.value.into(),
                framework_id: message.framework_id.value.into(),
                executor_id: message.executor_id.value.into(),
                status: message.status,
            }
        }
        "ExecutorToFrameworkMessage" => {
            let message = proto::decode::<internal::ExecutorToFrameworkMessage>(body)?;
            FromAgent::ExecutorMessage {
                agent_id: message.slave_id.value.into(),
                framework_id: message.framework_id.value.into(),
                executor_id: message.executor_id.value.into(),
                data: Payload::from(&message.data[..]),
            }
        }
        "UpdateOperationStatusMessage" => match update_operation(&proto::decode(body)?) {
            Some(update) => FromAgent::OperationStatus(Box::new(update)),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(message))
}

fn update_agent(message: internal::UpdateSlaveMessage) -> Result<UpdateAgent, ConvertError> {
    // Old agents do not say whether they speak of oversubscribed resources; they always do.
    let speaks =
        message.update_oversubscribed_resources.unwrap_or(!message.oversubscribed_resources.is_empty());
    let oversubscribed =
        speaks.then(|| wire::resources_from_proto(&message.oversubscribed_resources)).transpose()?;
    let agent_id = AgentId::from(message.slave_id.value);
    let operations = message.operations.map(|known| {
        let known = known.operations.iter();
        known
            .filter_map(|operation| convert::reported_operation(&agent_id, operation))
            .map(Arc::new)
            .collect()
    });
    Ok(UpdateAgent {
        agent_id,
        oversubscribed,
        resource_version: message.resource_version_uuid.and_then(|uuid| base::Uuid::from_slice(&uuid.value)),
        operations,
    })
}

/// A status of an operation; `None` where it is in a state that we do not know.
fn update_operation(message: &internal::UpdateOperationStatusMessage) -> Option<UpdateOperation> {
    Some(UpdateOperation {
        agent_id: message.slave_id.as_ref().map(|id| id.value.as_str().into()),
        framework_id: message.framework_id.as_ref().map(|id| id.value.as_str().into()),
        operation_uuid: message.operation_uuid.as_ref().and_then(|uuid| base::Uuid::from_slice(&uuid.value)),
        status: convert::operation_status(&message.status)?,
        latest_status: message.latest_status.as_ref().and_then(convert::operation_status),
    })
}

//! Operations on the agent's resources, and how they stand.

use agent_core::{ApplyOperation, Operation, OperationState, OperationUpdate, ReconcileOperations};
use base::{Payload, Uuid};
use proto::{internal, v1};

pub(super) fn apply(message: &internal::ApplyOperationMessage) -> Result<ApplyOperation, String> {
    let operation_uuid =
        Uuid::from_slice(&message.operation_uuid.value).ok_or("the operation's UUID is not 16 bytes long")?;
    let operation = &message.operation_info;
    Ok(ApplyOperation {
        framework_id: message.framework_id.as_ref().map(|id| id.value.as_str().into()),
        operation_id: operation.id.as_ref().map(|id| id.value.as_str().into()),
        operation_uuid,
        operation: wire::operation_from_proto(operation).map_err(|error| error.to_string()),
        body: Payload::from(proto::encode(operation)),
        resource_version: Uuid::from_slice(&message.resource_version_uuid.uuid.value),
    })
}

/// Those that resource providers are to know are of no concern: there are none.
pub(super) fn reconcile(message: &internal::ReconcileOperationsMessage) -> ReconcileOperations {
    let own = message.operations.iter().filter(|operation| operation.resource_provider_id.is_none());
    ReconcileOperations {
        framework_id: message.framework_id.as_ref().map(|id| id.value.as_str().into()),
        operations: own
            .map(|operation| {
                let uuid = operation.operation_uuid.as_ref().and_then(|uuid| Uuid::from_slice(&uuid.value));
                (uuid, operation.operation_id.as_ref().map(|id| id.value.as_str().into()))
            })
            .collect(),
    }
}

pub(super) fn update_to_proto(update: &OperationUpdate) -> internal::UpdateOperationStatusMessage {
    let status = status_to_proto(update);
    internal::UpdateOperationStatusMessage {
        framework_id: update.framework_id.as_ref().map(|id| id.as_str().into()),
        slave_id: Some(update.agent_id.as_str().into()),
        latest_status: Some(status.clone()),
        status,
        operation_uuid: Some(uuid(update.operation_uuid)),
    }
}

fn status_to_proto(update: &OperationUpdate) -> v1::OperationStatus {
    let state = match update.state {
        OperationState::Pending => v1::OperationState::OperationPending,
        OperationState::Finished => v1::OperationState::OperationFinished,
        OperationState::Failed => v1::OperationState::OperationFailed,
        OperationState::Error => v1::OperationState::OperationError,
        OperationState::Dropped => v1::OperationState::OperationDropped,
    };
    v1::OperationStatus {
        operation_id: update.operation_id.as_ref().map(|id| id.as_str().into()),
        state: state.into(),
        message: update.message.as_ref().map(ToString::to_string),
        uuid: update.status_uuid.map(uuid),
        agent_id: Some(update.agent_id.as_str().into()),
        ..Default::default()
    }
}

/// An operation with all that the agent knows of it.
pub(crate) fn operation_to_proto(operation: &Operation) -> v1::Operation {
    let update = &operation.update;
    let status = status_to_proto(update);
    v1::Operation {
        framework_id: update.framework_id.as_ref().map(|id| id.as_str().into()),
        agent_id: Some(update.agent_id.as_str().into()),
        info: super::info::decoded(operation.body.as_bytes()),
        statuses: vec![status.clone()],
        latest_status: status,
        uuid: uuid(update.operation_uuid),
    }
}

/// The other way, for what [`operation_to_proto`] once made.
pub(crate) fn operation_from_proto(message: &v1::Operation) -> Result<Operation, String> {
    let status = &message.latest_status;
    let state = match status.state() {
        v1::OperationState::OperationPending => OperationState::Pending,
        v1::OperationState::OperationFinished => OperationState::Finished,
        v1::OperationState::OperationFailed => OperationState::Failed,
        v1::OperationState::OperationError => OperationState::Error,
        v1::OperationState::OperationDropped => OperationState::Dropped,
        other => return Err(format!("no operation of an agent is {}", other.as_str_name())),
    };
    Ok(Operation {
        update: OperationUpdate {
            framework_id: message.framework_id.as_ref().map(|id| id.value.as_str().into()),
            agent_id: message.agent_id.as_ref().ok_or("it names no agent")?.value.as_str().into(),
            operation_id: message.info.id.as_ref().map(|id| id.value.as_str().into()),
            operation_uuid: Uuid::from_slice(&message.uuid.value).ok_or("its UUID is not 16 bytes long")?,
            state,
            message: status.message.as_deref().map(Into::into),
            status_uuid: status.uuid.as_ref().and_then(|uuid| Uuid::from_slice(&uuid.value)),
        },
        body: Payload::from(proto::encode(&message.info)),
    })
}

pub(super) fn uuid(uuid: Uuid) -> v1::Uuid {
    v1::Uuid { value: uuid.as_bytes().to_vec().into() }
}

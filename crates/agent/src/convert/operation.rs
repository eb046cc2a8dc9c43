//! Operations on the agent's resources: what each takes and what it gives instead.

use agent_core::{ApplyOperation, OperationState, OperationUpdate};
use base::Uuid;
use proto::{internal, v1};
use resources::{Details, Disk, Resource, Resources};

use super::info::resources;

type Conversion = Result<(Resources, Resources), String>;

pub(super) fn apply(message: &internal::ApplyOperationMessage) -> Result<ApplyOperation, String> {
    let operation_uuid =
        Uuid::from_slice(&message.operation_uuid.value).ok_or("the operation's UUID is not 16 bytes long")?;
    let operation = &message.operation_info;
    let (converted, unsupported) = match convert(operation) {
        Ok(conversion) => (conversion, None),
        Err(reason) => ((Resources::new(), Resources::new()), Some(reason)),
    };
    let (consumed, converted) = (converted.0.unallocated(), converted.1.unallocated());
    Ok(ApplyOperation {
        framework_id: message.framework_id.as_ref().map(|id| id.value.as_str().into()),
        operation_id: operation.id.as_ref().map(|id| id.value.as_str().into()),
        operation_uuid,
        consumed,
        converted,
        unsupported,
        resource_version: Uuid::from_slice(&message.resource_version_uuid.uuid.value),
    })
}

fn convert(operation: &v1::offer::Operation) -> Conversion {
    use v1::offer::operation::Type;
    let missing = || "the operation lacks its parameters".to_owned();
    match operation.r#type() {
        Type::Reserve => {
            let reserve = operation.reserve.as_ref().ok_or_else(missing)?;
            let reserved = resources(&reserve.resources)?;
            let source =
                if reserve.source.is_empty() { reserved.map(popped) } else { resources(&reserve.source)? };
            Ok((source, reserved))
        }
        Type::Unreserve => {
            let reserved = resources(&operation.unreserve.as_ref().ok_or_else(missing)?.resources)?;
            let freed = reserved.map(popped);
            Ok((reserved, freed))
        }
        Type::Create => {
            let volumes = resources(&operation.create.as_ref().ok_or_else(missing)?.volumes)?;
            Ok((volumes.map(plain_disk), volumes))
        }
        Type::Destroy => {
            let volumes = resources(&operation.destroy.as_ref().ok_or_else(missing)?.volumes)?;
            let disks = volumes.map(plain_disk);
            Ok((volumes, disks))
        }
        other => Err(format!("this agent does not apply {} operations", other.as_str_name())),
    }
}

/// The resource without its last reservation.
fn popped(resource: &Resource) -> Resource {
    let mut details: Details = resource.details().clone();
    details.reservations.pop();
    resource.clone().with_details(details)
}

/// The disk that a volume is made on.
fn plain_disk(volume: &Resource) -> Resource {
    let mut details: Details = volume.details().clone();
    details.shared = false;
    details.disk = details.disk.and_then(|disk| {
        disk.source.map(|source| Disk { source: Some(source), persistence: None, volume: None })
    });
    volume.clone().with_details(details)
}

pub(super) fn update_to_proto(update: &OperationUpdate) -> internal::UpdateOperationStatusMessage {
    let state = match update.state {
        OperationState::Finished => v1::OperationState::OperationFinished,
        OperationState::Failed => v1::OperationState::OperationFailed,
        OperationState::Error => v1::OperationState::OperationError,
        OperationState::Dropped => v1::OperationState::OperationDropped,
    };
    let status = v1::OperationStatus {
        operation_id: update.operation_id.as_ref().map(|id| id.as_str().into()),
        state: state.into(),
        message: update.message.as_ref().map(ToString::to_string),
        uuid: update.status_uuid.map(uuid),
        agent_id: Some(update.agent_id.as_str().into()),
        ..Default::default()
    };
    internal::UpdateOperationStatusMessage {
        framework_id: update.framework_id.as_ref().map(|id| id.as_str().into()),
        slave_id: Some(update.agent_id.as_str().into()),
        latest_status: Some(status.clone()),
        status,
        operation_uuid: Some(uuid(update.operation_uuid)),
    }
}

pub(super) fn uuid(uuid: Uuid) -> v1::Uuid {
    v1::Uuid { value: uuid.as_bytes().to_vec().into() }
}

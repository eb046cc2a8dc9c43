//! Operations on resources: as agents report them, and as readers and agents see them.

use std::sync::Arc;

use base::{AgentId, FrameworkId, OperationId, Uuid};
use master_core::{Operation, OperationState, OperationStatus};
use proto::v1;
use wire::Format;

use super::task::carried;
use crate::pb::Writer;

/// A status that came from an agent; `None` where it is in a state that we do not know.
pub(crate) fn operation_status(status: &v1::OperationStatus) -> Option<OperationStatus> {
    Some(OperationStatus {
        operation_id: status.operation_id.as_ref().map(|id| id.value.as_str().into()),
        state: OperationState::from_number(status.state)?,
        message: status.message.clone(),
        uuid: status.uuid.as_ref().and_then(|uuid| Uuid::from_slice(&uuid.value)),
        agent_id: status.agent_id.as_ref().map(|id| id.value.as_str().into()),
        body: Some(proto::encode(status).into()),
    })
}

/// An operation that an agent knows. `None` where it has no proper uuid, or something in it makes no sense: nothing can
/// be done about such an operation.
pub(crate) fn reported_operation(agent_id: &AgentId, operation: &v1::Operation) -> Option<Operation> {
    Some(Operation {
        uuid: Uuid::from_slice(&operation.uuid.value)?,
        id: operation.info.id.as_ref().map(|id| OperationId::from(id.value.as_str())),
        framework_id: operation.framework_id.as_ref().map(|id| FrameworkId::from(id.value.as_str())),
        agent_id: agent_id.clone(),
        info: Arc::new(wire::operation_from_proto(&operation.info).ok()?),
        latest_status: Arc::new(operation_status(&operation.latest_status)?),
        statuses: operation.statuses.iter().filter_map(operation_status).map(Arc::new).collect(),
    })
}

/// An operation as it is asked for: `mesos.v1.Offer.Operation`.
pub(crate) fn operation_info_to_proto(
    id: Option<&OperationId>,
    operation: &resources::Operation,
) -> v1::offer::Operation {
    v1::offer::Operation {
        id: id.map(|id| id.as_str().into()),
        ..wire::operation_to_proto(operation, Format::Stack)
    }
}

/// An operation as readers see it: `mesos.v1.Operation`.
pub(crate) fn operation_to_proto(operation: &Operation) -> v1::Operation {
    v1::Operation {
        framework_id: operation.framework_id.as_ref().map(|id| id.as_str().into()),
        agent_id: Some(operation.agent_id.as_str().into()),
        info: operation_info_to_proto(operation.id.as_ref(), &operation.info),
        latest_status: operation_status_to_proto(&operation.latest_status),
        statuses: operation.statuses.iter().map(|status| operation_status_to_proto(status)).collect(),
        uuid: v1::Uuid { value: operation.uuid.as_bytes().to_vec().into() },
    }
}

fn operation_status_to_proto(status: &OperationStatus) -> v1::OperationStatus {
    let mut encoded = Vec::new();
    write_operation_status(&mut Writer::new(&mut encoded), status);
    carried(&encoded)
}

/// Writes a status; the numbers are its fields' in `mesos.v1.OperationStatus`.
pub(crate) fn write_operation_status(w: &mut Writer<'_>, status: &OperationStatus) {
    if let Some(body) = &status.body {
        w.merge(body.as_bytes());
        return;
    }
    if let Some(id) = &status.operation_id {
        w.id(1, id.as_str());
    }
    w.number(2, u64::try_from(status.state.number()).unwrap_or(0));
    if let Some(message) = &status.message {
        w.text(3, message);
    }
    if let Some(uuid) = status.uuid {
        w.uuid(5, uuid);
    }
    if let Some(agent_id) = &status.agent_id {
        w.id(6, agent_id.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a Mesos agent reports it.
    const REPORTED: &str = r#"{
        "framework_id": { "value": "f" }, "agent_id": { "value": "a" }, "uuid": { "value": "AQIDBAUGRwiJCgsMDQ4PEA==" },
        "info": { "type": "RESERVE", "id": { "value": "op" }, "reserve": { "resources": [{ "name": "disk",
            "type": "SCALAR", "scalar": { "value": 32.0 }, "allocation_info": { "role": "web" },
            "reservations": [{ "type": "DYNAMIC", "role": "web" }] }] } },
        "latest_status": { "operation_id": { "value": "op" }, "state": "OPERATION_FINISHED", "agent_id": { "value": "a" },
            "uuid": { "value": "AQIDBAUGRwiJCgsMDQ4PEA==" } },
        "statuses": [{ "state": "OPERATION_PENDING" }]
    }"#;

    #[test]
    fn what_an_agent_reports_is_shown_as_it_was() {
        let message: v1::Operation = proto::json::from_slice(REPORTED.as_bytes()).unwrap();
        let operation = reported_operation(&"a".into(), &message).unwrap();
        assert_eq!(operation.info.kind().as_str(), "RESERVE");
        assert_eq!(operation.latest_status.state, OperationState::Finished);
        assert_eq!(operation_to_proto(&operation), message);
    }

    #[test]
    fn nonsense_is_not_taken() {
        let sensible: v1::Operation = proto::json::from_slice(REPORTED.as_bytes()).unwrap();
        let change: [fn(&mut v1::Operation); 3] = [
            |operation| operation.uuid.value = vec![1].into(),
            |operation| operation.info.reserve = None,
            |operation| operation.latest_status.state = 77,
        ];
        for change in change {
            let mut message = sensible.clone();
            change(&mut message);
            assert_eq!(reported_operation(&"a".into(), &message), None);
        }
    }
}

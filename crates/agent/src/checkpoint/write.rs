//! Writes of the core as records. Encoded by the thread that commits.

use agent_core::{Operation, Write};
use proto::internal;
use store::Batch;

use super::{AGENT_KEY, FORMAT, FORMAT_KEY, OPERATIONS, RESOURCES_KEY, VERSION_KEY};
use crate::convert::{SelfDescription, operation_to_proto};

/// Adds a write of the core to a batch.
pub(crate) fn encode(write: Write, own: &SelfDescription, batch: &mut Batch) {
    match write {
        Write::Agent(Some(id)) => {
            batch.put(FORMAT_KEY, FORMAT.as_bytes().to_vec());
            batch.put(AGENT_KEY, proto::encode(&own.v0(Some(&id))));
        }
        Write::Agent(None) => batch.delete(AGENT_KEY),
        Write::Resources { checkpointed, version } => {
            let resources = wire::resources_to_proto(&checkpointed);
            let message = internal::CheckpointResourcesMessage { resources };
            batch.put(RESOURCES_KEY, proto::encode(&message));
            batch.put(VERSION_KEY, version.as_bytes().to_vec());
        }
        Write::Operation(operation) => {
            batch.put(operation_key(&operation), proto::encode(&operation_to_proto(&operation)));
        }
        Write::ForgetOperation(uuid) => batch.delete(format!("{OPERATIONS}{uuid}")),
    }
}

fn operation_key(operation: &Operation) -> String {
    format!("{OPERATIONS}{}", operation.update.operation_uuid)
}

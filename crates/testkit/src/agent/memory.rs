//! What an agent has written down, as its next life finds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use agent_core::{Operation, Recovered, Write};
use base::{AgentId, Uuid};
use resources::Resources;

/// Everything that writes have left.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The agent's id.
    pub agent_id: Option<AgentId>,
    /// What operations made of the resources, and the name of that state.
    pub resources: Option<(Resources, Uuid)>,
    /// Operations, each with what it is to do.
    pub operations: BTreeMap<Uuid, Arc<Operation>>,
}

impl Memory {
    /// Takes a write in.
    pub fn apply(&mut self, write: Write) {
        match write {
            Write::Agent(id) => self.agent_id = id,
            Write::Resources { checkpointed, version } => self.resources = Some((checkpointed, version)),
            Write::Operation(operation) => {
                self.operations.insert(operation.update.operation_uuid, operation);
            }
            Write::ForgetOperation(uuid) => {
                self.operations.remove(&uuid);
            }
        }
    }

    /// What the next life is given. `read` makes an operation of its body, as the server does.
    pub fn recovered(&self, read: impl Fn(&Operation) -> Result<resources::Operation, String>) -> Recovered {
        Recovered {
            agent_id: self.agent_id.clone(),
            resources: self.resources.clone(),
            operations: self
                .operations
                .values()
                .map(|operation| ((**operation).clone(), read(operation)))
                .collect(),
        }
    }
}

//! What the agent remembers over its own death.
//!
//! A [`Write`] among the outputs is durable before anything that follows it is carried out; that is the server's promise.
//! At the next start it hands back what there is as [`Recovered`].

use std::sync::Arc;

use base::{AgentId, Uuid};
use resources::Resources;

use crate::types::Operation;

/// One change of what is remembered.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// The agent's id, together with how the server describes the agent. `None`: the next start is that of a new agent,
    /// and of everything else only the resources are of interest.
    Agent(Option<AgentId>),
    /// What operations made of the agent's resources.
    Resources {
        /// Dynamic reservations and persistent volumes.
        checkpointed: Resources,
        /// Names the present state of the resources.
        version: Uuid,
    },
    /// An operation as it stands now.
    Operation(Arc<Operation>),
    /// An operation of which nobody waits to hear any more.
    ForgetOperation(Uuid),
}

/// What an earlier life of the agent wrote.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// The agent's id.
    pub agent_id: Option<AgentId>,
    /// What operations made of the resources, and the name of that state.
    pub resources: Option<(Resources, Uuid)>,
    /// Operations that have not ended, or whose end the master has not acknowledged. What one that is pending is to do is
    /// there as the server reads it, or why it cannot be read.
    pub operations: Vec<(Operation, Result<resources::Operation, String>)>,
}

/// Why the agent cannot go on where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryError {
    /// The flags take resources away that operations have reserved or made volumes of.
    MissingResources {
        /// What is missing.
        missing: String,
        /// What was made of the resources.
        checkpointed: String,
    },
}

impl std::fmt::Display for RecoveryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MissingResources { missing, checkpointed } => write!(
                f,
                "the agent's resources lack {missing}, of which reservations or volumes were made ({checkpointed}): \
                 give them back (--resources), or unreserve and destroy those first"
            ),
        }
    }
}

impl std::error::Error for RecoveryError {}

//! Offers.

use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, OfferId, Time};
use resources::{Resources, Role};

use crate::types::{AgentInfo, Pid, Unavailability};

/// Resources of one agent, offered to one framework for one of its roles.
#[derive(Clone, PartialEq, Debug)]
pub struct Offer {
    /// Its id.
    pub id: OfferId,
    /// To whom.
    pub framework_id: FrameworkId,
    /// Of which agent.
    pub agent_id: AgentId,
    /// For which role.
    pub role: Role,
    /// What, allocated to `role`.
    pub resources: Resources,
    /// The framework's executors on this agent.
    pub executor_ids: Vec<ExecutorId>,
    /// The agent's description: host, attributes.
    pub agent: Arc<AgentInfo>,
    /// The agent's address; with the host it makes the offer's `url`.
    pub pid: Pid,
    /// When it was made.
    pub made: Time,
    /// When the agent will not be there, if that is known.
    pub unavailability: Option<Unavailability>,
}

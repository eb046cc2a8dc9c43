//! What readers see: all entities at one moment, shared with the core instead of copied.

use std::collections::BTreeMap;
use std::sync::Arc;

use allocator::Quota;
use base::{AgentId, Time};
use resources::Role;

use crate::metrics::Metrics;
use crate::types::{Agent, AgentInfo, Framework};

/// All that the master knows, at one moment. Offers and tasks are within their frameworks, executors within their
/// agents. Making one costs a reference count for each framework and agent.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub time: Time,
    /// Frameworks that are registered or recovered, by id.
    pub frameworks: Vec<Arc<Framework>>,
    /// Frameworks that ended, oldest first.
    pub completed_frameworks: Vec<Arc<Framework>>,
    /// Agents that are registered, by id.
    pub agents: Vec<Arc<Agent>>,
    /// Agents that do not answer, and since when.
    pub unreachable: Vec<(AgentId, Time)>,
    /// Agents that the registry holds as admitted and that have not come to this master yet.
    pub recovered: Vec<(AgentId, Arc<AgentInfo>)>,
    /// How many writes to the registry are under way.
    pub registry_queued: usize,
    /// Agents that an operator declared gone, and since when.
    pub gone: Vec<(AgentId, Time)>,
    /// Weights that were set.
    pub weights: BTreeMap<Role, f64>,
    /// Quotas that were set.
    pub quotas: BTreeMap<Role, Quota>,
    /// The counters.
    pub metrics: Metrics,
}

//! What the registry holds, and how it changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use allocator::Quota;
use base::{AgentId, Time};
use resources::Role;

use crate::types::{AgentInfo, Drain, WindowKey, WindowPart, WindowParts};

/// What the registry says of an agent.
#[derive(Clone, PartialEq, Debug)]
pub enum AgentRecord {
    /// It belongs to the cluster.
    Admitted {
        /// What it says of itself.
        info: Arc<AgentInfo>,
        /// Its draining, if it is being drained.
        drain: Option<Drain>,
        /// Whether an operator wants no offers of it.
        deactivated: bool,
    },
    /// It did not answer any more. It may come back.
    Unreachable {
        /// When it was marked so.
        since: Time,
        /// Its host, for people; empty if it is not known.
        hostname: Arc<str>,
        /// Its draining, if it is being drained.
        drain: Option<Drain>,
        /// Whether an operator wants no offers of it.
        deactivated: bool,
    },
    /// An operator declared it gone. It never comes back.
    Gone {
        /// When that was.
        since: Time,
        /// Its host, for people; empty if it is not known.
        hostname: Arc<str>,
    },
}

impl AgentRecord {
    /// An agent that belongs to the cluster, with nothing special about it.
    #[must_use]
    pub fn admitted(info: Arc<AgentInfo>) -> Self {
        Self::Admitted { info, drain: None, deactivated: false }
    }

    /// How an operator wants it to be treated: drained, deactivated.
    #[must_use]
    pub fn treatment(&self) -> (Option<Drain>, bool) {
        match self {
            Self::Admitted { drain, deactivated, .. } | Self::Unreachable { drain, deactivated, .. } => {
                (*drain, *deactivated)
            }
            Self::Gone { .. } => (None, false),
        }
    }

    /// Its host; empty if it is not known.
    #[must_use]
    pub fn hostname(&self) -> Arc<str> {
        match self {
            Self::Admitted { info, .. } => info.hostname.as_str().into(),
            Self::Unreachable { hostname, .. } | Self::Gone { hostname, .. } => Arc::clone(hostname),
        }
    }

    /// The same agent, to be treated otherwise.
    #[must_use]
    pub fn treated(mut self, new_drain: Option<Drain>, new_deactivated: bool) -> Self {
        if let Self::Admitted { drain, deactivated, .. } | Self::Unreachable { drain, deactivated, .. } =
            &mut self
        {
            *drain = new_drain;
            *deactivated = new_deactivated;
        }
        self
    }
}

/// One change of the registry.
#[derive(Clone, PartialEq, Debug)]
pub enum RegistryOperation {
    /// This is said of an agent from now on; nothing any more if it is `None`.
    Agent(AgentId, Option<AgentRecord>),
    /// A role has this quota from now on; none if it is empty.
    Quota(Role, Quota),
    /// A role has this weight from now on.
    Weight(Role, f64),
    /// This is a part of the maintenance schedule from now on; not any more if it is `None`.
    Window(WindowKey, Option<Arc<WindowPart>>),
}

/// Changes that are made together or not at all.
#[derive(Clone, PartialEq, Debug)]
pub struct RegistryWrite {
    /// Grows by one from write to write. They are to be made in this order.
    pub number: u64,
    /// The changes; none is for who only waits for the earlier ones.
    pub operations: Vec<RegistryOperation>,
}

/// All that the registry holds.
#[derive(Clone, PartialEq, Default, Debug)]
pub struct RegistryContent {
    /// What is said of each agent.
    pub agents: BTreeMap<AgentId, AgentRecord>,
    /// Quotas that are not empty.
    pub quotas: BTreeMap<Role, Quota>,
    /// Weights that were set.
    pub weights: BTreeMap<Role, f64>,
    /// When which machines are maintained.
    pub windows: WindowParts,
}

impl RegistryContent {
    /// Makes a change.
    pub fn apply(&mut self, operation: RegistryOperation) {
        match operation {
            RegistryOperation::Agent(id, Some(record)) => {
                self.agents.insert(id, record);
            }
            RegistryOperation::Agent(id, None) => {
                self.agents.remove(&id);
            }
            RegistryOperation::Quota(role, quota) if quota.is_empty() => {
                self.quotas.remove(&role);
            }
            RegistryOperation::Quota(role, quota) => {
                self.quotas.insert(role, quota);
            }
            RegistryOperation::Weight(role, weight) => {
                self.weights.insert(role, weight);
            }
            RegistryOperation::Window(key, Some(part)) => {
                self.windows.insert(key, part);
            }
            RegistryOperation::Window(key, None) => {
                self.windows.remove(&key);
            }
        }
    }
}

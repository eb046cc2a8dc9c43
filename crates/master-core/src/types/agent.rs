//! Agents: what they say of themselves, and what the master keeps of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use allocator::AgentTraits;
use base::{AgentId, ExecutorId, FrameworkId, OfferId, Payload, TaskId, Time, Uuid};
use resources::Resources;

use crate::types::{ExecutorInfo, Operation, Pid, Unconfirmed};

/// What an agent can do, as far as the master decides upon it; the whole list is in [`Agent::capabilities_body`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags, each of its own meaning")]
pub struct AgentCapabilities {
    /// Runs tasks of several roles.
    pub multi_role: bool,
    /// Knows refined reservations.
    pub reservation_refinement: bool,
    /// Has resource providers, and so carries out operations itself. One that has not is told all of its reservations
    /// and volumes instead.
    pub resource_provider: bool,
    /// Tells how operations on its own resources stand.
    pub agent_operation_feedback: bool,
    /// Knows roles within roles.
    pub hierarchical_role: bool,
    /// Can make volumes larger and smaller.
    pub resize_volume: bool,
    /// Can be drained.
    pub agent_draining: bool,
    /// Takes limits of tasks.
    pub task_resource_limits: bool,
}

/// What an agent says of itself.
#[derive(Clone, PartialEq, Debug)]
pub struct AgentInfo {
    /// Its host.
    pub hostname: String,
    /// Its port.
    pub port: u16,
    /// What frameworks may choose it by: its host again, its attributes and its fault domain.
    pub traits: Arc<AgentTraits>,
    /// What it has, as given at its start.
    pub resources: Resources,
    /// The `mesos.v1.AgentInfo` without `id` and `resources`, the v0 field `checkpoint` included.
    pub body: Payload,
}

/// How to drain an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DrainConfig {
    /// Longest time that a task may take to end; `None` leaves it to each task.
    pub max_grace_period: Option<Duration>,
    /// Whether to mark the agent gone when it is drained.
    pub mark_gone: bool,
}

/// How far draining is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DrainState {
    /// Tasks are ending.
    Draining,
    /// No task is left.
    Drained,
}

/// An agent's draining.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drain {
    /// How far.
    pub state: DrainState,
    /// As asked for.
    pub config: DrainConfig,
}

/// An agent that is not there any more and may not be forgotten yet.
#[derive(Clone, PartialEq, Debug)]
pub struct LostAgent {
    /// Its id.
    pub id: AgentId,
    /// Its host; empty if nobody wrote it down.
    pub hostname: Arc<str>,
    /// Since when.
    pub since: Time,
    /// Whether an operator declared it gone. Otherwise it does not answer, and may come back.
    pub gone: bool,
}

/// An agent that is registered.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// What it says of itself.
    pub info: Arc<AgentInfo>,
    /// Where messages to it go.
    pub pid: Pid,
    /// Its version, such as `1.12.0`.
    pub version: String,
    /// What it can do.
    pub capabilities: AgentCapabilities,
    /// The list `agent_capabilities` of its registration: encoded `mesos.v1.AgentInfo.Capability` messages, each
    /// in a field 1 of one message.
    pub capabilities_body: Payload,
    /// The version of its resources, as it was told by the registration that this master heard last.
    pub resource_version: Option<Uuid>,
    /// It has made an attempt to reregister that this master has not heard, and takes the answer to an earlier one for the
    /// answer to that. It is asked to reregister until it does.
    pub outdated: bool,
    /// What it has now, with the changes of operations that are under way.
    pub total: Resources,
    /// What it has for certain and may not be taken back: what it told, and what it said to have made of it since.
    pub confirmed: Resources,
    /// Whether its connection stands.
    pub connected: bool,
    /// Whether its resources are offered.
    pub active: bool,
    /// Whether an operator wants no offers of it.
    pub deactivated: bool,
    /// Its draining, if it is being drained.
    pub drain: Option<Drain>,
    /// When this master told it to drain.
    pub drain_start: Option<Time>,
    /// When it registered.
    pub registered_time: Time,
    /// When it reregistered last.
    pub reregistered_time: Option<Time>,
    /// When it last came, went away or began to be treated otherwise, as far as this master has seen.
    pub state_time: Time,
    /// Tasks on it, by framework.
    pub tasks: BTreeMap<FrameworkId, BTreeSet<TaskId>>,
    /// Tasks on it that schedulers asked to have killed: the agent is told so again when it reregisters.
    pub killed_tasks: BTreeSet<(FrameworkId, TaskId)>,
    /// Executors on it, by framework; those of command tasks are the agent's own affair and not here.
    pub executors: BTreeMap<FrameworkId, BTreeMap<ExecutorId, Arc<ExecutorInfo>>>,
    /// Operations on it that are under way, or whose end is not acknowledged.
    pub operations: BTreeMap<Uuid, Arc<Operation>>,
    /// Those that are under way, and whose changes are in `total`, in the order in which they were sent.
    pub unconfirmed: Vec<Unconfirmed>,
    /// Offers of it, and to whom.
    pub offers: BTreeMap<OfferId, FrameworkId>,
    /// What tasks and executors on it take, by framework, allocated to roles.
    pub used: BTreeMap<FrameworkId, Resources>,
}

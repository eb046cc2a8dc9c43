//! Frameworks: what they say of themselves, and what the master keeps of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use allocator::Constraints;
use base::{AgentId, FrameworkId, OfferId, OperationId, Payload, TaskId, Time, Uuid};
use resources::{Quantities, Role};

use crate::types::{CompletedTasks, ConnectionId, InverseOffer, Offer, StreamId, Task};

/// What a framework can handle.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags, each of its own meaning")]
pub struct FrameworkCapabilities {
    /// Takes offers of revocable resources.
    pub revocable_resources: bool,
    /// Knows `TASK_KILLING`.
    pub task_killing_state: bool,
    /// Takes offers of agents with GPUs.
    pub gpu_resources: bool,
    /// Takes shared resources.
    pub shared_resources: bool,
    /// Knows the finer states that replace `TASK_LOST`.
    pub partition_aware: bool,
    /// Has `roles` instead of `role`.
    pub multi_role: bool,
    /// Knows refined reservations.
    pub reservation_refinement: bool,
    /// Takes offers of other regions.
    pub region_aware: bool,
}

/// What a framework says of itself.
#[derive(Clone, PartialEq, Debug)]
pub struct FrameworkInfo {
    /// For people.
    pub name: String,
    /// Under which user its tasks run where they do not say.
    pub user: String,
    /// As who it is authenticated.
    pub principal: Option<String>,
    /// Its roles: `roles` of a multi-role framework, else its one `role`.
    pub roles: BTreeSet<Role>,
    /// What it can handle.
    pub capabilities: FrameworkCapabilities,
    /// How long it may be away before its tasks are killed.
    pub failover_timeout: Duration,
    /// Whether its tasks outlive a restart of their agent.
    pub checkpoint: bool,
    /// For some of its roles, what offers must have at least one of, instead of what the master says.
    pub min_allocatable: BTreeMap<Role, Vec<Quantities>>,
    /// The `mesos.v1.FrameworkInfo` without `id`.
    pub body: Payload,
    /// `user` and `checkpoint` are those of an earlier subscription and not those in `body`, for they cannot change:
    /// whoever passes `body` on writes them behind it.
    pub kept: bool,
}

/// Of which agents a framework wants offers.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct OfferConstraints {
    /// For some of its roles; of all agents for the others.
    pub roles: BTreeMap<Role, Arc<Constraints>>,
    /// The `mesos.v1.scheduler.OfferConstraints`.
    pub body: Payload,
}

/// A framework.
#[derive(Clone, Debug)]
pub struct Framework {
    /// Its id.
    pub id: FrameworkId,
    /// What it says of itself.
    pub info: Arc<FrameworkInfo>,
    /// Its stream, while it is subscribed.
    pub connection: Option<(ConnectionId, StreamId)>,
    /// Whether it takes offers.
    pub active: bool,
    /// Whether the master knows of it only from agents, and its scheduler has not come yet.
    pub recovered: bool,
    /// For which of its roles it wants no offers now.
    pub suppressed_roles: BTreeSet<Role>,
    /// Of which agents it wants offers.
    pub offer_constraints: Arc<OfferConstraints>,
    /// When it subscribed first with this master; the epoch while it is recovered.
    pub registered_time: Time,
    /// When it subscribed last, if more than once.
    pub reregistered_time: Option<Time>,
    /// When its stream ended, while it has none.
    pub disconnected_time: Option<Time>,
    /// When it was removed.
    pub unregistered_time: Option<Time>,
    /// Its tasks that hold resources, or whose last status is not acknowledged.
    pub tasks: BTreeMap<TaskId, Arc<Task>>,
    /// Its tasks on agents that do not answer.
    pub unreachable_tasks: BTreeMap<TaskId, Arc<Task>>,
    /// The ids of those tasks, newest last; the oldest is forgotten when they become too many.
    pub unreachable_order: VecDeque<TaskId>,
    /// Its tasks that ended, newest last.
    pub completed_tasks: CompletedTasks,
    /// Its operations, and on which agents: there they are whole.
    pub operations: BTreeMap<Uuid, AgentId>,
    /// Those of them that have a name of its own.
    pub operation_ids: BTreeMap<OperationId, Uuid>,
    /// Its offers.
    pub offers: BTreeMap<OfferId, Arc<Offer>>,
    /// Inverse offers that it has not answered.
    pub inverse_offers: BTreeMap<OfferId, Arc<InverseOffer>>,
}

impl Framework {
    /// Whether its scheduler has a stream.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.connection.is_some()
    }
}

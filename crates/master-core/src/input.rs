//! All that can reach the core.

use std::collections::BTreeSet;
use std::sync::Arc;

use base::{AgentId, ExecutorId, FrameworkId, OfferId, Payload};
use resources::Role;

use crate::types::{
    ConnectionId, FrameworkInfo, OfferConstraints, OperatorCall, Pid, RegisterAgent, RegistryContent,
    RequestId, ReregisterAgent, SchedulerCall, StatusUpdate, StreamId, UpdateAgent, UpdateOperation,
};

/// One input. All have passed what can be checked without the master's state.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// A scheduler subscribes.
    Subscribe {
        /// Its new stream.
        connection: ConnectionId,
        /// That stream's id.
        stream: StreamId,
        /// Who it was before, if anyone.
        framework_id: Option<FrameworkId>,
        /// What it says of itself.
        info: Arc<FrameworkInfo>,
        /// For which of its roles it wants no offers.
        suppressed_roles: Vec<Role>,
        /// Of which agents it wants offers, or what is wrong with that.
        offer_constraints: Result<Arc<OfferConstraints>, String>,
    },
    /// A scheduler's stream is over.
    SchedulerGone(ConnectionId),
    /// A call of a scheduler. It is dropped if the stream is no longer the framework's.
    Call {
        /// Whose.
        framework_id: FrameworkId,
        /// Over which stream.
        stream: StreamId,
        /// What.
        call: SchedulerCall,
    },
    /// A call that waits for its answer.
    Operator {
        /// Comes back with the answer.
        request: RequestId,
        /// What.
        call: OperatorCall,
    },
    /// An agent's message.
    Agent {
        /// The sender.
        from: Pid,
        /// What.
        message: FromAgent,
    },
    /// The connection to an agent is lost.
    AgentDisconnected(Pid),
    /// A timer has fired.
    Timer(Timer),
    /// Something came from the registry.
    Registry(FromRegistry),
    /// Only agents of these hosts are to be offered from now on, or all (`None`).
    Whitelist(Option<BTreeSet<String>>),
    /// The inputs that were at hand are all handled: hand out what has become free. To be given after each batch for
    /// which [`crate::MasterCore::wants_allocation`] says so.
    Allocate,
}

/// What comes from the registry.
#[derive(Clone, PartialEq, Debug)]
pub enum FromRegistry {
    /// This master leads, and this is what the registry holds. Before that the core refuses everything.
    Recovered(Box<RegistryContent>),
    /// The write of this number, and all before it, are durable.
    Written(u64),
    /// This master leads no more, or cannot write, which is the same: in one line, why.
    Lost(String),
}

/// What agents say.
#[derive(Clone, PartialEq, Debug)]
pub enum FromAgent {
    /// `RegisterSlaveMessage`.
    Register(Box<RegisterAgent>),
    /// `ReregisterSlaveMessage`.
    Reregister(Box<ReregisterAgent>),
    /// `UnregisterSlaveMessage`.
    Unregister(AgentId),
    /// `UpdateSlaveMessage`.
    Update(Box<UpdateAgent>),
    /// `StatusUpdateMessage`.
    StatusUpdate(StatusUpdate),
    /// `ExitedExecutorMessage`.
    ExitedExecutor {
        /// Where.
        agent_id: AgentId,
        /// Whose.
        framework_id: FrameworkId,
        /// Which.
        executor_id: ExecutorId,
        /// How, as `wait` gives it.
        status: i32,
    },
    /// `ExecutorToFrameworkMessage`.
    ExecutorMessage {
        /// From where.
        agent_id: AgentId,
        /// To whom.
        framework_id: FrameworkId,
        /// From which.
        executor_id: ExecutorId,
        /// What.
        data: Payload,
    },
    /// `UpdateOperationStatusMessage`.
    OperationStatus(Box<UpdateOperation>),
    /// `PongSlaveMessage`.
    Pong,
}

/// Timers that the core sets. One that has lost its meaning meanwhile is ignored when it fires, so that none has to be
/// cancelled.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// Time to see whether an agent answered, and to ask again.
    Ping(AgentId, u64),
    /// An agent whose connection broke had its time to reregister.
    Reregister(AgentId, u64),
    /// A framework that went away had its time to come back.
    Failover(FrameworkId, u64),
    /// What became free is offered.
    Allocation,
    /// Filters may have run out.
    AllocationInterval,
    /// A framework has not used an offer in time.
    Offer(FrameworkId, OfferId),
    /// The agents in the registry had their time to come to this master.
    RecoveredAgents,
    /// The limit lets another agent be marked unreachable.
    Removal,
    /// Time to forget agents that were unreachable or gone for long.
    RegistryGc,
    /// Quotas have been waited for long enough: what there is of the cluster is offered.
    AllocationRecovery,
}

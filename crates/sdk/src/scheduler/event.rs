//! What a scheduler is told.

use std::time::Duration;

use bytes::Bytes;
use proto::v1::scheduler::{self as wire, event::Type};
use proto::v1::{
    AgentId, ExecutorId, FrameworkId, InverseOffer, MasterInfo, Offer, OfferId, OperationStatus, TaskStatus,
};

use crate::http::CallFailure;

/// One event, in the order in which the master sent them.
#[derive(Debug)]
pub enum Event {
    /// The framework is subscribed, for the first time or again.
    Subscribed(Subscribed),
    /// The subscription is lost, and the client looks for the master. Offers made before it are void.
    Disconnected {
        /// What happened, for people.
        reason: String,
    },
    /// Resources are offered.
    Offers(Vec<Offer>),
    /// Resources are asked back, for maintenance.
    InverseOffers(Vec<InverseOffer>),
    /// An offer is void.
    Rescind(OfferId),
    /// An inverse offer is void.
    RescindInverseOffer(OfferId),
    /// A task changed its state.
    Update(TaskStatus),
    /// An operation on resources changed its state.
    UpdateOperationStatus(OperationStatus),
    /// An executor sent a message.
    Message(Message),
    /// An agent or an executor is gone.
    Failure(Failure),
    /// A call for whose answer nobody waits failed.
    CallFailed(CallFailure),
    /// The master will not have this framework, or no such master can be found any more. It is the last event.
    Error(String),
}

/// The details of a subscription.
#[derive(Clone, Debug)]
pub struct Subscribed {
    /// The id that the master gave, or that was asked for.
    pub framework_id: FrameworkId,
    /// How often the master lets hear from itself.
    pub heartbeat_interval: Option<Duration>,
    /// The leading master.
    pub master_info: Option<MasterInfo>,
    /// Whether this client was subscribed before.
    pub again: bool,
}

/// A message from an executor.
#[derive(Clone, Debug)]
pub struct Message {
    /// Where the executor runs.
    pub agent_id: AgentId,
    /// The sender.
    pub executor_id: ExecutorId,
    /// What it says.
    pub data: Bytes,
}

/// An agent (without an executor id) or an executor is gone.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The agent.
    pub agent_id: Option<AgentId>,
    /// The executor, if only it is gone.
    pub executor_id: Option<ExecutorId>,
    /// The executor's status as `wait(2)` gives it.
    pub status: Option<i32>,
}

impl Event {
    /// The event in a message of the master; none for heartbeats, for SUBSCRIBED, which the driver reads itself, and
    /// for events that this version does not know.
    pub(super) fn from_wire(event: wire::Event) -> Option<Self> {
        match event.r#type() {
            Type::Offers => event.offers.map(|e| Self::Offers(e.offers)),
            Type::InverseOffers => event.inverse_offers.map(|e| Self::InverseOffers(e.inverse_offers)),
            Type::Rescind => event.rescind.map(|e| Self::Rescind(e.offer_id)),
            Type::RescindInverseOffer => {
                event.rescind_inverse_offer.map(|e| Self::RescindInverseOffer(e.inverse_offer_id))
            }
            Type::Update => event.update.map(|e| Self::Update(e.status)),
            Type::UpdateOperationStatus => {
                event.update_operation_status.map(|e| Self::UpdateOperationStatus(e.status))
            }
            Type::Message => event.message.map(|e| {
                Self::Message(Message { agent_id: e.agent_id, executor_id: e.executor_id, data: e.data })
            }),
            Type::Failure => event.failure.map(|e| {
                Self::Failure(Failure { agent_id: e.agent_id, executor_id: e.executor_id, status: e.status })
            }),
            Type::Error => event.error.map(|e| Self::Error(e.message)),
            Type::Unknown | Type::Subscribed | Type::Heartbeat => None,
        }
    }
}

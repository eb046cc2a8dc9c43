//! What links carry.

use std::sync::Arc;

use agent_core::FromMaster;
use base::{FrameworkId, Uuid};
use master_core::{ConnectionId, FrameworkInfo, FromAgent, OfferConstraints, SchedulerCall, SchedulerEvent};

use super::LinkId;

/// What links carry.
#[derive(Clone, Debug)]
pub(crate) enum Packet {
    /// A master's message to an agent.
    ToAgent {
        /// The process that sends it: the master's own, or an observer.
        from: agent_core::Pid,
        /// What.
        message: FromMaster,
    },
    /// An agent's message to a master.
    ToMaster(FromAgent),
    /// A scheduler subscribes.
    Subscribe {
        /// Names the subscription.
        connection: ConnectionId,
        /// Where its events go.
        events: LinkId,
        /// The stream's id.
        stream: Uuid,
        /// Who it was before.
        framework_id: Option<FrameworkId>,
        /// What it says of itself.
        info: Arc<FrameworkInfo>,
        /// Of which agents it wants offers.
        constraints: Arc<OfferConstraints>,
    },
    /// A scheduler calls.
    Call {
        /// Whose framework.
        framework_id: FrameworkId,
        /// Over which stream.
        stream: Uuid,
        /// What.
        call: SchedulerCall,
    },
    /// A scheduler hears something.
    Event(SchedulerEvent),
    /// The stream of events ends here.
    End,
}

impl Packet {
    /// Its name, for the trace.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ToAgent { message, .. } => match message {
                FromMaster::Registered { .. } => "Registered",
                FromMaster::Reregistered { .. } => "Reregistered",
                FromMaster::Ping { .. } => "Ping",
                FromMaster::RunTask(_) => "RunTask",
                FromMaster::RunTaskGroup(_) => "RunTaskGroup",
                FromMaster::KillTask { .. } => "KillTask",
                FromMaster::AcknowledgeStatus { .. } => "AcknowledgeStatus",
                FromMaster::ShutdownFramework(_) => "ShutdownFramework",
                FromMaster::ShutdownExecutor { .. } => "ShutdownExecutor",
                FromMaster::Message { .. } => "Message",
                FromMaster::UpdateFramework(_) => "UpdateFramework",
                FromMaster::Shutdown { .. } => "Shutdown",
                FromMaster::ApplyOperation(_) => "ApplyOperation",
                FromMaster::AcknowledgeOperation { .. } => "AcknowledgeOperation",
                FromMaster::ReconcileOperations(_) => "ReconcileOperations",
                FromMaster::CheckpointResources(_) => "CheckpointResources",
                FromMaster::Drain { .. } => "Drain",
            },
            Self::ToMaster(message) => match message {
                FromAgent::Register(_) => "Register",
                FromAgent::Reregister(_) => "Reregister",
                FromAgent::Unregister(_) => "Unregister",
                FromAgent::Update(_) => "UpdateAgent",
                FromAgent::StatusUpdate(_) => "StatusUpdate",
                FromAgent::ExitedExecutor { .. } => "ExitedExecutor",
                FromAgent::ExecutorMessage { .. } => "ExecutorMessage",
                FromAgent::OperationStatus(_) => "OperationStatus",
                FromAgent::Pong => "Pong",
            },
            Self::Subscribe { .. } => "SUBSCRIBE",
            Self::Call { call, .. } => call.name(),
            Self::Event(event) => match event {
                SchedulerEvent::Subscribed(_) => "SUBSCRIBED",
                SchedulerEvent::Offers(_) => "OFFERS",
                SchedulerEvent::Rescind(_) => "RESCIND",
                SchedulerEvent::InverseOffers(_) => "INVERSE_OFFERS",
                SchedulerEvent::RescindInverse(_) => "RESCIND_INVERSE_OFFER",
                SchedulerEvent::Update(_) => "UPDATE",
                SchedulerEvent::UpdateOperationStatus(_) => "UPDATE_OPERATION_STATUS",
                SchedulerEvent::Message { .. } => "MESSAGE",
                SchedulerEvent::Failure { .. } => "FAILURE",
                SchedulerEvent::Error(_) => "ERROR",
            },
            Self::End => "(end of stream)",
        }
    }

    /// Whether it may come twice: messages and calls may, but for an ACCEPT, which no client repeats, for it would use offers that
    /// are used; what is on a stream is there once.
    pub(crate) fn may_be_doubled(&self) -> bool {
        match self {
            Self::ToAgent { .. } | Self::ToMaster(_) => true,
            Self::Call { call, .. } => !matches!(call, SchedulerCall::Accept { .. }),
            Self::Subscribe { .. } | Self::Event(_) | Self::End => false,
        }
    }

    /// What it is about, for the trace: a task, an operation, an id.
    pub(crate) fn about(&self) -> String {
        match self {
            Self::ToAgent { message, .. } => match message {
                FromMaster::RunTask(run) => run.task.task_id.to_string(),
                FromMaster::RunTaskGroup(run) => {
                    run.tasks.iter().map(|task| task.task_id.as_str()).collect::<Vec<_>>().join(" ")
                }
                FromMaster::KillTask { task_id, .. } => task_id.to_string(),
                FromMaster::AcknowledgeStatus { task_id, uuid, .. } => match uuid {
                    Some(uuid) => format!("{task_id} {uuid}"),
                    None => task_id.to_string(),
                },
                FromMaster::ApplyOperation(operation) => operation.operation_uuid.to_string(),
                FromMaster::Registered { agent_id, .. } | FromMaster::Reregistered { agent_id, .. } => {
                    agent_id.to_string()
                }
                FromMaster::ShutdownFramework(id) => id.to_string(),
                FromMaster::ShutdownExecutor { executor_id, .. } => executor_id.to_string(),
                _ => String::new(),
            },
            Self::ToMaster(message) => match message {
                FromAgent::StatusUpdate(update) => {
                    let status = &update.status;
                    format!("{} {} {}", status.task_id, status.state, text(status.uuid))
                }
                FromAgent::OperationStatus(update) => text(update.operation_uuid),
                FromAgent::Reregister(message) => {
                    format!("{} with {} tasks", message.agent_id, message.tasks.len())
                }
                FromAgent::ExitedExecutor { executor_id, .. } => executor_id.to_string(),
                _ => String::new(),
            },
            Self::Subscribe { framework_id, .. } => {
                framework_id.as_ref().map(ToString::to_string).unwrap_or_default()
            }
            Self::Call { call, .. } => about_call(call),
            Self::Event(event) => about_event(event),
            Self::End => String::new(),
        }
    }
}

fn text(uuid: Option<Uuid>) -> String {
    uuid.map(|uuid| uuid.to_string()).unwrap_or_default()
}

fn about_call(call: &SchedulerCall) -> String {
    match call {
        SchedulerCall::Accept { offer_ids, operations, .. } => {
            let ids: Vec<&str> = offer_ids.iter().map(AsRef::as_ref).collect();
            format!("{} for {} operations", ids.join(" "), operations.len())
        }
        SchedulerCall::Decline { offer_ids, .. } => format!("{} offers", offer_ids.len()),
        SchedulerCall::Kill { task_id, .. } => task_id.to_string(),
        SchedulerCall::Acknowledge { task_id, uuid, .. } => format!("{task_id} {uuid}"),
        SchedulerCall::Reconcile(tasks) => format!("{} tasks", tasks.len()),
        _ => String::new(),
    }
}

fn about_event(event: &SchedulerEvent) -> String {
    match event {
        SchedulerEvent::Subscribed(id) => id.to_string(),
        SchedulerEvent::Offers(offers) => {
            offers.iter().map(|offer| offer.id.as_str()).collect::<Vec<_>>().join(" ")
        }
        SchedulerEvent::Rescind(id) => id.to_string(),
        SchedulerEvent::Update(status) => {
            format!("{} {} {}", status.task_id, status.state, text(status.uuid))
        }
        SchedulerEvent::UpdateOperationStatus(status) => status.state.name().to_owned(),
        SchedulerEvent::Error(message) => message.clone(),
        _ => String::new(),
    }
}

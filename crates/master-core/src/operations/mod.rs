//! Operations on resources: reservations, persistent volumes.
//!
//! The master checks an operation, counts its changes as made, and sends it to the agent, which makes them. So what an
//! operation of an ACCEPT makes can be used by the next one, and what is left of it is offered at once. What the agent
//! tells of an operation goes to its framework if that gave the operation an id.

mod apply;
mod begin;
mod books;
mod check;
mod counts;
mod lost;
mod operator;
mod reconcile;
mod status;
mod unconfirmed;

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AgentId, FrameworkId, OperationId, Rng, Uuid};
use resources::OperationKind;

use crate::core::{MasterCore, send};
use crate::output::{Observation, Output, SchedulerEvent};
use crate::types::{OperationState, OperationStatus};

pub(crate) use apply::{admit, apply, holds_any};
pub(crate) use begin::checkpoint;
pub(crate) use books::{adopt, disown, forget_unacknowledged};
pub use counts::OperationCounts;
pub(crate) use lost::lose_all;
pub(crate) use operator::apply_for_operator;
pub(crate) use reconcile::{reconcile, reported};
pub(crate) use status::{acknowledge, status_update};
pub(crate) use unconfirmed::told;

/// What is kept of operations beside their agents and frameworks.
#[derive(Debug)]
pub(crate) struct Operations {
    /// Uuids of new ones.
    rng: Rng,
    /// Those of frameworks that have not come back yet, and on which agents: there they are whole.
    orphans: BTreeMap<FrameworkId, BTreeMap<Uuid, AgentId>>,
}

impl Operations {
    pub(crate) fn new(seed: u64) -> Self {
        Self { rng: Rng::new(seed).child("operations"), orphans: BTreeMap::new() }
    }
}

/// Refuses an operation. Its scheduler hears of it if it gave the operation an id; the log and the metrics always do.
pub(crate) fn refuse(
    core: &mut MasterCore,
    framework_id: &FrameworkId,
    id: Option<OperationId>,
    kind: OperationKind,
    message: String,
    out: &mut Vec<Output>,
) {
    core.metrics.operations.add(kind, OperationState::Error);
    if let (Some(framework), Some(id)) = (core.frameworks.get(framework_id), &id) {
        let status = OperationStatus {
            operation_id: Some(id.clone()),
            state: OperationState::Error,
            message: Some(message.clone()),
            uuid: None,
            agent_id: None,
            body: None,
        };
        send(framework, SchedulerEvent::UpdateOperationStatus(Arc::new(status)), out);
    }
    out.push(Output::Observed(Observation::OperationRefused {
        framework_id: framework_id.clone(),
        operation_id: id,
        message,
    }));
}

//! What the master hears of operations, until it acknowledges.

use base::Uuid;
use tracing::{info, warn};

use super::{FIRST_RETRY, LONGEST_RETRY, forgotten};
use crate::core::{AgentCore, Step};
use crate::input::ReconcileOperations;
use crate::output::ToMaster;
use crate::registration;
use crate::timers::Timer;
use crate::types::{OperationState, OperationUpdate};

/// Sends how an operation ended, if the agent is registered, and plans to send it again.
pub(super) fn forward(core: &mut AgentCore, step: &mut Step<'_>, uuid: Uuid) {
    if !core.registration.registered {
        return;
    }
    let Some(known) = core.operations.known.get_mut(&uuid) else { return };
    if known.operation.update.state == OperationState::Pending {
        return;
    }
    core.timers.cancel(&mut known.timer);
    known.timer = Some(core.timers.set(step.now + known.pause, Timer::OperationRetry(uuid)));
    let update = known.operation.update.clone();
    registration::send(core, step, ToMaster::OperationStatus(update));
}

/// The time to send a status again has come.
pub(crate) fn retry(core: &mut AgentCore, step: &mut Step<'_>, uuid: Uuid) {
    let Some(known) = core.operations.known.get_mut(&uuid) else { return };
    known.timer = None;
    known.pause = (known.pause * 2).min(LONGEST_RETRY);
    info!(operation = %uuid, "no acknowledgement yet; sending the operation's status again");
    forward(core, step, uuid);
}

/// A master is there (again).
pub(crate) fn resend_all(core: &mut AgentCore, step: &mut Step<'_>) {
    let waiting: Vec<Uuid> = core.operations.known.keys().copied().collect();
    for uuid in waiting {
        if let Some(known) = core.operations.known.get_mut(&uuid) {
            known.pause = FIRST_RETRY;
        }
        forward(core, step, uuid);
    }
}

/// The master, or the framework through it, has taken a status.
pub(crate) fn acknowledge(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    status: Option<Uuid>,
    operation: Option<Uuid>,
) {
    let Some(uuid) = operation else { return };
    let matches = |update: &OperationUpdate| status.is_some() && update.status_uuid == status;
    if !core.operations.known.get(&uuid).is_some_and(|known| matches(&known.operation.update)) {
        return warn!(operation = %uuid, "ignoring an acknowledgement: no status waits for it");
    }
    if let Some(mut known) = core.operations.known.remove(&uuid) {
        core.timers.cancel(&mut known.timer);
    }
    forgotten(core, step, uuid);
}

/// The master asks about operations.
///
/// By itself it asks for those that it takes for pending and that the agent did not tell of: if the agent has not heard of
/// one, it is dropped. In a framework's name it asks for those that it does not know: if the agent does, it says how they
/// stand; that needs no acknowledgement, because the status itself is on its way.
pub(crate) fn reconcile(core: &AgentCore, step: &mut Step<'_>, asked: ReconcileOperations) {
    for (uuid, id) in asked.operations {
        let known = match (uuid, id, &asked.framework_id) {
            (Some(uuid), _, _) => core.operations.known.get(&uuid),
            (None, Some(id), Some(framework)) => core.operations.known.values().find(|known| {
                let update = &known.operation.update;
                update.operation_id.as_ref() == Some(&id) && update.framework_id.as_ref() == Some(framework)
            }),
            _ => continue,
        };
        let update = match (known, &asked.framework_id, uuid) {
            (Some(known), Some(_), _) => {
                OperationUpdate { status_uuid: None, ..known.operation.update.clone() }
            }
            (None, None, Some(operation_uuid)) => OperationUpdate {
                framework_id: None,
                agent_id: core.agent_id(),
                operation_id: None,
                operation_uuid,
                state: OperationState::Dropped,
                message: None,
                status_uuid: None,
            },
            _ => continue,
        };
        registration::send(core, step, ToMaster::OperationStatus(update));
    }
}

//! Operations on the agent's resources, and their statuses until they are acknowledged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::Uuid;
use resources::Resources;
use tracing::{info, warn};

use crate::core::{AgentCore, Step};
use crate::input::ApplyOperation;
use crate::output::{OperationState, OperationUpdate, ToMaster};
use crate::registration;
use crate::timers::{Timer, TimerKey};

const FIRST_RETRY: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_secs(10 * 60);

/// Operations whose end the master has not acknowledged, by the master's name for them.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    unacknowledged: BTreeMap<Uuid, Operation>,
}

#[derive(Debug)]
struct Operation {
    update: OperationUpdate,
    pause: Duration,
    timer: Option<TimerKey>,
}

impl Operations {
    pub(crate) fn pending(&self) -> Vec<OperationUpdate> {
        self.unacknowledged.values().map(|operation| operation.update.clone()).collect()
    }

    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.unacknowledged.values().filter_map(|operation| operation.timer)
    }
}

/// The master wants resources converted.
pub(crate) fn apply(core: &mut AgentCore, step: &mut Step<'_>, operation: ApplyOperation) {
    let uuid = operation.operation_uuid;
    if core.operations.unacknowledged.contains_key(&uuid) {
        return info!(operation = %uuid, "ignoring an operation that was applied already");
    }
    let outdated = operation.resource_version.is_some_and(|assumed| assumed != core.resource_version);
    let (state, message) = if outdated {
        (OperationState::Dropped, Some("Operation assumes outdated resource state".to_owned()))
    } else if let Some(why) = operation.unsupported {
        (OperationState::Error, Some(why))
    } else if convert(&mut core.total, &operation.consumed, &operation.converted) {
        (OperationState::Finished, None)
    } else {
        let missing = "The agent does not have the resources that the operation takes";
        (OperationState::Failed, Some(missing.to_owned()))
    };
    info!(operation = %uuid, ?state, ?message, "an operation");
    let update = OperationUpdate {
        framework_id: operation.framework_id,
        agent_id: core.agent_id(),
        operation_id: operation.operation_id,
        operation_uuid: uuid,
        state,
        message: message.map(Arc::from),
        status_uuid: (state != OperationState::Dropped).then(|| core.rng.uuid()),
    };
    if update.status_uuid.is_none() {
        return registration::send(core, step, ToMaster::OperationStatus(update));
    }
    core.operations.unacknowledged.insert(uuid, Operation { update, pause: FIRST_RETRY, timer: None });
    forward(core, step, uuid);
}

/// Whether `total` had what is consumed; it then has what is converted instead.
fn convert(total: &mut Resources, consumed: &Resources, converted: &Resources) -> bool {
    if total.subtract(consumed).is_err() {
        return false;
    }
    *total += converted;
    true
}

fn forward(core: &mut AgentCore, step: &mut Step<'_>, uuid: Uuid) {
    if !core.registration.registered {
        return;
    }
    let Some(operation) = core.operations.unacknowledged.get_mut(&uuid) else { return };
    core.timers.cancel(&mut operation.timer);
    operation.timer = Some(core.timers.set(step.now + operation.pause, Timer::OperationRetry(uuid)));
    let update = operation.update.clone();
    registration::send(core, step, ToMaster::OperationStatus(update));
}

/// The time to send a status again has come.
pub(crate) fn retry(core: &mut AgentCore, step: &mut Step<'_>, uuid: Uuid) {
    let Some(operation) = core.operations.unacknowledged.get_mut(&uuid) else { return };
    operation.timer = None;
    operation.pause = (operation.pause * 2).min(LONGEST_RETRY);
    forward(core, step, uuid);
}

/// A master is there (again).
pub(crate) fn resend_all(core: &mut AgentCore, step: &mut Step<'_>) {
    let waiting: Vec<Uuid> = core.operations.unacknowledged.keys().copied().collect();
    for uuid in waiting {
        forward(core, step, uuid);
    }
}

/// The master, or the framework through it, has taken a status.
pub(crate) fn acknowledge(core: &mut AgentCore, status: Option<Uuid>, operation: Option<Uuid>) {
    let Some(uuid) = operation else { return };
    let matches = core.operations.unacknowledged.get(&uuid).is_some_and(|o| o.update.status_uuid == status);
    if !matches {
        return warn!(operation = %uuid, "ignoring an acknowledgement: no status waits for it");
    }
    if let Some(mut operation) = core.operations.unacknowledged.remove(&uuid) {
        core.timers.cancel(&mut operation.timer);
    }
}

/// The master takes operations for pending. Those that the agent has forgotten, or never heard of, are dropped.
pub(crate) fn reconcile(core: &mut AgentCore, step: &mut Step<'_>, uuids: &[Uuid]) {
    for uuid in uuids {
        if core.operations.unacknowledged.contains_key(uuid) {
            continue; // its status is on its way
        }
        let update = OperationUpdate {
            framework_id: None,
            agent_id: core.agent_id(),
            operation_id: None,
            operation_uuid: *uuid,
            state: OperationState::Dropped,
            message: None,
            status_uuid: None,
        };
        registration::send(core, step, ToMaster::OperationStatus(update));
    }
}

/// An old master sends the whole set of reserved resources and volumes in place of operations.
pub(crate) fn checkpoint(core: &mut AgentCore, wanted: &Resources) {
    let present =
        core.total.filter(|resource| resource.is_dynamically_reserved() || resource.is_persistent_volume());
    let mut total = core.total.clone();
    let plain = |resources: &Resources| resources.to_unreserved();
    if total.subtract(&present).is_err() {
        return warn!("the reserved resources are not among all resources");
    }
    total += &plain(&present);
    if total.subtract(&plain(wanted)).is_err() {
        return warn!(%wanted, "ignoring reserved resources that the agent does not have");
    }
    total += wanted;
    core.total = total;
}

//! Operations on the agent's resources, and their statuses until they are acknowledged.
//!
//! An operation that makes or removes volumes waits for the disk; what the master sends after it waits, too, because it
//! may build upon it. What an operation did is written down together with its end, so that it is done once, whatever
//! happens in between: one that was interrupted is pending in what is recovered, and is done again.

mod statuses;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::Uuid;
use resources::{Conversion, ConversionError, Resources};
use tracing::{info, warn};

use crate::checkpoint::Write;
use crate::core::{AgentCore, Step, from_master};
use crate::input::{ApplyOperation, FromMaster, Pid};
use crate::output::ToMaster;
use crate::timers::TimerKey;
use crate::types::{Operation, OperationState, OperationUpdate};
use crate::volumes::{self, Changes};
use crate::{Output, drain, registration, shutdown};

pub(crate) use statuses::{acknowledge, reconcile, resend_all, retry};

/// Pause before a status is sent again; doubles each time.
const FIRST_RETRY: Duration = Duration::from_secs(10);

/// The longest pause.
const LONGEST_RETRY: Duration = Duration::from_secs(10 * 60);

/// How many messages may wait for the disk. It has to be very slow for a master to send so many meanwhile.
const MAX_DEFERRED: usize = 16 << 10;

/// Operations that have not ended or whose end the master has not acknowledged, by the master's name for them.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    known: BTreeMap<Uuid, Known>,
    /// The one that waits for the disk.
    busy: Option<(Uuid, Vec<Conversion>)>,
    /// What the master sent since.
    deferred: VecDeque<(Pid, FromMaster)>,
}

#[derive(Debug)]
struct Known {
    operation: Arc<Operation>,
    pause: Duration,
    timer: Option<TimerKey>,
}

impl Operations {
    pub(crate) fn all(&self) -> Vec<Arc<Operation>> {
        self.known.values().map(|known| known.operation.clone()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether one waits for the disk.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.is_some()
    }

    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.known.values().filter_map(|known| known.timer)
    }

    fn remember(&mut self, operation: Arc<Operation>) {
        let known = Known { pause: FIRST_RETRY, timer: None, operation };
        self.known.insert(known.operation.update.operation_uuid, known);
    }

    /// What waits for the disk when the master goes, as far as it holds without it: orders to end something, and how a
    /// framework is. They came while the agent was registered, and another master may know nothing of them. The rest names
    /// resources as they were, and the next master finds out what of it did not come to pass.
    pub(crate) fn take_orders(&mut self) -> Vec<FromMaster> {
        let deferred = std::mem::take(&mut self.deferred).into_iter().map(|(_, message)| message);
        deferred.filter(|message| !assumes_resources(message)).collect()
    }

    /// # Panics
    /// If an invariant is broken.
    pub(crate) fn check(&self) {
        let pending = |known: &&Known| known.operation.update.state == OperationState::Pending;
        let pending: Vec<&Uuid> =
            self.known.iter().filter(|(_, known)| pending(known)).map(|(uuid, _)| uuid).collect();
        assert_eq!(pending, self.busy.iter().map(|(uuid, _)| uuid).collect::<Vec<_>>(), "one waits at most");
        assert!(self.is_busy() || self.deferred.is_empty(), "messages wait for nothing");
    }
}

/// The master wants resources converted.
pub(crate) fn apply(core: &mut AgentCore, step: &mut Step<'_>, asked: ApplyOperation) {
    let uuid = asked.operation_uuid;
    if core.operations.known.contains_key(&uuid) {
        return info!(operation = %uuid, "ignoring an operation that was applied already");
    }
    let mut update = OperationUpdate {
        framework_id: asked.framework_id,
        agent_id: core.agent_id(),
        operation_id: asked.operation_id,
        operation_uuid: uuid,
        state: OperationState::Pending,
        message: None,
        status_uuid: None,
    };
    if asked.resource_version.is_some_and(|assumed| assumed != core.resource_version) {
        warn!(operation = %uuid, "dropping an operation that assumes outdated resources");
        update.state = OperationState::Dropped;
        update.message = Some("Operation assumes outdated resource state".into());
        return registration::send(core, step, ToMaster::OperationStatus(update));
    }
    let plan = plan(core, asked.operation);
    core.operations.remember(Arc::new(Operation { update, body: asked.body }));
    carry_out(core, step, uuid, plan);
}

/// What an operation comes to: what becomes of the resources, and of directories; or in which state it ends, and why.
type Plan = Result<(Vec<Conversion>, Changes), (OperationState, String)>;

fn plan(core: &AgentCore, operation: Result<resources::Operation, String>) -> Plan {
    let error = |reason: String| (OperationState::Error, reason);
    let operation = operation.map_err(error)?.unallocated();
    let conversions = operation.conversions().map_err(|reason| error(reason.to_string()))?;
    let changes = Changes::of(&operation, &core.options.work_dir).map_err(error)?;
    converted(&core.total, &conversions)?;
    if let resources::Operation::Destroy { volumes } = &operation
        && let Some(used) = volumes.iter().find(|volume| volumes::is_used(core, volume, None))
    {
        let reason = format!("Persistent volume {used} is in use by a task or an executor");
        return Err((OperationState::Failed, reason));
    }
    Ok((conversions, changes))
}

fn converted(total: &Resources, conversions: &[Conversion]) -> Result<Resources, (OperationState, String)> {
    let mut total = total.clone();
    total.convert(conversions).map_err(|reason: ConversionError| {
        (
            OperationState::Failed,
            format!("The operation cannot be applied to the agent's resources: {reason}"),
        )
    })?;
    Ok(total)
}

/// Does what is to be done at once; what needs the disk is asked of the server, after the intent is durable.
fn carry_out(core: &mut AgentCore, step: &mut Step<'_>, uuid: Uuid, plan: Plan) {
    match plan {
        Err((state, reason)) => end(core, step, uuid, state, Some(reason)),
        Ok((conversions, changes)) if changes.is_empty() => convert(core, step, uuid, &conversions),
        Ok((conversions, changes)) => {
            if let Some(known) = core.operations.known.get(&uuid) {
                step.out.push(Output::checkpoint(Write::Operation(known.operation.clone())));
            }
            core.operations.busy = Some((uuid, conversions));
            let Changes { make, remove } = changes;
            step.out.push(Output::ChangeVolumes { operation: uuid, make, remove });
        }
    }
}

/// The server has made and removed the directories that it was asked to, or why not.
pub(crate) fn volumes_changed(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    operation: Uuid,
    result: Result<(), String>,
) {
    let Some((uuid, conversions)) = core.operations.busy.take_if(|(uuid, _)| *uuid == operation) else {
        return warn!(%operation, "nobody waits for these volumes");
    };
    match result {
        Ok(()) => convert(core, step, uuid, &conversions),
        Err(reason) => end(core, step, uuid, OperationState::Failed, Some(reason)),
    }
    while !core.operations.is_busy()
        && let Some((from, message)) = core.operations.deferred.pop_front()
    {
        from_master(core, step, &from, message);
    }
}

fn convert(core: &mut AgentCore, step: &mut Step<'_>, uuid: Uuid, conversions: &[Conversion]) {
    match converted(&core.total, conversions) {
        Ok(total) => {
            core.total = total;
            write_resources(core, step);
            end(core, step, uuid, OperationState::Finished, None);
        }
        Err((state, reason)) => end(core, step, uuid, state, Some(reason)),
    }
}

/// The operation has ended: that is written down, and the master hears of it until it acknowledges.
///
/// Masters take success for granted and go on with the resources as they should be. If they are not, the master has to
/// be told what they are, and what it sent meanwhile is void.
fn end(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    uuid: Uuid,
    state: OperationState,
    message: Option<String>,
) {
    info!(operation = %uuid, ?state, ?message, "an operation has ended");
    let status_uuid = Some(core.rng.uuid());
    let Some(known) = core.operations.known.get_mut(&uuid) else { return };
    let operation = Arc::make_mut(&mut known.operation);
    operation.update.state = state;
    operation.update.message = message.map(Arc::from);
    operation.update.status_uuid = status_uuid;
    step.out.push(Output::checkpoint(Write::Operation(known.operation.clone())));
    statuses::forward(core, step, uuid);
    if state != OperationState::Finished {
        core.resource_version = core.rng.uuid();
        write_resources(core, step);
        registration::tell_all(core, step);
    }
}

/// Writes down what the resources are now.
pub(crate) fn write_resources(core: &AgentCore, step: &mut Step<'_>) {
    let checkpointed = core.total.checkpointed();
    step.out.push(Output::checkpoint(Write::Resources { checkpointed, version: core.resource_version }));
}

/// Whether a message has to wait because an operation before it does; it is then kept.
pub(crate) fn defer(core: &mut AgentCore, step: &mut Step<'_>, from: &Pid, message: &FromMaster) -> bool {
    if !core.operations.is_busy() || !builds_upon_operations(message) {
        return false;
    }
    if core.operations.deferred.len() >= MAX_DEFERRED {
        shutdown::give_up(step, "the disk of a volume does not answer, and too many messages wait for it");
        return true;
    }
    core.operations.deferred.push_back((from.clone(), message.clone()));
    true
}

/// Whether the order matters between a message and the operations before it; also of messages that go together with such.
fn builds_upon_operations(message: &FromMaster) -> bool {
    match message {
        FromMaster::RunTask(_)
        | FromMaster::RunTaskGroup(_)
        | FromMaster::KillTask { .. }
        | FromMaster::ShutdownFramework(_)
        | FromMaster::ShutdownExecutor { .. }
        | FromMaster::UpdateFramework(_)
        | FromMaster::ApplyOperation(_)
        | FromMaster::CheckpointResources(_)
        | FromMaster::ReconcileOperations { .. }
        | FromMaster::Drain { .. } => true,
        FromMaster::Registered { .. }
        | FromMaster::Reregistered { .. }
        | FromMaster::Ping { .. }
        | FromMaster::AcknowledgeStatus { .. }
        | FromMaster::AcknowledgeOperation { .. }
        | FromMaster::Message { .. }
        | FromMaster::Shutdown { .. } => false,
    }
}

/// Whether a message makes sense only with the resources that the master believed in.
fn assumes_resources(message: &FromMaster) -> bool {
    matches!(
        message,
        FromMaster::RunTask(_)
            | FromMaster::RunTaskGroup(_)
            | FromMaster::ApplyOperation(_)
            | FromMaster::CheckpointResources(_)
            | FromMaster::ReconcileOperations { .. }
    )
}

/// An old master sends the whole set of reserved resources and volumes in place of operations. It cannot take volumes
/// away: no such master has ever seen one of this agent's.
pub(crate) fn checkpoint(core: &mut AgentCore, step: &mut Step<'_>, wanted: &Resources) {
    let lost = core.total.checkpointed().persistent_volumes();
    if !wanted.contains(&lost) {
        return warn!(%wanted, "ignoring reserved resources without volumes that are there");
    }
    match core.options.resources.with_checkpointed(wanted) {
        Ok(total) => {
            core.total = total;
            write_resources(core, step);
        }
        Err(error) => warn!(%wanted, %error, "ignoring reserved resources that the agent does not have"),
    }
}

/// Goes on with the operations of an earlier life.
pub(crate) fn recover(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    operations: Vec<(Operation, Result<resources::Operation, String>)>,
) {
    for (operation, asked) in operations {
        let (uuid, state) = (operation.update.operation_uuid, operation.update.state);
        core.operations.remember(Arc::new(operation));
        if state == OperationState::Pending {
            info!(operation = %uuid, "an operation was interrupted; doing it again");
            let plan = plan(core, asked);
            carry_out(core, step, uuid, plan);
        }
    }
}

/// What is due when an operation is forgotten.
fn forgotten(core: &mut AgentCore, step: &mut Step<'_>, uuid: Uuid) {
    step.out.push(Output::checkpoint(Write::ForgetOperation(uuid)));
    drain::finish(core, step);
}

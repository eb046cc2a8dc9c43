//! Finding a master's trust and noticing its loss: registration with backoff, pings, reregistration.

mod ends;
mod late;

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, Time, Uuid};
use tracing::{info, warn};

use crate::checkpoint::Write;
use crate::core::{AgentCore, Step};
use crate::input::{FromMaster, Pid, Reconciliation};
use crate::output::{Reregister, ToMaster};
use crate::state::{Executor, Framework};
use crate::timers::{Timer, TimerKey};
use crate::types::{
    ExecutorKind, ExecutorState, Operation, OperationState, Reason, StatusSource, Task, TaskState,
};
use crate::{Output, drain, frameworks, kill, operations, shutdown, status, updates};

use ends::Ends;
use late::Late;

pub(crate) use ends::await_ends;
pub(crate) use late::{launch_outdated, note_end, send_exit};

/// What Mesos' master allows by default: five pings, fifteen seconds apart.
const DEFAULT_PING_TIMEOUT: Duration = Duration::from_secs(75);

/// An attempt that comes while the resources are being changed, or ends become known, waits so long.
const BUSY_PAUSE: Duration = Duration::from_millis(20);

/// The shortest first bound on the pause between attempts: with none an agent would do nothing else.
const MIN_BACKOFF: Duration = Duration::from_millis(10);

/// The pause between attempts never gets longer than that.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Nobody answers an attempt later than that.
const LATEST_ANSWER: Duration = Duration::from_secs(5 * 60);

/// Where the agent stands with its master.
#[derive(Debug)]
pub(crate) struct Registration {
    /// Given at the first registration, kept for life.
    pub(crate) agent_id: Option<AgentId>,
    /// It is written down with the agent's description as that is in this life.
    pub(crate) described: bool,
    /// The leading master. Messages of others are ignored.
    pub(crate) master: Option<Pid>,
    /// Whether that master has confirmed the registration and has not been lost since.
    pub(crate) registered: bool,
    pub(crate) registered_at: Option<Time>,
    backoff: Duration,
    ping_timeout: Duration,
    retry: Option<TimerKey>,
    ping: Option<TimerKey>,
    /// An attempt was made since the master was found or lost. Without, an answer is one to an earlier attempt, and says nothing
    /// about what the master believes.
    asked: bool,
    /// Attempts that this master has not answered. Some it never will.
    unanswered: u32,
    /// When the last attempt was made.
    attempted: Time,
    /// The version of the resources that it named, unless another attempt has to be made.
    attempted_version: Option<Uuid>,
    ends: Ends,
    late: Late,
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            agent_id: None,
            described: false,
            master: None,
            registered: false,
            registered_at: None,
            backoff: Duration::ZERO,
            ping_timeout: Duration::ZERO,
            retry: None,
            ping: None,
            asked: false,
            unanswered: 0,
            attempted: Time::EPOCH,
            attempted_version: None,
            ends: Ends::default(),
            late: Late::default(),
        }
    }
}

impl Registration {
    /// Whether a master may still take for true what an attempt has told.
    fn awaits_answers(&self, now: Time) -> bool {
        self.unanswered > 0 && now.since(self.attempted) < LATEST_ANSWER
    }

    pub(crate) fn timers(&self) -> impl Iterator<Item = TimerKey> {
        self.retry.into_iter().chain(self.ping)
    }
}

/// Another master leads, or the same one anew, or none.
pub(crate) fn master_detected(core: &mut AgentCore, step: &mut Step<'_>, master: Option<Pid>) {
    match &master {
        Some(master) => info!(%master, "detected the leading master"),
        None => info!("lost the leading master; waiting for the next"),
    }
    core.registration.master = master;
    core.registration.unanswered = 0;
    core.registration.late.forget_attempts();
    disconnect(core, step);
    if core.ending.is_none() && core.registration.master.is_some() {
        begin(core, step);
    }
}

/// The connection to the master broke.
pub(crate) fn peer_lost(core: &mut AgentCore, step: &mut Step<'_>, pid: &Pid) {
    if core.registration.master.as_ref() != Some(pid) || !core.registration.registered {
        return; // while registering, the retry is on its way
    }
    warn!(master = %pid, "the connection to the master broke; reregistering");
    start_over(core, step);
}

/// No ping for too long.
pub(crate) fn ping_timeout(core: &mut AgentCore, step: &mut Step<'_>) {
    core.registration.ping = None;
    if core.registration.registered {
        warn!(timeout = ?core.registration.ping_timeout, "no ping of the master for too long; reregistering");
        start_over(core, step);
    }
}

/// The master's observer asks whether the agent is alive, and says what the master believes.
pub(crate) fn ping(core: &mut AgentCore, step: &mut Step<'_>, from: &Pid, connected: bool) {
    step.out.push(Output::Send { to: from.clone(), message: ToMaster::Pong });
    if !core.registration.registered {
        return;
    }
    if connected {
        await_ping(core, step.now);
        late::tell_superseded(core, step);
    } else {
        warn!("the master takes this agent for disconnected; reregistering");
        start_over(core, step);
    }
}

/// Sends one attempt and plans the next.
pub(crate) fn attempt(core: &mut AgentCore, step: &mut Step<'_>) {
    core.timers.cancel(&mut core.registration.retry);
    let Some(master) = core.registration.master.clone() else { return };
    if core.registration.registered || core.ending.is_some() {
        return;
    }
    if core.operations.is_busy() || ends::is_awaited(core, step.now) {
        // The master is to hear what is true, and that is just changing.
        core.registration.retry = Some(core.timers.set(step.now + BUSY_PAUSE, Timer::Register));
        return;
    }
    let checkpointed = core.total.checkpointed();
    let message = match core.registration.agent_id.clone() {
        None => ToMaster::Register { checkpointed, resource_version: core.resource_version },
        Some(id) => ToMaster::Reregister(Box::new(reregister(core, id, checkpointed))),
    };
    step.out.push(Output::Send { to: master, message });
    if !core.registration.awaits_answers(step.now) {
        core.registration.unanswered = 0;
        core.registration.late.forget_ends();
    }
    core.registration.late.supersede();
    core.registration.asked = true;
    core.registration.unanswered += 1;
    core.registration.attempted = step.now;
    core.registration.attempted_version = Some(core.resource_version);
    let pause = core.registration.backoff / 2 + jitter(core, core.registration.backoff / 2);
    core.registration.backoff = (core.registration.backoff * 2).min(MAX_BACKOFF);
    core.registration.retry = Some(core.timers.set(step.now + pause, Timer::Register));
}

/// The master took the agent in and named it.
pub(crate) fn registered(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    id: AgentId,
    ping_timeout: Option<Duration>,
) {
    if let Some(own) = core.registration.agent_id.as_ref().filter(|own| **own != id) {
        warn!(%own, given = %id, "ignoring a registration under another id");
        if core.registration.registered {
            // An earlier attempt came late, and the master takes this agent for a new one.
            start_over(core, step);
        }
        return;
    }
    if core.registration.registered {
        return; // an answer to an attempt that was made twice
    }
    info!(agent = %id, "registered");
    core.registration.agent_id = Some(id.clone());
    operations::write_resources(core, step);
    core.registration.unanswered = 0;
    confirm(core, step, ping_timeout);
}

/// The master took the agent in again.
pub(crate) fn reregistered(
    core: &mut AgentCore,
    step: &mut Step<'_>,
    id: &AgentId,
    ping_timeout: Option<Duration>,
    reconciliations: &[Reconciliation],
) {
    if core.registration.agent_id.as_ref() != Some(id) {
        warn!(own = ?core.registration.agent_id, given = %id, "ignoring a reregistration under another id");
        return;
    }
    let registration = &mut core.registration;
    if !registration.asked {
        info!(agent = %id, "ignoring a reregistration: it answers an attempt that the agent has given up");
        return;
    }
    let another = registration.unanswered > 0;
    registration.unanswered = registration.unanswered.saturating_sub(1);
    if registration.registered {
        // Another attempt is answered, which was made before the answer to the first one came. The master may have struck the
        // agent off in between: then it takes for true what that attempt told, and has not listened to what came after it.
        // Mesos lets it be, and a task that has ended stays with the master until the agent reregisters.
        if another {
            // The acknowledgement of an end may be under way. The master asks about those that it does not find.
            let mut operations = core.operations.all();
            operations.retain(|operation| operation.update.state == OperationState::Pending);
            tell(core, step, operations);
            late::tell_ends(core, step);
        }
    } else {
        info!(agent = %id, "reregistered");
        confirm(core, step, ping_timeout);
    }
    for reconciliation in reconciliations {
        reconcile(core, step, reconciliation);
    }
}

/// Ends the tasks that the master believes in and the agent has never seen, or has forgotten.
fn reconcile(core: &mut AgentCore, step: &mut Step<'_>, asked: &Reconciliation) {
    if let Some(ending) =
        core.frameworks.get_mut(&asked.framework_id).filter(|framework| framework.terminating)
    {
        // Mostly the question is older than the order to end it, and nobody waits for ends of its tasks any more. Where it comes
        // from another master than the order, it will be asked again.
        ending.believed = true;
        return;
    }
    let partition_aware = asked.partition_aware;
    for task_id in &asked.task_ids {
        let known = core
            .frameworks
            .get(&asked.framework_id)
            .is_some_and(|framework| framework.tasks.contains_key(task_id));
        if known {
            continue;
        }
        if let Some(end) = updates::acknowledged_end(core, &asked.framework_id, task_id) {
            // The acknowledgement came by way of another master, or has overtaken what this one believes.
            updates::add(core, step, &asked.framework_id, end);
            continue;
        }
        let state = if partition_aware { TaskState::Dropped } else { TaskState::Lost };
        let mut lost = status::new(core, step, task_id.clone(), None, state, StatusSource::Agent);
        lost.reason = Some(Reason::Reconciliation);
        lost.message = Some("Reconciliation: task unknown to the agent".into());
        updates::add(core, step, &asked.framework_id, lost.into());
    }
}

fn confirm(core: &mut AgentCore, step: &mut Step<'_>, ping_timeout: Option<Duration>) {
    let registration = &mut core.registration;
    registration.registered = true;
    registration.registered_at = Some(step.now);
    registration.ping_timeout = ping_timeout.unwrap_or(DEFAULT_PING_TIMEOUT);
    core.timers.cancel(&mut registration.retry);
    await_ping(core, step.now);
    // Once in a life: its description may be another than that of the last. What it says next waits for the disk as seldom as can
    // be: a master that has to wait for how a task ended tells the scheduler by itself meanwhile.
    if !std::mem::replace(&mut core.registration.described, true) {
        step.out.push(Output::checkpoint(Write::Agent(Some(core.agent_id()))));
    }
    let operations = core.operations.all();
    tell(core, step, operations);
    updates::resend_all(core, step);
    operations::resend_all(core, step);
    late::tell_ends(core, step);
}

/// Tells the master of operations, and of what may be another than the attempts to register have told.
fn tell(core: &mut AgentCore, step: &mut Step<'_>, operations: Vec<Arc<Operation>>) {
    let (agent_id, resource_version) = (core.agent_id(), core.resource_version);
    send(core, step, ToMaster::UpdateAgent { agent_id, resource_version, operations });
    late::tell_exits(core, step);
}

/// What there is is not what the master believes: it is told by a registration anew.
pub(crate) fn tell_all(core: &mut AgentCore, step: &mut Step<'_>) {
    if core.registration.registered {
        start_over(core, step);
    }
}

/// Sends to the master, if the agent is registered with one.
pub(crate) fn send(core: &AgentCore, step: &mut Step<'_>, message: ToMaster) {
    if let Some(master) = core.registration.master.as_ref().filter(|_| core.registration.registered) {
        step.out.push(Output::Send { to: master.clone(), message });
    }
}

fn start_over(core: &mut AgentCore, step: &mut Step<'_>) {
    disconnect(core, step);
    if core.ending.is_none() {
        begin(core, step);
    }
}

/// From now on launches and operations that are still under way are dropped: they name the version that the resources had by
/// now. The master will be told what there is, and orders to end something are not followed meanwhile; those that came before
/// and wait for a disk are followed now.
fn disconnect(core: &mut AgentCore, step: &mut Step<'_>) {
    if core.registration.registered && !core.registration.awaits_answers(step.now) {
        // All was told.
        core.registration.late = Late::default();
    }
    core.resource_version = core.rng.uuid();
    core.registration.registered = false;
    core.registration.asked = false;
    core.registration.attempted_version = None;
    core.timers.cancel(&mut core.registration.retry);
    core.timers.cancel(&mut core.registration.ping);
    for order in core.operations.take_orders() {
        follow(core, step, order);
    }
}

/// Does what was ordered before the master went. A kill of what is not here was for a launch that is dropped.
fn follow(core: &mut AgentCore, step: &mut Step<'_>, order: FromMaster) {
    match order {
        FromMaster::KillTask { framework_id, task_id, grace } => {
            let known = core.frameworks.get(&framework_id).is_some_and(|f| f.tasks.contains_key(&task_id));
            if known {
                kill::kill_task(core, step, &framework_id, &task_id, grace);
            }
        }
        FromMaster::ShutdownFramework(id) => shutdown::framework(core, step, &id),
        FromMaster::ShutdownExecutor { framework_id, executor_id } => {
            shutdown::executor_by_message(core, step, &framework_id, &executor_id);
        }
        FromMaster::UpdateFramework(info) => frameworks::update(core, step, info),
        FromMaster::Drain { max_grace, mark_gone } => drain::drain(core, step, max_grace, mark_gone),
        other => {
            base::never!(true, "{other:?} assumes resources");
        }
    }
}

/// The first registration is tried at once. A reregistration waits a little, each agent another time: when a master
/// fails over, all agents come at once.
fn begin(core: &mut AgentCore, step: &mut Step<'_>) {
    core.registration.backoff = core.options.registration_backoff.max(MIN_BACKOFF);
    if core.registration.agent_id.is_none() {
        attempt(core, step);
    } else {
        let pause = jitter(core, core.options.registration_backoff);
        core.registration.retry = Some(core.timers.set(step.now + pause, Timer::Register));
    }
}

fn jitter(core: &mut AgentCore, longest: Duration) -> Duration {
    longest.mul_f64(core.rng.unit())
}

fn await_ping(core: &mut AgentCore, now: Time) {
    core.timers.cancel(&mut core.registration.ping);
    core.registration.ping = Some(core.timers.set(now + core.registration.ping_timeout, Timer::PingTimeout));
}

/// What the agent tells of itself. Each time its resources get another version: the master takes what is told here for all
/// that is there, and may have given up what it had sent before. What it sent before and comes late names an earlier version,
/// and is dropped.
fn reregister(core: &mut AgentCore, agent_id: AgentId, checkpointed: resources::Resources) -> Reregister {
    core.resource_version = core.rng.uuid();
    let living = || core.frameworks.iter().filter(|(_, framework)| !framework.terminating);
    let executors = living().flat_map(|(id, framework)| {
        let alive = |e: &&Executor| e.kind() != ExecutorKind::Command && e.state != ExecutorState::Terminated;
        framework.executors.values().filter(alive).map(move |e| (id.clone(), e.info.clone()))
    });
    Reregister {
        agent_id,
        checkpointed,
        resource_version: core.resource_version,
        frameworks: living().map(|(_, framework)| framework.info.clone()).collect(),
        executors: executors.collect(),
        tasks: living().flat_map(|(_, framework)| tasks_of(framework)).collect(),
        completed_frameworks: core.completed_frameworks.iter().cloned().collect(),
    }
}

/// Every task of which the master still has to hear something.
fn tasks_of(framework: &Framework) -> Vec<Arc<Task>> {
    let mut tasks = Vec::new();
    for executor in framework.executors.values() {
        tasks.extend(executor.tasks.values().map(|entry| entry.task.clone()));
        for info in executor.queued.iter().flat_map(|queued| &queued.tasks) {
            tasks.push(Arc::new(Task {
                info: info.clone(),
                framework_id: framework.info.id.clone(),
                state: TaskState::Staging,
                statuses: Vec::new(),
                last_sent: None,
            }));
        }
    }
    tasks
}

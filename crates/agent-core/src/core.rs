//! The core: its state, and which handler takes which input.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AgentId, ContainerId, ExecutorId, FrameworkId, Ring, Rng, TaskId, Time, Uuid};
use resources::Resources;
use tracing::{info, warn};

use crate::checkpoint::{Recovered, RecoveryError};
use crate::input::{FromMaster, Input, Pid, StreamId};
use crate::operations::Operations;
use crate::registration::Registration;
use crate::state::{Executor, Framework, Owner};
use crate::timers::{Timer, Timers};
use crate::types::{Counts, Drain, FrameworkView};
use crate::updates::Streams;
use crate::{Options, Output};
use crate::{
    checks, containers, drain, executor_api, executors, frameworks, kill, operations, past, recover,
    registration, remember, run, shutdown, updates,
};

/// Completed frameworks that are remembered.
const MAX_COMPLETED_FRAMEWORKS: usize = 50;

/// The agent's state machine.
#[derive(Debug)]
pub struct AgentCore {
    pub(crate) options: Options,
    pub(crate) rng: Rng,
    pub(crate) timers: Timers,
    pub(crate) registration: Registration,
    pub(crate) total: Resources,
    pub(crate) resource_version: Uuid,
    pub(crate) frameworks: BTreeMap<FrameworkId, Framework>,
    pub(crate) completed_frameworks: Ring<Arc<FrameworkView>>,
    pub(crate) containers: BTreeMap<ContainerId, Owner>,
    pub(crate) streams: BTreeMap<StreamId, (FrameworkId, ExecutorId)>,
    pub(crate) updates: Streams,
    pub(crate) operations: Operations,
    pub(crate) checks: checks::Orders,
    pub(crate) drain: Option<Drain>,
    pub(crate) past: past::Numbers,
    pub(crate) counts: Counts,
    /// Why the agent ends, once it does.
    pub(crate) ending: Option<String>,
}

/// What a handler works with besides the state: the time, and where its outputs go.
pub(crate) struct Step<'a> {
    pub(crate) now: Time,
    pub(crate) out: &'a mut Vec<Output>,
}

impl AgentCore {
    /// An agent that has not yet heard of a master.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let mut rng = Rng::new(options.seed).child("agent");
        let resource_version = options.resource_version.unwrap_or_else(|| rng.uuid());
        Self {
            total: options.resources.clone(),
            resource_version,
            rng,
            timers: Timers::default(),
            registration: Registration::default(),
            frameworks: BTreeMap::new(),
            completed_frameworks: Ring::new(MAX_COMPLETED_FRAMEWORKS),
            containers: BTreeMap::new(),
            streams: BTreeMap::new(),
            updates: Streams::default(),
            operations: Operations::default(),
            checks: checks::Orders::default(),
            drain: None,
            past: past::Numbers::default(),
            counts: Counts::default(),
            ending: None,
            options,
        }
    }

    /// An agent that goes on where an earlier life of it was killed; what has to be done first goes to `out`. It has not
    /// yet heard of a master.
    ///
    /// # Errors
    /// If what is remembered and the options cannot both be true.
    pub fn recover(
        options: Options,
        mut recovered: Recovered,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Result<Self, RecoveryError> {
        let mut core = Self::new(options);
        let step = &mut Step { now, out };
        if let Some((checkpointed, version)) = recovered.resources.take() {
            core.total = core.options.resources.with_checkpointed(&checkpointed).map_err(|error| {
                RecoveryError::MissingResources {
                    missing: error.resource().to_string(),
                    checkpointed: checkpointed.to_string(),
                }
            })?;
            core.resource_version = version;
        }
        if let Some(missing) = recovered.missing(&core.total) {
            return Err(RecoveryError::UsedResources { missing });
        }
        let acknowledged = recovered.leave_out_acknowledged();
        if let Some(id) = recovered.agent_id {
            info!(agent = %id, "recovered; going on as the same agent");
            // A life with the same seed must not draw the names again that the earlier one drew.
            let since = now.since(Time::EPOCH).as_nanos();
            core.rng = Rng::new(core.options.seed).child(&format!("agent, recovered at {since}"));
            core.registration.agent_id = Some(id);
            core.registration.described = recovered.described;
            operations::recover(&mut core, step, recovered.operations);
            recover::all(&mut core, step, recovered.frameworks, recovered.past, &recovered.found);
            registration::await_ends(&mut core, now, &recovered.found);
            for (framework, task) in acknowledged {
                remember::progress(&core, step, &framework, &task);
            }
            if let Some(drain) = recovered.drain {
                drain::drain(&mut core, step, drain.max_grace, drain.mark_gone);
            }
        }
        core.timers.arm(out);
        Ok(core)
    }

    /// Whether its master has confirmed this agent and has not been lost since.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registration.registered
    }

    /// Its id, once a master has given it one.
    #[must_use]
    pub fn id(&self) -> Option<&AgentId> {
        self.registration.agent_id.as_ref()
    }

    /// Whether it has a task, or something to tell of one.
    #[must_use]
    pub fn knows_task(&self, framework: &FrameworkId, task: &TaskId) -> bool {
        let has = self.frameworks.get(framework).is_some_and(|framework| framework.tasks.contains_key(task));
        has || self.updates.has(framework, task)
    }

    /// Takes one input at the time `now` and appends what is to be done to `out`. Times must not go back.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        let step = &mut Step { now, out };
        match input {
            Input::MasterDetected(master) => registration::master_detected(self, step, master),
            Input::PeerLost(pid) => registration::peer_lost(self, step, &pid),
            Input::FromMaster { from, message } => from_master(self, step, &from, message),
            Input::ExecutorCall(request) => executor_api::call(self, step, request),
            Input::ExecutorStreamClosed(stream) => executor_api::stream_closed(self, stream),
            Input::Container { container_id, event } => containers::event(self, step, &container_id, event),
            Input::CheckEnded { check, outcome } => checks::ended(self, step, check, &outcome),
            Input::VolumesChanged { operation, result } => {
                operations::volumes_changed(self, step, operation, result);
            }
            Input::TimerFired => timer_fired(self, step),
            Input::Shutdown { reason } => shutdown::by_operator(self, step, reason),
        }
        self.timers.arm(out);
    }

    /// The id that the master gave, which every framework's presence implies.
    pub(crate) fn agent_id(&self) -> AgentId {
        self.registration.agent_id.clone().unwrap_or_else(|| {
            base::never!(true, "an agent without an id has neither frameworks nor operations");
            AgentId::from("")
        })
    }

    pub(crate) fn executor(
        &mut self,
        framework: &FrameworkId,
        executor: &ExecutorId,
    ) -> Option<&mut Executor> {
        self.frameworks.get_mut(framework)?.executors.get_mut(executor)
    }
}

/// Takes a message of a master, or keeps it until what is under way is done.
pub(crate) fn from_master(core: &mut AgentCore, step: &mut Step<'_>, from: &Pid, message: FromMaster) {
    if let FromMaster::Ping { connected } = message {
        return registration::ping(core, step, from, connected);
    }
    if core.registration.master.as_ref() != Some(from) {
        warn!(%from, master = ?core.registration.master, "ignoring a message of a master that is not ours");
        return;
    }
    if core.registration.agent_id.is_none()
        && !matches!(message, FromMaster::Registered { .. } | FromMaster::Shutdown { .. })
    {
        warn!(%from, "ignoring a message that came before the registration");
        return;
    }
    let ends = matches!(message, FromMaster::ShutdownFramework(_) | FromMaster::ShutdownExecutor { .. });
    if ends && !core.registration.registered {
        // The master is just being told of what this would end, perhaps another one than the one that ordered it. It orders
        // again what it wants ended when it takes the agent in.
        warn!(%from, "ignoring the end of a framework or an executor: the agent is not registered");
        return;
    }
    if operations::defer(core, step, from, &message) {
        return;
    }
    match message {
        FromMaster::Ping { .. } => {}
        FromMaster::Registered { agent_id, total_ping_timeout } => {
            registration::registered(core, step, agent_id, total_ping_timeout);
        }
        FromMaster::Reregistered { agent_id, total_ping_timeout, reconciliations } => {
            registration::reregistered(core, step, &agent_id, total_ping_timeout, &reconciliations);
        }
        FromMaster::RunTask(run) => run::run_task(core, step, *run),
        FromMaster::RunTaskGroup(group) => run::run_task_group(core, step, *group),
        FromMaster::KillTask { framework_id, task_id, grace } => {
            kill::kill_task(core, step, &framework_id, &task_id, grace);
        }
        FromMaster::AcknowledgeStatus { framework_id, task_id, uuid } => {
            updates::acknowledge(core, step, &framework_id, &task_id, uuid);
        }
        FromMaster::ShutdownFramework(id) => shutdown::framework(core, step, &id),
        FromMaster::ShutdownExecutor { framework_id, executor_id } => {
            shutdown::executor_by_message(core, step, &framework_id, &executor_id);
        }
        FromMaster::Message { framework_id, executor_id, data } => {
            executor_api::message_to_executor(core, step, &framework_id, &executor_id, data);
        }
        FromMaster::UpdateFramework(info) => frameworks::update(core, step, info),
        FromMaster::Shutdown { message } => shutdown::by_master(core, step, message),
        FromMaster::ApplyOperation(operation) => operations::apply(core, step, *operation),
        FromMaster::AcknowledgeOperation { status_uuid, operation_uuid } => {
            operations::acknowledge(core, step, status_uuid, operation_uuid);
        }
        FromMaster::ReconcileOperations(asked) => operations::reconcile(core, step, asked),
        FromMaster::CheckpointResources(resources) => operations::checkpoint(core, step, &resources),
        FromMaster::Drain { max_grace, mark_gone } => drain::drain(core, step, max_grace, mark_gone),
    }
}

fn timer_fired(core: &mut AgentCore, step: &mut Step<'_>) {
    core.timers.disarm();
    while let Some(timer) = core.timers.pop_due(step.now) {
        match timer {
            Timer::Register => registration::attempt(core, step),
            Timer::PingTimeout => registration::ping_timeout(core, step),
            Timer::UpdateRetry(framework, task) => updates::retry(core, step, &framework, &task),
            Timer::OperationRetry(uuid) => operations::retry(core, step, uuid),
            Timer::ExecutorRegistration(container) => executors::registration_timeout(core, step, &container),
            Timer::ExecutorShutdown(container) => shutdown::executor_timeout(core, step, &container),
            Timer::ExecutorLinger(container) => executors::linger_timeout(core, step, &container),
            Timer::KillEscalation(container) => kill::escalate(core, step, &container),
            Timer::Check(container, kind) => checks::due(core, step, &container, kind),
            Timer::MaxCompletion(container) => {
                info!(%container, "the task has run as long as it may");
                kill::max_completion(core, step, &container);
            }
        }
    }
}

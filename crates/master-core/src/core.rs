//! The master's state, and the way of an input through it.

use std::collections::BTreeMap;
use std::sync::Arc;

use allocator::{Allocator, Quota};
use base::{AgentId, FrameworkId, Time};
use resources::Role;

use crate::agents::{self, Agents};
use crate::allocation::Allocation;
use crate::frameworks::{self, FrameworkCounts, Frameworks};
use crate::input::{FromAgent, Input, Timer};
use crate::maintenance::{self, Maintenance};
use crate::metrics::Metrics;
use crate::operations::Operations;
use crate::options::Options;
use crate::output::{Observation, Output, SchedulerEvent, ToAgent};
use crate::registry::{self, Phase, Registry, Removals};
use crate::snapshot::Snapshot;
use crate::types::{
    Agent, AgentRecord, Framework, LostAgent, OperatorError, Pid, RegistryContent, SchedulerCall, StreamId,
};
use crate::{offers, operations, operator, reconciliation, tasks};

/// The master's state.
#[derive(Debug)]
pub struct MasterCore {
    pub(crate) options: Options,
    pub(crate) frameworks: Frameworks,
    pub(crate) agents: Agents,
    pub(crate) allocation: Allocation,
    pub(crate) operations: Operations,
    pub(crate) registry: Registry,
    pub(crate) removals: Removals,
    pub(crate) maintenance: Maintenance,
    pub(crate) metrics: Metrics,
    pub(crate) next_offer: u64,
    watched: bool,
}

impl MasterCore {
    /// A master that knows of nobody, and refuses everybody until it hears what the registry holds.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            frameworks: Frameworks::new(&options),
            agents: Agents::default(),
            allocation: Allocation::new(&options),
            operations: Operations::new(options.seed),
            registry: Registry::new(),
            removals: Removals::default(),
            maintenance: Maintenance::default(),
            metrics: Metrics::default(),
            next_offer: 0,
            watched: false,
            options,
        }
    }

    /// Begins: sets the timers that come back for ever. To be called once, before the first input.
    pub fn start(&mut self, now: Time, out: &mut Vec<Output>) {
        out.push(Output::SetTimer {
            at: now + self.options.allocation_interval,
            timer: Timer::AllocationInterval,
        });
    }

    /// Whether someone wants [`Observation`]s of changes. Without it only dropped messages and refused operations are
    /// told, for the log.
    pub fn watch(&mut self, watched: bool) {
        self.watched = watched;
    }

    /// Whether [`Input::Allocate`] has something to do.
    #[must_use]
    pub fn wants_allocation(&self) -> bool {
        self.allocation.wanted()
    }

    /// What can be set, as it was set.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The allocator, for what it tells about frameworks and roles.
    #[must_use]
    pub fn allocator(&self) -> &Allocator {
        self.allocation.inner()
    }

    /// A framework that is not over.
    #[must_use]
    pub fn framework(&self, id: &FrameworkId) -> Option<&Framework> {
        self.frameworks.get(id).map(AsRef::as_ref)
    }

    /// An agent that is registered.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> Option<&Agent> {
        self.agents.get(id).map(AsRef::as_ref)
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What is counted of each framework, also of those that are over and still known.
    #[must_use]
    pub fn framework_counts(&self) -> BTreeMap<FrameworkId, Arc<FrameworkCounts>> {
        self.frameworks.counts.clone()
    }

    /// The weights that were set.
    #[must_use]
    pub fn weights(&self) -> &BTreeMap<Role, f64> {
        &self.allocation.weights
    }

    /// The quotas that were set.
    #[must_use]
    pub fn quotas(&self) -> &BTreeMap<Role, Quota> {
        &self.allocation.quotas
    }

    /// What the registry holds when all that was handed over is written.
    #[must_use]
    pub fn registry(&self) -> &RegistryContent {
        &self.registry.content
    }

    /// Whether it leads: it knows what the registry holds, and has not heard that another one leads.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.registry.phase == Phase::Leading
    }

    /// Takes one input and appends what is to be done about it.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        let before = out.len();
        match self.registry.phase {
            Phase::Leading => self.handle_leading(now, input, out),
            Phase::Recovering => self.handle_recovering(now, input, out),
            Phase::Resigned => refuse(input, "the master does not lead any more", out),
        }
        self.frameworks.count_events(&out[before..]);
    }

    fn handle_recovering(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Registry(message) => registry::told(self, now, message, out),
            Input::Timer(timer) => self.timer(now, timer, out),
            Input::Whitelist(hostnames) => self.allocation.set_whitelist(hostnames),
            input => refuse(input, "Master has not finished recovery", out),
        }
    }

    fn handle_leading(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Subscribe {
                connection,
                stream,
                framework_id,
                info,
                suppressed_roles,
                offer_constraints,
            } => {
                let request = frameworks::Subscription {
                    connection,
                    stream,
                    info,
                    suppressed_roles,
                    offer_constraints,
                };
                frameworks::subscribe(self, now, framework_id, request, out);
            }
            Input::SchedulerGone(connection) => frameworks::scheduler_gone(self, now, connection, out),
            Input::Call { framework_id, stream, call } => self.call(now, &framework_id, stream, call, out),
            Input::Operator { request, call } => {
                let result = operator::operator(self, now, request, call, out);
                match result {
                    Ok(Answered::Later) => {}
                    Ok(Answered::Now) => out.push(Output::Reply { request, result: Ok(()) }),
                    Err(error) => out.push(Output::Reply { request, result: Err(error) }),
                }
            }
            Input::Agent { from, message } => self.agent_message(now, from, message, out),
            Input::AgentDisconnected(pid) => agents::disconnected(self, now, &pid, out),
            Input::Timer(timer) => self.timer(now, timer, out),
            Input::Registry(message) => registry::told(self, now, message, out),
            Input::Whitelist(hostnames) => self.allocation.set_whitelist(hostnames),
            Input::Allocate => offers::allocate(self, now, out),
        }
        if self.allocation.take_timer(now) {
            out.push(Output::SetTimer { at: now + self.options.allocation_delay, timer: Timer::Allocation });
        }
    }

    fn call(
        &mut self,
        now: Time,
        framework_id: &FrameworkId,
        stream: StreamId,
        call: SchedulerCall,
        out: &mut Vec<Output>,
    ) {
        let current = self.frameworks.get(framework_id).and_then(|framework| framework.connection);
        if current.is_none_or(|(_, current)| current != stream) {
            // The server checks this too, but the stream may have ended while the call was waiting.
            self.drop(call.name(), framework_id, "its stream is no longer the framework's", out);
            return;
        }
        let id = framework_id;
        self.frameworks.count(id, |counts| counts.call(call.name()));
        match call {
            SchedulerCall::Teardown => frameworks::teardown(self, now, id, out),
            SchedulerCall::Accept { offer_ids, operations, refuse } => {
                offers::accept(self, now, id, &offer_ids, operations, refuse, out);
            }
            SchedulerCall::Decline { offer_ids, refuse } => {
                offers::decline(self, now, id, &offer_ids, refuse, out);
            }
            SchedulerCall::AnswerInverseOffers { offer_ids, accepted, refuse } => {
                maintenance::answer(self, now, id, &offer_ids, (accepted, refuse), out);
            }
            SchedulerCall::Revive(roles) => offers::revive(self, id, &roles, out),
            SchedulerCall::Suppress(roles) => offers::suppress(self, id, &roles, out),
            SchedulerCall::Kill { task_id, agent_id, kill_policy } => {
                tasks::kill(self, now, id, task_id, agent_id, kill_policy, out);
            }
            SchedulerCall::Shutdown { executor_id, agent_id } => {
                tasks::shutdown_executor(self, id, executor_id, &agent_id, out);
            }
            SchedulerCall::Acknowledge { agent_id, task_id, uuid } => {
                tasks::acknowledge(self, now, id, agent_id, task_id, uuid, out);
            }
            SchedulerCall::AcknowledgeOperationStatus { operation_id, agent_id, uuid } => {
                operations::acknowledge(self, now, id, &operation_id, agent_id, uuid, out);
            }
            SchedulerCall::Reconcile(tasks) => reconciliation::reconcile(self, now, id, tasks, out),
            SchedulerCall::ReconcileOperations(operations) => {
                operations::reconcile(self, id, operations, out);
            }
            SchedulerCall::Message { agent_id, executor_id, data } => {
                tasks::message_to_executor(self, id, agent_id, executor_id, data, out);
            }
            SchedulerCall::Request => self.metrics.messages_resource_request += 1,
        }
    }

    fn agent_message(&mut self, now: Time, from: Pid, message: FromAgent, out: &mut Vec<Output>) {
        match message {
            FromAgent::Register(message) => agents::register(self, from, message, out),
            FromAgent::Reregister(message) => agents::reregister(self, now, from, message, out),
            FromAgent::Unregister(agent_id) => agents::unregister(self, &from, &agent_id, out),
            FromAgent::Update(message) => agents::update(self, now, *message, out),
            FromAgent::StatusUpdate(update) => tasks::status_update(self, now, update, out),
            FromAgent::ExitedExecutor { agent_id, framework_id, executor_id, status } => {
                tasks::exited_executor(self, agent_id, &framework_id, executor_id, status, out);
            }
            FromAgent::ExecutorMessage { agent_id, framework_id, executor_id, data } => {
                tasks::message_from_executor(self, agent_id, &framework_id, executor_id, data, out);
            }
            FromAgent::OperationStatus(update) => operations::status_update(self, now, &from, *update, out),
            FromAgent::Pong => agents::pong(self, now, &from, out),
        }
    }

    fn timer(&mut self, now: Time, timer: Timer, out: &mut Vec<Output>) {
        match timer {
            Timer::Ping(agent_id, generation) => agents::ping_due(self, now, &agent_id, generation, out),
            Timer::Reregister(agent_id, generation) => {
                agents::reregistration_due(self, now, &agent_id, generation, out);
            }
            Timer::Failover(framework_id, generation) => {
                frameworks::failover_due(self, now, &framework_id, generation, out);
            }
            Timer::Allocation => offers::allocation_due(self, now, out),
            Timer::AllocationInterval => offers::allocation_interval(self, now, out),
            Timer::Offer(framework_id, id) => offers::offer_due(self, &framework_id, &id, out),
            Timer::RecoveredAgents => registry::recovered_agents_due(self, now, out),
            Timer::Removal => registry::removal_due(self, now, out),
            Timer::RegistryGc => registry::gc_due(self, now, out),
            Timer::AllocationRecovery => self.allocation.resume(),
        }
    }

    /// All entities at one moment, shared.
    #[must_use]
    pub fn snapshot(&self, now: Time) -> Snapshot {
        Snapshot {
            time: now,
            frameworks: self.frameworks.registered.values().cloned().collect(),
            completed_frameworks: self.frameworks.completed.iter().cloned().collect(),
            agents: self.agents.registered.values().cloned().collect(),
            unreachable: self.agents.unreachable.iter().map(|(id, since)| (id.clone(), *since)).collect(),
            recovered: self
                .agents
                .recovered
                .iter()
                .map(|(id, info)| (id.clone(), Arc::clone(info)))
                .collect(),
            registry_queued: self.registry.queued(),
            gone: self.agents.gone.iter().map(|(id, since)| (id.clone(), *since)).collect(),
            weights: self.allocation.weights.clone(),
            quotas: self.allocation.quotas.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Agents that do not answer or are gone, by id.
    #[must_use]
    pub fn lost_agents(&self) -> Vec<LostAgent> {
        let lost = |gone| {
            move |(id, since): (&AgentId, &Time)| LostAgent {
                id: id.clone(),
                hostname: self.registry.agent(id).map(AgentRecord::hostname).unwrap_or_default(),
                since: *since,
                gone,
            }
        };
        let mut all: Vec<LostAgent> = self.agents.unreachable.iter().map(lost(false)).collect();
        all.extend(self.agents.gone.iter().map(lost(true)));
        all.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Counts and tells that something was not acted upon.
    pub(crate) fn drop(
        &mut self,
        what: &'static str,
        from: &impl ToString,
        why: impl Into<String>,
        out: &mut Vec<Output>,
    ) {
        self.metrics.dropped_messages += 1;
        out.push(Output::Observed(Observation::Dropped { what, from: from.to_string(), why: why.into() }));
    }

    /// Tells those who watch, if there are any.
    pub(crate) fn observe(&self, out: &mut Vec<Output>, observation: impl FnOnce() -> Observation) {
        if self.watched {
            out.push(Output::Observed(observation()));
        }
    }
}

/// An operator's call that is not refused is answered at once, or when the registry holds the change.
pub(crate) enum Answered {
    /// At once.
    Now,
    /// Later.
    Later,
}

/// Refuses an input of a master that does not lead: nothing is known about anything.
fn refuse(input: Input, why: &str, out: &mut Vec<Output>) {
    match input {
        Input::Subscribe { connection, .. } => out.push(Output::Close(connection)),
        Input::Operator { request, .. } => {
            out.push(Output::Reply { request, result: Err(OperatorError::Unavailable(why.to_owned())) });
        }
        _ => {}
    }
}

/// Sends an event to a framework, if it has a stream.
pub(crate) fn send(framework: &Framework, event: SchedulerEvent, out: &mut Vec<Output>) {
    if let Some((connection, _)) = framework.connection {
        out.push(Output::Event { connection, event });
    }
}

/// Sends a message to an agent.
pub(crate) fn send_agent(agent: &Agent, message: ToAgent, out: &mut Vec<Output>) {
    out.push(Output::ToAgent { to: agent.pid.clone(), message });
}

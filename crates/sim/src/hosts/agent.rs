//! An agent: its core with the server's part around it, and the machine that outlives both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    AgentCore, CheckId, CheckOrder, CheckOutcome, ExecutorCall, ExecutorRequest, FromMaster, Input, Output,
    RequestId, StreamId, ToMaster,
};
use base::{AgentId, ContainerId, ExecutorId, FrameworkId, Rng, TaskId, Time};
use master_core::{AgentInfo, AgentTraits};
use resources::Resources;

use super::clock::Clock;
use super::containers::Machine;
use super::disk::{Disk, Pending};
use crate::border::{SelfDescription, to_master};
use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::happening::Happening;
use crate::net::{LinkId, Packet};
use crate::node::Node;
use crate::queue::Event;
use crate::service::Leader;

const WORK_DIR: &str = "/var/lib/agent";

/// An agent's machine, and the agent while it runs.
#[derive(Debug)]
pub(crate) struct AgentHost {
    pub(crate) index: usize,
    pub(crate) process: Option<Process>,
    pub(crate) disk: Disk,
    pub(crate) machine: Machine,
    /// Of the process; each has another number.
    pub(crate) life: u64,
    pub(crate) clock: Clock,
    /// Who leads, as far as the process has seen.
    leader: Option<Leader>,
    resources: Resources,
    own: SelfDescription,
    /// How many descriptions were on the disk before this one.
    former_descriptions: u64,
    rng: Rng,
}

/// A running agent.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) core: AgentCore,
    pending: Pending,
    /// When the core's one timer fires, by the true time.
    timer: Option<Time>,
    /// Which executor's container each stream leads to.
    streams: BTreeMap<StreamId, ContainerId>,
    requests: BTreeMap<RequestId, ContainerId>,
    /// Checks that are under way.
    checks: BTreeSet<CheckId>,
    next: u64,
    ended: bool,
}

impl AgentHost {
    pub(crate) fn new(fabric: &Fabric, index: usize) -> Self {
        let rng = fabric.seeds.child(&format!("agent {index}"));
        let options = &fabric.options;
        let resources = Resources::parse(&options.agent_resources[index]).unwrap_or_default();
        let hostname = format!("agent-{index}");
        let info = AgentInfo {
            hostname: hostname.clone(),
            port: 5051,
            traits: Arc::new(AgentTraits { hostname, ..AgentTraits::default() }),
            resources: resources.clone(),
            body: base::Payload::default(),
        };
        Self {
            index,
            process: None,
            disk: Disk::new(rng.child("disk"), options.commit),
            machine: Machine::new(index, rng.child("machine")),
            life: 0,
            clock: Clock::default(),
            leader: None,
            resources,
            own: SelfDescription { info: Arc::new(info) },
            former_descriptions: 0,
            rng,
        }
    }

    pub(crate) fn node(&self) -> Node {
        Node::Agent(self.index)
    }

    /// The agent's id, as the process or, where there is none, the disk knows it.
    pub(crate) fn id(&self) -> Option<&AgentId> {
        match &self.process {
            Some(process) => process.core.id(),
            None => self.disk.memory.agent_id.as_ref(),
        }
    }

    /// Whether a task is on the disk.
    pub(crate) fn has_written(&self, framework: &FrameworkId, task: &TaskId) -> bool {
        self.disk.memory.tasks.contains_key(&(framework.clone(), task.clone()))
    }

    /// Starts the process: a new agent, or one that goes on where the earlier one was.
    ///
    /// # Errors
    /// If it cannot go on; the resources are the same as ever, so that it has to.
    pub(crate) fn start(&mut self, fabric: &mut Fabric, clock: Clock) -> Result<(), String> {
        self.life += 1;
        self.clock = clock;
        self.leader = None;
        fabric.net.born(self.node(), self.life);
        fabric.note(self.node(), "starts", "");
        let seed = self.rng.child(&format!("life {}", self.life)).next_u64();
        let options =
            agent_core::Options::new(seed, self.node().pid().into(), WORK_DIR, self.resources.clone());
        self.disk.open();
        if fabric.options.operators.is_some() && self.rng.chance(1, 3) {
            // Its operator has given it another description.
            let mut info = AgentInfo::clone(&self.own.info);
            info.body = self.life.to_be_bytes().as_slice().into();
            self.own.info = Arc::new(info);
            self.former_descriptions = self.disk.memory.descriptions;
        }
        let bodies = &fabric.bodies;
        let mut recovered = self.disk.memory.recovered(|operation| {
            bodies
                .operation_of(&operation.body)
                .map(|operation| (*operation).clone())
                .ok_or_else(|| "it cannot be read".to_owned())
        });
        recovered.described &= self.disk.memory.descriptions > self.former_descriptions;
        let forgotten = recovered.prune();
        if !forgotten.is_empty() {
            return Err(format!("what was written down is not whole: {forgotten:?}"));
        }
        fabric.show(Node::Agent(self.index), || self.disk.shown());
        let known = recovered.containers(&options);
        let found = self.machine.find(&known);
        recovered.found.clone_from(&found);
        let mut out = Vec::new();
        let core = AgentCore::recover(options, recovered, self.clock.shows(fabric.now), &mut out)
            .map_err(|error| format!("the agent cannot go on: {error}"))?;
        core.check();
        self.process = Some(Process {
            core,
            pending: Pending::default(),
            timer: None,
            streams: BTreeMap::new(),
            requests: BTreeMap::new(),
            checks: BTreeSet::new(),
            next: 0,
            ended: false,
        });
        self.execute(fabric, out);
        self.machine.adopt(fabric, self.life, &known, &found);
        self.commit(fabric);
        Ok(())
    }

    /// The process is killed; with its whole machine if `reboot`.
    pub(crate) fn kill(&mut self, fabric: &mut Fabric, reboot: bool) {
        let Some(mut process) = self.process.take() else { return };
        fabric.note(self.node(), if reboot { "loses power" } else { "is killed" }, "");
        if let Some(writes) = process.pending.committing.take() {
            fabric.show(Node::Agent(self.index), || format!("was just writing {writes:?}"));
            self.disk.torn(fabric.now, writes);
        }
        fabric.net.died(&mut fabric.queue, fabric.now, Node::Agent(self.index), reboot);
        if reboot {
            // It was never waited for.
            self.disk.memory.acknowledged.clear();
            self.machine.reboot();
        } else {
            self.machine.orphan(fabric);
        }
    }

    /// It is seen which master leads. The same one that leads anew is another leader.
    pub(crate) fn follow(&mut self, fabric: &mut Fabric, leader: Option<Leader>) {
        if self.leader != leader {
            self.leader = leader;
            let master = leader.map(|(_, master)| Node::Master(master).pid().into());
            self.input(fabric, Input::MasterDetected(master));
        }
    }

    /// A message came.
    pub(crate) fn receive(&mut self, fabric: &mut Fabric, from: agent_core::Pid, message: FromMaster) {
        if let FromMaster::AcknowledgeStatus { framework_id, task_id, uuid: Some(uuid) } = &message {
            let (framework_id, task_id, uuid) = (framework_id.clone(), task_id.clone(), *uuid);
            fabric.tell(Happening::AcknowledgementCame { framework_id, task_id, uuid });
            self.disk.memory.acknowledged.insert(uuid);
        }
        self.input(fabric, Input::FromMaster { from, message });
    }

    /// A link is lost.
    pub(crate) fn lost(&mut self, fabric: &mut Fabric, link: LinkId) {
        if let Some(to) = fabric.net.lost(self.node(), link) {
            self.input(fabric, Input::PeerLost(to.pid().into()));
        }
    }

    /// The timer fires, if it was not set anew meanwhile.
    pub(crate) fn timer(&mut self, fabric: &mut Fabric, at: Time) {
        let Some(process) = &mut self.process else { return };
        if process.timer == Some(at) {
            process.timer = None;
            self.input(fabric, Input::TimerFired);
        }
    }

    /// A commit is done, or has failed.
    pub(crate) fn committed(&mut self, fabric: &mut Fabric) {
        let Some(process) = &mut self.process else { return };
        if self.disk.is_full(fabric.now) {
            let pause = process.pending.failed();
            fabric.note(Node::Agent(self.index), "cannot write", "no space left on device");
            return fabric.after(pause, Event::Committed { agent: self.index, life: self.life });
        }
        let Some(writes) = process.pending.succeeded() else { return };
        self.disk.write(writes);
        for output in process.pending.gate.committed() {
            self.execute_one(fabric, output);
        }
        self.commit(fabric);
    }

    /// An executor calls.
    pub(crate) fn call(
        &mut self,
        fabric: &mut Fabric,
        container: &ContainerId,
        (framework_id, executor_id): (FrameworkId, ExecutorId),
        call: impl FnOnce(StreamId) -> ExecutorCall,
    ) {
        let Some(process) = &mut self.process else { return };
        process.next += 1;
        let (request, stream) = (RequestId(process.next), StreamId(process.next));
        process.requests.insert(request, container.clone());
        let call = call(stream);
        if matches!(call, ExecutorCall::Subscribe { .. }) {
            process.streams.insert(stream, container.clone());
        }
        self.input(fabric, Input::ExecutorCall(ExecutorRequest { request, framework_id, executor_id, call }));
    }

    /// The number that the next stream of an executor gets.
    pub(super) fn next_stream(&self) -> StreamId {
        StreamId(self.process.as_ref().map_or(0, |process| process.next + 1))
    }

    /// An executor's stream ended on its side.
    pub(super) fn stream_closed(&mut self, fabric: &mut Fabric, stream: StreamId) {
        if let Some(process) = &mut self.process {
            process.streams.remove(&stream);
        }
        self.input(fabric, Input::ExecutorStreamClosed(stream));
    }

    /// Hands the core an input, verifies its state and carries out what came of it.
    pub(crate) fn input(&mut self, fabric: &mut Fabric, input: Input) {
        let Some(process) = &mut self.process else { return };
        let mut out = Vec::new();
        process.core.handle(self.clock.shows(fabric.now), input, &mut out);
        process.core.check();
        self.execute(fabric, out);
        self.commit(fabric);
    }

    fn execute(&mut self, fabric: &mut Fabric, out: Vec<Output>) {
        for output in out {
            let Some(process) = &mut self.process else { return };
            let gate = &mut process.pending.gate;
            match output {
                Output::Checkpoint(write) => gate.write(*write),
                output @ (Output::SetTimer(_) | Output::Send { message: ToMaster::Pong, .. }) => {
                    self.execute_one(fabric, output);
                }
                output => {
                    if let Some(output) = gate.pass(output) {
                        self.execute_one(fabric, output);
                    }
                }
            }
        }
    }

    fn commit(&mut self, fabric: &mut Fabric) {
        let Some(process) = &mut self.process else { return };
        if let Some(writes) = process.pending.gate.begin() {
            process.pending.committing = Some(writes);
            let at = self.disk.commit_at(fabric.now);
            fabric.queue.put(at, Event::Committed { agent: self.index, life: self.life });
        } else if process.ended {
            self.end(fabric);
        }
    }

    fn end(&mut self, fabric: &mut Fabric) {
        fabric.note(self.node(), "ends", "");
        self.process = None;
        fabric.net.died(&mut fabric.queue, fabric.now, self.node(), false);
        self.machine.reboot();
        // Its operator starts it again, as a new agent.
        let pause = self.rng.duration(Duration::from_millis(100), Duration::from_secs(10));
        fabric.after(pause, Event::Start(self.node()));
    }

    fn execute_one(&mut self, fabric: &mut Fabric, output: Output) {
        let Some(process) = &mut self.process else { return };
        match output {
            Output::Send { to, message } => self.send(fabric, &to, message),
            Output::LaunchContainer(spec) => self.machine.launch(fabric, *spec),
            Output::SignalContainer { container_id, signal } => {
                self.machine.signal(fabric, &container_id, signal);
            }
            Output::DestroyContainer(id) => self.machine.destroy(fabric, &id),
            Output::ForgetContainer(id) => self.machine.forget(&id),
            Output::LinkVolumes { .. } | Output::UpdateContainer { .. } => {}
            Output::PerformCheck(order) => self.perform_check(fabric, &order),
            Output::CancelCheck(check) => {
                process.checks.remove(&check);
            }
            Output::ChangeVolumes { operation, .. } => {
                let failed = self.disk.is_full(fabric.now) || (!fabric.settling && self.rng.chance(1, 50));
                let result = if failed { Err("no space left on device".to_owned()) } else { Ok(()) };
                let delay = self.rng.around(fabric.options.commit);
                let (agent, life) = (self.index, self.life);
                fabric.after(delay, Event::Volumes { agent, life, operation, result });
            }
            Output::ExecutorReply { request, reply } => {
                let Some(container) = process.requests.remove(&request) else { return };
                let stream = StreamId(request.0);
                if reply.is_err() {
                    process.streams.remove(&stream);
                }
                if self.machine.answered(fabric, &container, stream, reply.is_ok()) {
                    self.repeat_updates(fabric, &container);
                }
            }
            Output::ExecutorEvent { stream, event } => {
                if let Some(container) = process.streams.get(&stream) {
                    self.machine.tell_executor(fabric, container, stream, event);
                }
            }
            Output::CloseExecutorStream(stream) => {
                if let Some(container) = process.streams.remove(&stream) {
                    self.machine.close_stream(&container, stream);
                }
            }
            Output::SetTimer(at) => {
                let at = self.clock.when(at).max(fabric.now);
                process.timer = Some(at);
                fabric.queue.put(at, Event::AgentTimer { agent: self.index, life: self.life, at });
            }
            Output::Terminate { reason } => {
                fabric.show(Node::Agent(self.index), || format!("terminates: {reason}"));
                process.ended = true;
            }
            Output::Checkpoint(write) => process.pending.gate.write(*write),
        }
    }

    /// A task is checked; what comes of it is known later.
    fn perform_check(&mut self, fabric: &mut Fabric, order: &CheckOrder) {
        let Some(process) = &mut self.process else { return };
        process.checks.insert(order.id);
        let outcome = self.machine.check(fabric, order);
        let takes = self.rng.around(Duration::from_millis(200));
        let (agent, life, check) = (self.index, self.life, order.id);
        fabric.after(takes, Event::Checked { agent, life, check, outcome: Box::new(outcome) });
    }

    /// A check is done, unless it was called off.
    pub(crate) fn checked(&mut self, fabric: &mut Fabric, check: CheckId, outcome: CheckOutcome) {
        if self.process.as_mut().is_some_and(|process| process.checks.remove(&check)) {
            self.input(fabric, Input::CheckEnded { check, outcome });
        }
    }

    fn send(&self, fabric: &mut Fabric, to: &agent_core::Pid, message: ToMaster) {
        let Some(node) = Node::of_pid(to.as_str()) else { return };
        if let ToMaster::StatusUpdate(update) = &message {
            fabric.tell(Happening::StatusSent {
                framework_id: update.framework_id.clone(),
                task_id: update.status.task_id.clone(),
                uuid: update.status.uuid,
                agent: (self.index, self.life),
                written: self.has_written(&update.framework_id, &update.status.task_id),
            });
        }
        if let Some(message) = to_master(&fabric.bodies, &self.own, message) {
            fabric.send(self.node(), node, Packet::ToMaster(message));
        }
    }
}

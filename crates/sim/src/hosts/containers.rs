//! The machine under an agent: containers, what is recorded of them, and the executors that run in some.
//!
//! Containers of frameworks that checkpoint go on when the agent dies, and what they end with is recorded; the others die with
//! it. When the machine loses its power all end and only the records stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use agent_core::{
    CheckOrder, CheckOutcome, CheckStatus, ContainerEvent, ContainerKind, ContainerSpec, Found,
    KnownContainer, Probe, StreamId,
};
use base::{ContainerId, Rng};

use super::executor::Executor;
use crate::bodies::Plan;
use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::happening::Happening;
use crate::node::Node;
use crate::queue::{Due, Event};

const SIGKILL: i32 = 9;
const SIGTERM: i32 = 15;

/// How far a container is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Its sandbox is made and filled.
    Preparing,
    /// Its process runs; or it is a group, and stands.
    Running,
    /// It was told to end, or had to.
    Dying,
}

/// A container.
#[derive(Debug)]
struct Container {
    spec: ContainerSpec,
    phase: Phase,
    nested: BTreeSet<ContainerId>,
    /// It is a group, and is to go as soon as nothing is nested in it.
    doomed: bool,
    plan: Plan,
    pid: u32,
}

impl Container {
    fn is_group(&self) -> bool {
        self.spec.kind == ContainerKind::Group
    }
}

/// The machine.
#[derive(Debug)]
pub(crate) struct Machine {
    agent: usize,
    /// Counts how often it was started.
    pub(crate) boot: u64,
    /// In which of these the last agent took over.
    adopted: u64,
    /// What the start before that has taken with it, as that agent has written down.
    taken: BTreeSet<ContainerId>,
    /// The agent's life, while it lives.
    listener: Option<u64>,
    live: BTreeMap<ContainerId, Container>,
    /// How containers ended, until the agent has written it down.
    records: BTreeMap<ContainerId, i32>,
    pub(super) executors: BTreeMap<ContainerId, Executor>,
    pub(super) rng: Rng,
    pids: u32,
}

impl Machine {
    pub(crate) fn new(agent: usize, rng: Rng) -> Self {
        Self {
            agent,
            boot: 0,
            adopted: 0,
            taken: BTreeSet::new(),
            listener: None,
            live: BTreeMap::new(),
            records: BTreeMap::new(),
            executors: BTreeMap::new(),
            rng,
            pids: 100,
        }
    }

    fn node(&self) -> Node {
        Node::Agent(self.agent)
    }

    pub(super) fn due(&self, fabric: &mut Fabric, delay: Duration, container: &ContainerId, due: Due) {
        let (agent, boot, container) = (self.agent, self.boot, container.clone());
        fabric.after(delay, Event::Container { agent, boot, container, due });
    }

    fn tell(&self, fabric: &mut Fabric, container: &ContainerId, event: ContainerEvent) {
        let Some(life) = self.listener else { return };
        let (agent, container) = (self.agent, container.clone());
        fabric.after(Duration::ZERO, Event::Told { agent, life, container, event: Box::new(event) });
    }

    /// Orders a container.
    pub(crate) fn launch(&mut self, fabric: &mut Fabric, spec: ContainerSpec) {
        let body = spec.task.as_ref().map_or(&spec.executor.body, |task| &task.body);
        let plan = fabric.bodies.plan_of(body).cloned().unwrap_or_default();
        let id = spec.container_id.clone();
        if let Some(parent) = spec.parent.as_ref().and_then(|parent| self.live.get_mut(parent)) {
            parent.nested.insert(id.clone());
        }
        self.pids += 1;
        let container = Container {
            spec,
            phase: Phase::Preparing,
            nested: BTreeSet::new(),
            doomed: false,
            plan,
            pid: self.pids,
        };
        self.live.insert(id.clone(), container);
        let takes = self.rng.around(fabric.options.launch);
        self.due(fabric, takes, &id, Due::Prepared);
    }

    /// Something is due about a container. Nothing is about one that is gone. On a disk that is `full` no sandbox is made.
    pub(crate) fn happens(&mut self, fabric: &mut Fabric, id: &ContainerId, due: Due, full: bool) {
        match due {
            Due::Prepared => self.prepared(fabric, id, full),
            Due::Ends(status) => self.ended(fabric, id, status),
            Due::Dies(status) => {
                if self.live.get(id).is_some_and(|container| container.phase == Phase::Dying) {
                    self.ended(fabric, id, status);
                }
            }
            Due::Subscribes | Due::TaskEnds(..) => {}
        }
    }

    fn prepared(&mut self, fabric: &mut Fabric, id: &ContainerId, full: bool) {
        // The agent does this itself: what it did not come to do never happens.
        let Some(container) = self.live.get_mut(id).filter(|container| container.phase == Phase::Preparing)
        else {
            return;
        };
        let unlucky = !fabric.settling && self.rng.chance(fabric.options.launches_fail, 1000);
        if full || unlucky {
            self.remove(fabric, id);
            let why = if full { "no space left on device" } else { "no route to host" };
            let message = format!("Failed to fetch all URIs for container '{id}': {why}");
            return self.tell(fabric, id, ContainerEvent::LaunchFailed { message });
        }
        container.phase = Phase::Running;
        let pid = (!container.is_group()).then_some(container.pid);
        let (life, status) = (container.plan.life, container.plan.status);
        let spec = &container.spec;
        if let Some(task_id) = &spec.task_id {
            fabric.tell(Happening::TaskStarted {
                agent: self.agent,
                framework_id: spec.framework_id.clone(),
                task_id: task_id.clone(),
            });
        } else if pid.is_some() {
            let executor = Executor::new(spec);
            self.executors.insert(id.clone(), executor);
            let starts = self.rng.around(Duration::from_millis(300));
            self.due(fabric, starts, id, Due::Subscribes);
        }
        fabric.note(Node::Agent(self.agent), "container runs", id.as_str());
        if let Some(life) = life {
            self.due(fabric, life, id, Due::Ends(status));
        }
        self.tell(fabric, id, ContainerEvent::Launched { pid });
    }

    fn ended(&mut self, fabric: &mut Fabric, id: &ContainerId, status: i32) {
        let Some(container) = self.live.get(id) else { return };
        if container.phase == Phase::Preparing || container.is_group() {
            return;
        }
        fabric.note(self.node(), "container ends", id.as_str());
        self.executors.remove(id);
        self.records.insert(id.clone(), status);
        self.remove(fabric, id);
        self.tell(fabric, id, ContainerEvent::Exited { status: Some(status), limitation: None });
    }

    /// Takes a container away. A group that waited for it goes too.
    fn remove(&mut self, fabric: &mut Fabric, id: &ContainerId) {
        let Some(container) = self.live.remove(id) else { return };
        let Some(parent_id) = container.spec.parent else { return };
        let Some(parent) = self.live.get_mut(&parent_id) else { return };
        parent.nested.remove(id);
        if parent.doomed && parent.nested.is_empty() {
            self.live.remove(&parent_id);
            self.tell(fabric, &parent_id, ContainerEvent::Exited { status: None, limitation: None });
        }
    }

    /// Sends a signal to a container's processes.
    pub(crate) fn signal(&mut self, fabric: &mut Fabric, id: &ContainerId, signal: i32) {
        let Some(container) = self.live.get_mut(id) else { return };
        if container.phase == Phase::Running
            && !container.is_group()
            && container.plan.polite
            && signal == SIGTERM
        {
            container.phase = Phase::Dying;
            let takes = self.rng.around(Duration::from_millis(500));
            self.due(fabric, takes, id, Due::Dies(SIGTERM));
        }
    }

    /// Ends a container by force, and what is nested in it.
    pub(crate) fn destroy(&mut self, fabric: &mut Fabric, id: &ContainerId) {
        let Some(container) = self.live.get_mut(id) else { return };
        if container.is_group() {
            container.doomed = true;
            let nested = container.nested.clone();
            if nested.is_empty() {
                self.remove(fabric, id);
                return self.tell(fabric, id, ContainerEvent::Exited { status: None, limitation: None });
            }
            for nested in nested {
                self.destroy(fabric, &nested);
            }
            return;
        }
        if container.phase == Phase::Preparing {
            self.remove(fabric, id);
            return self.tell(fabric, id, ContainerEvent::Exited { status: None, limitation: None });
        }
        container.phase = Phase::Dying;
        let takes = self.rng.around(Duration::from_millis(20));
        self.due(fabric, takes, id, Due::Dies(SIGKILL));
    }

    /// How it ended is written down.
    pub(crate) fn forget(&mut self, id: &ContainerId) {
        self.records.remove(id);
    }

    /// The agent died: what does not survive it ends, and what was not ready never runs.
    pub(crate) fn orphan(&mut self, fabric: &mut Fabric) {
        self.listener = None;
        let doomed: Vec<ContainerId> = self
            .live
            .iter()
            .filter(|(_, container)| !container.spec.survives || container.phase == Phase::Preparing)
            .map(|(id, _)| id.clone())
            .collect();
        for id in doomed {
            self.executors.remove(&id);
            self.live.remove(&id);
            for container in self.live.values_mut() {
                container.nested.remove(&id);
            }
        }
        self.executors_orphaned(fabric);
    }

    /// The machine lost its power.
    pub(crate) fn reboot(&mut self) {
        self.boot += 1;
        self.listener = None;
        self.live.clear();
        self.executors.clear();
    }

    /// What has become of containers that an earlier agent knew.
    pub(crate) fn find(&self, known: &[KnownContainer]) -> BTreeMap<ContainerId, Found> {
        let find = |known: &KnownContainer| match self.live.get(&known.container_id) {
            Some(container) if container.is_group() => Found::Running(None),
            Some(container) => Found::Running(Some(container.pid)),
            None if self.records.contains_key(&known.container_id) => Found::Ended,
            // What runs has a record on the disk, as long as the machine has power: what has none has never run.
            None if known.awaited
                && self.boot == self.adopted
                && !self.taken.contains(&known.container_id) =>
            {
                Found::Unstarted
            }
            None => Found::Lost,
        };
        known.iter().map(|known| (known.container_id.clone(), find(known))).collect()
    }

    /// A new agent takes over. It is told how those ended that are not there any more; what it does not know is removed.
    pub(crate) fn adopt(
        &mut self,
        fabric: &mut Fabric,
        life: u64,
        known: &[KnownContainer],
        found: &BTreeMap<ContainerId, Found>,
    ) {
        self.listener = Some(life);
        if self.adopted != self.boot {
            self.adopted = self.boot;
            self.taken = known.iter().map(|known| known.container_id.clone()).collect();
        }
        let ids: BTreeSet<&ContainerId> = known.iter().map(|known| &known.container_id).collect();
        let unknown: Vec<ContainerId> = self.live.keys().filter(|id| !ids.contains(id)).cloned().collect();
        for id in unknown {
            fabric.show(self.node(), || format!("removes {id}, which nobody knows"));
            self.executors.remove(&id);
            self.live.remove(&id);
        }
        for known in known.iter().rev() {
            let id = &known.container_id;
            // What never started the agent orders again.
            if !self.live.contains_key(id) && found.get(id) != Some(&Found::Unstarted) {
                let status = self.records.get(id).copied();
                self.tell(fabric, id, ContainerEvent::Exited { status, limitation: None });
            }
        }
    }

    /// The executor that has a stream was sent something; it takes its way.
    pub(crate) fn tell_executor(
        &self,
        fabric: &mut Fabric,
        container: &ContainerId,
        stream: StreamId,
        event: agent_core::ExecutorEvent,
    ) {
        let (agent, boot, container) = (self.agent, self.boot, container.clone());
        let event = Event::Hears { agent, boot, container, stream: stream.0, event: Box::new(event) };
        fabric.after(Duration::from_micros(200), event);
    }

    /// The executor's process ends by itself.
    pub(super) fn exits(&mut self, fabric: &mut Fabric, id: &ContainerId, status: i32) {
        self.due(fabric, Duration::from_millis(10), id, Due::Ends(status));
    }

    /// What a check of a task finds. One of a task in ten or so is ill for some time.
    pub(crate) fn check(&mut self, fabric: &Fabric, order: &CheckOrder) -> CheckOutcome {
        let Some(container) =
            self.live.get(&order.container_id).filter(|container| container.phase == Phase::Running)
        else {
            return CheckOutcome::Unavailable("the container is not there".to_owned());
        };
        let sick = if fabric.settling { 0 } else { container.plan.sick };
        let well = !self.rng.chance(sick, 100);
        if !well && self.rng.chance(1, 4) {
            return CheckOutcome::Failed("it took too long".to_owned());
        }
        CheckOutcome::Found(match order.probe {
            Probe::Command(_) => CheckStatus::Command(Some(i32::from(!well))),
            Probe::Http { .. } => CheckStatus::Http(Some(if well { 200 } else { 500 })),
            Probe::Tcp { .. } => CheckStatus::Tcp(Some(well)),
        })
    }

    pub(super) fn listener(&self) -> Option<u64> {
        self.listener
    }

    /// A task's description belongs to its executor's container here.
    pub(super) fn plan(fabric: &Fabric, task: &Arc<agent_core::TaskInfo>) -> Option<Plan> {
        fabric.bodies.plan_of(&task.body).cloned()
    }
}

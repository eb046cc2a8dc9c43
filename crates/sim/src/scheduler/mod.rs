//! Frameworks' schedulers: what a scheduler that knows the API does by itself. What it does on purpose is in `workloads`.
//!
//! A scheduler remembers its framework's id and its tasks in a place that outlives it. It acknowledges what it is told, asks
//! about its tasks when it comes back, and believes what it is told last.

mod events;
mod settle;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, ExecutorId, FrameworkId, OfferId, OperationId, Rng, TaskId, Uuid};
use master_core::{
    Condition, ConnectionId, Constraints, ExecutorInfo, FrameworkCapabilities, FrameworkInfo, Offer,
    OfferConstraints, Predicate, SchedulerCall, Selector,
};
use resources::Role;

use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::happening::Happening;
use crate::net::{LinkId, Packet};
use crate::node::Node;
use crate::queue::Event;
use crate::service::Leader;

pub(crate) use tasks::Known;

/// A subscription.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    stream: Uuid,
    calls: LinkId,
    events: LinkId,
    pub(crate) subscribed: bool,
}

/// A framework with its scheduler.
#[derive(Debug)]
pub(crate) struct Scheduler {
    pub(crate) index: usize,
    /// Of the process; each has another number.
    pub(crate) life: u64,
    pub(crate) running: bool,
    pub(crate) info: Arc<FrameworkInfo>,
    pub(crate) id: Option<FrameworkId>,
    pub(crate) session: Option<Session>,
    pub(crate) offers: BTreeMap<OfferId, Arc<Offer>>,
    pub(crate) tasks: BTreeMap<TaskId, Known>,
    /// Its executors, which have to be described alike each time, by agent.
    pub(crate) executors: BTreeMap<(AgentId, ExecutorId), Arc<ExecutorInfo>>,
    /// Operations of which it has not heard the end.
    pub(crate) operations: BTreeMap<OperationId, AgentId>,
    /// Acknowledgements that it puts off.
    pub(crate) unsent: Vec<(AgentId, TaskId, Uuid)>,
    /// It puts off acknowledgements.
    pub(crate) lazy: bool,
    /// It stays away for so many turns.
    pub(crate) away: u32,
    /// Of which tasks it has heard the end.
    pub(crate) over: BTreeSet<TaskId>,
    pub(crate) rng: Rng,
    pub(crate) names: u64,
    /// It has ended its framework and waits for that.
    pub(crate) ending: bool,
    revived: bool,
    /// Of which agents it wants offers.
    constraints: Arc<OfferConstraints>,
    /// Who leads, as far as the process has seen.
    leader: Option<Leader>,
}

impl Scheduler {
    pub(crate) fn new(fabric: &mut Fabric, index: usize) -> Self {
        let mut rng = fabric.seeds.child(&format!("scheduler {index}"));
        let info = description(fabric, &mut rng, index, 0);
        let lazy = rng.chance(1, 4);
        Self {
            index,
            life: 0,
            running: false,
            info,
            id: None,
            session: None,
            offers: BTreeMap::new(),
            tasks: BTreeMap::new(),
            executors: BTreeMap::new(),
            operations: BTreeMap::new(),
            unsent: Vec::new(),
            lazy,
            away: 0,
            over: BTreeSet::new(),
            rng,
            names: 0,
            ending: false,
            revived: false,
            constraints: Arc::default(),
            leader: None,
        }
    }

    pub(crate) fn node(&self) -> Node {
        Node::Scheduler(self.index)
    }

    /// Whether it can call.
    pub(crate) fn subscribed(&self) -> bool {
        self.running && self.session.as_ref().is_some_and(|session| session.subscribed)
    }

    /// Starts the process; what it remembered it knows again.
    pub(crate) fn start(&mut self, fabric: &mut Fabric) {
        self.life += 1;
        self.running = true;
        self.leader = None;
        fabric.net.born(self.node(), self.life);
        fabric.note(self.node(), "starts", "");
        fabric.after(Duration::ZERO, Event::Scheduler { scheduler: self.index, life: self.life });
    }

    /// The process is killed.
    pub(crate) fn kill(&mut self, fabric: &mut Fabric, silent: bool) {
        if std::mem::replace(&mut self.running, false) {
            fabric.note(self.node(), "is killed", "");
            self.forget_session();
            self.unsent.clear();
            fabric.net.died(&mut fabric.queue, fabric.now, self.node(), silent);
        }
    }

    fn forget_session(&mut self) {
        self.session = None;
        self.revived = false;
        self.offers.clear();
    }

    /// It is seen which master leads: the subscription with another one is worth nothing.
    pub(crate) fn follow(&mut self, fabric: &mut Fabric, leader: Option<Leader>) {
        if self.leader != leader {
            self.leader = leader;
            self.disconnect(fabric);
        }
    }

    /// Subscribes with the master that leads.
    pub(crate) fn subscribe(&mut self, fabric: &mut Fabric) {
        let Some((_, master)) = self.leader else { return };
        let master = Node::Master(master);
        let (calls, events) = fabric.net.open_session(self.node(), master);
        let connection = ConnectionId(fabric.new_connection());
        let stream = self.rng.uuid();
        self.session = Some(Session { stream, calls, events, subscribed: false });
        self.constraints = if fabric.settling { Arc::default() } else { self.some_constraints(fabric) };
        let packet = Packet::Subscribe {
            connection,
            events,
            stream,
            framework_id: self.id.clone(),
            info: Arc::clone(&self.info),
            constraints: Arc::clone(&self.constraints),
        };
        fabric.net.dial(&mut fabric.queue, fabric.now, calls);
        fabric.send_over(calls, packet);
    }

    /// In one of its subscriptions in five it wants offers of some agents only.
    fn some_constraints(&mut self, fabric: &Fabric) -> Arc<OfferConstraints> {
        if !self.rng.chance(1, 5) {
            return Arc::default();
        }
        let name = format!("agent-{}", self.rng.index(fabric.options.agent_resources.len()));
        let predicate =
            if self.rng.chance(1, 2) { Predicate::TextEquals(name) } else { Predicate::TextNotEquals(name) };
        let condition = Condition { selector: Selector::Hostname, predicate };
        let constraints = Arc::new(Constraints { any_of: vec![vec![condition]] });
        let roles = self.info.roles.iter().map(|role| (role.clone(), Arc::clone(&constraints)));
        Arc::new(OfferConstraints { roles: roles.collect(), body: base::Payload::default() })
    }

    /// Whether an offer is of an agent of which it wants offers.
    fn wants(&self, offer: &Offer) -> bool {
        let of_role = self.constraints.roles.get(&offer.role);
        of_role.is_none_or(|constraints| constraints.permits(&offer.agent.traits))
    }

    /// Whether it wants offers of some agents only.
    pub(super) fn is_choosy(&self) -> bool {
        !self.constraints.roles.is_empty()
    }

    /// Leaves its stream as it is and subscribes anew, as another instance would.
    pub(crate) fn abandon_session(&mut self) {
        self.forget_session();
    }

    /// Hangs up.
    pub(crate) fn disconnect(&mut self, fabric: &mut Fabric) {
        let Some(session) = self.session.clone() else { return };
        fabric.net.break_link(&mut fabric.queue, fabric.now, session.calls, Duration::ZERO);
        self.forget_session();
    }

    /// A link is lost.
    pub(crate) fn lost(&mut self, fabric: &mut Fabric, link: LinkId) {
        if self.session.as_ref().is_some_and(|session| session.calls == link || session.events == link) {
            fabric.show(self.node(), || "its stream is lost".to_owned());
            self.forget_session();
        }
    }

    /// Makes a call, if it can.
    pub(crate) fn call(&mut self, fabric: &mut Fabric, call: SchedulerCall) {
        let (Some(session), Some(id)) = (&self.session, &self.id) else { return };
        if session.subscribed {
            let (framework_id, stream) = (id.clone(), session.stream);
            if let SchedulerCall::Acknowledge { task_id, uuid, .. } = &call {
                let (framework_id, task_id, uuid) = (framework_id.clone(), task_id.clone(), *uuid);
                fabric.tell(Happening::Acknowledged { framework_id, task_id, uuid });
            }
            fabric.send_over(session.calls, Packet::Call { framework_id, stream, call });
        }
    }

    /// The framework is over; the next one begins.
    pub(crate) fn begin_anew(&mut self, fabric: &mut Fabric) {
        if let Some(id) = self.id.take() {
            fabric.note(self.node(), "begins anew after", id.as_str());
            fabric.tell(Happening::FrameworkOver(id));
        }
        if let Some(session) = self.session.clone() {
            fabric.net.break_link(&mut fabric.queue, fabric.now, session.calls, Duration::ZERO);
        }
        self.forget_session();
        self.tasks.clear();
        self.executors.clear();
        self.operations.clear();
        self.unsent.clear();
        self.over.clear();
        self.ending = false;
        self.names += 1;
        self.info = description(fabric, &mut self.rng, self.index, self.names);
    }

    /// A name that was never used before.
    pub(crate) fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}{}-{}", self.index, self.names)
    }
}

fn description(fabric: &mut Fabric, rng: &mut Rng, index: usize, number: u64) -> Arc<FrameworkInfo> {
    let role: Role = ["*", "web", "web/shop", "batch"][rng.index(4)].into();
    let mut roles = std::collections::BTreeSet::from([role]);
    if rng.chance(1, 4) {
        roles.insert("ops".into());
    }
    fabric.bodies.framework(FrameworkInfo {
        name: format!("framework {index}-{number}"),
        user: "root".to_owned(),
        principal: rng.chance(1, 2).then(|| format!("principal-{index}")),
        roles,
        capabilities: FrameworkCapabilities {
            multi_role: true,
            reservation_refinement: true,
            partition_aware: rng.chance(1, 2),
            task_killing_state: rng.chance(1, 2),
            ..FrameworkCapabilities::default()
        },
        failover_timeout: Duration::from_secs([0, 10, 60, 3_600][rng.index(4)]),
        checkpoint: rng.chance(2, 3),
        min_allocatable: BTreeMap::new(),
        body: base::Payload::default(),
        kept: false,
    })
}

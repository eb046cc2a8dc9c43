//! All processes, and what happens to each when something happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::{ContainerEvent, Input, StreamId};
use base::{ContainerId, Rng, Time};

use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::hosts::{AgentHost, Clock, MasterHost};
use crate::net::{Arrival, Packet};
use crate::node::Node;
use crate::options::Options;
use crate::queue::{Due, Event};
use crate::scheduler::Scheduler;
use crate::service::{Answer, Ask, Leader};
use crate::trace::Lines;
use crate::workloads;

/// How often a scheduler has its turn while everything comes to rest.
const SETTLING_TURN: Duration = Duration::from_secs(7);

/// All processes.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) fabric: Fabric,
    pub(crate) masters: Vec<MasterHost>,
    pub(crate) agents: Vec<AgentHost>,
    pub(crate) schedulers: Vec<Scheduler>,
    /// Until when processes stand still.
    paused: BTreeMap<Node, Time>,
    rng: Rng,
}

impl Cluster {
    pub(crate) fn new(options: Options, lines: Lines) -> Self {
        let mut fabric = Fabric::new(Arc::new(options), lines);
        let agents =
            (0..fabric.options.agent_resources.len()).map(|index| AgentHost::new(&fabric, index)).collect();
        let schedulers =
            (0..fabric.options.schedulers).map(|index| Scheduler::new(&mut fabric, index)).collect();
        let rng = fabric.seeds.child("cluster");
        let masters = (0..fabric.options.masters).map(MasterHost::new).collect();
        Self { masters, agents, schedulers, paused: BTreeMap::new(), rng, fabric }
    }

    /// Everybody.
    pub(crate) fn nodes(&self) -> Vec<Node> {
        let masters = (0..self.masters.len()).map(Node::Master);
        let agents = (0..self.agents.len()).map(Node::Agent);
        masters.chain(agents).chain((0..self.schedulers.len()).map(Node::Scheduler)).collect()
    }

    /// Starts a process that does not run.
    pub(crate) fn start(&mut self, node: Node) -> Result<(), String> {
        if self.fabric.net.life(node).is_some() {
            return Ok(());
        }
        let clock = Clock::new(self.rng.duration(Duration::ZERO, self.fabric.options.clock_jump));
        let fabric = &mut self.fabric;
        match node {
            Node::Master(index) => self.masters[index].start(fabric, clock),
            Node::Agent(index) if self.agents[index].disk.is_full(fabric.now) => {
                // It cannot open what it remembers, and ends; who started it tries again.
                fabric.note(node, "cannot start", "no space left on device");
                fabric.after(Duration::from_secs(2), Event::Start(node));
            }
            Node::Agent(index) => self.agents[index].start(fabric, clock)?,
            Node::Scheduler(index) => self.schedulers[index].start(fabric),
            Node::Service => {}
        }
        self.look(node);
        Ok(())
    }

    /// A process looks who leads, and does so again when it has to.
    fn look(&mut self, node: Node) {
        let fabric = &mut self.fabric;
        let Some(life) = fabric.net.life(node).filter(|_| !matches!(node, Node::Master(_))) else { return };
        let sees = fabric.service.alone
            || (fabric.service.is_up(fabric.now) && fabric.net.reach_each_other(node, Node::Service));
        if !sees {
            fabric.after(Duration::from_secs(1), Event::Looks { node, life });
        }
        let leader = if sees { fabric.service.leader() } else { None };
        if !sees && !self.rng.chance(1, 5) {
            // Who leads may still be so.
            return;
        }
        match node {
            Node::Agent(index) => self.agents[index].follow(fabric, leader),
            Node::Scheduler(index) => self.schedulers[index].follow(fabric, leader),
            Node::Master(_) | Node::Service => {}
        }
    }

    /// A master's question comes to the service.
    fn asks(&mut self, (master, life): (usize, u64), asked: Time, ask: Ask) {
        let node = Node::Master(master);
        let fabric = &mut self.fabric;
        let alone = fabric.service.alone;
        // What a process was just writing to its own disk when it died is not there; a service may hear of it later.
        let reaches = if alone {
            fabric.net.life(node) == Some(life)
        } else {
            !fabric.net.is_blocked(node, Node::Service)
        };
        if !fabric.service.is_up(fabric.now) || !reaches {
            return;
        }
        let led = fabric.service.leader();
        fabric.service.expire(fabric.now);
        let answer = fabric.service.hear(fabric.now, (master, life), ask, fabric.settling);
        self.leader_may_be_another(led);
        let fabric = &mut self.fabric;
        if let Some(answer) = answer {
            let until = fabric.options.session;
            if matches!(answer, Answer::Stands { .. }) {
                fabric.after(until, Event::Expires);
            }
            let way = fabric.service.way();
            fabric.after(way, Event::Answers { master, life, asked, answer: Box::new(answer) });
        }
    }

    /// Everybody hears sooner or later who leads.
    fn leader_may_be_another(&mut self, led: Option<Leader>) {
        let leads = self.fabric.service.leader();
        if leads == led {
            return;
        }
        let about = leads.map_or_else(|| "nobody".to_owned(), |(_, master)| Node::Master(master).to_string());
        self.fabric.note(Node::Service, "has another leader:", &about);
        for node in self.nodes() {
            if let Some(life) = self.fabric.net.life(node) {
                let pause = self.fabric.service.news();
                let event = match node {
                    Node::Master(master) => Event::MasterNews { master, life },
                    node => Event::Looks { node, life },
                };
                self.fabric.after(pause, event);
            }
        }
    }

    /// Lets a process stand still.
    pub(crate) fn pause(&mut self, node: Node, pause: Duration) {
        if self.paused.contains_key(&node) || self.fabric.net.life(node).is_none() {
            return;
        }
        self.fabric.note(node, "stops", "");
        self.paused.insert(node, self.fabric.now + pause);
        self.fabric.after(pause, Event::Resume(node));
    }

    /// Whether a process stands still.
    pub(crate) fn is_paused(&self, node: Node) -> bool {
        self.paused.get(&node).is_some_and(|until| *until > self.fabric.now)
    }

    /// All processes run, and nothing stands still.
    pub(crate) fn mend(&mut self) -> Result<(), String> {
        self.paused.clear();
        self.fabric.settling = true;
        self.fabric.net.calm();
        self.fabric.net.unblock_all(&mut self.fabric.queue, self.fabric.now);
        self.fabric.service.down_until = Time::EPOCH;
        self.fabric.service.slowness = 1;
        self.fabric.service.full_until = Time::EPOCH;
        for agent in &mut self.agents {
            agent.disk.mend();
        }
        for node in self.nodes() {
            self.start(node)?;
        }
        Ok(())
    }

    /// Who has to do with an event.
    fn concerned(&self, event: &Event) -> Option<Node> {
        match event {
            Event::Arrive(link) => self.fabric.net.link(*link).map(|link| link.to),
            Event::Lost { node, .. } => Some(*node),
            Event::MasterTimer { master, .. }
            | Event::MasterTick { master, .. }
            | Event::MasterNews { master, .. }
            | Event::LeaseEnds { master, .. }
            | Event::Answers { master, .. } => Some(Node::Master(*master)),
            Event::Looks { node, .. } => Some(*node),
            Event::AgentTimer { agent, .. }
            | Event::Committed { agent, .. }
            | Event::Volumes { agent, .. }
            | Event::Checked { agent, .. }
            | Event::Hears { agent, .. }
            // The agent prepares containers, and answers executors.
            | Event::Container { agent, due: Due::Prepared | Due::Subscribes | Due::TaskEnds(..), .. }
            | Event::Told { agent, .. } => Some(Node::Agent(*agent)),
            Event::Scheduler { scheduler, .. } => Some(Node::Scheduler(*scheduler)),
            _ => None,
        }
    }

    /// Takes the next event, and says whom it concerned; `None` once there are none, which never is.
    pub(crate) fn step(&mut self) -> Result<Stepped, String> {
        let Some((at, event)) = self.fabric.queue.pop() else { return Ok(Stepped::Nothing) };
        self.fabric.now = self.fabric.now.max(at);
        let node = self.concerned(&event);
        if let Some(until) =
            node.and_then(|node| self.paused.get(&node)).copied().filter(|until| *until > self.fabric.now)
        {
            self.fabric.queue.put(until, event);
            return Ok(Stepped::Nothing);
        }
        match event {
            Event::Strike(fault) => return Ok(Stepped::Strike(fault)),
            Event::Over(fault) => return Ok(Stepped::Over(fault)),
            event => self.handle(event)?,
        }
        Ok(node.map_or(Stepped::Nothing, Stepped::Touched))
    }

    fn handle(&mut self, event: Event) -> Result<(), String> {
        let fabric = &mut self.fabric;
        match event {
            Event::Arrive(link) => {
                if let Some(arrival) = fabric.net.arrive(&mut fabric.queue, fabric.now, link) {
                    return self.arrived(arrival);
                }
            }
            Event::GiveUp(link) => fabric.net.give_up(&mut fabric.queue, fabric.now, link),
            Event::Lost { node, life, link } if fabric.net.life(node) == Some(life) => {
                return self.link_lost(node, link);
            }
            Event::MasterTimer { master, life, timer } => {
                let host = &mut self.masters[master];
                if host.process.is_some() && host.life == life {
                    return host.timer(fabric, *timer);
                }
            }
            Event::MasterTick { master, life } if fabric.net.life(Node::Master(master)) == Some(life) => {
                return self.masters[master].tick(fabric);
            }
            Event::MasterNews { master, life } if fabric.net.life(Node::Master(master)) == Some(life) => {
                self.masters[master].renew(fabric);
            }
            Event::LeaseEnds { master, life } if fabric.net.life(Node::Master(master)) == Some(life) => {
                self.masters[master].lease(fabric);
            }
            Event::Asks { master, life, asked, ask } => self.asks((master, life), asked, *ask),
            Event::Answers { master, life, asked, answer }
                if fabric.net.life(Node::Master(master)) == Some(life)
                    && (fabric.service.alone
                        || !fabric.net.is_blocked(Node::Service, Node::Master(master))) =>
            {
                return self.masters[master].answered(fabric, asked, *answer);
            }
            Event::Expires => {
                let led = fabric.service.leader();
                fabric.service.expire(fabric.now);
                self.leader_may_be_another(led);
            }
            Event::Looks { node, life } if fabric.net.life(node) == Some(life) => self.look(node),
            Event::AgentTimer { agent, life, at } if self.agents[agent].life == life => {
                self.agents[agent].timer(fabric, at);
            }
            Event::Committed { agent, life } if self.agents[agent].life == life => {
                self.agents[agent].committed(fabric);
            }
            Event::Volumes { agent, life, operation, result } if self.agents[agent].life == life => {
                self.agents[agent].input(fabric, Input::VolumesChanged { operation, result });
            }
            Event::Checked { agent, life, check, outcome } if self.agents[agent].life == life => {
                self.agents[agent].checked(fabric, check, *outcome);
            }
            Event::Container { agent, boot, container, due } if self.agents[agent].machine.boot == boot => {
                self.container_due(agent, &container, due);
            }
            Event::Told { agent, life, container, event } if self.agents[agent].life == life => {
                self.told(agent, container, *event);
            }
            Event::Hears { agent, boot, container, stream, event }
                if self.agents[agent].machine.boot == boot =>
            {
                self.agents[agent].executor_hears(fabric, &container, StreamId(stream), *event);
            }
            Event::Scheduler { scheduler, life } => self.turn(scheduler, life),
            Event::Start(node) => return self.start(node),
            Event::Resume(node) => {
                self.paused.remove(&node);
                fabric.note(node, "goes on", "");
            }
            _ => {}
        }
        Ok(())
    }

    fn arrived(&mut self, Arrival { from, to, link, packet }: Arrival) -> Result<(), String> {
        let fabric = &mut self.fabric;
        let about = packet.about();
        fabric.note(to, packet.name(), &about);
        match (to, packet) {
            (Node::Master(index), packet) => self.masters[index].receive(fabric, from, packet),
            (Node::Agent(index), Packet::ToAgent { from, message }) => {
                self.agents[index].receive(fabric, from, message);
                Ok(())
            }
            (Node::Scheduler(index), packet) => {
                self.schedulers[index].receive(fabric, link, packet);
                Ok(())
            }
            (Node::Agent(_) | Node::Service, _) => Ok(()),
        }
    }

    fn link_lost(&mut self, node: Node, link: crate::net::LinkId) -> Result<(), String> {
        let fabric = &mut self.fabric;
        match node {
            Node::Master(index) => self.masters[index].lost(fabric, link),
            Node::Agent(index) => {
                self.agents[index].lost(fabric, link);
                Ok(())
            }
            Node::Scheduler(index) => {
                self.schedulers[index].lost(fabric, link);
                Ok(())
            }
            Node::Service => Ok(()),
        }
    }

    fn container_due(&mut self, agent: usize, container: &ContainerId, due: Due) {
        let host = &mut self.agents[agent];
        match due {
            Due::Subscribes | Due::TaskEnds(..) => host.executor_due(&mut self.fabric, container, due),
            due => {
                let full = host.disk.is_full(self.fabric.now);
                host.machine.happens(&mut self.fabric, container, due, full);
            }
        }
    }

    fn told(&mut self, agent: usize, container_id: ContainerId, event: ContainerEvent) {
        self.agents[agent].input(&mut self.fabric, Input::Container { container_id, event });
    }

    fn turn(&mut self, index: usize, life: u64) {
        let scheduler = &mut self.schedulers[index];
        if !scheduler.running || scheduler.life != life {
            return;
        }
        let fabric = &mut self.fabric;
        let idle = fabric.options.idle;
        let pause = if fabric.settling { SETTLING_TURN } else { scheduler.rng.around(idle) };
        fabric.after(pause, Event::Scheduler { scheduler: index, life });
        if scheduler.away > 0 && !fabric.settling {
            scheduler.away -= 1;
        } else if scheduler.session.is_none() {
            scheduler.subscribe(fabric);
        } else if fabric.settling {
            scheduler.settle(fabric);
        } else {
            scheduler.catch_up(fabric);
            let habits = Arc::clone(&fabric.options);
            if let Some(habit) = workloads::choose(&habits.habits, &mut scheduler.rng) {
                habit.act(scheduler, fabric);
            }
        }
    }
}

/// What a step was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stepped {
    /// Nothing happened to anybody.
    Nothing,
    /// Something happened to a process.
    Touched(Node),
    /// A fault is to strike.
    Strike(usize),
    /// What a fault began is to end.
    Over(usize),
}

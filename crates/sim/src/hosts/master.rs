//! A master: its core with the server's part around it. What outlives it is in the service; see `standing`.

use std::collections::BTreeMap;

use master_core::{
    ConnectionId, FromRegistry, Input, MasterCore, Observation, OperatorCall, Options, Output, Pid,
    RegistryContent, RequestId, Timer, ToAgent,
};

use super::clock::Clock;
use super::standing::{Standing, Writing};
use crate::border::to_agent;
use crate::fabric::Fabric;
use crate::happening::Happening;
use crate::net::{LinkId, Packet};
use crate::node::Node;
use crate::queue::Event;

/// A master's place, and the master while it runs.
#[derive(Debug)]
pub(crate) struct MasterHost {
    pub(crate) index: usize,
    /// Its time as the leader.
    pub(crate) process: Option<Process>,
    /// Where it stands with the service, while it runs.
    pub(super) standing: Option<Standing>,
    pub(crate) life: u64,
    pub(crate) clock: Clock,
}

/// A master that leads.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) core: MasterCore,
    /// Whose events go over which link.
    sessions: BTreeMap<ConnectionId, LinkId>,
    /// Agents whose connection is watched.
    watched: BTreeMap<Node, Pid>,
    /// Operators' requests that were not answered yet.
    requests: BTreeMap<RequestId, OperatorCall>,
    follow_ups: Vec<Input>,
    next_request: u64,
    pub(super) writing: Writing,
    resigned: Option<String>,
}

impl Process {
    /// Whether the registry holds all that the core wants it to.
    pub(crate) fn writes_nothing(&self) -> bool {
        self.writing.is_idle()
    }
}

impl MasterHost {
    pub(crate) fn new(index: usize) -> Self {
        Self { index, process: None, standing: None, life: 0, clock: Clock::default() }
    }

    pub(crate) fn node(&self) -> Node {
        Node::Master(self.index)
    }

    /// Starts the process. It knows of nobody, and stands for election.
    pub(crate) fn start(&mut self, fabric: &mut Fabric, clock: Clock) {
        self.life += 1;
        self.clock = clock;
        fabric.net.born(self.node(), self.life);
        fabric.note(self.node(), "starts", "");
        self.stand(fabric);
    }

    /// It leads, and this is what the registry holds.
    pub(super) fn lead(&mut self, fabric: &mut Fabric, content: RegistryContent) -> Result<(), String> {
        fabric.note(self.node(), "leads", "");
        let name = format!("master {} life {}", self.index, self.life);
        let seed = fabric.seeds.child(&name).next_u64();
        let given = &fabric.options.master;
        let options = Options { seed, master_id: format!("M{}{}", self.index, self.life), ..given.clone() };
        self.process = Some(Process {
            core: MasterCore::new(options),
            sessions: BTreeMap::new(),
            watched: BTreeMap::new(),
            requests: BTreeMap::new(),
            follow_ups: Vec::new(),
            next_request: 0,
            writing: Writing::default(),
            resigned: None,
        });
        let mut out = Vec::new();
        if let Some(process) = &mut self.process {
            process.core.watch(true);
            let now = self.clock.shows(fabric.now);
            process.core.start(now, &mut out);
            let content = FromRegistry::Recovered(Box::new(content));
            process.core.handle(now, Input::Registry(content), &mut out);
        }
        self.settle(fabric, out)
    }

    /// The process is killed.
    pub(crate) fn kill(&mut self, fabric: &mut Fabric, silent: bool) {
        self.process = None;
        if self.standing.take().is_some() {
            fabric.note(self.node(), "is killed", "");
            fabric.net.died(&mut fabric.queue, fabric.now, self.node(), silent);
        }
    }

    /// Something arrived over a link.
    pub(crate) fn receive(&mut self, fabric: &mut Fabric, from: Node, packet: Packet) -> Result<(), String> {
        let Some(process) = &mut self.process else {
            if let Packet::Subscribe { events, .. } = packet {
                // A standby sends schedulers away.
                fabric.send_over(events, Packet::End);
            }
            return Ok(());
        };
        let input = match packet {
            Packet::ToMaster(message) => Input::Agent { from: from.pid().into(), message },
            Packet::Subscribe { connection, events, stream, framework_id, info, constraints } => {
                process.sessions.insert(connection, events);
                Input::Subscribe {
                    connection,
                    stream,
                    framework_id,
                    info,
                    suppressed_roles: Vec::new(),
                    offer_constraints: Ok(constraints),
                }
            }
            Packet::Call { framework_id, stream, call } => Input::Call { framework_id, stream, call },
            Packet::ToAgent { .. } | Packet::Event(_) | Packet::End => return Ok(()),
        };
        self.input(fabric, input)
    }

    /// A link is lost.
    pub(crate) fn lost(&mut self, fabric: &mut Fabric, link: LinkId) -> Result<(), String> {
        let node = self.node();
        let Some(process) = &mut self.process else { return Ok(()) };
        if let Some(connection) = process.sessions.iter().find(|(_, of)| **of == link).map(|(id, _)| *id) {
            process.sessions.remove(&connection);
            return self.input(fabric, Input::SchedulerGone(connection));
        }
        let Some(to) = fabric.net.lost(node, link) else { return Ok(()) };
        match process.watched.get(&to).cloned() {
            Some(pid) => self.input(fabric, Input::AgentDisconnected(pid)),
            None => Ok(()),
        }
    }

    /// An operator asks for something.
    pub(crate) fn operator(&mut self, fabric: &mut Fabric, call: OperatorCall) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        process.next_request += 1;
        let request = RequestId(process.next_request);
        process.requests.insert(request, call.clone());
        fabric.tell(Happening::Asked(call.clone()));
        self.input(fabric, Input::Operator { request, call })
    }

    /// A timer fires.
    pub(crate) fn timer(&mut self, fabric: &mut Fabric, timer: Timer) -> Result<(), String> {
        self.input(fabric, Input::Timer(timer))
    }

    /// Hands the core an input, has it hand out what became free, verifies its state and carries out what came of it.
    pub(crate) fn input(&mut self, fabric: &mut Fabric, input: Input) -> Result<(), String> {
        let Some(process) = &mut self.process else { return Ok(()) };
        let mut out = Vec::new();
        process.core.handle(self.clock.shows(fabric.now), input, &mut out);
        self.settle(fabric, out)
    }

    fn settle(&mut self, fabric: &mut Fabric, mut out: Vec<Output>) -> Result<(), String> {
        let now = self.clock.shows(fabric.now);
        loop {
            let Some(process) = &mut self.process else { return Ok(()) };
            if process.core.wants_allocation() {
                process.core.handle(now, Input::Allocate, &mut out);
            }
            process.core.check().map_err(|broken| format!("the master's state is not sound: {broken}"))?;
            for output in out.drain(..) {
                self.execute(fabric, output);
            }
            let Some(process) = &mut self.process else { return Ok(()) };
            if let Some(why) = process.resigned.take() {
                self.step_down(fabric, &why);
                return Ok(());
            }
            if process.follow_ups.is_empty() {
                return Ok(());
            }
            for input in std::mem::take(&mut process.follow_ups) {
                process.core.handle(now, input, &mut out);
            }
        }
    }

    fn execute(&mut self, fabric: &mut Fabric, output: Output) {
        let node = self.node();
        let Some(process) = &mut self.process else { return };
        match output {
            Output::Event { connection, event } => match process.sessions.get(&connection) {
                Some(link) => fabric.send_over(*link, Packet::Event(event)),
                None => process.follow_ups.push(Input::SchedulerGone(connection)),
            },
            Output::Close(connection) => {
                if let Some(link) = process.sessions.remove(&connection) {
                    fabric.send_over(link, Packet::End);
                }
            }
            Output::ToAgent { to, message } => self.send(fabric, &to, message),
            Output::Link(pid) => {
                if let Some(agent) = Node::of_pid(pid.as_str()) {
                    process.watched.insert(agent, pid);
                    fabric.net.reconnect(&mut fabric.queue, fabric.now, node, agent);
                }
            }
            Output::Unlink(pid) => {
                if let Some(agent) = Node::of_pid(pid.as_str()) {
                    process.watched.remove(&agent);
                    fabric.net.retire(node, agent);
                }
            }
            Output::Registry(write) => self.write(fabric, write),
            Output::Resign(why) => process.resigned = Some(why),
            Output::SetTimer { at, timer } => {
                let at = self.clock.when(at).max(fabric.now);
                let (master, life) = (self.index, self.life);
                fabric.queue.put(at, Event::MasterTimer { master, life, timer: Box::new(timer) });
            }
            Output::Reply { request, result } => {
                let Some(call) = process.requests.remove(&request) else { return };
                fabric.show(node, || format!("answers {call:?}: {result:?}"));
                if result.is_ok() {
                    fabric.tell(Happening::Granted(call));
                }
            }
            Output::Directory(_) => {}
            Output::Observed(observation) => {
                tell(fabric, &observation);
                fabric.show(node, || shown(&observation));
            }
        }
    }

    fn send(&self, fabric: &mut Fabric, to: &Pid, message: ToAgent) {
        let Some(agent) = Node::of_pid(to.as_str()) else { return };
        let master = (self.index, self.life);
        match &message {
            ToAgent::RunTask { framework, task, .. } => fabric.tell(Happening::TaskSent {
                master,
                framework_id: framework.id.clone(),
                task_id: task.task_id.clone(),
                agent_id: task.agent_id.clone(),
            }),
            ToAgent::RunTaskGroup { framework, tasks, .. } => {
                for task in tasks {
                    fabric.tell(Happening::TaskSent {
                        master,
                        framework_id: framework.id.clone(),
                        task_id: task.task_id.clone(),
                        agent_id: task.agent_id.clone(),
                    });
                }
            }
            ToAgent::Registered(agent_id) | ToAgent::Reregistered { agent_id, .. } => {
                fabric.tell(Happening::Admitted { session: self.session(), agent_id: agent_id.clone() });
            }
            ToAgent::Shutdown(_) => {
                if let Node::Agent(index) = agent {
                    fabric.tell(Happening::Dismissed(index));
                }
            }
            ToAgent::KillTask { framework_id, task_id, .. } => fabric.tell(Happening::Condemned {
                framework_id: framework_id.clone(),
                executor_id: None,
                task_id: Some(task_id.clone()),
            }),
            ToAgent::ShutdownExecutor { framework_id, executor_id } => fabric.tell(Happening::Condemned {
                framework_id: framework_id.clone(),
                executor_id: Some(executor_id.clone()),
                task_id: None,
            }),
            ToAgent::ShutdownFramework(framework_id) => fabric.tell(Happening::Condemned {
                framework_id: framework_id.clone(),
                executor_id: None,
                task_id: None,
            }),
            _ => {}
        }
        let from = match message {
            ToAgent::Ping { .. } => format!("slave-observer(1)@{}", self.node().address()),
            _ => self.node().pid(),
        };
        let message = to_agent(&mut fabric.bodies, message, fabric.options.master.total_ping_timeout());
        fabric.send(self.node(), agent, Packet::ToAgent { from: from.into(), message });
    }
}

/// What of an observation concerns the checkers.
fn tell(fabric: &mut Fabric, observation: &Observation) {
    match observation {
        Observation::FrameworkRemoved(framework) => {
            fabric.tell(Happening::FrameworkOver(framework.id.clone()));
        }
        Observation::TaskUpdated { framework_id, status, .. } if status.state.is_terminal() => {
            fabric.tell(Happening::EndTold {
                framework_id: framework_id.clone(),
                task_id: status.task_id.clone(),
                by_agent: status.uuid.is_some(),
            });
        }
        _ => {}
    }
}

/// An observation in a line.
fn shown(observation: &Observation) -> String {
    match observation {
        Observation::Dropped { what, from, why } => format!("drops {what} of {from}: {why}"),
        Observation::OperationRefused { framework_id, message, .. } => {
            format!("refuses an operation of {framework_id}: {message}")
        }
        Observation::TaskUpdated { framework_id, state, status } => {
            format!(
                "says {} of {framework_id} is {state} now, by a status of {}",
                status.task_id, status.state
            )
        }
        _ => String::new(),
    }
}

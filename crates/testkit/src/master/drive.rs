//! Gives the core inputs, keeps its timers, records its outputs.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, FrameworkId, OfferId, Time, Uuid};
use master_core::{
    AcceptOperation, ConnectionId, Directory, FrameworkInfo, FromAgent, FromRegistry, Input, MasterCore,
    Observation, Offer, OperatorCall, OperatorError, Options, Output, Pid, RegistryContent, RegistryWrite,
    RequestId, SchedulerCall, SchedulerEvent, StreamId, Timer, ToAgent,
};

use super::{builders, framework_info};

/// A scheduler of a test.
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// Its framework.
    pub id: FrameworkId,
    /// Its stream.
    pub connection: ConnectionId,
    /// The id of that stream.
    pub stream: StreamId,
}

/// A master under test.
#[derive(Debug)]
pub struct Master {
    /// The core.
    pub core: MasterCore,
    /// The time.
    pub now: Time,
    pub(super) events: BTreeMap<ConnectionId, VecDeque<SchedulerEvent>>,
    pub(super) messages: BTreeMap<Pid, VecDeque<ToAgent>>,
    pub(super) closed: BTreeSet<ConnectionId>,
    /// Addresses whose connection the core wants watched.
    pub linked: BTreeSet<Pid>,
    /// What the core told those who watch, and the log.
    pub observations: Vec<Observation>,
    /// Which frameworks have a stream, and which.
    pub directory: BTreeMap<FrameworkId, Option<StreamId>>,
    /// What is in the registry.
    pub registry: RegistryContent,
    /// Writes to the registry that [`Master::write_registry`] has yet to make; empty unless `hold_registry` is set.
    pub registry_writes: VecDeque<RegistryWrite>,
    /// Whether writes to the registry wait for [`Master::write_registry`]; otherwise they are made at once.
    pub hold_registry: bool,
    /// Why the master gave up, if it did.
    pub resigned: Option<String>,
    replies: BTreeMap<RequestId, Result<(), OperatorError>>,
    timers: BTreeMap<(Time, u64), Timer>,
    next: u64,
}

impl Default for Master {
    fn default() -> Self {
        Self::new(Options::new("master".to_owned(), 1))
    }
}

impl Master {
    /// A master that has just started and found the registry empty.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self::with_registry(options, RegistryContent::default())
    }

    /// A master that has just started and found this in the registry.
    #[must_use]
    pub fn with_registry(options: Options, registry: RegistryContent) -> Self {
        let mut master = Self::recovering(options);
        master.registry = registry.clone();
        master.input(Input::Registry(FromRegistry::Recovered(Box::new(registry))));
        master
    }

    /// A master that does not know yet what is in the registry.
    #[must_use]
    pub fn recovering(options: Options) -> Self {
        let mut master = Self {
            core: MasterCore::new(options),
            now: Time::from_secs_f64(1_000_000.0),
            events: BTreeMap::new(),
            messages: BTreeMap::new(),
            closed: BTreeSet::new(),
            linked: BTreeSet::new(),
            observations: Vec::new(),
            directory: BTreeMap::new(),
            registry: RegistryContent::default(),
            registry_writes: VecDeque::new(),
            hold_registry: false,
            resigned: None,
            replies: BTreeMap::new(),
            timers: BTreeMap::new(),
            next: 0,
        };
        let mut out = Vec::new();
        master.core.watch(true);
        master.core.start(master.now, &mut out);
        master.record(out);
        master
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Gives one input and checks the state after it.
    ///
    /// # Panics
    /// If an invariant is broken.
    pub fn input(&mut self, input: Input) {
        self.step(input);
        while !self.hold_registry && !self.registry_writes.is_empty() {
            self.write_registry();
        }
    }

    /// Makes the next write to the registry, and tells the core.
    ///
    /// # Panics
    /// If there is none.
    pub fn write_registry(&mut self) {
        let write = self.registry_writes.pop_front().expect("something is to be written");
        for operation in write.operations {
            self.registry.apply(operation);
        }
        self.step(Input::Registry(FromRegistry::Written(write.number)));
    }

    /// The next master, with the same settings and what is in the registry.
    #[must_use]
    pub fn successor(&self, id: &str) -> Self {
        let options = Options { master_id: id.to_owned(), ..self.core.options().clone() };
        let mut next = Self::recovering(options);
        next.now = self.now;
        next.registry = self.registry.clone();
        next.input(Input::Registry(FromRegistry::Recovered(Box::new(self.registry.clone()))));
        next
    }

    fn step(&mut self, input: Input) {
        let mut out = Vec::new();
        let shown = input.clone();
        self.core.handle(self.now, input, &mut out);
        if let Err(broken) = self.core.check() {
            panic!("after {shown:?}: {broken}");
        }
        self.record(out);
    }

    fn record(&mut self, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Event { connection, event } => {
                    assert!(!self.closed.contains(&connection), "{event:?} after the end of {connection:?}");
                    self.events.entry(connection).or_default().push_back(event);
                }
                Output::Close(connection) => {
                    self.closed.insert(connection);
                }
                Output::ToAgent { to, message } => self.messages.entry(to).or_default().push_back(message),
                Output::Link(pid) => {
                    self.linked.insert(pid);
                }
                Output::Unlink(pid) => {
                    self.linked.remove(&pid);
                }
                Output::SetTimer { at, timer } => {
                    let number = self.number();
                    self.timers.insert((at.max(self.now), number), timer);
                }
                Output::Registry(write) => self.registry_writes.push_back(write),
                Output::Resign(why) => self.resigned = Some(why),
                Output::Reply { request, result } => {
                    self.replies.insert(request, result);
                }
                Output::Directory(Directory::Subscribed { framework_id, stream }) => {
                    self.directory.insert(framework_id, Some(stream));
                }
                Output::Directory(Directory::Disconnected(framework_id)) => {
                    self.directory.insert(framework_id, None);
                }
                Output::Directory(Directory::Removed(framework_id)) => {
                    self.directory.remove(&framework_id);
                }
                Output::Observed(observation) => self.observations.push(observation),
            }
        }
    }

    /// Lets the time pass and fires the timers that fall due, in their order.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some((&(at, number), _)) = self.timers.first_key_value().filter(|((at, _), _)| *at <= end) {
            self.now = at;
            if let Some(timer) = self.timers.remove(&(at, number)) {
                self.input(Input::Timer(timer));
            }
        }
        self.now = end;
    }

    /// Hands out what is free, after a short wait for what became free.
    pub fn settle(&mut self) {
        if self.core.wants_allocation() {
            self.input(Input::Allocate);
        }
        let delay = self.core.options().allocation_delay;
        self.advance(delay);
    }

    /// Subscribes a new framework.
    pub fn subscribe(&mut self, info: FrameworkInfo) -> Scheduler {
        let scheduler = self.subscribe_as(None, info);
        match self.next_event(&scheduler) {
            Some(SchedulerEvent::Subscribed(id)) => Scheduler { id, ..scheduler },
            other => panic!("not subscribed but {other:?}"),
        }
    }

    /// Subscribes a new framework of role `*`.
    pub fn framework(&mut self, name: &str) -> Scheduler {
        self.subscribe(framework_info(name))
    }

    /// Subscribes with an id; what comes of it is in the events.
    pub fn subscribe_as(&mut self, id: Option<&FrameworkId>, info: FrameworkInfo) -> Scheduler {
        let number = self.number();
        let connection = ConnectionId(number);
        let stream = Uuid::from_bytes(u128::from(number).to_be_bytes());
        self.input(Input::Subscribe {
            connection,
            stream,
            framework_id: id.cloned(),
            info: Arc::new(info),
            suppressed_roles: Vec::new(),
            offer_constraints: Ok(Arc::default()),
        });
        Scheduler { id: id.cloned().unwrap_or_else(|| "".into()), connection, stream }
    }

    /// Makes a call as a scheduler.
    pub fn call(&mut self, scheduler: &Scheduler, call: SchedulerCall) {
        let framework_id = scheduler.id.clone();
        self.input(Input::Call { framework_id, stream: scheduler.stream, call });
    }

    /// Accepts an offer; what is left is refused for long.
    pub fn accept(
        &mut self,
        scheduler: &Scheduler,
        offer: &OfferId,
        operations: impl IntoIterator<Item = AcceptOperation>,
    ) {
        let call = SchedulerCall::Accept {
            offer_ids: vec![offer.clone()],
            operations: operations.into_iter().collect(),
            refuse: Duration::from_secs(600),
        };
        self.call(scheduler, call);
    }

    /// Makes a call as an operator that is answered when the registry is written.
    pub fn ask(&mut self, call: OperatorCall) -> RequestId {
        let request = RequestId(self.number());
        self.input(Input::Operator { request, call });
        request
    }

    /// What was answered, if anything was.
    pub fn answer(&mut self, request: RequestId) -> Option<Result<(), OperatorError>> {
        self.replies.remove(&request)
    }

    /// Makes a call as an operator.
    ///
    /// # Errors
    /// What the core answers.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn operator(&mut self, call: OperatorCall) -> Result<(), OperatorError> {
        let request = self.ask(call);
        self.answer(request).expect("every operator call is answered")
    }

    /// Registers an agent at its own address. It takes the messages about that off the record.
    pub fn agent(&mut self, hostname: &str, total: &str) -> (AgentId, Pid) {
        let pid = Pid::from(format!("slave(1)@{hostname}:5051"));
        let message = FromAgent::Register(Box::new(builders::register(hostname, total)));
        self.from_agent(&pid, message);
        match self.messages_to(&pid).as_slice() {
            [ToAgent::Ping { connected: true }, ToAgent::Registered(id)] => (id.clone(), pid),
            other => panic!("not registered but {other:?}"),
        }
    }

    /// Gives a message of an agent.
    pub fn from_agent(&mut self, from: &Pid, message: FromAgent) {
        self.input(Input::Agent { from: from.clone(), message });
    }

    /// The only offer that a scheduler gets now.
    pub fn offer(&mut self, scheduler: &Scheduler) -> Arc<Offer> {
        self.settle();
        match self.next_event(scheduler) {
            Some(SchedulerEvent::Offers(offers)) if offers.len() == 1 => Arc::clone(&offers[0]),
            other => panic!("no offer but {other:?}"),
        }
    }
}

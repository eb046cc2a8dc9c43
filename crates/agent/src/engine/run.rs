//! The loop of the core's thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use agent_core::{
    AgentCore, ExecutorCall, ExecutorRefusal, ExecutorRequest, Input, Output, Pid, RequestId, StreamId, Write,
};
use base::Time;
use store::{Gate, Writer};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use transport::{PeerEvent, Peers};

use super::clock::Clock;
use super::containers::Containers;
use super::disks::Disks;
use super::garbage::Garbage;
use super::streams::Streams;
use super::work::{AgentView, Work};
use crate::checks::Checks;
use crate::convert::{SelfDescription, ToMasterMessage};
use crate::metrics::Counters;

/// Most pieces of work that are handled before what came of them is carried out.
const BATCH: usize = 256;

/// How long what was said to the master before the end may take to get there.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What the thread needs beside the core.
pub(crate) struct EngineOptions {
    pub(crate) own: Arc<SelfDescription>,
    /// The master, such as `master@127.0.0.1:5050`, if it is known yet.
    pub(crate) master: Option<Pid>,
    /// Set while the agent is registered with it.
    pub(crate) registered: Arc<AtomicBool>,
    pub(crate) peers: Peers<ToMasterMessage>,
    pub(crate) peer_events: mpsc::UnboundedReceiver<PeerEvent>,
    pub(crate) containers: Containers,
    pub(crate) container_events: mpsc::UnboundedReceiver<containerizer::ContainerEvent>,
    pub(crate) checks: Checks,
    pub(crate) garbage: Garbage,
    pub(crate) disks: Disks,
    /// Commits what the core writes, and what it tells.
    pub(crate) writer: Writer<Write>,
    pub(crate) store_events: mpsc::UnboundedReceiver<store::Event>,
    /// What is to be done first.
    pub(crate) first: Vec<Output>,
    pub(crate) clock: Clock,
    /// Everything is to be ended, and the agent with it, for this reason.
    pub(crate) cleanup: Option<String>,
    /// Records that were damaged.
    pub(crate) recovery_errors: u64,
    /// How long it took to take up what was left.
    pub(crate) recovery_time: Duration,
    /// Where blocking work is done.
    pub(crate) runtime: Handle,
}

/// Why an agent ends that can write nothing any more.
const STORE_ENDED: &str = "the thread that writes down what the agent does has panicked";

/// How the loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The core wanted to: why.
    Terminated(String),
    /// It was stopped.
    Stopped,
    /// It was stopped, and containers go on.
    Left,
    /// It cannot go on, for this reason; containers do.
    Broken(String),
}

/// Who waits for an answer, and the stream that it wants to open.
type Waiting = (oneshot::Sender<Result<(), ExecutorRefusal>>, Option<StreamId>);

/// The core and everything around it that only its thread touches.
pub(crate) struct Engine {
    pub(super) core: AgentCore,
    pub(super) own: Arc<SelfDescription>,
    pub(super) streams: Streams,
    pub(super) peers: Peers<ToMasterMessage>,
    pub(super) containers: Containers,
    pub(super) checks: Checks,
    pub(super) garbage: Garbage,
    pub(super) disks: Arc<Disks>,
    pub(super) requests: HashMap<RequestId, Waiting>,
    /// The one timer of the core.
    pub(super) timer: Option<Time>,
    /// Inputs that follow from carrying out outputs; handled before anything else.
    pub(super) follow_ups: Vec<Input>,
    pub(super) outputs: Vec<Output>,
    /// Holds back what follows a write.
    pub(super) gate: Gate<Write, Output>,
    pub(super) writer: Writer<Write>,
    pub(super) counters: Counters,
    pub(super) terminated: Option<String>,
    master: Option<Pid>,
    cleanup: Option<String>,
    registered: Arc<AtomicBool>,
    peer_events: mpsc::UnboundedReceiver<PeerEvent>,
    container_events: mpsc::UnboundedReceiver<containerizer::ContainerEvent>,
    store_events: mpsc::UnboundedReceiver<store::Event>,
    views: Vec<oneshot::Sender<Arc<AgentView>>>,
    next_request: u64,
    pub(super) runtime: Handle,
    clock: Clock,
}

impl Engine {
    pub(crate) fn new(core: AgentCore, options: EngineOptions) -> Self {
        Self {
            core,
            own: options.own,
            streams: Streams::default(),
            peers: options.peers,
            containers: options.containers,
            checks: options.checks,
            garbage: options.garbage,
            disks: Arc::new(options.disks),
            requests: HashMap::new(),
            timer: None,
            follow_ups: Vec::new(),
            outputs: options.first,
            gate: Gate::default(),
            writer: options.writer,
            counters: Counters {
                recovery_errors: options.recovery_errors,
                recovery_time: options.recovery_time,
                ..Counters::default()
            },
            terminated: None,
            master: options.master,
            cleanup: options.cleanup,
            registered: options.registered,
            peer_events: options.peer_events,
            container_events: options.container_events,
            store_events: options.store_events,
            views: Vec::new(),
            next_request: 0,
            runtime: options.runtime,
            clock: options.clock,
        }
    }

    /// Works until the core terminates, the queue is closed or [`Work::Stop`] comes.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Work>) -> Ended {
        let mut batch = Vec::with_capacity(BATCH);
        self.follow_ups.push(match self.cleanup.take() {
            Some(reason) => Input::Shutdown { reason },
            None => Input::MasterDetected(self.master.clone()),
        });
        self.settle();
        loop {
            if let Some(reason) = self.terminated.take() {
                // The last words among them, such as that this agent goes for good.
                self.peers.finish(LAST_WORDS).await;
                return Ended::Terminated(reason);
            }
            let deadline = self.deadline();
            tokio::select! {
                biased;
                event = self.store_events.recv() => match event {
                    Some(event) => self.store_event(event),
                    // Nothing of what waits for it will ever happen. The next agent goes on from what was written.
                    None => return Ended::Broken(STORE_ENDED.to_owned()),
                },
                Some(event) = self.container_events.recv() => self.containers.event(event, &mut self.counters),
                count = queue.recv_many(&mut batch, BATCH) => if count == 0 { return Ended::Stopped },
                Some(event) = self.peer_events.recv() => self.peer_event(event),
                () = sleep_until(deadline) => {}
            }
            while let Ok(event) = self.container_events.try_recv() {
                self.containers.event(event, &mut self.counters);
            }
            for work in batch.drain(..) {
                match work {
                    Work::Stop => return Ended::Stopped,
                    Work::Leave => return Ended::Left,
                    _ => {}
                }
                self.take(work);
            }
            if self.timer.is_some_and(|at| at <= self.clock.now()) {
                self.timer = None;
                self.follow_ups.push(Input::TimerFired);
            }
            self.settle();
            // The core alone knows: it also gives up a master that is connected and does not ping any more.
            self.registered.store(self.core.is_registered(), Ordering::Relaxed);
            for (directory, executor) in self.containers.take_abandoned() {
                self.counters.executors_ended += u64::from(executor);
                self.garbage.add(Instant::now(), directory);
            }
            self.garbage.collect(Instant::now(), &self.runtime, &self.containers.core());
            self.show();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let timer = self.timer.map(|at| self.clock.instant_of(at));
        [timer, self.garbage.next()].into_iter().flatten().min()
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Input(input) => {
                self.note(&input);
                self.handle(input);
            }
            Work::Executor { framework_id, executor_id, call, events, reply } => {
                self.next_request += 1;
                let request = RequestId(self.next_request);
                let mut opened = None;
                if let (ExecutorCall::Subscribe { stream, .. }, Some(events)) = (&call, events) {
                    self.streams.open(*stream, events);
                    opened = Some(*stream);
                }
                self.requests.insert(request, (reply, opened));
                self.handle(Input::ExecutorCall(ExecutorRequest {
                    request,
                    framework_id,
                    executor_id,
                    call,
                }));
            }
            Work::Prepared { container_id, result } => {
                self.containers.prepared(container_id, result, &mut self.counters);
            }
            Work::SandboxRemoved { abandoned, result } => {
                self.garbage.removed(Instant::now(), abandoned, result);
            }
            Work::DiskUsage(usage) => self.garbage.disk(Instant::now(), usage),
            Work::View(reply) => self.views.push(reply),
            Work::Stop | Work::Leave => {}
        }
    }

    /// Takes what the server itself wants to know from an input.
    fn note(&mut self, input: &Input) {
        match input {
            Input::CheckEnded { check, .. } => self.checks.ended(*check),
            Input::MasterDetected(master) => self.master = master.clone(),
            _ => {}
        }
    }

    fn handle(&mut self, input: Input) {
        self.core.handle(self.clock.now(), input, &mut self.outputs);
    }

    /// Carries out all outputs, lets the core handle what came of that, and so on until nothing comes any more.
    fn settle(&mut self) {
        loop {
            self.execute();
            self.follow_ups.append(&mut self.containers.take_inputs());
            if self.follow_ups.is_empty() {
                return self.commit();
            }
            for input in std::mem::take(&mut self.follow_ups) {
                self.handle(input);
            }
        }
    }

    fn peer_event(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Lost { peer, unanswered, reason, .. } => {
                tracing::warn!(%peer, unanswered, reason, "lost the connection to a peer");
                if let Some(master) =
                    self.master.as_ref().filter(|m| m.as_str().ends_with(&format!("@{peer}")))
                {
                    self.follow_ups.push(Input::PeerLost(master.clone()));
                }
            }
            PeerEvent::Refused { peer, status } => {
                tracing::warn!(%peer, status, "a peer refused a message");
            }
        }
    }

    /// Gives readers what they asked for; one picture serves all.
    fn show(&mut self) {
        if self.views.is_empty() {
            return;
        }
        let mut counters = self.counters.clone();
        counters.removals_pending = self.garbage.pending() as u64;
        counters.removals_succeeded = self.garbage.succeeded;
        counters.removals_failed = self.garbage.failed;
        counters.max_allowed_age = self.garbage.max_age;
        let pending = self.containers.pending();
        let view = Arc::new(AgentView { snapshot: self.core.snapshot(), counters, pending });
        for reply in self.views.drain(..) {
            // Who asked may have gone away.
            let _ = reply.send(Arc::clone(&view));
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

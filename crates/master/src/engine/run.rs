//! The loop of the core's thread.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::Time;
use http_api::Receipt;
use master_core::Input;
use master_core::Output;
use master_core::{MasterCore, Snapshot};
use master_core::{OperatorError, RequestId};
use tokio::sync::{mpsc, oneshot};
use transport::{PeerEvent, Peers};

use super::agents::AgentPeers;
use super::streams::Streams;
use super::timers::Timers;
use super::waits::{Starting, Waits};
use super::work::{Question, Work};
use crate::agents::ToAgentMessage;
use crate::directory::Directory;
use crate::registry::RegistryQueue;
use crate::timings::Timings;
use crate::watch::{Watch, Watchers};

/// Most pieces of work that are handled before what came of them is carried out.
const BATCH: usize = 1024;

/// What the thread needs beside the core.
pub(crate) struct EngineOptions {
    /// Connections to agents.
    pub(crate) peers: Peers<ToAgentMessage>,
    /// What happens to them.
    pub(crate) peer_events: mpsc::UnboundedReceiver<PeerEvent>,
    /// The table that calls are checked with.
    pub(crate) directory: Arc<Directory>,
    /// Who watches the operator API's events.
    pub(crate) watchers: Arc<Watchers>,
    /// How long agents wait for pings before they believe themselves cut off.
    pub(crate) total_ping_timeout: Duration,
    /// What the thread measures and counts.
    pub(crate) figures: Arc<EngineFigures>,
    /// Where the registry is written; `None` if it is only in memory.
    pub(crate) registry: Option<RegistryQueue>,
}

/// What the core's thread measures and counts for the metrics.
#[derive(Debug, Default)]
pub(crate) struct EngineFigures {
    /// How long allocations take.
    pub(crate) allocation_run: Timings,
    /// From when the work was taken up that called for one to its beginning.
    pub(crate) allocation_latency: Timings,
    /// What waits for how long.
    pub(crate) waits: Waits,
    /// Schedulers that were disconnected because they read too slowly.
    pub(crate) schedulers_given_up: AtomicU64,
}

/// The core and everything around it that only its thread touches.
pub(crate) struct Engine {
    pub(super) core: MasterCore,
    pub(super) streams: Streams,
    pub(super) timers: Timers,
    pub(super) agents: AgentPeers,
    pub(super) peers: Peers<ToAgentMessage>,
    pub(super) directory: Arc<Directory>,
    pub(super) watchers: Arc<Watchers>,
    pub(super) requests: HashMap<RequestId, oneshot::Sender<Result<(), OperatorError>>>,
    /// Inputs that follow from carrying out outputs; handled before anything else.
    pub(super) follow_ups: Vec<Input>,
    pub(super) total_ping_timeout_secs: f64,
    pub(super) registry: Option<RegistryQueue>,
    /// The core does nothing any more, for this reason.
    pub(super) resigned: Option<String>,
    pub(super) figures: Arc<EngineFigures>,
    pub(super) starting: Starting,
    peer_events: mpsc::UnboundedReceiver<PeerEvent>,
    outputs: Vec<Output>,
    /// Whose the outputs are of which somebody wants to know that they were carried out, by their places.
    pub(super) receipts: VecDeque<(Range<usize>, Receipt)>,
    snapshots: Vec<oneshot::Sender<Snapshot>>,
    questions: Vec<Question>,
    new_watchers: Vec<oneshot::Sender<Option<(Snapshot, Watch)>>>,
    next_request: u64,
    clock: Clock,
}

/// Wall-clock time that never goes back, whatever is done to the system's clock while the master runs.
struct Clock {
    started: Instant,
    offset: Time,
}

impl Clock {
    fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started: Instant::now(), offset: Time::EPOCH + since_epoch }
    }

    fn now(&self) -> Time {
        self.offset + self.started.elapsed()
    }

    fn instant_of(&self, time: Time) -> Instant {
        // A time that no `Instant` can hold is as good as never; waking once a day then does no harm.
        let day = Duration::from_secs(86_400);
        self.started + time.since(self.offset).min(self.started.elapsed() + day)
    }
}

impl Engine {
    pub(crate) fn new(core: MasterCore, options: EngineOptions) -> Self {
        Self {
            core,
            streams: Streams::default(),
            timers: Timers::default(),
            agents: AgentPeers::default(),
            peers: options.peers,
            directory: options.directory,
            watchers: options.watchers,
            requests: HashMap::new(),
            follow_ups: Vec::new(),
            total_ping_timeout_secs: options.total_ping_timeout.as_secs_f64(),
            registry: options.registry,
            resigned: None,
            figures: options.figures,
            starting: Starting::default(),
            peer_events: options.peer_events,
            outputs: Vec::new(),
            receipts: VecDeque::new(),
            snapshots: Vec::new(),
            questions: Vec::new(),
            new_watchers: Vec::new(),
            next_request: 0,
            clock: Clock::start(),
        }
    }

    /// Works until the queue is closed, [`Work::Stop`] comes, or the core does not lead any more: it says why.
    pub(crate) async fn run(mut self, mut queue: mpsc::Receiver<Work>) -> Option<String> {
        let mut batch = Vec::with_capacity(BATCH);
        let now = self.clock.now();
        // Changes are watched by the log at least.
        self.core.watch(true);
        self.core.start(now, &mut self.outputs);
        self.settle(now);
        loop {
            let deadline = self.timers.next().map(|at| self.clock.instant_of(at));
            tokio::select! {
                biased;
                count = queue.recv_many(&mut batch, BATCH) => if count == 0 { return None },
                Some(event) = self.peer_events.recv() => self.peer_event(event),
                () = sleep_until(deadline) => {}
            }
            let began = Instant::now();
            let now = self.clock.now();
            while let Ok(event) = self.peer_events.try_recv() {
                self.peer_event(event);
            }
            self.handle_follow_ups(now);
            while let Some(timer) = self.timers.pop_due(now) {
                self.handle_timed(now, Input::Timer(timer));
            }
            if self.timers.are_many() {
                self.timers.retain(self.core.awaited_timers());
            }
            for work in batch.drain(..) {
                if matches!(work, Work::Stop) {
                    return None;
                }
                self.take(now, work);
            }
            self.settle(now);
            self.figures.waits.turn(began.elapsed());
            if self.resigned.is_some() {
                return self.resigned;
            }
        }
    }

    fn take(&mut self, now: Time, work: Work) {
        match work {
            Work::Input(input) => {
                if let Input::SchedulerGone(connection) = input {
                    self.streams.close(connection);
                }
                self.figures.waits.call(&self.core, now, &input);
                self.core.handle(now, input, &mut self.outputs);
            }
            Work::PassOn(input, receipt) => {
                let from = self.outputs.len();
                self.core.handle(now, input, &mut self.outputs);
                self.receipts.push_back((from..self.outputs.len(), receipt));
            }
            Work::Subscribe {
                connection,
                events,
                stream,
                framework_id,
                info,
                suppressed_roles,
                offer_constraints,
            } => {
                self.streams.open(connection, events);
                let input = Input::Subscribe {
                    connection,
                    stream,
                    framework_id,
                    info,
                    suppressed_roles,
                    offer_constraints,
                };
                self.core.handle(now, input, &mut self.outputs);
            }
            Work::Operator(call, reply) => {
                self.next_request += 1;
                let request = RequestId(self.next_request);
                self.requests.insert(request, reply);
                self.core.handle(now, Input::Operator { request, call }, &mut self.outputs);
            }
            Work::Snapshot(reply) => self.snapshots.push(reply),
            Work::Ask(question) => self.questions.push(question),
            Work::Watch(reply) => self.new_watchers.push(reply),
            Work::Stop => {}
        }
    }

    /// Handles an input that may have the core allocate, and notes how long that took.
    fn handle_timed(&mut self, now: Time, input: Input) {
        let (before, started) = (self.core.metrics().allocation_runs, Instant::now());
        self.core.handle(now, input, &mut self.outputs);
        if self.core.metrics().allocation_runs != before {
            self.figures.allocation_run.add(started, started.elapsed());
            self.figures
                .allocation_latency
                .add(started, started.saturating_duration_since(self.clock.instant_of(now)));
        }
    }

    /// Carries out what has come up, and what comes of that, until nothing is left.
    fn settle(&mut self, now: Time) {
        if self.core.wants_allocation() {
            self.handle_timed(now, Input::Allocate);
        }
        loop {
            let mut outputs = std::mem::take(&mut self.outputs);
            self.execute(&mut outputs);
            // The emptied vector comes back for its memory.
            self.outputs = outputs;
            if self.follow_ups.is_empty() {
                break;
            }
            self.handle_follow_ups(now);
        }
        self.answer_readers(now);
    }

    /// Answers all who want to see the state. Whoever asked may have gone away meanwhile.
    fn answer_readers(&mut self, now: Time) {
        for question in self.questions.drain(..) {
            question(&self.core, now);
        }
        if self.snapshots.is_empty() && self.new_watchers.is_empty() {
            return;
        }
        let snapshot = self.core.snapshot(now);
        for reply in self.snapshots.drain(..) {
            let _ = reply.send(snapshot.clone());
        }
        for reply in self.new_watchers.drain(..) {
            let _ = reply.send(self.watchers.watch().map(|watch| (snapshot.clone(), watch)));
        }
    }

    fn handle_follow_ups(&mut self, now: Time) {
        for input in std::mem::take(&mut self.follow_ups) {
            self.core.handle(now, input, &mut self.outputs);
        }
    }

    fn peer_event(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Lost { peer, link, .. } if !self.peers.is_current(peer, link) => {
                tracing::debug!("the former connection to {peer} is lost");
            }
            PeerEvent::Lost { peer, unanswered, reason, .. } => {
                let agents = self.agents.at(peer);
                for pid in agents {
                    tracing::warn!(
                        "lost the connection to agent {pid} ({reason}), {unanswered} messages unanswered"
                    );
                    self.follow_ups.push(Input::AgentDisconnected(pid.clone()));
                }
                if agents.is_empty() {
                    tracing::debug!("lost the connection to {peer} ({reason})");
                    self.peers.close(peer);
                }
            }
            PeerEvent::Refused { peer, status } => {
                tracing::warn!("a message to {peer} was answered with status {status}");
            }
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

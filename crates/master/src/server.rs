//! The server: listens, starts the core's thread, and ends everything again.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::{Rng, Time, Uuid};
use http_api::files::Attached;
use http_api::{ApiError, Latencies, Logging, ServeOptions, serve_behind};
use master_core::{FromRegistry, Input, MasterCore, Options, RegistryContent, Snapshot};
use proto::v1::MasterInfo;
use resources::Name;
use store::kv::{KeyValue, LocalStore};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use transport::{Peers, PeersOptions, Senders, Upid, serve_messages};

use crate::agents::{AgentInbox, Domains, MASTER};
use crate::answers::Answers;
use crate::context::Identity;
use crate::directory::Directory;
use crate::election::{Candidate, Leadership, Term, describe};
use crate::engine::{CoreHandle, Engine, EngineFigures, EngineOptions, Waits, Work};
use crate::insight::{self, Insight};
use crate::options::{MasterOptions, RegistryKind};
use crate::readers::{self, Readers};
use crate::registry::{self, RegistryError, RegistryFigures, RegistryQueue};
use crate::scheduler::EventContext;
use crate::status::gone;
use crate::timings::Timings;
use crate::view::framework_metrics::Counted;
use crate::view::metrics::{Metrics, ServerFigures, metrics};
use crate::view::sharing::Sharing;
use crate::watch::Watchers;
use crate::whitelist;

/// The shortest time between two of what comes back for ever: with none, there would be time for nothing else.
const SHORTEST: Duration = Duration::from_millis(1);

/// How much work may wait for the core before whoever brings more has to wait.
const QUEUE: usize = 16 << 10;

/// How many connections may wait to be accepted, as far as the system allows it (`net.core.somaxconn`). After a failover all
/// agents come at once, and each that finds no room tries again only after a second, then after two more, then four.
const BACKLOG: u32 = 65_535;

/// How long giving up a candidacy may take when the server ends; its session's end does it otherwise.
const RESIGNATION: Duration = Duration::from_secs(3);

/// What all handlers share.
pub(crate) struct Shared {
    pub(crate) options: MasterOptions,
    pub(crate) identity: Identity,
    pub(crate) leadership: Arc<Leadership>,
    pub(crate) core: CoreHandle,
    pub(crate) directory: Arc<Directory>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) events: Arc<EventContext>,
    pub(crate) started: Instant,
    pub(crate) logging: Logging,
    pub(crate) answers: Answers,
    /// How long requests took.
    pub(crate) latencies: Latencies,
    pub(crate) insight: Insight,
    figures: Arc<EngineFigures>,
    registry: Arc<RegistryFigures>,
    random: Mutex<Rng>,
}

/// The handle that handlers get.
pub(crate) type Master = Arc<Shared>;

impl Shared {
    /// A new random UUID.
    pub(crate) fn new_uuid(&self) -> Uuid {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).uuid()
    }

    /// All that the core knows.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, ApiError> {
        self.core.snapshot().await.map_err(gone)
    }

    /// The files that are given out: the log, under Mesos' name for it.
    pub(crate) fn attached(&self) -> Attached {
        self.options
            .log_files
            .shown("master")
            .map(|log| ("/master/log".to_owned(), log))
            .into_iter()
            .collect()
    }

    /// Makes something long, where it holds up no connection.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        tokio::task::spawn_blocking(make).await.map_err(|error| ApiError::internal(error.to_string()))
    }

    /// What takes time beside requests: its name, what it is, and the measurements.
    pub(crate) fn timings(&self) -> [(&'static str, &'static str, &Timings); 4] {
        let (engine, registry) = (&self.figures, &self.registry);
        [
            ("mesos_allocator_allocation_run_seconds", "Time of an allocation.", &engine.allocation_run),
            (
                "mesos_allocator_allocation_run_latency_seconds",
                "Time from what called for an allocation to its beginning.",
                &engine.allocation_latency,
            ),
            ("mesos_registrar_state_fetch_seconds", "Time to read the registry.", &registry.fetch),
            ("mesos_registrar_state_store_seconds", "Time of a write to the registry.", &registry.store),
        ]
    }

    /// What waits for how long.
    pub(crate) fn waits(&self) -> &Waits {
        &self.figures.waits
    }

    /// All metrics.
    pub(crate) async fn metrics(&self) -> Result<Metrics, ApiError> {
        let leads = self.leadership.leads();
        let (snapshot, sharing, counts) = if leads {
            let asked = self.core.ask(|core, now| {
                (core.snapshot(now), Sharing::of(core.allocator()), core.framework_counts())
            });
            asked.await.map_err(gone)?
        } else {
            // A standby knows what a core knows that has just begun.
            let core = MasterCore::new(core_options(&self.options, self.identity.id.clone(), 0));
            (core.snapshot(system_time()), Sharing::of(core.allocator()), core.framework_counts())
        };
        let publish = self.options.publish_per_framework_metrics;
        let counted = publish.then(|| Counted { counts, heartbeats: self.directory.heartbeats() });
        let now = Instant::now();
        let figures = ServerFigures {
            leads,
            dropped: self.leadership.dropped(),
            uptime: self.started.elapsed(),
            watchers: self.watchers.count(),
            watchers_given_up: self.watchers.given_up(),
            schedulers_given_up: self.figures.schedulers_given_up.load(Ordering::Relaxed),
            answers_shared: self.answers.shared(),
            queued: self.core.queued(),
            allocation_run: self.figures.allocation_run.statistics(now),
            allocation_run_latency: self.figures.allocation_latency.statistics(now),
            registry_fetch: self.registry.fetch.statistics(now),
            registry_store: self.registry.store.statistics(now),
            registry_bytes: self.registry.bytes(),
        };
        self.blocking(move || metrics(&snapshot, &sharing, counted.as_ref(), &figures)).await
    }
}

/// Why a master could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// What earlier masters have left could not be read.
    #[error("cannot recover the registry")]
    Registry(#[from] RegistryError),
    /// No thread could be made.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
}

/// A master that runs in this process. It ends when this is dropped; [`MasterServer::shutdown`] also waits for that.
pub struct MasterServer {
    address: SocketAddr,
    port: u16,
    id: String,
    stop: watch::Sender<bool>,
    core: CoreHandle,
    thread: Arc<CoreThread>,
    accepting: tokio::task::JoinHandle<()>,
    end: watch::Receiver<End>,
    /// Gives up the candidacy when it is asked to.
    standing: Option<tokio::task::JoinHandle<()>>,
    _readers: Readers,
}

/// The core's thread, once there is one.
type CoreThread = Mutex<Option<JoinHandle<()>>>;

/// Why a master has ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It led or stood for election and does so no more, for this reason. Started again it is a standby.
    Deposed(String),
    /// It cannot be elected, for this reason.
    Refused(String),
    /// Something in it is broken beyond repair; the log says what.
    Broken,
}

impl MasterServer {
    /// Starts a master on the current runtime. When this returns, it listens.
    ///
    /// # Errors
    /// Fails when it cannot listen on its address, or cannot read the registry.
    pub async fn start(options: MasterOptions) -> Result<Self, StartError> {
        let election = options.election.clone();
        Self::start_as(options, |own| election.and_then(|election| Candidate::stand(&election, own))).await
    }

    /// As [`start`](Self::start); `stand` makes the candidate, if there is an election.
    pub(crate) async fn start_as(
        options: MasterOptions,
        stand: impl FnOnce(MasterInfo) -> Option<Candidate>,
    ) -> Result<Self, StartError> {
        let wanted = SocketAddr::new(options.ip, options.port);
        let listen = |source| StartError::Listen { address: wanted, source };
        let listener = listener(wanted).map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let address = options.advertised(bound);

        let seed = options.seed.unwrap_or_else(seed_of_the_system);
        let random = Rng::new(seed).child("server");
        let identity = identity(&options, address, Rng::new(seed).child("master id").uuid());
        let directory = Arc::new(Directory::new(options.max_completed_frameworks));
        let watchers = Arc::new(Watchers::new(options.max_operator_event_stream_subscribers));
        let engine_figures = Arc::new(EngineFigures::default());
        let (queue, work) = mpsc::channel(QUEUE);
        let core = CoreHandle::new(queue);
        let core_options = core_options(&options, identity.id.clone(), seed);
        let figures = Arc::new(RegistryFigures::default());
        let (peer_events_sender, peer_events) = mpsc::unbounded_channel();
        let engine_options = EngineOptions {
            peers: Peers::new(address, PeersOptions::default(), Handle::current(), peer_events_sender),
            peer_events,
            directory: Arc::clone(&directory),
            watchers: Arc::clone(&watchers),
            total_ping_timeout: core_options.total_ping_timeout(),
            figures: Arc::clone(&engine_figures),
            registry: None,
        };
        let (stop, stopped) = watch::channel(false);
        let (tell_resigned, resigned) = mpsc::unbounded_channel();
        let start = CoreStart {
            options: core_options,
            engine: engine_options,
            work,
            stop: stop.clone(),
            resigned: tell_resigned,
        };
        let id = identity.id.clone();
        tracing::info!("master {id} listens on {bound} and is known as {}", identity.upid);
        let logging = Logging::new(options.set_logging_level);
        let shared = Arc::new(Shared {
            events: Arc::new(EventContext {
                master_info: proto::encode(&identity.master_info()),
                heartbeat_secs: options.http_heartbeat_interval.as_secs_f64(),
            }),
            options,
            identity,
            leadership: Arc::new(Leadership::standby()),
            core: core.clone(),
            directory,
            watchers,
            started: Instant::now(),
            logging,
            answers: Answers::default(),
            latencies: Latencies::default(),
            insight: Insight::default(),
            figures: engine_figures,
            registry: figures,
            random: Mutex::new(random),
        });
        let thread = Arc::new(CoreThread::default());
        let (tell_end, end) = watch::channel(End::Broken);
        let standing = match stand(shared.identity.master_info()) {
            None => {
                let registry = open_registry(&shared, None).await?;
                *thread.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(lead(&shared, start, registry).await?);
                None
            }
            Some(candidate) => {
                let (shared, thread) = (Arc::clone(&shared), Arc::clone(&thread));
                Some(tokio::spawn(run_for_office(candidate, shared, start, resigned, thread, tell_end)))
            }
        };
        let (router, limit) = (crate::routes::router(&shared), shared.options.max_request_bytes);
        let max_connections = shared.options.max_connections;
        let domains =
            Domains { known: shared.options.domain.is_some(), required: shared.options.require_agent_domain };
        let inbox = AgentInbox::new(core.clone(), Arc::clone(&shared.leadership), domains);
        let senders = Arc::new(Senders::default());
        let readers = Readers::start().map_err(StartError::Thread)?;
        let for_readers = readers.handle();
        let front = move |stream, peer| {
            let messages = serve_messages(stream, peer, limit, Arc::clone(&senders), inbox.clone());
            let for_readers = for_readers.clone();
            async move { messages.await.map(|stream| readers::admit(stream, for_readers.as_ref())) }
        };
        let serve_options = ServeOptions { max_connections, ..ServeOptions::default() };
        let accepting = tokio::spawn(serve_behind(listener, router, serve_options, stopped, front));
        Ok(Self {
            address,
            port: bound.port(),
            id,
            stop,
            core,
            thread,
            accepting,
            end,
            standing,
            _readers: readers,
        })
    }

    /// The address under which it can be reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The master's id, which the ids of its frameworks and agents begin with.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits until it has ended by itself. Nobody is served then, so the process had better end, too, or start another one.
    pub async fn ended(&self) -> End {
        // Without a sender it is over as well.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
        self.end.borrow().clone()
    }

    /// Ends it: connections are closed, the core's thread ends, the port is free again. Frameworks and agents are told
    /// nothing, as if the process had ended: they look for a master again.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if let Some(standing) = self.standing.take() {
            // The candidacy is given up, so that the next master need not wait for the session's end.
            let _ = tokio::time::timeout(RESIGNATION, standing).await;
        }
        // Fails when the thread is gone already.
        let _ = self.core.send(Work::Stop).await;
        if let Err(error) = (&mut self.accepting).await {
            tracing::warn!("the listener ended badly: {error}");
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the core's thread ended badly");
            }
        }
    }
}

impl Drop for MasterServer {
    fn drop(&mut self) {
        // The core's thread can say this as well, so that no longer having a sender does not say it.
        self.stop.send_replace(true);
    }
}

/// Opens the registry and reads it: where an election was won, else in the work directory. The core's writes go where the
/// first part says; nowhere if the registry is in memory.
async fn open_registry(
    master: &Master,
    term: Option<Term>,
) -> Result<(Option<RegistryQueue>, RegistryContent), StartError> {
    let options = &master.options;
    let (store, fence): (Arc<dyn KeyValue>, _) = match (options.registry, &options.work_dir, term) {
        (RegistryKind::Embedded, _, Some(term)) => (term.store, Some(term.fence)),
        (RegistryKind::Embedded, Some(directory), None) => {
            let local = LocalStore::new(&directory.join("registry"), store::kv::Options::default());
            (Arc::new(local), None)
        }
        _ => {
            tracing::warn!(
                "the registry is in memory: quotas, weights and which agents there were are not remembered"
            );
            return Ok((None, RegistryContent::default()));
        }
    };
    let content =
        registry::fetch(&*store, fence.as_ref(), options.registry_fetch_timeout, &master.registry).await?;
    tracing::info!("recovered the registry with {} agents from {store:?}", content.agents.len());
    let (queue, writes) = mpsc::unbounded_channel();
    let store = registry::Store { store, fence, timeout: options.registry_store_timeout };
    tokio::spawn(registry::write_all(store, writes, master.core.clone(), Arc::clone(&master.registry)));
    Ok((Some(queue), content))
}

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Connections inherit it: those whose other end has lost its power would stay for ever, for a connection that
    // carries messages may be silent for as long as it likes.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn identity(options: &MasterOptions, address: SocketAddr, id: Uuid) -> Identity {
    let hostname = options.hostname.clone().unwrap_or_else(|| address.ip().to_string());
    Identity {
        id: id.to_string(),
        upid: Upid::new(MASTER, address),
        flags: options.flags(address.port(), &hostname),
        hostname,
        cluster: options.cluster.clone(),
        domain: options.domain.clone(),
        start_time: system_time(),
        elected_time: Arc::default(),
        listed_roles: options.roles.clone(),
    }
}

fn system_time() -> Time {
    Time::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn core_options(options: &MasterOptions, master_id: String, seed: u64) -> Options {
    Options {
        agent_ping_timeout: options.agent_ping_timeout.max(SHORTEST),
        max_agent_ping_timeouts: options.max_agent_ping_timeouts.max(1),
        agent_reregister_timeout: options.agent_reregister_timeout,
        allocation_interval: options.allocation_interval.max(SHORTEST),
        offer_timeout: options.offer_timeout,
        max_offered_share: options.max_offered_share,
        min_allocatable: options.min_allocatable_resources.clone(),
        fairness_excluded: options
            .fair_sharing_excluded_resource_names
            .iter()
            .map(|name| Name::from(name.as_str()))
            .collect(),
        filter_gpu_agents: options.filter_gpu_resources,
        region: options.domain.as_ref().map(|domain| domain.region.clone()),
        agent_removal_pause: options.agent_removal_rate_limit.map_or(Duration::ZERO, |rate| rate.pause()),
        recovery_agent_removal_limit: options.recovery_agent_removal_limit,
        registry_gc_interval: options.registry_gc_interval.max(SHORTEST),
        registry_max_agent_age: options.registry_max_agent_age,
        registry_max_agent_count: options.registry_max_agent_count,
        weights: options.weights.iter().map(|(role, weight)| (role.as_str().into(), *weight)).collect(),
        allocator_agent_recovery_factor: options.allocator_agent_recovery_factor,
        allocator_recovery_timeout: options.allocator_recovery_timeout,
        max_completed_frameworks: options.max_completed_frameworks,
        max_completed_tasks_per_framework: options.max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework: options.max_unreachable_tasks_per_framework,
        root_submissions: options.root_submissions,
        ..Options::new(master_id, seed)
    }
}

/// What the core's thread begins with.
struct CoreStart {
    options: Options,
    engine: EngineOptions,
    work: mpsc::Receiver<Work>,
    stop: watch::Sender<bool>,
    /// Where the core says why it does not want to lead any more.
    resigned: mpsc::UnboundedSender<String>,
}

/// Begins to lead: the core's thread starts, and requests are let through to it.
async fn lead(
    master: &Master,
    mut start: CoreStart,
    (registry, content): (Option<RegistryQueue>, RegistryContent),
) -> Result<JoinHandle<()>, StartError> {
    let stopped = start.stop.subscribe();
    start.engine.registry = registry;
    let thread = spawn_core(start)?;
    if !content.weights.is_empty() && !master.options.weights.is_empty() {
        tracing::warn!("ignoring --weights: the registry has weights, which UPDATE_WEIGHTS changes");
    }
    // The thread has just started. If it has ended already, all that follows says so.
    let _ = master.core.input(Input::Registry(FromRegistry::Recovered(Box::new(content)))).await;
    if let Some(path) = master.options.whitelist.clone() {
        tokio::spawn(whitelist::watch(path, master.core.clone(), stopped.clone()));
    }
    // A master leads once.
    let _ = master.identity.elected_time.set(system_time());
    master.leadership.lead();
    master.watchers.recent().leads(&master.identity.id);
    tokio::spawn(insight::sample(Master::clone(master), stopped));
    Ok(thread)
}

/// A master among several: waits until it is elected, leads, and ends when it leads no more.
async fn run_for_office(
    mut candidate: Candidate,
    master: Master,
    start: CoreStart,
    mut resigned: mpsc::UnboundedReceiver<String>,
    thread: Arc<CoreThread>,
    tell: watch::Sender<End>,
) {
    let stop = start.stop.clone();
    let mut stopped = stop.subscribe();
    let leading = async {
        let term = match candidate.elected(&master.leadership).await {
            Ok(term) => term,
            Err(end) => return end,
        };
        tracing::info!("elected as the leading master, in epoch {} of {:?}", term.fence.epoch(), term.store);
        // Reading may take long, and this may not be the leader any more by then.
        let registry = tokio::select! {
            biased;
            reason = candidate.deposed() => return End::Deposed(reason),
            opened = open_registry(&master, Some(term)) => opened,
        };
        let led = match registry {
            Ok(registry) => lead(&master, start, registry).await,
            // The next one may reach it, and this one later.
            Err(StartError::Registry(RegistryError::Store(error))) if error.is_transient() => {
                return End::Deposed(format!("cannot read the registry: {error}"));
            }
            Err(error) => Err(error),
        };
        match led {
            Ok(started) => *thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(started),
            Err(error) => {
                tracing::error!("cannot lead: {}", describe(&error));
                return End::Broken;
            }
        }
        tokio::select! {
            biased;
            reason = candidate.deposed() => End::Deposed(reason),
            Some(reason) = resigned.recv() => End::Deposed(reason),
        }
    };
    let stopping = async move {
        // Without a sender it is over as well.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    tokio::select! {
        biased;
        end = leading => {
            tracing::error!("this master ends: {end:?}");
            tell.send_replace(end);
            stop.send_replace(true);
        }
        () = stopping => {
            candidate.resign().await;
        }
    }
}

fn spawn_core(start: CoreStart) -> Result<JoinHandle<()>, StartError> {
    let CoreStart { options, engine, work, stop, resigned } = start;
    // A runtime of its own, so that the core's thread sleeps and wakes by its own timers only.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StartError::Thread)?;
    std::thread::Builder::new()
        .name("master-core".to_owned())
        .spawn(move || {
            // Without its core the server is of no use, whatever ended it.
            let mut last = StopAtEnd(Some(stop));
            let engine = Engine::new(MasterCore::new(options), engine);
            // Among several masters it goes on as one that stands by.
            if let Some(why) = runtime.block_on(engine.run(work))
                && resigned.send(why).is_ok()
            {
                last.0 = None;
            }
        })
        .map_err(StartError::Thread)
}

/// Stops the server when it is dropped, also by a panic.
struct StopAtEnd(Option<watch::Sender<bool>>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the master's core has failed; the master ends");
        }
        if let Some(stop) = &self.0 {
            stop.send_replace(true);
        }
    }
}

/// A seed that nobody can guess: the hasher's keys come from the system.
fn seed_of_the_system() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(SystemTime::now())
}

//! The server: listens, starts the core's thread, and ends everything again.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base::{Rng, Time, Uuid};
use http_api::{ApiError, Logging, ServeOptions, serve_behind};
use master_core::{MasterCore, OperatorCall, Options, Snapshot};
use resources::Name;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use transport::{Peers, PeersOptions, Upid, serve_messages};

use crate::agents::{AgentInbox, Domains, MASTER};
use crate::answers::Answers;
use crate::context::Identity;
use crate::directory::Directory;
use crate::engine::{Allocations, CoreHandle, Engine, EngineOptions, Work};
use crate::options::MasterOptions;
use crate::scheduler::EventContext;
use crate::status::gone;
use crate::view::metrics::{Metrics, ServerFigures, metrics};
use crate::view::sharing::Sharing;
use crate::watch::Watchers;
use crate::whitelist;

/// The shortest time between two of what comes back for ever: with none, there would be time for nothing else.
const SHORTEST: Duration = Duration::from_millis(1);

/// How much work may wait for the core before whoever brings more has to wait.
const QUEUE: usize = 16 << 10;

/// What all handlers share.
pub(crate) struct Shared {
    pub(crate) options: MasterOptions,
    pub(crate) identity: Identity,
    pub(crate) core: CoreHandle,
    pub(crate) directory: Arc<Directory>,
    pub(crate) watchers: Arc<Watchers>,
    pub(crate) events: Arc<EventContext>,
    pub(crate) started: Instant,
    pub(crate) logging: Logging,
    pub(crate) answers: Answers,
    allocations: Arc<Allocations>,
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

    /// Makes something long, where it holds up no connection.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        tokio::task::spawn_blocking(make).await.map_err(|error| ApiError::internal(error.to_string()))
    }

    /// All metrics.
    pub(crate) async fn metrics(&self) -> Result<Metrics, ApiError> {
        let asked = self.core.ask(|core, now| (core.snapshot(now), Sharing::of(core.allocator())));
        let (snapshot, sharing) = asked.await.map_err(gone)?;
        let now = Instant::now();
        let figures = ServerFigures {
            uptime: self.started.elapsed(),
            watchers: self.watchers.count(),
            queued: self.core.queued(),
            allocation_run: self.allocations.run.statistics(now),
            allocation_run_latency: self.allocations.latency.statistics(now),
        };
        self.blocking(move || metrics(&snapshot, &sharing, &figures)).await
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
    /// No thread could be made.
    #[error("cannot start the core's thread")]
    Thread(#[source] io::Error),
}

/// A master that runs in this process. It ends when this is dropped; [`MasterServer::shutdown`] also waits for that.
pub struct MasterServer {
    address: SocketAddr,
    id: String,
    stop: watch::Sender<bool>,
    core: CoreHandle,
    thread: Option<JoinHandle<()>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl MasterServer {
    /// Starts a master on the current runtime. When this returns, it listens.
    ///
    /// # Errors
    /// Fails when it cannot listen on its address.
    pub async fn start(options: MasterOptions) -> Result<Self, StartError> {
        let wanted = SocketAddr::new(options.ip, options.port);
        let listen = |source| StartError::Listen { address: wanted, source };
        let listener = listener(wanted).map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let address = options.advertised(bound);

        let seed = options.seed.unwrap_or_else(seed_of_the_system);
        let random = Rng::new(seed).child("server");
        let identity = identity(&options, address, Rng::new(seed).child("master id").uuid());
        let directory = Arc::new(Directory::default());
        let watchers = Arc::new(Watchers::new(options.max_operator_event_stream_subscribers));
        let allocations = Arc::new(Allocations::default());
        let (queue, work) = mpsc::channel(QUEUE);
        let core = CoreHandle::new(queue);
        let core_options = core_options(&options, identity.id.clone(), seed);
        let (peer_events_sender, peer_events) = mpsc::unbounded_channel();
        let engine_options = EngineOptions {
            peers: Peers::new(address, PeersOptions::default(), Handle::current(), peer_events_sender),
            peer_events,
            directory: Arc::clone(&directory),
            watchers: Arc::clone(&watchers),
            total_ping_timeout: core_options.total_ping_timeout(),
            allocations: Arc::clone(&allocations),
        };
        let (stop, stopped) = watch::channel(false);
        let thread = spawn_core(core_options, engine_options, work, stop.clone())?;
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
            core: core.clone(),
            directory,
            watchers,
            started: Instant::now(),
            logging,
            answers: Answers::default(),
            allocations,
            random: Mutex::new(random),
        });
        let weights =
            shared.options.weights.iter().map(|(role, weight)| (role.as_str().into(), *weight)).collect();
        // The answer is of no interest: setting weights cannot fail, and the thread has just started.
        let _ = core.operator(OperatorCall::UpdateWeights(weights)).await;
        if let Some(path) = shared.options.whitelist.clone() {
            tokio::spawn(whitelist::watch(path, core.clone(), stopped.clone()));
        }
        let (router, limit) = (crate::routes::router(&shared), shared.options.max_request_bytes);
        let domains =
            Domains { known: shared.options.domain.is_some(), required: shared.options.require_agent_domain };
        let inbox = AgentInbox::new(core.clone(), domains);
        let front = move |stream, peer| serve_messages(stream, peer, limit, inbox.clone());
        let accepting = tokio::spawn(serve_behind(listener, router, ServeOptions::default(), stopped, front));
        Ok(Self { address, id, stop, core, thread: Some(thread), accepting })
    }

    /// The address under which it can be reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The master's id, which the ids of its frameworks and agents begin with.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Waits until it has ended by itself, which only happens when something in it is broken beyond repair; the log says
    /// what. Nobody is served then, so the process had better end, too.
    pub async fn ended(&self) {
        // Without a sender it is over as well.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }

    /// Ends it: connections are closed, the core's thread ends, the port is free again. Frameworks and agents are told
    /// nothing, as if the process had ended: they look for a master again.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        // Fails when the thread is gone already.
        let _ = self.core.send(Work::Stop).await;
        if let Err(error) = (&mut self.accepting).await {
            tracing::warn!("the listener ended badly: {error}");
        }
        if let Some(thread) = self.thread.take() {
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

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Connections inherit it: those whose other end has lost its power would stay for ever, for a connection that
    // carries messages may be silent for as long as it likes.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

fn identity(options: &MasterOptions, address: SocketAddr, id: Uuid) -> Identity {
    let hostname = options.hostname.clone().unwrap_or_else(|| address.ip().to_string());
    let now = Time::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Identity {
        id: id.to_string(),
        upid: Upid::new(MASTER, address),
        flags: options.flags(address.port(), &hostname),
        hostname,
        cluster: options.cluster.clone(),
        domain: options.domain.clone(),
        start_time: now,
        elected_time: now,
    }
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
        max_completed_frameworks: options.max_completed_frameworks,
        max_completed_tasks_per_framework: options.max_completed_tasks_per_framework,
        max_unreachable_tasks_per_framework: options.max_unreachable_tasks_per_framework,
        root_submissions: options.root_submissions,
        ..Options::new(master_id, seed)
    }
}

fn spawn_core(
    core_options: Options,
    engine_options: EngineOptions,
    work: mpsc::Receiver<Work>,
    stop: watch::Sender<bool>,
) -> Result<JoinHandle<()>, StartError> {
    // A runtime of its own, so that the core's thread sleeps and wakes by its own timers only.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StartError::Thread)?;
    std::thread::Builder::new()
        .name("master-core".to_owned())
        .spawn(move || {
            // Without its core the server is of no use, whatever ended it.
            let _last = StopAtEnd(stop);
            let engine = Engine::new(MasterCore::new(core_options), engine_options);
            runtime.block_on(engine.run(work));
        })
        .map_err(StartError::Thread)
}

/// Stops the server when it is dropped, also by a panic.
struct StopAtEnd(watch::Sender<bool>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the master's core has failed; the master ends");
        }
        self.0.send_replace(true);
    }
}

/// A seed that nobody can guess: the hasher's keys come from the system.
fn seed_of_the_system() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(SystemTime::now())
}

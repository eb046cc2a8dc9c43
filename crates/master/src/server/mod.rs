//! The server: listens, starts the core's thread, and ends everything again.

mod derived;
mod office;
mod shared;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::Rng;
use http_api::{Latencies, Logging, ServeOptions, serve_behind};
use proto::v1::MasterInfo;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use transport::{Peers, PeersOptions, Senders, serve_messages};

use crate::agents::{AgentInbox, Domains};
use crate::answers::Answers;
use crate::directory::Directory;
use crate::election::{Candidate, Leadership};
use crate::engine::{CoreHandle, EngineFigures, EngineOptions, Work};
use crate::insight::Insight;
use crate::options::MasterOptions;
use crate::readers::{self, Readers};
use crate::registry::{RegistryError, RegistryFigures};
use crate::scheduler::EventContext;
use crate::watch::Watchers;
use derived::{core_options, identity, seed_of_the_system};
use office::{CoreStart, lead, open_registry, run_for_office};

pub(crate) use shared::{Master, Shared};

/// How much work may wait for the core before whoever brings more has to wait.
const QUEUE: usize = 16 << 10;

/// How many connections may wait to be accepted, as far as the system allows it (`net.core.somaxconn`). After a failover all
/// agents come at once, and each that finds no room tries again only after a second, then after two more, then four.
const BACKLOG: u32 = 65_535;

/// How long giving up a candidacy may take when the server ends; its session's end does it otherwise.
const RESIGNATION: Duration = Duration::from_secs(3);

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

fn listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // Connections inherit it: those whose other end has lost its power would stay for ever, for a connection that
    // carries messages may be silent for as long as it likes.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

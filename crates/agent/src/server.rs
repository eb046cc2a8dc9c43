//! The server: listens, starts the core's thread, and ends everything again.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agent_core::{AgentCore, Input, KnownContainer, Options, Pid, RecoveryError};
use base::Time;
use containerizer::{FetchLimits, Fetcher, Hadoop, Launcher};
use http_api::{Admitted, Logging, ServeOptions, serve_behind};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use transport::{Peers, PeersOptions, Senders, serve_messages};

use crate::checks::Checks;
use crate::compatibility::IncompatibleError;
use crate::context::Shared;
use crate::convert::SelfDescription;
use crate::detect::{self, DescriptionError};
use crate::detector;
use crate::engine::{
    Clock, Containers, CoreHandle, Disks, Ended, Engine, EngineOptions, Garbage, GarbageOptions, Work,
    leftovers,
};
use crate::launchers::{self, LauncherError};
use crate::libprocess::{Inbox, PROCESS};
use crate::options::{AgentOptions, FaultDomain, Recover};
use crate::recovery::{self, WrapStore};

/// How much work may wait for the core before whoever brings more has to wait.
const QUEUE: usize = 16 << 10;

/// Held by the agent that uses a work directory. Beside what it remembers, where nobody else can open it.
const LOCK: &str = "lock";

/// How long the work directory of an agent that was just killed may still seem to be in use.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// Why an agent could not be started.
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
    /// The master's address cannot be found out.
    #[error("cannot find the master '{master}'")]
    Master {
        /// As given.
        master: String,
        /// Why not.
        source: io::Error,
    },
    /// Resources or attributes make no sense.
    #[error("cannot describe this agent")]
    Description(#[from] DescriptionError),
    /// The work directory cannot be used.
    #[error("cannot use work directory '{path}'")]
    WorkDir {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// What the agent remembers cannot be read or written.
    #[error("cannot use what the agent remembers in '{path}'")]
    Store {
        /// In which file.
        path: PathBuf,
        /// Why not.
        source: store::StoreError,
    },
    /// What the agent remembers cannot be true together with its options.
    #[error("cannot go on as the agent that was here before")]
    Recovery(#[from] RecoveryError),
    /// Its settings have changed in a way that is not permitted.
    #[error("cannot go on as the agent that was here before")]
    Incompatible(#[from] IncompatibleError),
    /// Containers cannot be run like this here.
    #[error("containers cannot run as they are to")]
    Launcher(#[from] LauncherError),
    /// Threads or descriptors are used up.
    #[error("cannot start the agent's threads")]
    Thread(#[source] io::Error),
}

/// How an agent ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminated {
    /// Why, in one line.
    pub reason: String,
}

/// An agent that runs in this process.
///
/// [`AgentServer::shutdown`] ends it as a killed process would end, except that its containers end first and nothing is
/// left; [`AgentServer::unregister`] is the orderly end.
#[derive(Debug)]
pub struct AgentServer {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    core: CoreHandle,
    ended: watch::Receiver<Option<Terminated>>,
    thread: Option<JoinHandle<()>>,
    accepting: tokio::task::JoinHandle<()>,
    watching: tokio::task::JoinHandle<()>,
}

impl AgentServer {
    /// Starts an agent on the current runtime. When this returns, it listens and looks for its master.
    ///
    /// # Errors
    /// If it cannot listen, describe itself, use its work directory or find its master's address.
    pub async fn start(options: AgentOptions) -> Result<Self, StartError> {
        Self::start_with_store(options, Box::new(|store| Box::new(store))).await
    }

    /// The same, with something put around the store into which the agent writes: it sees each commit before and after it
    /// is made, and may make it fail.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_with_store(options: AgentOptions, wrap: WrapStore) -> Result<Self, StartError> {
        let listener = listen(&options).await?;
        let bound = listener.local_addr().map_err(|source| StartError::Listen {
            address: SocketAddr::new(options.ip, options.port),
            source,
        })?;
        let address = options.advertised(bound);
        let given = detector::given(&options.master)
            .await
            .map_err(|source| StartError::Master { master: options.master.clone(), source })?;
        let master = detector::leading(&given).await;
        let (work_dir, lock) = work_dir(&options).await?;
        let options = AgentOptions { work_dir, ..options };
        let own = Arc::new(describe(&options, address)?);

        let recovering = Instant::now();
        let mut recovery = recovery::read(&options.work_dir, wrap).await?;
        recovery.compare(&options, &own)?;

        let (queue, work) = mpsc::channel(QUEUE);
        let core = CoreHandle::new(queue);
        let (container_sender, container_events) = mpsc::unbounded_channel();
        let sink = Arc::new(move |event| {
            // The loop has ended when nobody listens.
            let _ = container_sender.send(event);
        });
        let chosen = launchers::start(&options, &own.resources, sink).await?;
        let launcher = Arc::clone(&chosen.launcher);
        let core_options = core_options(&options, &own);
        let work_dir_text = Arc::clone(&core_options.work_dir);
        let leftovers = recovery.find(&core_options, Arc::clone(&launcher)).await;
        let clock = Clock::start();
        let (agent, first) = recovery.core(core_options, &own, clock.now())?;
        let limits = FetchLimits { stall: options.fetcher_stall_timeout, ..FetchLimits::default() };
        let fetcher = Fetcher::new(limits, options.frameworks_home.clone())
            .with_cache(options.fetcher_cache_dir.clone(), options.fetcher_cache_size);
        let fetcher = match Hadoop::find(options.hadoop_home.as_deref()) {
            Some(hadoop) => fetcher.with_other_schemes(Arc::new(hadoop)),
            None => fetcher,
        };
        let (peer_sender, peer_events) = mpsc::unbounded_channel();
        let runtime = Handle::current();
        let registered = Arc::new(AtomicBool::new(false));
        let watching = tokio::spawn(detector::watch(
            given,
            master.clone(),
            options.zk_session_timeout,
            Arc::clone(&registered),
            core.clone(),
        ));
        let checks =
            Checks::new(Arc::clone(&launcher), chosen.isolation.clone(), runtime.clone(), core.clone());
        let mut containers =
            Containers::new(chosen, &work_dir_text, fetcher.clone(), &options, runtime.clone(), core.clone());
        let garbage = garbage(&options, &leftovers.known).await;
        containers.adopt(leftovers.known, &leftovers.fates);
        let (store_sender, store_events) = mpsc::unbounded_channel();
        let writer =
            recovery::writer(recovery.store, Arc::clone(&own), store_sender).map_err(StartError::Thread)?;
        recovery::delete_leftovers(&options.work_dir, &own, &runtime);
        let engine_options = EngineOptions {
            writer,
            store_events,
            first,
            clock,
            recovery_errors: recovery.errors,
            recovery_time: recovering.elapsed(),
            cleanup: (options.recover == Recover::Cleanup)
                .then(|| "what an earlier agent had left is ended ('--recover=cleanup')".to_owned()),
            own: Arc::clone(&own),
            master,
            registered,
            peers: Peers::new(address, PeersOptions::default(), runtime.clone(), peer_sender),
            peer_events,
            containers,
            container_events,
            checks,
            garbage,
            disks: Disks::new(options.volume_timeout),
            runtime,
        };
        let (end, ended) = watch::channel(None);
        let thread = spawn_core(agent, engine_options, work, (Arc::clone(&launcher), lock), end)?;
        tracing::info!("agent listens on {bound} and is known as {}", own.pid);
        let shared = Arc::new(Shared {
            flags: options.flags(address.port(), &own.hostname),
            own,
            core: core.clone(),
            fetcher,
            launcher,
            started: Instant::now(),
            start_time: Time::EPOCH + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
            logging: Logging::new(options.set_logging_level),
            latencies: http_api::Latencies::default(),
            options,
        });
        let (stop, stopped) = watch::channel(false);
        let (router, limit) = (crate::v0::router(&shared), shared.options.max_request_bytes);
        let (messages, acknowledged) = (core.clone(), recovery.acknowledged);
        let senders = Arc::new(Senders::default());
        let front = move |stream, peer| {
            let inbox = Inbox::new(messages.clone(), acknowledged.clone());
            let messages = serve_messages(stream, peer, limit, Arc::clone(&senders), inbox);
            async move { messages.await.map(|stream| Admitted { stream, runtime: None }) }
        };
        let accepting = tokio::spawn(serve_behind(listener, router, ServeOptions::default(), stopped, front));
        Ok(Self { address, stop, core, ended, thread: Some(thread), accepting, watching })
    }

    /// The address under which it can be reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the agent wants to end by itself: its master told it to, or [`unregister`](Self::unregister) is
    /// done. It still has to be [shut down](Self::shutdown).
    pub async fn terminated(&self) -> Terminated {
        let mut ended = self.ended.clone();
        let found = match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone(),
            Err(_) => None,
        };
        found.unwrap_or_else(|| Terminated { reason: "the agent was shut down".to_owned() })
    }

    /// Begins the orderly end: tells the master, ends all executors. [`terminated`](Self::terminated) says when it is
    /// done.
    pub async fn unregister(&self, reason: impl Into<String>) {
        // Fails when the end has come already.
        let _ = self.core.input(Input::Shutdown { reason: reason.into() }).await;
    }

    /// Ends it: all containers are killed, connections closed, threads ended, the port is free again. The master is
    /// told nothing, as if the process had been killed.
    pub async fn shutdown(self) {
        self.stop(Work::Stop).await;
    }

    /// Ends it for the next one to go on: as [`shutdown`](Self::shutdown), but containers of frameworks that checkpoint
    /// go on, if the launcher lets them.
    pub async fn leave(self) {
        self.stop(Work::Leave).await;
    }

    async fn stop(mut self, how: Work) {
        self.watching.abort();
        // Fails when the thread is gone already.
        let _ = self.core.send(how).await;
        self.stop.send_replace(true);
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

async fn listen(options: &AgentOptions) -> Result<TcpListener, StartError> {
    let address = SocketAddr::new(options.ip, options.port);
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}

/// The work directory as an absolute path, made if it is not there, with what an earlier agent left in it killed. The
/// file locks it: a second agent there would take the containers of the first for left behind.
async fn work_dir(options: &AgentOptions) -> Result<(PathBuf, File), StartError> {
    let path = options.work_dir.clone();
    let failed = |source| StartError::WorkDir { path: options.work_dir.clone(), source };
    let prepared = tokio::task::spawn_blocking(move || {
        std::fs::create_dir_all(&path)?;
        let path = path.canonicalize()?;
        // Not the work directory itself: whoever can open it could lock us out.
        let lock = recovery::make_directory(&path)?.join(LOCK);
        let lock = File::options().write(true).create(true).truncate(false).mode(0o600).open(lock)?;
        self::lock(&lock)?;
        Ok((path, lock))
    });
    prepared.await.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)
}

/// A process that an agent was just starting when it was killed has the lock, too, until it executes something.
fn lock(file: &File) -> io::Result<()> {
    let end = Instant::now() + LOCK_PATIENCE;
    loop {
        match rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another agent uses it"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn describe(options: &AgentOptions, address: SocketAddr) -> Result<SelfDescription, StartError> {
    Ok(SelfDescription {
        process: PROCESS.into(),
        pid: format!("{PROCESS}@{address}").into(),
        hostname: options.hostname.clone().unwrap_or_else(|| address.ip().to_string()),
        ip: address.ip(),
        port: address.port(),
        resources: detect::resources(options)?,
        attributes: detect::attributes(options.attributes.as_deref())?,
        domain: options.domain.as_ref().map(FaultDomain::to_proto),
    })
}

/// What is to be deleted, with what earlier lives of the agent have left.
async fn garbage(options: &AgentOptions, known: &[KnownContainer]) -> Garbage {
    let settings = GarbageOptions {
        delay: options.gc_delay,
        headroom: options.gc_disk_headroom,
        watch_interval: options.disk_watch_interval,
        work_dir: options.work_dir.clone(),
    };
    let living: HashSet<PathBuf> = known.iter().map(|known| PathBuf::from(&*known.directory)).collect();
    let work_dir = options.work_dir.clone();
    let looking = tokio::task::spawn_blocking(move || leftovers(&work_dir, |path| living.contains(path)));
    let now = Instant::now();
    let mut garbage = Garbage::new(now, settings);
    for (directory, age) in looking.await.unwrap_or_default() {
        garbage.adopt(now, directory.display().to_string().into(), age);
    }
    garbage
}

fn core_options(options: &AgentOptions, own: &SelfDescription) -> Options {
    let seed = options.seed.unwrap_or_else(seed_of_the_system);
    let work_dir = options.work_dir.display().to_string();
    let pid = Pid::from(&*own.pid);
    Options {
        registration_backoff: options.registration_backoff_factor,
        executor_registration_timeout: options.executor_registration_timeout,
        executor_reregistration_timeout: options.executor_reregistration_timeout,
        executor_shutdown_grace: options.executor_shutdown_grace_period,
        recovery_timeout: options.recovery_timeout,
        cpus_are_limited: options.linux.cfs,
        switch_user: options.switch_user,
        own_user: containerizer::own_user_name().into(),
        max_completed_executors: options.max_completed_executors_per_framework,
        environment: options
            .executor_environment_variables
            .iter()
            .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
            .collect(),
        ..Options::new(seed, pid, &work_dir, own.resources.clone())
    }
}

fn spawn_core(
    core: AgentCore,
    engine_options: EngineOptions,
    work: mpsc::Receiver<Work>,
    (launcher, lock): (Arc<dyn Launcher>, File),
    end: watch::Sender<Option<Terminated>>,
) -> Result<JoinHandle<()>, StartError> {
    // A runtime of its own, so that the core's thread sleeps and wakes by its own timers only.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StartError::Thread)?;
    std::thread::Builder::new()
        .name("agent-core".to_owned())
        .spawn(move || {
            let engine = Engine::new(core, engine_options);
            let ended = runtime.block_on(engine.run(work));
            match &ended {
                Ended::Left | Ended::Broken(_) => launcher.leave(),
                // Whatever runs ends with the agent.
                Ended::Stopped | Ended::Terminated(_) => launcher.shutdown(),
            }
            drop(lock);
            if let Ended::Terminated(reason) | Ended::Broken(reason) = ended {
                tracing::info!("the agent ends: {reason}");
                end.send_replace(Some(Terminated { reason }));
            }
        })
        .map_err(StartError::Thread)
}

/// A seed that nobody can guess: the hasher's keys come from the system.
fn seed_of_the_system() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(SystemTime::now())
}

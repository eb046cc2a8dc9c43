//! From an elected master to one that leads: its registry is read, and its core's thread starts.

use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use master_core::{FromRegistry, Input, MasterCore, Options, RegistryContent};
use store::kv::{KeyValue, LocalStore};
use tokio::sync::{mpsc, watch};

use super::derived::system_time;
use super::shared::Master;
use super::{CoreThread, End, StartError};
use crate::election::{Candidate, Term, describe};
use crate::engine::{Engine, EngineOptions, Work};
use crate::insight;
use crate::options::RegistryKind;
use crate::registry::{self, RegistryError, RegistryQueue};
use crate::whitelist;

/// Opens the registry and reads it: where an election was won, else in the work directory. The core's writes go where the
/// first part says; nowhere if the registry is in memory.
pub(super) async fn open_registry(
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

/// What the core's thread begins with.
pub(super) struct CoreStart {
    pub(super) options: Options,
    pub(super) engine: EngineOptions,
    pub(super) work: mpsc::Receiver<Work>,
    pub(super) stop: watch::Sender<bool>,
    /// Where the core says why it does not want to lead any more.
    pub(super) resigned: mpsc::UnboundedSender<String>,
}

/// Begins to lead: the core's thread starts, and requests are let through to it.
pub(super) async fn lead(
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
pub(super) async fn run_for_office(
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

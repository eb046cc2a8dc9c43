//! What all handlers share, and what they ask it for.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use base::{Rng, Uuid};
use http_api::files::Attached;
use http_api::{ApiError, Latencies, Logging};
use master_core::{MasterCore, Quota, Snapshot};
use resources::Role;

use super::derived::{core_options, system_time};
use crate::answers::Answers;
use crate::context::Identity;
use crate::directory::Directory;
use crate::election::Leadership;
use crate::engine::{CoreHandle, EngineFigures, Waits};
use crate::insight::Insight;
use crate::options::MasterOptions;
use crate::registry::RegistryFigures;
use crate::scheduler::EventContext;
use crate::status::gone;
use crate::timings::Timings;
use crate::view::framework_metrics::Counted;
use crate::view::metrics::{Metrics, ServerFigures, metrics};
use crate::view::sharing::Sharing;
use crate::watch::Watchers;

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
    pub(super) figures: Arc<EngineFigures>,
    pub(super) registry: Arc<RegistryFigures>,
    pub(super) random: Mutex<Rng>,
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

    /// The weights that were set.
    pub(crate) async fn weights(&self) -> Result<BTreeMap<Role, f64>, ApiError> {
        self.core.ask(|core, _| core.weights().clone()).await.map_err(gone)
    }

    /// The quotas that were set.
    pub(crate) async fn quotas(&self) -> Result<BTreeMap<Role, Quota>, ApiError> {
        self.core.ask(|core, _| core.quotas().clone()).await.map_err(gone)
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

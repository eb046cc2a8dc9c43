//! What all handlers share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::http::StatusCode;
use base::Time;
use containerizer::{Fetcher, Launcher};
use http_api::{ApiError, Latencies, Logging};

use crate::convert::SelfDescription;
use crate::engine::{AgentView, CoreHandle};
use crate::options::AgentOptions;

/// The agent, for handlers.
pub(crate) type Agent = Arc<Shared>;

pub(crate) struct Shared {
    pub(crate) options: AgentOptions,
    pub(crate) own: Arc<SelfDescription>,
    pub(crate) flags: BTreeMap<String, String>,
    pub(crate) core: CoreHandle,
    pub(crate) launcher: Arc<dyn Launcher>,
    pub(crate) fetcher: Fetcher,
    pub(crate) started: Instant,
    pub(crate) start_time: Time,
    /// As set by `SET_LOGGING_LEVEL`; it is shown and has no other effect.
    pub(crate) logging: Logging,
    pub(crate) latencies: Latencies,
}

impl Shared {
    /// All that the agent knows.
    pub(crate) async fn view(&self) -> Result<Arc<AgentView>, ApiError> {
        self.core.view().await.map_err(|gone| gone_error(&gone))
    }

    /// All metrics by name.
    pub(crate) fn metrics(&self, view: &AgentView) -> BTreeMap<String, f64> {
        let cache = self.fetcher.cache_usage();
        let projects = self.launcher.project_ids();
        let destroy_errors = self.launcher.destroy_errors();
        crate::metrics::collect(&view.snapshot, &view.counters, cache, projects, destroy_errors, self.started)
    }
}

/// The answer while the agent goes down.
pub(crate) fn gone_error(gone: &impl std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, gone.to_string())
}

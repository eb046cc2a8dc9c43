//! What all handlers share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use axum::http::StatusCode;
use base::Time;
use containerizer::PosixLauncher;
use http_api::ApiError;
use proto::v1;
use serde::Serialize;

use crate::convert::{MESOS_VERSION, SelfDescription};
use crate::engine::{AgentView, CoreHandle};
use crate::options::AgentOptions;

/// The agent, for handlers.
pub(crate) type Agent = Arc<Shared>;

pub(crate) struct Shared {
    pub(crate) options: AgentOptions,
    pub(crate) own: Arc<SelfDescription>,
    pub(crate) flags: BTreeMap<String, String>,
    pub(crate) core: CoreHandle,
    pub(crate) launcher: Arc<PosixLauncher>,
    pub(crate) started: Instant,
    pub(crate) start_time: Time,
    /// As set by `SET_LOGGING_LEVEL`; it is shown and has no other effect.
    pub(crate) logging_level: AtomicU32,
}

impl Shared {
    /// All that the agent knows.
    pub(crate) async fn view(&self) -> Result<Arc<AgentView>, ApiError> {
        self.core.view().await.map_err(|gone| gone_error(&gone))
    }

    /// All metrics by name.
    pub(crate) fn metrics(&self, view: &AgentView) -> BTreeMap<String, f64> {
        crate::metrics::collect(
            &view.snapshot,
            &view.counters,
            self.started,
            self.options.gc_delay.as_secs_f64(),
        )
    }
}

/// The answer while the agent goes down.
pub(crate) fn gone_error(gone: &impl std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, gone.to_string())
}

/// What `/version` and `GET_VERSION` say.
#[derive(Serialize, Clone, Debug)]
pub(crate) struct Version {
    pub(crate) build_date: &'static str,
    pub(crate) build_time: f64,
    pub(crate) build_user: &'static str,
    pub(crate) git_branch: &'static str,
    pub(crate) git_sha: &'static str,
    pub(crate) version: &'static str,
}

/// The version, in the form of Mesos; the build fields are those of Meseta's own version.
pub(crate) const VERSION: Version = Version {
    build_date: "",
    build_time: 0.0,
    build_user: "",
    git_branch: "",
    git_sha: concat!("meseta-", env!("CARGO_PKG_VERSION")),
    version: MESOS_VERSION,
};

impl Version {
    pub(crate) fn to_proto(&self) -> v1::VersionInfo {
        v1::VersionInfo {
            version: self.version.to_owned(),
            build_date: Some(self.build_date.to_owned()),
            build_time: Some(self.build_time),
            build_user: Some(self.build_user.to_owned()),
            git_sha: Some(self.git_sha.to_owned()),
            git_branch: Some(self.git_branch.to_owned()),
            git_tag: None,
        }
    }
}

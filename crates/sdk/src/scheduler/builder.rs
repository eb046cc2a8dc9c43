//! How a scheduler connects.

use std::time::Duration;

use proto::v1::FrameworkInfo;
use proto::v1::scheduler::{OfferConstraints, call};
use tokio::sync::mpsc;

use super::driver::{Driver, Settings};
use super::{Calls, Scheduler};
use crate::address::{AddressError, Masters};
use crate::encoding::Encoding;

/// Batches of events that may wait for the framework; then the connection is no longer read.
const EVENT_BATCHES: usize = 256;
/// Failed calls that may wait for the framework; then they are only logged.
const FAILURES: usize = 1024;

/// The connection of a framework to its master, before it is made.
#[derive(Clone, Debug)]
pub struct SchedulerBuilder {
    masters: Option<Masters>,
    acknowledge: bool,
    profile: call::Subscribe,
    settings: Settings,
}

impl SchedulerBuilder {
    pub(super) fn new(framework: FrameworkInfo) -> Self {
        let profile = call::Subscribe {
            framework_info: framework,
            suppressed_roles: Vec::new(),
            offer_constraints: None,
        };
        Self { masters: None, acknowledge: true, profile, settings: Settings::default() }
    }

    /// The masters to ask for the leader; without this, those in `MESETA_MASTER`.
    #[must_use]
    pub fn masters(mut self, masters: Masters) -> Self {
        self.masters = Some(masters);
        self
    }

    /// The encoding of calls and events; protobuf unless said otherwise.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.settings.encoding = encoding;
        self
    }

    /// Whether status updates of tasks and operations are acknowledged as they are handed out; they are unless said
    /// otherwise.
    #[must_use]
    pub fn acknowledge(mut self, acknowledge: bool) -> Self {
        self.acknowledge = acknowledge;
        self
    }

    /// Roles for which no offers are wanted yet; see [`Calls::revive`].
    #[must_use]
    pub fn suppressed_roles(mut self, roles: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.profile.suppressed_roles = roles.into_iter().map(Into::into).collect();
        self
    }

    /// What agents must be like to be offered.
    #[must_use]
    pub fn offer_constraints(mut self, constraints: OfferConstraints) -> Self {
        self.profile.offer_constraints = Some(constraints);
        self
    }

    /// The longest wait between two attempts to subscribe; 10 seconds unless said otherwise.
    #[must_use]
    pub fn max_backoff(mut self, limit: Duration) -> Self {
        self.settings.max_backoff = limit;
        self
    }

    /// How many heartbeats may fail to come before the connection is given up; 5 unless said otherwise.
    #[must_use]
    pub fn missed_heartbeats(mut self, count: u32) -> Self {
        self.settings.missed_heartbeats = count.max(1);
        self
    }

    /// Starts to connect; must be called inside a tokio runtime. Whether and when it succeeds is told by the events.
    ///
    /// # Errors
    /// When no master is named.
    pub fn start(self) -> Result<Scheduler, AddressError> {
        let masters = self.masters.map_or_else(Masters::from_env, Ok)?;
        let (batches_to, batches) = mpsc::channel(EVENT_BATCHES);
        let (failures_to, failures) = mpsc::channel(FAILURES);
        let calls = Calls::new(self.settings.encoding, self.profile);
        let driver = Driver::new(masters, self.settings, calls.clone(), batches_to, failures_to);
        Ok(Scheduler {
            calls,
            batches,
            failures,
            taken: std::collections::VecDeque::new(),
            owed: std::collections::VecDeque::new(),
            acknowledge: self.acknowledge,
            driver: tokio::spawn(driver.run()),
        })
    }
}

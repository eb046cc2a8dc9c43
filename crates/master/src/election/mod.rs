//! Whether this master leads. One that is alone always does; among several it stands for election, and until it leads it
//! is a standby: it sends clients on to the leader and drops agents' messages.
//!
//! A leader that loses its candidacy ends, as in Mesos. Nothing that it knew may be of use to it afterwards: whoever runs it
//! starts it again, as a standby that knows nothing.

mod gate;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proto::v1::MasterInfo;
use store::kv::{Candidacy, CandidacyError, Fence, KeyValue, Options};
use store::masters::{self, Detected, Detector};
use store::url::MasterUrl;
use tokio::sync::watch;

pub(crate) use gate::{gate, redirect};

use crate::server::End;

/// Where several masters find each other.
#[derive(Clone, Debug)]
pub struct ElectionOptions {
    /// The service that elects one of them.
    pub url: MasterUrl,
    /// How long a leader may be silent before the service takes it for dead.
    pub session_timeout: Duration,
}

/// One master's time as the leader.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    /// What outlives the term.
    pub(crate) store: Arc<dyn KeyValue>,
    /// What each write carries.
    pub(crate) fence: Fence,
}

/// What this master is at a moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Role {
    /// It waits, and knows who leads, if anybody does.
    Standby(Option<Box<MasterInfo>>),
    /// It leads.
    Leading,
}

/// Whether this master leads, as all handlers see it.
#[derive(Debug)]
pub(crate) struct Leadership {
    role: watch::Sender<Role>,
    dropped: AtomicU64,
}

impl Leadership {
    pub(crate) fn standby() -> Self {
        Self { role: watch::Sender::new(Role::Standby(None)), dropped: AtomicU64::new(0) }
    }

    pub(crate) fn leads(&self) -> bool {
        matches!(*self.role.borrow(), Role::Leading)
    }

    pub(crate) fn lead(&self) {
        self.role.send_replace(Role::Leading);
    }

    /// The leader that a standby knows of.
    fn leader(&self) -> Option<Box<MasterInfo>> {
        if let Role::Standby(leader) = &*self.role.borrow() { leader.clone() } else { None }
    }

    fn follow(&self, leader: Option<Box<MasterInfo>>) {
        self.role.send_if_modified(|role| match role {
            Role::Leading => false,
            Role::Standby(known) => std::mem::replace(known, leader) != *known,
        });
    }

    /// Counts a message that a standby has no use for.
    pub(crate) fn drop_message(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages were dropped because this master did not lead.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// A master among several, before it leads.
pub(crate) struct Candidate {
    store: Arc<dyn KeyValue>,
    candidacy: Candidacy,
    detector: Detector,
    own: MasterInfo,
}

impl Candidate {
    /// Stands for election; `None` if the masters are named one by one, for then nobody elects.
    pub(crate) fn stand(options: &ElectionOptions, own: MasterInfo) -> Option<Self> {
        let session = Options { session_timeout: options.session_timeout, ..Options::default() };
        Some(Self::stand_in(masters::open(&options.url, session)?, own))
    }

    /// Stands for election where this store is.
    fn stand_in(store: Arc<dyn KeyValue>, own: MasterInfo) -> Self {
        let candidacy = masters::contend(&*store, &own);
        Self { detector: Detector::new(Arc::clone(&store)), store, candidacy, own }
    }

    /// Follows whoever leads until this master is elected. The error is how it ends otherwise.
    pub(crate) async fn elected(&mut self, leadership: &Leadership) -> Result<Term, End> {
        let Self { store, candidacy, detector, own } = self;
        loop {
            tokio::select! {
                elected = candidacy.elected() => {
                    // Whoever led before does no longer, and may never answer again.
                    leadership.follow(None);
                    let fence = elected.map_err(|error| match error {
                        // Somebody has removed what it stood with.
                        CandidacyError::Lost { .. } => End::Deposed(describe(&error)),
                        CandidacyError::Refused(_) => End::Refused(describe(&error)),
                    })?;
                    return Ok(Term { store: Arc::clone(store), fence });
                }
                detected = detector.next() => follow(leadership, own, detected),
            }
        }
    }

    /// Waits until this master leads no more; why.
    pub(crate) async fn deposed(&mut self) -> String {
        self.candidacy.lost().await
    }

    /// Makes room for the next at once.
    pub(crate) async fn resign(self) {
        self.candidacy.resign().await;
    }
}

fn follow(leadership: &Leadership, own: &MasterInfo, detected: Detected) {
    match detected {
        // What this address left behind when it led before: it will be gone when its session ends.
        Detected::Leader { info, .. } if info.pid == own.pid && info.id != own.id => leadership.follow(None),
        // It is about to lead.
        Detected::Leader { info, .. } if info.id == own.id => leadership.follow(None),
        Detected::Leader { info, .. } => {
            tracing::info!("the leading master is {} at {}", info.id, masters::address(&info));
            leadership.follow(Some(info));
        }
        Detected::Nobody => leadership.follow(None),
        Detected::Unknown { reason } => {
            tracing::warn!("cannot see which master leads: {reason}");
            leadership.follow(None);
        }
    }
}

/// An error and what caused it, on one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

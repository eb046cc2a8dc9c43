//! Which framework speaks over which stream: what has to be known to refuse a scheduler's call without asking the core.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use base::{FrameworkId, Ring};
use master_core::{self as core, StreamId};

/// Frameworks and their streams; written by the core's thread, read by every call.
pub(crate) struct Directory {
    frameworks: RwLock<HashMap<FrameworkId, Entry>>,
    /// How many heartbeats those were sent that are over: as many of them as the core remembers.
    over: Mutex<Ring<(FrameworkId, u64)>>,
}

/// What is known of a framework.
#[derive(Default)]
struct Entry {
    stream: Option<StreamId>,
    /// How many heartbeats it was sent.
    heartbeats: AtomicU64,
}

/// Why a call is refused, in the words of Mesos.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// No such framework.
    #[error("Framework cannot be found")]
    Unknown,
    /// It has no stream.
    #[error("Framework is not subscribed")]
    NotSubscribed,
    /// No stream id was given.
    #[error("All non-subscribe calls should include the 'Mesos-Stream-Id' header")]
    Missing,
    /// Another stream has taken its place, or it was never one.
    #[error(
        "The stream ID '{given}' included in this request didn't match the stream ID currently associated with framework ID {framework_id}"
    )]
    Stale {
        /// What the call gave.
        given: String,
        /// Whose call.
        framework_id: FrameworkId,
    },
}

impl Directory {
    /// Nobody yet; of frameworks that are over so many are remembered.
    pub(crate) fn new(max_completed_frameworks: usize) -> Self {
        Self { frameworks: RwLock::default(), over: Mutex::new(Ring::new(max_completed_frameworks)) }
    }

    /// Takes note of a change.
    pub(crate) fn apply(&self, change: core::Directory) {
        let mut frameworks = self.frameworks.write().unwrap_or_else(PoisonError::into_inner);
        match change {
            core::Directory::Subscribed { framework_id, stream } => {
                frameworks.entry(framework_id).or_default().stream = Some(stream);
            }
            core::Directory::Disconnected(framework_id) => {
                frameworks.entry(framework_id).or_default().stream = None;
            }
            core::Directory::Removed(framework_id) => {
                if let Some(entry) = frameworks.remove(&framework_id) {
                    let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
                    over.push((framework_id, entry.heartbeats.into_inner()));
                }
            }
        }
    }

    /// The id and the stream of a framework that may make calls with this `Mesos-Stream-Id`.
    pub(crate) fn check(
        &self,
        framework: &str,
        given: Option<&str>,
    ) -> Result<(FrameworkId, StreamId), Refusal> {
        let frameworks = self.frameworks.read().unwrap_or_else(PoisonError::into_inner);
        let (framework_id, entry) = frameworks.get_key_value(framework).ok_or(Refusal::Unknown)?;
        let stream = entry.stream.ok_or(Refusal::NotSubscribed)?;
        let given = given.ok_or(Refusal::Missing)?;
        if !same(given, stream) {
            return Err(Refusal::Stale { given: given.to_owned(), framework_id: framework_id.clone() });
        }
        Ok((framework_id.clone(), stream))
    }

    /// A framework was sent a heartbeat.
    pub(crate) fn count_heartbeat(&self, framework_id: &FrameworkId) {
        let frameworks = self.frameworks.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = frameworks.get(framework_id) {
            entry.heartbeats.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many heartbeats each framework was sent, by whichever stream; also those that are over.
    pub(crate) fn heartbeats(&self) -> BTreeMap<FrameworkId, u64> {
        let frameworks = self.frameworks.read().unwrap_or_else(PoisonError::into_inner);
        let there =
            frameworks.iter().map(|(id, entry)| (id.clone(), entry.heartbeats.load(Ordering::Relaxed)));
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.iter().cloned().chain(there).collect()
    }
}

/// Compares a UUID's text form without making one.
fn same(text: &str, uuid: StreamId) -> bool {
    let digits = text.bytes().filter(|b| *b != b'-');
    let nibbles = uuid.as_bytes().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    text.len() == 36
        && digits.map(|b| char::from(b).to_digit(16)).eq(nibbles.map(|nibble| Some(u32::from(nibble))))
}

#[cfg(test)]
mod tests {
    use base::Uuid;

    use super::*;

    #[test]
    fn only_the_newest_stream_may_call() {
        let directory = Directory::new(1);
        assert_eq!(directory.check("f", None), Err(Refusal::Unknown));
        let stream = Uuid::from_bytes(*b"0123456789abcdef");
        directory.apply(core::Directory::Subscribed { framework_id: "f".into(), stream });
        assert_eq!(directory.check("f", None), Err(Refusal::Missing));
        assert_eq!(directory.check("f", Some(&stream.to_string())).unwrap().1, stream);
        for stale in ["", "abc", &stream.to_string()[1..], &Uuid::from_bytes([7; 16]).to_string()] {
            assert!(matches!(directory.check("f", Some(stale)), Err(Refusal::Stale { .. })), "{stale}");
        }
        directory.count_heartbeat(&"f".into());
        directory.apply(core::Directory::Disconnected("f".into()));
        assert_eq!(directory.check("f", Some(&stream.to_string())), Err(Refusal::NotSubscribed));
        assert_eq!(
            directory.heartbeats(),
            [("f".into(), 1)].into(),
            "they are the framework's, not the stream's"
        );
        directory.apply(core::Directory::Removed("f".into()));
        directory.count_heartbeat(&"f".into());
        assert_eq!(directory.heartbeats(), [("f".into(), 1)].into(), "it is over, and remembered");
        assert_eq!(directory.check("f", None), Err(Refusal::Unknown));
        directory.apply(core::Directory::Disconnected("g".into()));
        directory.apply(core::Directory::Removed("g".into()));
        assert_eq!(directory.heartbeats(), [("g".into(), 0)].into());
    }
}

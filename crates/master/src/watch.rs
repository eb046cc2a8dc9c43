//! What changes, told to the log and to those who watch the operator API's events.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use master_core::Observation;
use tokio::sync::{broadcast, oneshot};

use crate::insight::Recent;

/// How many changes may wait for one watcher before it is disconnected for reading too slowly.
pub(crate) const CHANGES: usize = 16 << 10;

/// What a watcher sees.
pub(crate) struct Watch {
    /// What happens.
    pub(crate) changes: broadcast::Receiver<Arc<Observation>>,
    /// Comes when it has to make room for another one.
    pub(crate) displaced: oneshot::Receiver<()>,
}

/// Those who watch.
pub(crate) struct Watchers {
    /// Made for the first one: it has room for all that may wait.
    sender: OnceLock<broadcast::Sender<Arc<Observation>>>,
    limit: usize,
    /// How each of them is told to go, who came first at the front. Some may have gone.
    places: Mutex<VecDeque<oneshot::Sender<()>>>,
    given_up: AtomicU64,
    recent: Recent,
}

impl Watchers {
    /// Nobody yet, and never more than `limit`.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            sender: OnceLock::new(),
            limit,
            places: Mutex::default(),
            given_up: AtomicU64::new(0),
            recent: Recent::default(),
        }
    }

    /// One more, who sees what happens from now on. Where there are as many as may be, the one who came first goes, as in
    /// Mesos: it may be somebody whom nobody has seen go. `None` if there may be none at all.
    pub(crate) fn watch(&self) -> Option<Watch> {
        if self.limit == 0 {
            return None;
        }
        let (place, displaced) = oneshot::channel();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| !place.is_closed());
        while places.len() >= self.limit {
            // Gone in this very moment: as good.
            let _ = places.pop_front().map(|first| first.send(()));
        }
        places.push_back(place);
        let changes = self.sender.get_or_init(|| broadcast::Sender::new(CHANGES)).subscribe();
        Some(Watch { changes, displaced })
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.sender.get().map_or(0, broadcast::Sender::receiver_count)
    }

    /// One was disconnected because it read too slowly.
    pub(crate) fn gave_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// What happened last.
    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// Tells everybody.
    pub(crate) fn tell(&self, observation: Observation) {
        self.recent.note(&observation);
        if let Some(sender) = self.sender.get().filter(|sender| sender.receiver_count() > 0) {
            // Fails only if the last one has gone away meanwhile.
            let _ = sender.send(Arc::new(observation));
        }
    }
}

/// Writes the line of a change.
pub(crate) fn log(observation: &Observation) {
    match observation {
        Observation::TaskAdded(task) => {
            tracing::debug!(
                "task {} of framework {} goes to agent {}",
                task.task_id,
                task.framework_id,
                task.agent_id
            );
        }
        Observation::TaskUpdated { framework_id, status, .. } => tracing::debug!(
            "task {} of framework {framework_id} is {}{}",
            status.task_id,
            status.state,
            status.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default()
        ),
        Observation::FrameworkAdded(framework) => {
            let how = if framework.recovered { "recovered from an agent" } else { "subscribed" };
            tracing::info!("framework {} ({}) {how}", framework.id, framework.info.name);
        }
        Observation::FrameworkUpdated(framework) => {
            let how = if framework.connected() {
                "is connected".to_owned()
            } else {
                format!("is disconnected and has {:?} to come back", framework.info.failover_timeout)
            };
            tracing::info!("framework {} ({}) {how}", framework.id, framework.info.name);
        }
        Observation::FrameworkRemoved(framework) => {
            tracing::info!("framework {} ({}) is over", framework.id, framework.info.name);
        }
        Observation::AgentAdded(agent) => {
            tracing::info!("agent {} at {} registered with {}", agent.id, agent.pid, agent.total);
        }
        Observation::AgentRemoved { id, hostname } => tracing::info!("agent {id} ({hostname}) is removed"),
        Observation::OperationRefused { framework_id, operation_id, message } => tracing::warn!(
            "refused operation {} of framework {framework_id}: {message}",
            operation_id.as_ref().map_or("without an id", |id| id.as_str())
        ),
        Observation::Dropped { what, from, why } => tracing::warn!("dropped {what} of {from}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removed(id: &str) -> Observation {
        Observation::AgentRemoved { id: id.into(), hostname: "host".to_owned() }
    }

    #[test]
    fn there_are_never_too_many() {
        let watchers = Watchers::new(2);
        watchers.tell(removed("a"));
        let mut first = watchers.watch().unwrap();
        let mut second = watchers.watch().unwrap();
        watchers.tell(removed("b"));
        let seen = first.changes.try_recv().unwrap();
        assert!(matches!(&*seen, Observation::AgentRemoved { id, .. } if id.as_str() == "b"));
        let third = watchers.watch().unwrap();
        assert!(first.displaced.try_recv().is_ok(), "who came first goes");
        assert!(second.displaced.try_recv().is_err());
        drop(first);
        drop(third);
        assert_eq!(watchers.count(), 1);
        let _fourth = watchers.watch().unwrap();
        assert!(second.displaced.try_recv().is_err(), "there was room");
        assert!(Watchers::new(0).watch().is_none());
    }
}

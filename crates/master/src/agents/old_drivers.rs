//! Schedulers that speak the v0 driver protocol, which is libprocess messages: they are told apart, so that the log says
//! once for each why nothing comes of what it sends.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// How many senders are remembered; then the list begins anew.
const REMEMBERED: usize = 1024;

/// What drivers send to a master, without `mesos.internal.`; drivers of the later kind send `mesos.scheduler.Call`.
const MESSAGES: [&str; 12] = [
    "AuthenticateMessage",
    "DeactivateFrameworkMessage",
    "FrameworkToExecutorMessage",
    "KillTaskMessage",
    "LaunchTasksMessage",
    "ReconcileTasksMessage",
    "RegisterFrameworkMessage",
    "ReregisterFrameworkMessage",
    "ResourceRequestMessage",
    "ReviveOffersMessage",
    "StatusUpdateAcknowledgementMessage",
    "UnregisterFrameworkMessage",
];

/// Whether a message that the master has no use for is one of a driver.
pub(super) fn is_of_driver(name: &str) -> bool {
    match name.strip_prefix("mesos.internal.") {
        Some(short) => MESSAGES.contains(&short),
        None => name == "mesos.scheduler.Call",
    }
}

/// Those that were told of.
#[derive(Default)]
pub(super) struct OldDrivers {
    told: Mutex<BTreeSet<Arc<str>>>,
}

impl OldDrivers {
    /// Whether this sender was not told of yet.
    pub(super) fn is_news(&self, from: &Arc<str>) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= REMEMBERED && !told.contains(from) {
            told.clear();
        }
        told.insert(Arc::clone(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sender_is_told_of_once() {
        assert!(is_of_driver("mesos.scheduler.Call"));
        assert!(is_of_driver("mesos.internal.RegisterFrameworkMessage"));
        assert!(
            !is_of_driver("mesos.internal.RegisterSlaveMessage") && !is_of_driver("RegisterFrameworkMessage")
        );
        let drivers = OldDrivers::default();
        let sender = |number: usize| Arc::from(format!("scheduler-{number}@127.0.0.1:1"));
        assert!(drivers.is_news(&sender(0)) && !drivers.is_news(&sender(0)) && drivers.is_news(&sender(1)));
        for number in 2..10 * REMEMBERED {
            assert!(drivers.is_news(&sender(number)));
        }
        assert!(drivers.told.lock().unwrap().len() <= REMEMBERED);
    }
}

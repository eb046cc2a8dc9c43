//! The level of the log, as operators see and change it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Mesos' levels: 0 is what is always logged, 1 and more say more and more.
#[derive(Clone, Debug)]
pub struct Logging {
    state: Arc<Mutex<Level>>,
    apply: Option<fn(u32)>,
}

#[derive(Debug, Default)]
struct Level {
    level: u32,
    changes: u64,
}

impl Logging {
    /// Level 0. `apply` is told of each change, and makes the log follow.
    #[must_use]
    pub fn new(apply: Option<fn(u32)>) -> Self {
        Self { state: Arc::default(), apply }
    }

    /// The level now.
    #[must_use]
    pub fn level(&self) -> u32 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).level
    }

    /// Sets the level for a while; after that it is 0 again, unless it was set anew. To be called within a runtime, which
    /// keeps the time.
    pub fn set_for(&self, level: u32, duration: Duration) {
        let change = self.set(level);
        tracing::info!("the log's level is {level} for {duration:?}");
        let logging = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(duration).await;
            logging.set_if(Some(change), 0);
        });
    }

    fn set(&self, level: u32) -> u64 {
        self.set_if(None, level)
    }

    /// Sets the level, unless the newest change is another one than `expected`. Returns the newest change.
    fn set_if(&self, expected: Option<u64>, level: u32) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if expected.is_some_and(|change| change != state.changes) {
            return state.changes;
        }
        state.level = level;
        state.changes += 1;
        if let Some(apply) = self.apply {
            apply(level);
        }
        state.changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_level_lasts_for_its_time() {
        let logging = Logging::new(None);
        logging.set_for(2, Duration::from_secs(10));
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(logging.level(), 2);
        logging.set_for(3, Duration::from_secs(10));
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(logging.level(), 3, "the end of the first change is not the end of the second");
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(logging.level(), 0);
    }
}

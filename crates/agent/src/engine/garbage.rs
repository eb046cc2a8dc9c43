//! Sandboxes that nobody needs any longer, until they are deleted.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

/// What has been deleted so far, counted where it is done.
#[derive(Debug, Default)]
pub(crate) struct Removals {
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed: AtomicU64,
}

/// All wait equally long, so that the oldest is always the first.
pub(crate) struct Garbage {
    delay: Duration,
    waiting: VecDeque<(Instant, Arc<str>)>,
    pub(crate) removals: Arc<Removals>,
}

impl Garbage {
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay, waiting: VecDeque::new(), removals: Arc::default() }
    }

    pub(crate) fn add(&mut self, now: Instant, directory: Arc<str>) {
        self.waiting.push_back((now, directory));
    }

    pub(crate) fn pending(&self) -> usize {
        self.waiting.len()
    }

    /// When the next is to be deleted.
    pub(crate) fn next(&self) -> Option<Instant> {
        // A time that cannot be represented never comes.
        self.waiting.front().and_then(|(since, _)| since.checked_add(self.delay))
    }

    /// Deletes those whose time has come, on threads of the runtime.
    pub(crate) fn collect(&mut self, now: Instant, runtime: &Handle) {
        while self.next().is_some_and(|at| at <= now) {
            let Some((_, directory)) = self.waiting.pop_front() else { break };
            let removals = Arc::clone(&self.removals);
            runtime.spawn_blocking(move || {
                match containerizer::remove_sandbox(&PathBuf::from(&*directory)) {
                    Ok(()) => removals.succeeded.fetch_add(1, Ordering::Relaxed),
                    Err(error) => {
                        tracing::warn!(%directory, error = crate::report(&error), "cannot delete a sandbox");
                        removals.failed.fetch_add(1, Ordering::Relaxed)
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sandboxes_go_in_their_time() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("sandbox");
        std::fs::create_dir(&path).expect("ours");
        let mut garbage = Garbage::new(Duration::from_secs(60));
        let now = Instant::now();
        garbage.add(now, path.display().to_string().into());
        garbage.collect(now + Duration::from_secs(59), &Handle::current());
        assert_eq!((garbage.pending(), path.exists()), (1, true));
        garbage.collect(now + Duration::from_secs(60), &Handle::current());
        assert_eq!(garbage.pending(), 0);
        while garbage.removals.succeeded.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!path.exists());
    }
}

//! Sandboxes that nobody needs any longer, until they are deleted.

use std::collections::VecDeque;
use std::path::Path;
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
                let path = Path::new(&*directory);
                match containerizer::remove_sandbox(path) {
                    Ok(()) => {
                        remove_empty_parents(path);
                        removals.succeeded.fetch_add(1, Ordering::Relaxed)
                    }
                    Err(error) => {
                        tracing::warn!(%directory, error = crate::report(&error), "cannot delete a sandbox");
                        removals.failed.fetch_add(1, Ordering::Relaxed)
                    }
                }
            });
        }
    }
}

/// The directories of the executor, and of the framework, go with their last sandbox: each task has some of its own.
///
/// `.../frameworks/ID/executors/ID/runs/CONTAINER`, and `latest` beside the container, which leads to it.
fn remove_empty_parents(sandbox: &Path) {
    /// `runs`, the executor, `executors`, the framework.
    const LEVELS: usize = 4;
    if let (Some(runs), Some(name)) = (sandbox.parent(), sandbox.file_name()) {
        let latest = runs.join("latest");
        if std::fs::read_link(&latest).is_ok_and(|target| target == name) {
            // Gone already is as good.
            let _ = std::fs::remove_file(latest);
        }
    }
    for directory in sandbox.ancestors().skip(1).take(LEVELS) {
        // One that is not empty stays, and so do those above.
        if std::fs::remove_dir(directory).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sandboxes_go_in_their_time() {
        let root = tempfile::tempdir().expect("a directory");
        let frameworks = root.path().join("frameworks");
        let path = frameworks.join("f/executors/e/runs/c");
        std::fs::create_dir_all(&path).expect("ours");
        std::fs::create_dir_all(frameworks.join("g/executors/e/runs/c")).expect("ours");
        std::os::unix::fs::symlink("c", frameworks.join("f/executors/e/runs/latest")).expect("ours");
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
        assert!(!frameworks.join("f").exists());
        assert!(frameworks.join("g/executors/e/runs/c").exists());
    }
}

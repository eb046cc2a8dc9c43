//! Sandboxes that nobody needs any longer, until they are deleted: after a while, and the sooner the fuller the disk is.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::work::{CoreHandle, Work};

/// After a directory could not be removed it is tried again after so long, then after twice as long, and so on.
const FIRST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);
/// As good as never, and still a time that can be computed with.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// When sandboxes are deleted.
#[derive(Clone, Debug)]
pub(crate) struct GarbageOptions {
    /// How long they are kept at most.
    pub(crate) delay: Duration,
    /// How much of the disk is to be left, as a share of the whole.
    pub(crate) headroom: f64,
    /// How often it is looked how full the disk is.
    pub(crate) watch_interval: Duration,
    /// What is on that disk.
    pub(crate) work_dir: PathBuf,
}

impl GarbageOptions {
    /// How old a sandbox may become while so much of the disk is in use: as Mesos computes it.
    pub(crate) fn max_age(&self, usage: f64) -> Duration {
        self.delay.min(NEVER).mul_f64((1.0 - self.headroom - usage).clamp(0.0, 1.0))
    }
}

/// A directory that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Abandoned {
    directory: Arc<str>,
    /// How often that failed.
    failures: u32,
}

/// All that is to be deleted.
pub(crate) struct Garbage {
    options: GarbageOptions,
    /// By when, and by a number that tells those of one instant apart.
    waiting: BTreeMap<(Instant, u64), Abandoned>,
    last: u64,
    /// How many are being deleted.
    removing: usize,
    /// When it is to be looked how full the disk is; nothing while that is done.
    next_look: Option<Instant>,
    pub(crate) max_age: Duration,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
}

impl Garbage {
    pub(crate) fn new(now: Instant, options: GarbageOptions) -> Self {
        Self {
            waiting: BTreeMap::new(),
            last: 0,
            removing: 0,
            next_look: now.checked_add(options.watch_interval),
            max_age: options.max_age(0.0),
            succeeded: 0,
            failed: 0,
            options,
        }
    }

    /// A sandbox that is not needed any longer from now on.
    pub(crate) fn add(&mut self, now: Instant, directory: Arc<str>) {
        // The next life of the agent goes by this. A directory that is gone needs no time.
        let _ = containerizer::touch_sandbox(Path::new(&*directory));
        self.adopt(now, directory, Duration::ZERO);
    }

    /// One that has not been needed for so long.
    pub(crate) fn adopt(&mut self, now: Instant, directory: Arc<str>, age: Duration) {
        let left = self.options.delay.min(NEVER).saturating_sub(age);
        self.wait(now + left, Abandoned { directory, failures: 0 });
    }

    fn wait(&mut self, until: Instant, abandoned: Abandoned) {
        self.last += 1;
        self.waiting.insert((until, self.last), abandoned);
    }

    pub(crate) fn pending(&self) -> usize {
        self.waiting.len() + self.removing
    }

    /// When there is something to do.
    pub(crate) fn next(&self) -> Option<Instant> {
        // While some are being deleted the others wait.
        let first = self.waiting.keys().next().filter(|_| self.removing == 0).map(|(at, _)| *at);
        [first, self.next_look].into_iter().flatten().min()
    }

    /// Deletes those whose time has come, and looks at the disk, on threads of the runtime.
    pub(crate) fn collect(&mut self, now: Instant, runtime: &Handle, core: &CoreHandle) {
        if self.next_look.is_some_and(|at| at <= now) {
            self.next_look = None;
            let (core, own, work_dir) = (core.clone(), runtime.clone(), self.options.work_dir.clone());
            runtime.spawn_blocking(move || {
                // Nobody is left to be told when the agent ends.
                let _ = own.block_on(core.send(Work::DiskUsage(disk_usage(&work_dir))));
            });
        }
        if self.removing > 0 {
            return;
        }
        let due: Vec<Abandoned> = std::iter::from_fn(|| {
            let first = self.waiting.first_entry()?;
            (first.key().0 <= now).then(|| first.remove())
        })
        .collect();
        if due.is_empty() {
            return;
        }
        self.removing = due.len();
        let (core, own) = (core.clone(), runtime.clone());
        // One after the other: deleting is not to take the disk from tasks.
        runtime.spawn_blocking(move || {
            for abandoned in due {
                let result = remove(Path::new(&*abandoned.directory));
                if own.block_on(core.send(Work::SandboxRemoved { abandoned, result })).is_err() {
                    return;
                }
            }
        });
    }

    /// A directory is gone, or could not be removed: then it is tried again.
    pub(crate) fn removed(&mut self, now: Instant, mut abandoned: Abandoned, result: Result<(), String>) {
        self.removing = self.removing.saturating_sub(1);
        let Err(error) = result else {
            self.succeeded += 1;
            return;
        };
        self.failed += 1;
        let pause = (FIRST_RETRY * 2_u32.saturating_pow(abandoned.failures)).min(LONGEST_RETRY);
        tracing::warn!(directory = %abandoned.directory, error, "cannot delete a sandbox; it is tried again in {pause:?}");
        abandoned.failures = (abandoned.failures + 1).min(16);
        self.wait(now + pause, abandoned);
    }

    /// So much of the disk is in use: what is older than that permits goes now.
    pub(crate) fn disk(&mut self, now: Instant, usage: io::Result<f64>) {
        self.next_look = now.checked_add(self.options.watch_interval);
        let usage = match usage {
            Ok(usage) => usage,
            Err(error) => return tracing::error!(%error, "cannot find out how full the disk is"),
        };
        self.max_age = self.options.max_age(usage);
        let reach = now + self.options.delay.min(NEVER).saturating_sub(self.max_age);
        let due: Vec<(Instant, u64)> =
            self.waiting.range((now, u64::MAX)..=(reach, u64::MAX)).map(|(key, _)| *key).collect();
        if !due.is_empty() {
            tracing::info!(
                "{:.0} % of the disk is in use: {} sandboxes that are older than {:?} are deleted",
                100.0 * usage,
                due.len(),
                self.max_age
            );
        }
        for key in due {
            // One that could not be removed a moment ago can wait for its next turn.
            if self.waiting.get(&key).is_some_and(|abandoned| abandoned.failures == 0)
                && let Some(abandoned) = self.waiting.remove(&key)
            {
                self.wait(now, abandoned);
            }
        }
    }
}

/// The share of a disk that is in use.
fn disk_usage(path: &Path) -> io::Result<f64> {
    let found = rustix::fs::statvfs(path)?;
    let (free, all) = (found.f_bfree as f64, found.f_blocks.max(1) as f64);
    Ok(1.0 - free / all)
}

/// The sandboxes of an agent's executors, but those of `living` ones, each with how long ago it was last changed: what
/// earlier lives of the agent, and agents that it was before, have left.
pub(crate) fn leftovers(work_dir: &Path, living: impl Fn(&Path) -> bool) -> Vec<(PathBuf, Duration)> {
    let below = |directories: Vec<PathBuf>, name: &str| -> Vec<PathBuf> {
        let parents = directories.into_iter().map(|directory| directory.join(name));
        parents
            .flat_map(|parent| std::fs::read_dir(parent).into_iter().flatten().flatten())
            // `latest` is a link.
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect()
    };
    let levels = ["slaves", "frameworks", "executors", "runs"];
    let runs = levels.into_iter().fold(vec![work_dir.to_owned()], below);
    runs.into_iter()
        .filter(|run| !living(run))
        .map(|run| {
            let changed = std::fs::metadata(&run).and_then(|metadata| metadata.modified());
            // A time that lies ahead, after somebody set the clock, is as good as now.
            let age = changed.ok().and_then(|time| time.elapsed().ok()).unwrap_or_default();
            (run, age)
        })
        .collect()
}

fn remove(path: &Path) -> Result<(), String> {
    containerizer::remove_sandbox(path).map_err(|error| crate::report(&error))?;
    remove_empty_parents(path);
    Ok(())
}

/// The directories above go with their last sandbox, as far as they are empty: each task has some of its own.
///
/// `slaves/ID/frameworks/ID/executors/ID/runs/CONTAINER`, with `latest` beside the container, which leads to it; or
/// `.../containers/CONTAINER` in the sandbox of another one, which stays.
fn remove_empty_parents(sandbox: &Path) {
    /// `runs`, the executor, `executors`, the framework, `frameworks`, the agent.
    const LEVELS: usize = 6;
    let nested = sandbox.parent().and_then(Path::file_name).is_some_and(|name| name == "containers");
    if let (Some(runs), Some(name)) = (sandbox.parent(), sandbox.file_name()) {
        let latest = runs.join("latest");
        if std::fs::read_link(&latest).is_ok_and(|target| target == name) {
            // Gone already is as good.
            let _ = std::fs::remove_file(latest);
        }
    }
    for directory in sandbox.ancestors().skip(1).take(if nested { 1 } else { LEVELS }) {
        // One that is not empty stays, and so do those above.
        if std::fs::remove_dir(directory).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::sync::mpsc;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    struct Scene {
        root: tempfile::TempDir,
        garbage: Garbage,
        now: Instant,
        core: CoreHandle,
        work: mpsc::Receiver<Work>,
    }

    fn scene() -> Scene {
        let root = tempfile::tempdir().expect("a directory");
        let options = GarbageOptions {
            delay: 100 * MINUTE,
            headroom: 0.1,
            watch_interval: 1000 * MINUTE,
            work_dir: root.path().to_owned(),
        };
        let now = Instant::now();
        let (queue, work) = mpsc::channel(16);
        Scene { root, garbage: Garbage::new(now, options), now, core: CoreHandle::new(queue), work }
    }

    impl Scene {
        fn sandbox(&self, name: &str) -> PathBuf {
            let path = self.root.path().join("slaves/S0/frameworks").join(name);
            std::fs::create_dir_all(&path).expect("ours");
            path
        }

        fn adopt(&mut self, path: &Path, age: Duration) {
            self.garbage.adopt(self.now, path.display().to_string().into(), age);
        }

        /// Lets it work at a time after the start, until all is done that is to be done then.
        async fn collect(&mut self, after: Duration) {
            let now = self.now + after;
            self.garbage.collect(now, &Handle::current(), &self.core);
            while self.garbage.removing > 0 {
                if let Some(Work::SandboxRemoved { abandoned, result }) = self.work.recv().await {
                    self.garbage.removed(now, abandoned, result);
                }
            }
        }
    }

    #[tokio::test]
    async fn sandboxes_go_in_their_time_and_empty_directories_with_them() {
        let mut scene = scene();
        let path = scene.sandbox("f/executors/e/runs/c");
        let other = scene.sandbox("g/executors/e/runs/c");
        std::os::unix::fs::symlink("c", path.with_file_name("latest")).expect("ours");
        scene.garbage.add(scene.now, path.display().to_string().into());
        scene.collect(99 * MINUTE).await;
        assert_eq!((scene.garbage.pending(), path.exists()), (1, true));
        assert_eq!(scene.garbage.next(), Some(scene.now + 100 * MINUTE));
        scene.collect(100 * MINUTE).await;
        assert_eq!((scene.garbage.pending(), scene.garbage.succeeded), (0, 1));
        assert!(!scene.root.path().join("slaves/S0/frameworks/f").exists() && other.exists());
        scene.adopt(&other, 100 * MINUTE);
        scene.collect(Duration::ZERO).await;
        assert!(!scene.root.path().join("slaves/S0").exists() && scene.root.path().join("slaves").exists());
    }

    #[test]
    fn the_fuller_the_disk_the_sooner_they_go() {
        let week = Duration::from_secs(604_800);
        let options = |headroom| GarbageOptions {
            delay: week,
            headroom,
            watch_interval: MINUTE,
            work_dir: PathBuf::new(),
        };
        for (headroom, usage, age) in [
            (0.1, 0.0, 544_320),
            (0.1, 0.5, 241_920),
            (0.1, 0.9, 0),
            (0.1, 1.0, 0),
            (0.0, 0.5, 302_400),
            (1.0, 0.0, 0),
        ] {
            assert_eq!(options(headroom).max_age(usage).as_secs(), age, "{headroom} {usage}");
        }
    }

    #[tokio::test]
    async fn a_full_disk_makes_the_older_ones_go_at_once() {
        let mut scene = scene();
        let ages = [0, 29, 31, 80];
        let paths = ages.map(|age| scene.sandbox(&format!("f/executors/e{age}/runs/c")));
        for (path, age) in paths.iter().zip(ages) {
            scene.adopt(path, age * MINUTE);
        }
        scene.garbage.disk(scene.now, Ok(0.6));
        scene.collect(Duration::ZERO).await;
        assert_eq!(scene.garbage.max_age.as_secs().div_ceil(60), 30);
        assert_eq!(paths.each_ref().map(|path| path.exists()), [true, true, false, false]);
        scene.garbage.disk(scene.now, Err(io::ErrorKind::NotFound.into()));
        scene.collect(Duration::ZERO).await;
        assert_eq!(scene.garbage.pending(), 2);
        scene.garbage.disk(scene.now, Ok(0.95));
        scene.collect(Duration::ZERO).await;
        assert_eq!((scene.garbage.pending(), scene.garbage.succeeded), (0, 4));
    }

    #[tokio::test]
    async fn what_cannot_be_removed_is_reported_and_tried_again() {
        let mut scene = scene();
        let path = scene.sandbox("f/executors/e/runs/c");
        std::fs::remove_dir(&path).and_then(|()| std::fs::write(&path, "no directory")).expect("ours");
        scene.adopt(&path, 100 * MINUTE);
        scene.collect(Duration::ZERO).await;
        assert_eq!((scene.garbage.failed, scene.garbage.pending()), (1, 1));
        assert_eq!(scene.garbage.next(), Some(scene.now + MINUTE));
        scene.collect(MINUTE).await;
        assert_eq!((scene.garbage.failed, scene.garbage.next()), (2, Some(scene.now + 3 * MINUTE)));
        std::fs::remove_file(&path).and_then(|()| std::fs::create_dir(&path)).expect("ours");
        scene.collect(3 * MINUTE).await;
        assert_eq!((scene.garbage.succeeded, scene.garbage.pending(), path.exists()), (1, 0, false));
    }

    #[test]
    fn what_earlier_lives_have_left_is_found_with_its_age() {
        let scene = scene();
        let (old, living) =
            (scene.sandbox("f/executors/e/runs/old"), scene.sandbox("f/executors/e/runs/living"));
        std::os::unix::fs::symlink("living", old.with_file_name("latest")).expect("ours");
        let hour_ago = SystemTime::now() - 60 * MINUTE;
        std::fs::File::open(&old).and_then(|open| open.set_modified(hour_ago)).expect("ours");
        let found = leftovers(scene.root.path(), |path| path == living);
        assert_eq!(found.len(), 1);
        assert!(found[0].0 == old && (3600..3700).contains(&found[0].1.as_secs()), "{found:?}");
        assert_eq!(leftovers(Path::new("/nosuch"), |_| false), []);
    }
}

//! What happens to a cluster.

pub(crate) mod dead;
pub(crate) mod leaders;
pub(crate) mod one_way;
pub(crate) mod outages;
pub(crate) mod splits;
pub(crate) mod upgrade;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::book::{SharedBook, TASKS};
use crate::cluster::Cluster;
use crate::evidence::Evidence;
use crate::instance::Instance;
use crate::services::Kind;

/// A cluster with a framework that has all its long tasks running.
pub(crate) struct Scene {
    pub(crate) instance: Option<Instance>,
    pub(crate) book: SharedBook,
    pub(crate) evidence: Evidence,
    processes: BTreeMap<String, Vec<u32>>,
    pub(crate) cluster: Cluster,
}

/// Runs a scene on a cluster of its own, with so many servers of the service, and looks at the end whether every task is
/// what it was.
pub(crate) fn play(kind: Kind, members: usize, master_flags: &[&str], scene: impl AsyncFnOnce(&mut Scene)) {
    let started = Instant::now();
    let cluster = Cluster::start(kind, members, master_flags);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut all = Scene::begin(cluster).await;
        eprintln!("{:?}: all tasks run", started.elapsed());
        scene(&mut all).await;
        eprintln!("{:?}: all is done", started.elapsed());
        all.finish().await;
    });
}

impl Scene {
    async fn begin(cluster: Cluster) -> Self {
        cluster.leader(None).await;
        let (book, evidence) = (SharedBook::new(), Evidence::new(cluster.world.directory()));
        let instance = Instance::start(&cluster, 0, &book, &evidence);
        let mut scene =
            Self { instance: Some(instance), book, evidence, processes: BTreeMap::new(), cluster };
        scene.settled().await;
        scene.processes = scene.evidence.processes();
        assert_eq!(scene.processes.len(), TASKS, "a process for each task");
        scene
    }

    /// The framework's instance is killed, and another one on that desk goes on.
    pub(crate) fn take_over(&mut self, desk: usize) {
        self.instance.take().expect("an instance").kill();
        self.book.open().leader = None;
        self.instance = Some(Instance::start(&self.cluster, desk, &self.book, &self.evidence));
    }

    /// Waits until the framework and the leader agree that everything runs.
    pub(crate) async fn settled(&self) {
        self.look("the framework knows that its tasks run", |scene| {
            scene.book.open().long_running() == TASKS
        })
        .await;
        self.cluster.whole().await;
    }

    /// Waits until something is so; stops at what must not be.
    pub(crate) async fn look(&self, what: &str, so: impl Fn(&Self) -> bool) {
        self.cluster
            .eventually(what, async || {
                assert_eq!(self.book.open().wrong, Vec::<String>::new(), "while waiting: {what}");
                let over = self.instance.as_ref().is_none_or(Instance::is_over);
                assert!(!over, "the framework has ended by itself, while waiting: {what}");
                so(self).then_some(())
            })
            .await;
    }

    /// Waits until another master than this one has the framework and has made an offer; how long that took.
    pub(crate) async fn moved(&self, from: &str, since: Instant) -> Duration {
        self.look("another master makes an offer", |scene| {
            let book = scene.book.open();
            book.leader.as_ref().is_some_and(|leader| leader != from) && book.offered.is_some()
        })
        .await;
        let offered = self.book.open().offered.expect("it was there");
        offered.saturating_duration_since(since)
    }

    /// The id of the master that has the framework.
    pub(crate) async fn leader_id(&self) -> String {
        self.cluster.eventually("the framework is subscribed", async || self.book.open().leader.clone()).await
    }

    /// Nothing was lost and nothing doubled: the same processes as at the beginning.
    async fn finish(self) {
        self.settled().await;
        self.look("nothing is under way", |scene| scene.book.open().is_quiet()).await;
        self.instance.expect("an instance").kill();
        let book = self.book.open();
        self.evidence.check(&book);
        assert_eq!(self.evidence.processes(), self.processes, "the processes are those that were started");
    }
}

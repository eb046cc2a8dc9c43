//! The store of a single process: a file in a directory of its own.
//!
//! The directory is locked. Another process that wants it waits as a candidate until this one is gone, and then finds all
//! that was written.

mod candidates;
mod engine;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};

use self::candidates::Candidates;
use self::engine::Engine;
use super::watch::BACKLOG;
use super::{
    Answer, Candidacy, Change, Entry, Fence, KeyValue, KvError, Limits, Observer, Options, Transaction,
    Version, Watch, campaign, entry,
};

/// How often it is looked whether the process that has the directory is gone.
const LOOK: Duration = Duration::from_millis(250);

/// A file can take much at once; what is smaller is sooner on the disk.
const LIMITS: Limits = Limits { ops: 10_000, bytes: 32 << 20 };

/// Versioned keys in a directory. Clones share it.
#[derive(Clone)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    directory: PathBuf,
    options: Options,
    engine: Mutex<Option<Engine>>,
    candidates: Candidates,
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStore").field("directory", &self.shared.directory).finish_non_exhaustive()
    }
}

impl LocalStore {
    /// A store in this directory, which is made when it is first needed. Nothing is read or locked before that.
    #[must_use]
    pub fn new(directory: &Path, options: Options) -> Self {
        Self {
            shared: Arc::new(Shared {
                directory: directory.to_owned(),
                options,
                engine: Mutex::new(None),
                candidates: Candidates::default(),
            }),
        }
    }

    /// Runs something with the open store, on a thread that may wait for the disk.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Engine) -> Result<T, KvError> + Send + 'static,
    ) -> Result<T, KvError> {
        let shared = Arc::clone(&self.shared);
        let asking = Arc::new(());
        let asked = Arc::downgrade(&asking);
        let working = tokio::task::spawn_blocking(move || {
            shared.with(|engine| match asked.strong_count() {
                // It was given up before its turn came; others may be done meanwhile.
                0 => Err(shared.unavailable("nobody waits for the answer".to_owned())),
                _ => work(engine),
            })
        });
        let after = self.shared.options.answer_timeout;
        match tokio::time::timeout(after, working).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(self.shared.unavailable("its thread ended".to_owned())),
            Err(_) => Err(KvError::Timeout { store: self.shared.name(), after }),
        }
    }
}

impl Shared {
    fn name(&self) -> String {
        format!("the store in '{}'", self.directory.display())
    }

    fn unavailable(&self, reason: String) -> KvError {
        KvError::Unavailable { store: self.name(), reason }
    }

    /// Opens the store if it is not open, and does something with it.
    fn with<T>(&self, work: impl FnOnce(&mut Engine) -> Result<T, KvError>) -> Result<T, KvError> {
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        let engine = match &mut *engine {
            Some(engine) => engine,
            none => none.insert(Engine::open(&self.directory).map_err(|reason| self.unavailable(reason))?),
        };
        work(engine)
    }

    /// Whether this process has the directory.
    fn is_open(&self) -> bool {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl KeyValue for LocalStore {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>> {
        async move {
            entry::split(key)?;
            let key = key.to_owned();
            self.with(move |engine| Ok(engine.get(&key))).await
        }
        .boxed()
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Entry>> {
        async move {
            entry::split_prefix(prefix)?;
            let prefix = prefix.to_owned();
            self.with(move |engine| Ok(engine.list(&prefix))).await
        }
        .boxed()
    }

    fn watch(&self, prefix: &str) -> Watch {
        let (sender, changes) = mpsc::channel(BACKLOG);
        let (store, prefix) = (self.clone(), prefix.to_owned());
        let task = tokio::spawn(async move {
            let (signal, mut news) = mpsc::channel(BACKLOG);
            let mut signal = Some((prefix, signal));
            while let Some((prefix, sender)) = signal.take() {
                let again = (prefix.clone(), sender.clone());
                if store.with(move |engine| engine.watch(prefix, sender)).await.is_err() {
                    signal = Some(again);
                    tokio::time::sleep(LOOK).await;
                }
            }
            while let Some(change) = news.recv().await {
                if sender.send(change).await.is_err() {
                    return;
                }
            }
        });
        Watch::new(changes, Some(task))
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Vec<Version>> {
        async move {
            transaction.validate(LIMITS)?;
            let (transaction, fence) = (transaction.clone(), fence.cloned());
            let shared = Arc::clone(&self.shared);
            self.with(move |engine| {
                if let Some(fence) = &fence {
                    shared.candidates.check(fence)?;
                }
                let commit = engine.commit(&transaction)?;
                commit.map_err(|error| shared.unavailable(error.to_string()))
            })
            .await
        }
        .boxed()
    }

    fn limits(&self) -> Limits {
        LIMITS
    }

    fn campaign(&self, election: &str, value: Vec<u8>) -> Candidacy {
        let candidate = candidates::Candidate::new(self.clone(), election);
        let election = election.to_owned();
        Candidacy::start(move |tell, stop| campaign::stand(candidate, election, value, tell, stop))
    }

    fn observe(&self, election: &str) -> Observer {
        let (tell, observed) = watch::channel(super::Observed::Asking);
        let task = tokio::spawn(candidates::observe(self.clone(), election.to_owned(), tell));
        Observer::new(observed, task)
    }

    /// Those of this process; of another one that has the directory the one that leads.
    fn candidates<'a>(&'a self, election: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        async move { Ok(self.standing(election)) }.boxed()
    }
}

/// Tells a change to whom it may concern; false if nobody listens any more. A reader who is too slow starts anew.
fn tell(sender: &mpsc::Sender<Change>, behind: &mut bool, change: Change) -> bool {
    let change = if *behind { Change::Resync } else { change };
    match sender.try_send(change) {
        Ok(()) => {
            *behind = false;
            true
        }
        Err(mpsc::error::TrySendError::Full(_)) => {
            *behind = true;
            true
        }
        Err(mpsc::error::TrySendError::Closed(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Expect;

    #[tokio::test]
    async fn what_was_given_up_before_its_turn_is_never_done() {
        let directory = tempfile::tempdir().expect("a directory");
        let impatient = Options { answer_timeout: Duration::from_millis(20), ..Options::default() };
        let store = LocalStore::new(directory.path(), impatient);
        let patient = LocalStore { shared: Arc::clone(&store.shared) };
        let (release, released) = std::sync::mpsc::channel::<()>();
        let (tell, told) = tokio::sync::oneshot::channel();
        let shared = Arc::clone(&store.shared);
        let holder = std::thread::spawn(move || {
            let _held = shared.engine.lock().expect("no panic before");
            tell.send(()).expect("somebody waits");
            let _ = released.recv();
        });
        told.await.expect("it is held");
        let late = Transaction::new().put("t/late", "", Expect::Anything);
        let given_up = store.commit(&late, None).await.expect_err("its turn does not come");
        assert!(matches!(given_up, KvError::Timeout { .. }), "{given_up}");
        drop(release);
        holder.join().expect("no panic");
        // Its thread is done when nobody else has the store.
        while Arc::strong_count(&store.shared) > 2 {
            tokio::task::yield_now().await;
        }
        let found = patient.shared.with(|engine| Ok(engine.list("t/"))).expect("a list");
        assert_eq!(found, Vec::new());
    }
}

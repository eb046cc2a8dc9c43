//! Writes to the registry that no store takes at once, or of which it is not known whether it took them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use master::RegistryStore;
use master_core::{RegistryOperation, RegistryWrite};
use store::kv::{
    Answer, Candidacy, Entry, Fence, KeyValue, KvError, Limits, LocalStore, Observer, Op, Options,
    Transaction, Version, Watch,
};

/// What goes wrong.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// The master ends after so many commits.
    EndsAfter(usize),
    /// Of each three commits one is not made, and one is made and not answered.
    LeavesInDoubt,
}

/// A store that takes little at once.
#[derive(Debug)]
struct Troubled {
    store: LocalStore,
    trouble: Trouble,
    commits: AtomicUsize,
    /// What was put for each key, one after the other.
    put: Mutex<BTreeMap<String, Vec<Vec<u8>>>>,
}

impl Troubled {
    fn new(store: &LocalStore, trouble: Trouble) -> Arc<Self> {
        let (store, commits) = (store.clone(), AtomicUsize::new(0));
        Arc::new(Self { store, trouble, commits, put: Mutex::default() })
    }

    async fn take(&self, transaction: &Transaction, fence: Option<&Fence>) -> Result<Vec<Version>, KvError> {
        let versions = self.store.commit(transaction, fence).await?;
        let mut put = self.put.lock().unwrap();
        for op in transaction.ops() {
            if let Op::Put { key, value, .. } = op {
                put.entry(key.clone()).or_default().push(value.clone());
            }
        }
        Ok(versions)
    }
}

impl KeyValue for Troubled {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>> {
        self.store.get(key)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Entry>> {
        self.store.list(prefix)
    }

    fn watch(&self, prefix: &str) -> Watch {
        self.store.watch(prefix)
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Vec<Version>> {
        let commit = self.commits.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            let unavailable = || KvError::Unavailable { store: "it".to_owned(), reason: "gone".to_owned() };
            match (self.trouble, commit % 3) {
                (Trouble::EndsAfter(commits), _) if commit >= commits => {
                    Err(KvError::Denied { store: "it".to_owned(), reason: "the master has ended".to_owned() })
                }
                (Trouble::LeavesInDoubt, 0) => Err(unavailable()),
                (Trouble::LeavesInDoubt, 1) => {
                    self.take(transaction, fence).await?;
                    Err(unavailable())
                }
                _ => self.take(transaction, fence).await,
            }
        })
    }

    fn limits(&self) -> Limits {
        Limits { ops: 3, bytes: 400 }
    }

    fn campaign(&self, election: &str, value: Vec<u8>) -> Candidacy {
        self.store.campaign(election, value)
    }

    fn observe(&self, election: &str) -> Observer {
        self.store.observe(election)
    }

    fn candidates<'a>(&'a self, election: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        self.store.candidates(election)
    }
}

fn weights(number: u64, weight: f64) -> RegistryWrite {
    let role = |name: usize| RegistryOperation::Weight(format!("role-{name}").as_str().into(), weight);
    RegistryWrite { number, operations: (0..10).map(role).collect() }
}

fn registry(store: &LocalStore, commits: usize) -> RegistryStore {
    RegistryStore {
        store: Troubled::new(store, Trouble::EndsAfter(commits)),
        fence: None,
        timeout: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn a_master_that_ends_within_a_large_write_leaves_all_of_it_or_nothing() {
    let (mut nothing, mut all) = (0, 0);
    for commits in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore::new(directory.path(), Options::default());
        registry(&store, usize::MAX).write(&[weights(1, 1.0)]).await.unwrap();
        let written = registry(&store, commits).write(&[weights(2, 2.0)]).await;
        // The next one may end as well while it finishes this.
        for again in 0..3 {
            let _ = registry(&store, again).read().await;
        }
        let content = registry(&store, usize::MAX).read().await.unwrap();
        let found: Vec<f64> = content.weights.values().copied().collect();
        assert!(found == [1.0; 10] || found == [2.0; 10], "after {commits} commits: {found:?}");
        assert_eq!(store.list("journal/").await.unwrap(), [], "nothing else is left");
        let made = found == [2.0; 10];
        *(if made { &mut all } else { &mut nothing }) += 1;
        if written.is_ok() {
            assert!(made, "it was said that it is written");
            break;
        }
    }
    assert!(nothing > 1 && all > 1, "{nothing} times nothing, {all} times all");
}

/// Each write is tried until it is known to be made, and only then the next: none comes after a later one once more.
#[tokio::test]
async fn what_was_written_is_not_written_over_by_what_was_in_doubt_before() {
    let directory = tempfile::tempdir().unwrap();
    let store = LocalStore::new(directory.path(), Options::default());
    let troubled = Troubled::new(&store, Trouble::LeavesInDoubt);
    let registry = RegistryStore {
        store: Arc::<Troubled>::clone(&troubled),
        fence: None,
        timeout: Duration::from_secs(60),
    };
    let role = |name: &str, weight: u32| RegistryOperation::Weight(name.into(), f64::from(weight));
    let writes: Vec<RegistryWrite> = (1..=4)
        .map(|number| RegistryWrite {
            number: u64::from(number),
            operations: vec![role("always", number), role(&format!("only-{number}"), number)],
        })
        .collect();
    registry.write(&writes).await.unwrap();
    let mut always = troubled.put.lock().unwrap()["weights/always"].clone();
    assert!(always.len() > writes.len(), "some were made twice: {always:?}");
    always.dedup();
    assert_eq!(always.len(), writes.len(), "one came back: {always:?}");
    let content = registry.read().await.unwrap();
    assert_eq!(content.weights["always"], 4.0);
    assert_eq!(content.weights.len(), 5);
}

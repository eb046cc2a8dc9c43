//! Writes to the registry that no store takes at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use master::RegistryStore;
use master_core::{RegistryOperation, RegistryWrite};
use store::kv::{
    Answer, Candidacy, Entry, Fence, KeyValue, KvError, Limits, LocalStore, Observer, Options, Transaction,
    Version, Watch,
};

/// A store that takes little at once, of a master that ends after so many commits.
#[derive(Debug)]
struct Ending {
    store: LocalStore,
    left: AtomicUsize,
}

impl KeyValue for Ending {
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
        let goes_on = |left: usize| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, goes_on).is_err() {
            let error = KvError::Denied { store: "it".to_owned(), reason: "the master has ended".to_owned() };
            return Box::pin(async { Err(error) });
        }
        self.store.commit(transaction, fence)
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
    let store = Arc::new(Ending { store: store.clone(), left: AtomicUsize::new(commits) });
    RegistryStore { store, fence: None, timeout: Duration::from_secs(60) }
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

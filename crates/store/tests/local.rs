//! The store of a single process.

mod suite;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use store::kv::{Expect, KeyValue, KvError, LocalStore, Observed, Options};
use suite::{Service, play, soon};
use tempfile::TempDir;

/// A directory for each scene; all clients of one share a handle.
struct Local {
    directory: TempDir,
    stores: Mutex<BTreeMap<String, LocalStore>>,
}

impl Service for Local {
    fn client(&self, scene: &str) -> Arc<dyn KeyValue> {
        let mut stores = self.stores.lock().expect("no panic before");
        let store = stores.entry(scene.to_owned()).or_insert_with(|| open(&self.directory, scene));
        Arc::new(store.clone())
    }
}

fn open(directory: &TempDir, name: &str) -> LocalStore {
    LocalStore::new(&directory.path().join(name), Options::default())
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_store_does_what_a_store_must() {
    play(Local { directory: directory(), stores: Mutex::default() }).await;
}

/// Two handles that share nothing are as two processes are.
#[tokio::test(flavor = "multi_thread")]
async fn the_next_process_waits_for_the_directory_and_finds_all() {
    let directory = directory();
    let first: Arc<dyn KeyValue> = Arc::new(open(&directory, "s"));
    let second: Arc<dyn KeyValue> = Arc::new(open(&directory, "s"));
    let mut leading = first.campaign("master", b"first".to_vec());
    let fence = leading.elected().await.expect("elected");
    let version = first.put("t/a", "1", Expect::Anything, Some(&fence)).await.expect("written");
    let mut waiting = second.campaign("master", b"second".to_vec());
    let mut observer = second.observe("master");
    soon(
        "the other process' leader",
        observer.when(|seen| seen.leader().is_some_and(|l| l.value == b"first")),
    )
    .await;
    let busy = second.get("t/a").await.expect_err("it is the first one's");
    assert!(
        matches!(&busy, KvError::Unavailable { reason, .. } if reason == "another process has it"),
        "{busy:?}"
    );
    drop((leading, first));
    let next = soon("the second leads", waiting.elected()).await.expect("elected");
    assert!(next.epoch() > fence.epoch());
    let entry = second.get("t/a").await.expect("an answer").expect("an entry");
    assert_eq!((entry.value.as_slice(), entry.version), (&b"1"[..], version));
    let late = second.put("t/a", "2", Expect::Anything, Some(&fence)).await;
    assert!(matches!(late, Err(KvError::Fenced { .. })), "{late:?}");
    soon("its own leader", observer.when(|seen| seen.leader().is_some_and(|l| l.value == b"second"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_used_is_no_reason_to_give_up() {
    let directory = directory();
    std::fs::write(directory.path().join("s"), "a file is in the way").expect("written");
    let store: Arc<dyn KeyValue> = Arc::new(open(&directory, "s"));
    let refused = store.put("t/a", "1", Expect::Anything, None).await.expect_err("refused");
    assert!(refused.is_transient() && refused.to_string().contains("cannot use"), "{refused}");
    let mut candidacy = store.campaign("master", Vec::new());
    let mut observer = store.observe("master");
    assert_eq!(observer.next().await, Observed::Nobody);
    std::fs::remove_file(directory.path().join("s")).expect("removed");
    soon("elected after all", candidacy.elected()).await.expect("elected");
    store.put("t/a", "1", Expect::Anything, None).await.expect("written");
}

//! Keys: reading, writing, transactions, watching.

use store::kv::{Change, Expect, KeyValue, KvError, Transaction};

use super::Stage;
use Expect::{Absent, Anything};

async fn value(store: &dyn KeyValue, key: &str) -> Option<Vec<u8>> {
    store.get(key).await.expect("an answer").map(|entry| entry.value)
}

pub(super) async fn what_was_written_is_read(stage: Stage) {
    let (one, other) = (stage.client(), stage.client());
    assert_eq!(one.get("agents/a").await, Ok(None));
    let first = one.put("agents/a", "x", Anything, None).await.expect("written");
    assert_eq!(value(&*one, "agents/a").await, Some(b"x".to_vec()));
    assert_eq!(value(&*other, "agents/a").await, Some(b"x".to_vec()), "others read it too");
    let second = one.put("agents/a", "", Anything, None).await.expect("written again");
    assert_ne!(first, second);
    let entry = one.get("agents/a").await.expect("an answer").expect("an entry");
    assert_eq!((entry.key.as_str(), entry.value.as_slice(), entry.version), ("agents/a", &b""[..], second));
    let large = vec![7; 400_000];
    one.put("agents/large", large.clone(), Anything, None).await.expect("written");
    assert_eq!(value(&*other, "agents/large").await, Some(large));
    one.remove("agents/a", Anything, None).await.expect("removed");
    one.remove("agents/a", Anything, None).await.expect("removed what is not there");
    assert_eq!(one.get("agents/a").await, Ok(None));
}

pub(super) async fn names_are_any_text(stage: Stage) {
    let store = stage.client();
    let names = ["a/b", ".", "..", "%2F", "a b", "ä", "zookeeper", "-", "a\u{1}b", "x%", "/", "//"];
    for name in names {
        let key = format!("t/{name}");
        store.put(&key, name, Absent, None).await.unwrap_or_else(|e| panic!("{name:?}: {e}"));
        assert_eq!(value(&*store, &key).await, Some(name.as_bytes().to_vec()), "{name:?}");
    }
    let mut expected: Vec<String> = names.iter().map(|name| format!("t/{name}")).collect();
    expected.sort();
    let listed = store.list("t/").await.expect("a list");
    assert_eq!(listed.into_iter().map(|entry| entry.key).collect::<Vec<_>>(), expected);
}

pub(super) async fn a_list_is_sorted_and_of_its_prefix(stage: Stage) {
    let store = stage.client();
    assert_eq!(store.list("gone/").await, Ok(Vec::new()), "a table that nobody wrote to");
    for key in ["gone/b", "gone/a", "gone/ab", "other/a"] {
        store.put(key, key, Anything, None).await.expect("written");
    }
    let keys = async |prefix: &str| -> Vec<String> {
        let listed = store.list(prefix).await.expect("a list");
        assert!(listed.iter().all(|entry| entry.value == entry.key.as_bytes()), "values with their keys");
        listed.into_iter().map(|entry| entry.key).collect()
    };
    assert_eq!(keys("gone/").await, ["gone/a", "gone/ab", "gone/b"]);
    assert_eq!(keys("gone/a").await, ["gone/a", "gone/ab"]);
    assert_eq!(keys("gone/x").await, [""; 0]);
}

pub(super) async fn a_write_happens_only_if_the_key_is_as_expected(stage: Stage) {
    let store = stage.client();
    let conflict = || KvError::Conflict { key: "t/k".to_owned() };
    let first = store.put("t/k", "1", Absent, None).await.expect("written");
    assert_eq!(store.put("t/k", "2", Absent, None).await, Err(conflict()));
    let second = store.put("t/k", "2", Expect::Version(first), None).await.expect("written");
    assert_eq!(store.put("t/k", "3", Expect::Version(first), None).await, Err(conflict()));
    assert_eq!(store.remove("t/k", Expect::Version(first), None).await, Err(conflict()));
    assert_eq!(value(&*store, "t/k").await, Some(b"2".to_vec()));
    store.remove("t/k", Expect::Version(second), None).await.expect("removed");
    assert_eq!(store.put("t/k", "4", Expect::Version(second), None).await, Err(conflict()), "not there");
}

pub(super) async fn counting_together_loses_nothing(stage: Stage) {
    const EACH: u64 = 20;
    let count = async |store: std::sync::Arc<dyn KeyValue>| {
        for _ in 0..EACH {
            loop {
                let entry = store.get("t/count").await.expect("an answer");
                let (number, expect) = entry.map_or((0, Absent), |e| {
                    let number = e.value.as_slice().try_into().expect("eight bytes");
                    (u64::from_be_bytes(number), Expect::Version(e.version))
                });
                match store.put("t/count", (number + 1).to_be_bytes(), expect, None).await {
                    Ok(_) => break,
                    Err(KvError::Conflict { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    tokio::join!(count(stage.client()), count(stage.client()), count(stage.client()));
    let all = value(&*stage.client(), "t/count").await;
    assert_eq!(all, Some((3 * EACH).to_be_bytes().to_vec()));
}

pub(super) async fn a_transaction_is_done_whole_or_not_at_all(stage: Stage) {
    let store = stage.client();
    let version = store.put("t/held", "1", Absent, None).await.expect("written");
    let unmet = Transaction::new()
        .put("t/new", "1", Anything)
        .remove("t/held", Anything)
        .check("t/missing", Absent)
        .put("u/late", "1", Absent)
        .check("t/other", Expect::Version(version));
    let refused = store.commit(&unmet, None).await;
    assert_eq!(refused, Err(KvError::Conflict { key: "t/other".to_owned() }));
    assert_eq!(value(&*store, "t/new").await, None);
    assert_eq!(value(&*store, "t/held").await, Some(b"1".to_vec()));
    let met = Transaction::new()
        .check("t/held", Expect::Version(version))
        .check("t/missing", Absent)
        .put("t/new", "1", Absent)
        .put("u/late", "2", Anything)
        .remove("t/nothing", Anything);
    let versions = store.commit(&met, None).await.expect("done");
    let new = store.get("t/new").await.expect("an answer").expect("an entry");
    let late = store.get("u/late").await.expect("an answer").expect("an entry");
    assert_eq!(versions, [new.version, late.version]);
    assert_eq!(value(&*store, "t/missing").await, None, "a check leaves nothing behind");
    let absent = Transaction::new().check("t/held", Absent);
    assert_eq!(store.commit(&absent, None).await, Err(KvError::Conflict { key: "t/held".to_owned() }));
    assert_eq!(store.commit(&Transaction::new(), None).await, Ok(Vec::new()), "nothing is easily done");
}

pub(super) async fn what_no_store_takes_is_refused(stage: Stage) {
    let store = stage.client();
    for key in ["", "word", "/name", "a b/c"] {
        let refused = Err(KvError::Key { key: key.to_owned() });
        assert_eq!(store.put(key, "x", Anything, None).await.map(drop), refused);
        assert_eq!(store.get(key).await.map(drop), refused);
    }
    let twice = Transaction::new().put("t/a", "1", Anything).remove("t/a", Anything);
    assert_eq!(store.commit(&twice, None).await, Err(KvError::Twice { key: "t/a".to_owned() }));
    let limits = store.limits();
    let large = store.put("t/a", vec![0; limits.bytes], Anything, None).await;
    assert!(matches!(large, Err(KvError::TooLarge { ops: 1, .. })), "{large:?}");
    let many = (0..=limits.ops).fold(Transaction::new(), |t, n| t.put(format!("t/{n}"), "", Anything));
    let many = store.commit(&many, None).await;
    assert!(matches!(many, Err(KvError::TooLarge { .. })), "{many:?}");
    assert_eq!(store.list("t/").await, Ok(Vec::new()));
}

pub(super) async fn thousands_of_transactions_are_done_in_order(stage: Stage) {
    let store = stage.client();
    let many: Vec<Transaction> = (0..2000)
        .map(|n| {
            Transaction::new().put(format!("agents/{n:04}"), vec![1; 600], Anything).put(
                "t/last",
                format!("{n}"),
                Anything,
            )
        })
        .take(20)
        .chain((20..2000).map(|n| Transaction::new().put(format!("agents/{n:04}"), vec![1; 600], Absent)))
        .collect();
    store.commit_all(&many, None).await.expect("all done");
    let listed = store.list("agents/").await.expect("a list");
    assert_eq!(listed.len(), 2000);
    assert!(listed.iter().all(|entry| entry.value.len() == 600));
    assert_eq!(value(&*store, "t/last").await, Some(b"19".to_vec()), "the last of them was the last");
    let some = [
        Transaction::new().remove("agents/0000", Anything),
        Transaction::new().put("agents/0001", "", Absent),
        Transaction::new().remove("agents/0002", Anything),
    ];
    let refused = store.commit_all(&some, None).await.expect_err("one of them is refused");
    assert_eq!(refused.done, 1);
    assert_eq!(refused.error, KvError::Conflict { key: "agents/0001".to_owned() });
    assert_eq!(value(&*store, "agents/0000").await, None);
    assert!(value(&*store, "agents/0002").await.is_some());
}

pub(super) async fn changes_are_told(stage: Stage) {
    let (store, watcher) = (stage.client(), stage.client());
    store.put("t/before", "1", Anything, None).await.expect("written");
    let mut watch = watcher.watch("t/");
    assert_eq!(watch.next().await, Some(Change::Resync));
    store.put("u/elsewhere", "1", Anything, None).await.expect("written");
    store.put("t/k", "1", Anything, None).await.expect("written");
    match watch.next().await {
        Some(Change::Put(entry)) => {
            assert_eq!((entry.key.as_str(), entry.value.as_slice()), ("t/k", &b"1"[..]))
        }
        other => panic!("{other:?}"),
    }
    store.remove("t/before", Anything, None).await.expect("removed");
    assert_eq!(watch.next().await, Some(Change::Removed("t/before".to_owned())));
    let last = store.put("t/k", "2", Anything, None).await.expect("written");
    match watch.next().await {
        Some(Change::Put(entry)) => assert_eq!((entry.value.as_slice(), entry.version), (&b"2"[..], last)),
        other => panic!("{other:?}"),
    }
}

//! Writing the registry: what comes while one write is under way is written together with the next.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use master_core::{FromRegistry, Input, RegistryContent, RegistryWrite};
use store::kv::{Expect, Fence, KeyValue, Limits, Transaction};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{RegistryError, RegistryFigures, fetch, journal, keys, values};
use crate::engine::CoreHandle;

/// Pause before a write that failed is tried again; doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest one: a store that is back is noticed soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Where the core's writes go. It has no bound of its own: whoever causes a write waits for its end.
pub(crate) type RegistryQueue = mpsc::UnboundedSender<RegistryWrite>;

/// Where the registry is.
#[derive(Debug)]
pub struct Store {
    /// The store.
    pub store: Arc<dyn KeyValue>,
    /// Shows that this master leads, where several may.
    pub fence: Option<Fence>,
    /// How long a write may take.
    pub timeout: Duration,
}

/// Writes what comes until the queue is closed, and tells the core; the first failure is the end.
pub(crate) async fn write_all(
    store: Store,
    mut queue: mpsc::UnboundedReceiver<RegistryWrite>,
    core: CoreHandle,
    figures: Arc<RegistryFigures>,
) {
    let mut writes = Vec::new();
    while queue.recv_many(&mut writes, Store::BATCH).await > 0 {
        let started = Instant::now();
        let message = match store.write(&writes).await {
            Ok(done) => {
                figures.written(&done);
                figures.store.add(Instant::now().into_std(), started.elapsed());
                FromRegistry::Written(writes.last().map_or(0, |write| write.number))
            }
            Err(why) => FromRegistry::Lost(why),
        };
        let lost = matches!(message, FromRegistry::Lost(_));
        // If the core is gone, nobody waits for this.
        if core.input(Input::Registry(message)).await.is_err() || lost {
            return;
        }
        writes.clear();
    }
}

impl Store {
    /// Most writes that a master hands over at once.
    pub const BATCH: usize = 4096;

    /// Reads all of it; what is out of reach is asked again until the time for a write is over.
    ///
    /// # Errors
    /// Fails when the store does not answer, or has what makes no sense.
    pub async fn read(&self) -> Result<RegistryContent, RegistryError> {
        fetch(&*self.store, self.fence.as_ref(), self.timeout, &RegistryFigures::default()).await
    }

    /// Makes writes durable and gives what was written.
    ///
    /// # Errors
    /// Says in one line why that is impossible.
    pub async fn write(&self, writes: &[RegistryWrite]) -> Result<Vec<Transaction>, String> {
        let limits = self.store.limits();
        let transactions: Vec<Transaction> =
            writes.iter().flat_map(|write| transactions(write, limits)).collect();
        let deadline = Instant::now() + self.timeout;
        let (mut rest, mut pause) = (&transactions[..], FIRST_PAUSE);
        let mut trouble = format!("no answer within {:?}", self.timeout);
        loop {
            let commit = self.store.commit_all(rest, self.fence.as_ref());
            let failed = match tokio::time::timeout_at(deadline, commit).await {
                Ok(Ok(())) => return Ok(transactions),
                Ok(Err(failed)) => failed,
                Err(_) => return Err(format!("cannot write the registry: {trouble}")),
            };
            // Doing one again that may have been done does no harm: it says what is to be, not what was.
            rest = rest.get(failed.done..).unwrap_or_default();
            let now = Instant::now();
            trouble = failed.error.to_string();
            if !failed.error.is_transient() || now >= deadline {
                return Err(format!("cannot write the registry: {trouble}"));
            }
            tracing::warn!("cannot write the registry, trying again: {trouble}");
            tokio::time::sleep_until((now + pause).min(deadline)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// A write as a transaction; as several, which make one together, if it is larger than the store can take at once.
fn transactions(write: &RegistryWrite, limits: Limits) -> Vec<Transaction> {
    let parts = parts(write, limits);
    if parts.len() < 2 {
        parts
    } else {
        journal::as_one(self::parts(write, journal::limits_of_parts(limits)))
    }
}

/// A write in as few transactions as it takes. Of changes to one key the last counts.
fn parts(write: &RegistryWrite, limits: Limits) -> Vec<Transaction> {
    let changes: BTreeMap<String, Option<Vec<u8>>> =
        write.operations.iter().map(|operation| (keys::of(operation), values::encode(operation))).collect();
    let (mut done, mut current) = (Vec::new(), Transaction::new());
    let (mut count, mut bytes) = (0, 0);
    for (key, value) in changes {
        let size = key.len() + value.as_ref().map_or(0, Vec::len);
        if count > 0 && (count + 1 > limits.ops || bytes + size > limits.bytes) {
            done.push(std::mem::take(&mut current));
            (count, bytes) = (0, 0);
        }
        current = match value {
            Some(value) => current.put(key, value, Expect::Anything),
            None => current.remove(key, Expect::Anything),
        };
        (count, bytes) = (count + 1, bytes + size);
    }
    if count > 0 {
        done.push(current);
    }
    done
}

#[cfg(test)]
mod tests {
    use master_core::RegistryOperation;
    use store::kv::LocalStore;

    use super::*;
    use crate::engine::Work;

    #[test]
    fn a_write_that_is_too_large_is_made_in_parts() {
        let weight = |name: usize| RegistryOperation::Weight(format!("r{name}").as_str().into(), 1.0);
        let write = RegistryWrite { number: 1, operations: (0..7).map(weight).collect() };
        let limits = Limits { ops: 3, bytes: 10_000 };
        let sizes: Vec<usize> = parts(&write, limits).iter().map(|part| part.ops().len()).collect();
        assert_eq!(sizes, [3, 3, 1]);
        let small = Limits { ops: 100, bytes: 1 };
        assert_eq!(parts(&write, small).len(), 7);
        // Three pieces and their declaration, what they say, and the removal of all four.
        assert_eq!(transactions(&write, limits).len(), 4 + 3 + 4);
    }

    fn weight(number: u64) -> RegistryWrite {
        let operations = vec![RegistryOperation::Weight("r".into(), 1.0)];
        RegistryWrite { number, operations }
    }

    /// A store that is out of reach as long as the first part is there.
    async fn out_of_reach(directory: &std::path::Path, timeout: Duration) -> (LocalStore, Store) {
        let open = || LocalStore::new(directory, store::kv::Options::default());
        let (first, second) = (open(), Arc::new(open()));
        first.list("weights/").await.unwrap();
        assert!(second.list("weights/").await.is_err(), "the other one has the directory");
        (first, Store { store: second, fence: None, timeout })
    }

    #[tokio::test]
    async fn a_store_out_of_reach_is_asked_again() {
        let directory = tempfile::tempdir().unwrap();
        let (first, store) = out_of_reach(directory.path(), Duration::from_secs(20)).await;
        let reader = Arc::clone(&store.store);
        let writing = tokio::spawn(async move { store.write(&[weight(1)]).await });
        let figures = RegistryFigures::default();
        let fetched = super::super::fetch(&*reader, None, Duration::ZERO, &figures).await;
        assert!(fetched.is_err(), "it is out of reach for who reads, too");
        drop(first);
        writing.await.unwrap().unwrap();
        let content = super::super::fetch(&*reader, None, Duration::from_secs(20), &figures).await.unwrap();
        assert_eq!(content.weights["r"], 1.0);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_ends_the_leading() {
        let directory = tempfile::tempdir().unwrap();
        let (_first, store) = out_of_reach(directory.path(), Duration::from_millis(200)).await;
        let (queue, mut work) = mpsc::channel(8);
        let (writes, written) = mpsc::unbounded_channel();
        let core = CoreHandle::new(queue);
        let task = tokio::spawn(write_all(store, written, core, Arc::default()));
        writes.send(weight(1)).unwrap();
        let Some(Work::Input(Input::Registry(FromRegistry::Lost(why)))) = work.recv().await else {
            panic!("the core is not told")
        };
        assert!(why.starts_with("cannot write the registry: "), "{why}");
        // Nothing is written any more, whatever is asked for.
        task.await.unwrap();
        assert!(writes.send(weight(2)).is_err());
    }

    #[tokio::test]
    async fn what_is_written_is_told_and_read_by_the_next() {
        let directory = tempfile::tempdir().unwrap();
        let options = store::kv::Options::default();
        let kept: Arc<dyn KeyValue> = Arc::new(LocalStore::new(directory.path(), options));
        let store = Store { store: Arc::clone(&kept), fence: None, timeout: Duration::from_secs(20) };
        let (queue, mut work) = mpsc::channel(8);
        let (writes, written) = mpsc::unbounded_channel();
        for number in 1..=50 {
            writes.send(weight(number)).unwrap();
        }
        let figures = Arc::new(RegistryFigures::default());
        tokio::spawn(write_all(store, written, CoreHandle::new(queue), Arc::clone(&figures)));
        loop {
            match work.recv().await {
                Some(Work::Input(Input::Registry(FromRegistry::Written(50)))) => break,
                Some(Work::Input(Input::Registry(FromRegistry::Written(_)))) => {}
                _ => panic!("not written"),
            }
        }
        let content = super::super::fetch(&*kept, None, Duration::from_secs(20), &figures).await.unwrap();
        assert_eq!(content.weights["r"], 1.0);
    }

    #[test]
    fn of_two_changes_to_one_key_the_last_counts() {
        let weight = |value| RegistryOperation::Weight("r".into(), value);
        let write = RegistryWrite { number: 1, operations: vec![weight(1.0), weight(2.0)] };
        let made = transactions(&write, Limits { ops: 10, bytes: 1000 });
        let value = values::encode(&weight(2.0)).unwrap();
        assert_eq!(made, [Transaction::new().put("weights/r", value, Expect::Anything)]);
        let nothing = RegistryWrite { number: 2, operations: Vec::new() };
        assert!(transactions(&nothing, Limits { ops: 10, bytes: 1000 }).is_empty());
    }
}

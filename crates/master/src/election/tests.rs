//! Leaders whose store fails them: the process goes on, as a standby that knows nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use store::kv::{
    Answer, Candidacy, Entry, Fence, KeyValue, KvError, Limits, LocalStore, Observer, Options, Transaction,
    Version, Watch,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Candidate;
use crate::options::MasterOptions;
use crate::server::{End, MasterServer};

/// A store that elects, and then does not do what it is asked.
#[derive(Debug)]
struct Failing {
    inner: LocalStore,
    unreadable: AtomicBool,
    /// As if another master led.
    fenced: AtomicBool,
}

impl KeyValue for Failing {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Entry>> {
        self.inner.get(key)
    }

    fn list<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Entry>> {
        if self.unreadable.load(Ordering::Relaxed) {
            let error = KvError::Unavailable { store: "it".to_owned(), reason: "gone".to_owned() };
            return async { Err(error) }.boxed();
        }
        self.inner.list(prefix)
    }

    fn watch(&self, prefix: &str) -> Watch {
        self.inner.watch(prefix)
    }

    fn commit<'a>(
        &'a self,
        transaction: &'a Transaction,
        fence: Option<&'a Fence>,
    ) -> Answer<'a, Vec<Version>> {
        if self.fenced.load(Ordering::Relaxed) {
            return async { Err(KvError::Fenced { election: "e".to_owned(), epoch: 1 }) }.boxed();
        }
        self.inner.commit(transaction, fence)
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn campaign(&self, election: &str, value: Vec<u8>) -> Candidacy {
        self.inner.campaign(election, value)
    }

    fn observe(&self, election: &str) -> Observer {
        self.inner.observe(election)
    }
}

/// A master that stands for election in such a store.
async fn master(store: &Arc<Failing>) -> MasterServer {
    let options =
        MasterOptions { registry_fetch_timeout: Duration::from_millis(300), ..MasterOptions::loopback() };
    let store: Arc<dyn KeyValue> = Arc::<Failing>::clone(store);
    let start = MasterServer::start_as(options, |own| Some(Candidate::stand_in(store, own)));
    start.await.expect("it listens")
}

fn failing(directory: &std::path::Path) -> Arc<Failing> {
    let inner = LocalStore::new(directory, Options::default());
    Arc::new(Failing { inner, unreadable: AtomicBool::new(false), fenced: AtomicBool::new(false) })
}

async fn ended(master: &MasterServer) -> String {
    match timeout(Duration::from_secs(60), master.ended()).await.expect("it ends") {
        End::Deposed(reason) => reason,
        end => panic!("it goes on as a standby, not: {end:?}"),
    }
}

/// The status of an answer.
async fn ask(master: &MasterServer, request: &str) -> String {
    let mut stream = TcpStream::connect(master.address()).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    // A master that ends may close the connection without an answer.
    let _ = stream.read_to_string(&mut answer).await;
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

async fn leads(master: &MasterServer) {
    while ask(master, "GET /state HTTP/1.0\r\n\r\n").await != "200" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

const WEIGHTS: &str = "PUT /weights HTTP/1.0\r\nContent-Length: 28\r\n\r\n[{\"role\":\"r\",\"weight\":2.5}] ";

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_whose_write_is_fenced_stands_by_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = failing(directory.path());
    let first = master(&store).await;
    timeout(Duration::from_secs(60), leads(&first)).await.expect("it is elected");
    store.fenced.store(true, Ordering::Relaxed);
    let status = ask(&first, WEIGHTS).await;
    // It had been taken: that nothing was written is not known here.
    assert!(["", "500"].contains(&&*status), "it is not said to be done: {status}");
    let reason = ended(&first).await;
    assert!(reason.starts_with("cannot write the registry: "), "{reason}");
    first.shutdown().await;

    store.fenced.store(false, Ordering::Relaxed);
    let second = master(&store).await;
    timeout(Duration::from_secs(60), leads(&second)).await.expect("it is elected again");
    assert_eq!(ask(&second, WEIGHTS).await, "200");
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_read_the_registry_stands_by_again() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = failing(directory.path());
    store.unreadable.store(true, Ordering::Relaxed);
    let master = master(&store).await;
    assert_eq!(ended(&master).await, "cannot read the registry: it is unavailable: gone");
    master.shutdown().await;
}

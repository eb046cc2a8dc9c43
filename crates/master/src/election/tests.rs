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

    fn candidates<'a>(&'a self, election: &'a str) -> Answer<'a, Vec<Vec<u8>>> {
        self.inner.candidates(election)
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
    whole(master, request).await.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A whole answer.
async fn whole(master: &MasterServer, request: &str) -> String {
    let mut stream = TcpStream::connect(master.address()).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    // A master that ends may close the connection without an answer.
    let _ = stream.read_to_string(&mut answer).await;
    answer
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

/// What a standby answers of itself.
const OWN: [&str; 10] = [
    "/flags",
    "/files/debug",
    "/health",
    "/logging/toggle",
    "/metrics",
    "/metrics/snapshot",
    "/system/stats.json",
    "/version",
    "/help",
    "/help/master/state",
];

/// What it sends to the leader, and how that is asked for.
const LED: [(&str, &str); 27] = [
    ("POST", "/api/v1"),
    ("POST", "/api/v1/scheduler"),
    ("POST", "/create-volumes"),
    ("POST", "/destroy-volumes"),
    ("GET", "/frameworks"),
    ("POST", "/machine/down"),
    ("POST", "/machine/up"),
    ("GET", "/maintenance/schedule"),
    ("POST", "/maintenance/schedule"),
    ("GET", "/maintenance/status"),
    ("GET", "/quota"),
    ("POST", "/quota"),
    ("DELETE", "/quota/role"),
    ("POST", "/reserve"),
    ("GET", "/roles"),
    ("GET", "/roles.json"),
    ("GET", "/slaves"),
    ("GET", "/state"),
    ("GET", "/state-summary"),
    ("GET", "/state.json"),
    ("GET", "/tasks"),
    ("GET", "/tasks.json?limit=1&order=asc"),
    ("POST", "/tasks/kill"),
    ("POST", "/teardown"),
    ("POST", "/unreserve"),
    ("GET", "/weights"),
    ("PUT", "/weights"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_answers_for_itself_and_sends_everybody_else_to_the_leader() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = failing(directory.path());
    let leader = master(&store).await;
    timeout(Duration::from_secs(60), leads(&leader)).await.expect("it is elected");
    let standby = master(&store).await;
    let to_leader = |path: &str| format!("location: //{}{path}\r\n", leader.address());
    let knows = async {
        while ask(&standby, "GET /redirect HTTP/1.0\r\n\r\n").await != "307" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(60), knows).await.expect("it hears who leads");
    for (method, path) in LED {
        for path in [path.to_owned(), format!("/master{path}")] {
            let answer =
                whole(&standby, &format!("{method} {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n")).await;
            assert!(
                answer.starts_with("HTTP/1.0 307 ") && answer.contains(&to_leader(&path)),
                "{path}: {answer}"
            );
        }
    }
    for path in OWN {
        assert_eq!(ask(&standby, &format!("GET {path} HTTP/1.0\r\n\r\n")).await, "200", "{path}");
    }
    for path in ["/redirect", "/master/redirect"] {
        for master in [&standby, &leader] {
            let answer = whole(master, &format!("GET {path} HTTP/1.0\r\n\r\n")).await;
            assert!(
                answer.starts_with("HTTP/1.0 307 ") && answer.contains(&to_leader("")),
                "{path}: {answer}"
            );
        }
    }
    leader.shutdown().await;
    standby.shutdown().await;
}

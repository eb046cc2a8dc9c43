//! What people do to the services while masters use them: they take a leader's node away, compact an etcd, forget to renew a
//! certificate. And a service that never ends a line.

#[path = "services/etcd_api.rs"]
mod etcd_api;
#[allow(dead_code, reason = "each test uses its part")]
#[path = "services/leaders.rs"]
mod leaders;
mod services;
#[allow(dead_code, reason = "each test uses its part")]
mod suite;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leaders::{elected, sees, write};
use serde_json::json;
use services::etcd::{Certificates, Etcd};
use services::zookeeper::ZooKeeper;
use store::kv::{
    Candidacy, Change, EtcdStore, Expect, KeyValue, KvError, Observed, Options, Standing, ZooKeeperStore,
};
use suite::soon;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use zookeeper_client::{Acls, Client, CreateMode};

const ELECTION: &str = "json.info";

/// Sessions that no test outlasts.
fn options() -> Options {
    Options { session_timeout: Duration::from_secs(20), answer_timeout: Duration::from_secs(30) }
}

fn zookeeper(address: SocketAddr) -> Arc<dyn KeyValue> {
    Arc::new(ZooKeeperStore::new(&format!("zk://{address}/m").parse().expect("a URL"), options()))
}

fn etcd(address: SocketAddr) -> Arc<dyn KeyValue> {
    Arc::new(EtcdStore::new(&format!("etcd://{address}/m").parse().expect("a URL"), options()))
}

/// A leader, and one who waits. Somebody takes away what the leader leads by: it knows at once, and writes nothing any more; the
/// other one leads, and all see it.
async fn the_leaders_place_is_taken_away(
    store: impl Fn() -> Arc<dyn KeyValue>,
    take_away: impl AsyncFnOnce(),
) -> (String, Candidacy) {
    let (one, two) = (store(), store());
    let mut first = one.campaign(ELECTION, b"first".to_vec());
    let old = elected(&mut first).await;
    let mut second = two.campaign(ELECTION, b"second".to_vec());
    let (mut seen_by_one, mut seen_by_two) = (one.observe(ELECTION), two.observe(ELECTION));
    sees(&mut seen_by_one, "first").await;
    sees(&mut seen_by_two, "first").await;
    take_away().await;
    let reason = soon("the leader knows", first.lost()).await;
    let new = elected(&mut second).await;
    assert!(new.epoch() > old.epoch());
    let late = write(&*one, "late", Some(&old)).await;
    assert_eq!(late, Err(KvError::Fenced { election: ELECTION.to_owned(), epoch: old.epoch() }));
    write(&*two, "new", Some(&new)).await.expect("the new leader's write");
    sees(&mut seen_by_one, "second").await;
    sees(&mut seen_by_two, "second").await;
    // Nobody comes back behind it without standing again.
    drop((first, seen_by_one, one));
    assert_eq!(second.standing(), Standing::Leading(new));
    (reason, second)
}

async fn by_hand(address: SocketAddr) -> Client {
    soon("a connection", Client::connect(&address.to_string())).await.expect("connected")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_in_zookeeper_whose_node_is_taken_away_leads_no_more() {
    let server = ZooKeeper::start();
    let hand = by_hand(server.address()).await;
    let take_away = async || {
        let nodes = hand.list_children("/m").await.expect("the candidates");
        let leader = nodes.iter().filter(|name| name.starts_with("json.info_")).min().expect("a leader");
        hand.delete(&format!("/m/{leader}"), None).await.expect("taken away");
    };
    let (reason, mut second) =
        the_leaders_place_is_taken_away(|| zookeeper(server.address()), take_away).await;
    assert_eq!(reason, "its node was removed");
    // Clients of Mesos take the lowest node for the leader's, whoever made it.
    let lower = CreateMode::Ephemeral.with_acls(Acls::anyone_all());
    hand.create("/m/json.info_0000000000", b"somebody", &lower).await.expect("made");
    let reason = soon("the leader knows", second.lost()).await;
    assert_eq!(reason, "'json.info_0000000000' was put before its node");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_in_etcd_whose_key_is_taken_away_leads_no_more() {
    let server = Etcd::start();
    let take_away = async || {
        let [from, to] =
            [format!("/m/{ELECTION}/"), format!("/m/{ELECTION}0")].map(|key| STANDARD.encode(key));
        let range = json!({ "key": from, "range_end": to, "sort_target": "CREATE", "limit": 1 });
        let found = etcd_api::post(server.address(), "", "kv/range", &range);
        let leader = json!({ "key": found["kvs"][0]["key"] });
        let removed = etcd_api::post(server.address(), "", "kv/deleterange", &leader);
        assert_eq!(removed["deleted"], "1");
    };
    let (reason, _second) = the_leaders_place_is_taken_away(|| etcd(server.address()), take_away).await;
    assert_eq!(reason, "its key was removed");
}

/// A reader that does not read holds its watch up at the server, and what it has not been told is compacted. It is told to list
/// anew, and finds all.
#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_behind_a_compaction_has_its_reader_list_again() {
    const WRITES: u32 = 600;
    let server = Etcd::start();
    let store = etcd(server.address());
    let mut watch = store.watch("t/");
    assert_eq!(soon("a beginning", watch.next()).await, Some(Change::Resync));
    // More than all that is between the two takes up, the 256 changes that wait for the reader included.
    for number in 0..WRITES {
        let value = [vec![0; 100_000], number.to_be_bytes().to_vec()].concat();
        store.put("t/a", value, Expect::Anything, None).await.expect("written");
    }
    let newest = etcd_api::post(
        server.address(),
        "",
        "kv/range",
        &json!({ "key": STANDARD.encode("/m/keys/t/a"), "keys_only": true }),
    );
    let compaction = json!({ "revision": newest["header"]["revision"], "physical": true });
    etcd_api::post(server.address(), "", "kv/compaction", &compaction);
    let mut told = 0;
    while soon("a gap", watch.next()).await != Some(Change::Resync) {
        told += 1;
    }
    assert!(told < WRITES, "the reader was told everything, and was not behind");
    let found = store.get("t/a").await.expect("an answer").expect("an entry");
    assert!(found.value.ends_with(&(WRITES - 1).to_be_bytes()));
    // And from here on it is told again.
    store.put("t/b", b"1".to_vec(), Expect::Anything, None).await.expect("written");
    soon("a change", async {
        while !matches!(watch.next().await, Some(Change::Put(entry)) if entry.key == "t/b") {}
    })
    .await;
}

/// Whatever is wrong with a certificate is said, to whoever asks and to whoever waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_does_not_hold_is_named_and_keeps_nobody_waiting() {
    let expired = Certificates::make();
    expired.issue("server", 0);
    let (certificates, others) = (Certificates::make(), Certificates::make());
    let client_expired = Certificates::make();
    client_expired.issue("client", 0);
    for (server, client, what) in [
        (&expired, &expired, "expired"),
        (&certificates, &others, "invalid peer certificate"),
        (&client_expired, &client_expired, "alert"),
    ] {
        let service = Etcd::start_encrypted(server);
        let file = |name: &str| client.file(name).display().to_string();
        let url = format!(
            "etcd://{}/m?ca={}&cert={}&key={}",
            service.address(),
            file("ca.pem"),
            file("client.pem"),
            file("client.key")
        );
        let options =
            Options { session_timeout: Duration::from_secs(2), answer_timeout: Duration::from_secs(2) };
        let store: Arc<dyn KeyValue> = Arc::new(EtcdStore::new(&url.parse().expect("a URL"), options));
        let refused = soon("an answer", store.get("t/a")).await.expect_err("it does not hold").to_string();
        let named = refused.to_lowercase().contains("certificate");
        assert!(named && refused.contains(what), "{what}: {refused}");
        let mut observer = store.observe(ELECTION);
        let seen = soon("news", observer.when(|seen| matches!(seen, Observed::Unavailable { .. }))).await;
        assert!(format!("{seen:?}").contains(what), "{what}: {seen:?}");
    }
}

/// A member, or what is in its place, that answers a watch with a line without an end: it is read no further than so far, and asked
/// again.
#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_an_end_is_given_up() {
    const BOUND: usize = 256 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let store = etcd(listener.local_addr().expect("an address"));
    let _watch = store.watch("t/");
    for attempt in 0..2 {
        let (mut stream, _) = soon("a question", listener.accept()).await.expect("a connection");
        let mut question = [0; 1024];
        assert!(stream.read(&mut question).await.expect("a question") > 0);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).await.expect("written");
        let mut said = 0;
        let piece = vec![b'x'; 1 << 20];
        soon("an end of its patience", async {
            while stream.write_all(&piece).await.is_ok() {
                said += piece.len();
                assert!(said < BOUND, "attempt {attempt}: it reads on and on");
            }
        })
        .await;
    }
}

//! The store in a real ZooKeeper: what every store does, and what happens when servers and connections fail.

#[path = "services/leaders.rs"]
mod leaders;
mod services;
mod suite;

use std::sync::Arc;
use std::time::Duration;

use leaders::{
    a_leader_is_cut_off, a_leader_is_lost_in_the_middle_of_a_write, a_leader_stands_still,
    a_majority_is_lost, a_server_stands_still, a_write_that_was_given_up_arrives_late,
    an_answer_to_a_write_is_lost, elected, sees, sees_nothing, write,
};
use services::proxy::Proxy;
use services::zookeeper::ZooKeeper;
use store::kv::{Expect, KeyValue, KvError, Options, Standing, Transaction, ZooKeeperStore};
use suite::{Service, play, soon};

/// Short, so that a test need not wait long for a session's end.
const SESSION: Duration = Duration::from_secs(3);

fn options() -> Options {
    Options { session_timeout: SESSION, ..Options::default() }
}

fn client(servers: &str, path: &str) -> Arc<dyn KeyValue> {
    let url = format!("zk://{servers}/{path}").parse().expect("a URL");
    Arc::new(ZooKeeperStore::new(&url, options()))
}

fn alone(server: &ZooKeeper, path: &str) -> Arc<dyn KeyValue> {
    client(&server.address().to_string(), path)
}

/// One whose sessions, of so many seconds, outlive what a test does to connections.
fn patient(server: std::net::SocketAddr, patience: u64) -> Arc<dyn KeyValue> {
    let url = format!("zk://{server}/m").parse().expect("a URL");
    let patience = Duration::from_secs(patience);
    Arc::new(ZooKeeperStore::new(&url, Options { session_timeout: patience, answer_timeout: patience }))
}

/// A path for each scene.
struct Paths(ZooKeeper);

impl Service for Paths {
    fn client(&self, scene: &str) -> Arc<dyn KeyValue> {
        let url = format!("zk://{}/suite/{scene}", self.0.address()).parse().expect("a URL");
        // All scenes at once are much for a small machine: nobody is to lose a session by that.
        let options =
            Options { session_timeout: Duration::from_secs(20), answer_timeout: Duration::from_secs(40) };
        Arc::new(ZooKeeperStore::new(&url, options))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn zookeeper_does_what_a_store_must() {
    play(Paths(ZooKeeper::start())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_is_deposed_and_its_writes_are_fenced() {
    let server = ZooKeeper::start();
    let proxy = Proxy::to(server.address()).await;
    let (far, near) = (client(&proxy.address().to_string(), "m"), alone(&server, "m"));
    a_leader_is_cut_off(far, near, proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaders_write_that_arrives_late_does_nothing() {
    let server = ZooKeeper::start();
    let proxy = Proxy::to(server.address()).await;
    let far = patient(proxy.address(), 20);
    a_write_that_was_given_up_arrives_late(far, alone(&server, "m"), proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_in_the_middle_of_which_the_leader_is_lost_is_done_wholly_or_not_at_all() {
    let server = ZooKeeper::start();
    let scene = async |path: &str| {
        let proxy = Proxy::to(server.address()).await;
        (client(&proxy.address().to_string(), path), alone(&server, path), proxy)
    };
    let (far, near, proxy) = scene("half").await;
    let (deaf, hearing, one_way) = scene("unanswered").await;
    tokio::join!(
        a_leader_is_lost_in_the_middle_of_a_write(far, near, proxy),
        an_answer_to_a_write_is_lost(deaf, hearing, one_way)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ensemble_without_a_majority_keeps_nobody_waiting_and_forgets_nothing() {
    let mut servers = ZooKeeper::ensemble(3);
    servers.iter_mut().for_each(ZooKeeper::begin);
    servers.iter_mut().for_each(ZooKeeper::ready);
    let all: Vec<String> = servers.iter().map(|server| server.address().to_string()).collect();
    let store = client(&all.join(","), "m");
    let servers = std::cell::RefCell::new(servers);
    let fail = || servers.borrow_mut()[..2].iter_mut().for_each(|server| server.process.kill());
    let heal = || {
        servers.borrow_mut()[0].begin();
        servers.borrow_mut()[0].ready();
    };
    a_majority_is_lost(store, fail, heal).await;
}

/// A key for each agent: a large cluster is not one large value.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_thousand_agents_fit() {
    const AGENTS: usize = 50_000;
    let server = ZooKeeper::start();
    let store = patient(server.address(), 40);
    let key = |number| format!("agents/0123456789ab-0123-0123-0123-0123456789ab-S{number}");
    let put = |number| Transaction::new().put(key(number), vec![1; 400], Expect::Anything);
    let all: Vec<Transaction> = (0..AGENTS).map(put).collect();
    store.commit_all(&all, None).await.expect("all written");
    let listed = store.list("agents/").await.expect("a list");
    assert_eq!(listed.len(), AGENTS);
    assert!(listed.iter().all(|entry| entry.value.len() == 400));
}

#[tokio::test]
async fn a_leader_that_stood_still_leads_no_more() {
    let server = ZooKeeper::start();
    a_leader_stands_still(alone(&server, "m"), 4 * SESSION).await;
}

/// What is cut for less than a session lasts deposes nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_and_started_again_keeps_sessions() {
    let mut server = ZooKeeper::start();
    let store = patient(server.address(), 40);
    let mut first = store.campaign("json.info", b"first".to_vec());
    let fence = elected(&mut first).await;
    let mut watch = store.watch("t/");
    assert_eq!(watch.next().await, Some(store::kv::Change::Resync));
    write(&*store, "1", Some(&fence)).await.expect("written");
    server.process.kill();
    server.restart();
    write(&*store, "2", Some(&fence)).await.expect("written, with the same fence");
    assert_eq!(first.standing(), Standing::Leading(fence));
    assert_eq!(store.get("t/a").await.expect("an answer").expect("an entry").value, b"2");
    // The watch says that something may have been missed.
    soon("a resync", async { while watch.next().await != Some(store::kv::Change::Resync) {} }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_keeps_nobody_waiting() {
    let server = ZooKeeper::start();
    a_server_stands_still(alone(&server, "m"), || server.process.pause(), || server.process.go_on()).await;
}

/// MESOS-9426: a detection that was asked for while ZooKeeper was in trouble stayed pending for ever.
#[tokio::test(flavor = "multi_thread")]
async fn detection_never_stays_pending_mesos_9426() {
    let mut server = ZooKeeper::start();
    server.process.kill();
    let store = alone(&server, "m");
    let mut observer = store.observe("json.info");
    let mut candidacy = store.campaign("json.info", b"first".to_vec());
    sees_nothing(&mut observer).await;
    assert_eq!(candidacy.standing(), Standing::Waiting, "a candidate waits for the servers");
    let refused = soon("an answer", store.get("t/a")).await.expect_err("nobody is there");
    assert!(matches!(refused, KvError::Unavailable { .. }), "{refused}");
    for round in 0..3 {
        server.restart();
        let mut late = store.observe("json.info");
        sees(&mut observer, "first").await;
        sees(&mut late, "first").await;
        elected(&mut candidacy).await;
        server.process.kill();
        // It is told in good time that nothing is known any more, also to who asks only now.
        sees_nothing(&mut observer).await;
        sees_nothing(&mut store.observe("json.info")).await;
        soon("the end of a leader", candidacy.lost()).await;
        candidacy = store.campaign("json.info", b"first".to_vec());
        assert_eq!(candidacy.standing(), Standing::Waiting, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn some_servers_of_an_ensemble_are_enough() {
    let mut servers = ZooKeeper::ensemble(3);
    let all: Vec<String> = servers.iter().map(|server| server.address().to_string()).collect();
    let store = client(&all.join(","), "m");
    let mut candidacy = store.campaign("json.info", b"one".to_vec());
    for server in &mut servers[1..] {
        server.begin();
    }
    for server in &mut servers[1..] {
        server.ready();
    }
    let fence = elected(&mut candidacy).await;
    write(&*store, "1", Some(&fence)).await.expect("written while one server is down");
    servers[0].restart();
    servers[1].process.kill();
    let mut observer = store.observe("json.info");
    sees(&mut observer, "one").await;
    soon("a write through the others", async {
        // The session goes on elsewhere, or the candidate has lost it and stands again.
        loop {
            let fence = match candidacy.standing() {
                Standing::Leading(fence) => fence,
                _ => {
                    candidacy = store.campaign("json.info", b"one".to_vec());
                    elected(&mut candidacy).await
                }
            };
            if write(&*store, "2", Some(&fence)).await.is_ok() {
                return;
            }
        }
    })
    .await;
}

/// As Mesos: with a password, everybody reads and only its owner writes.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_keeps_others_from_writing() {
    let server = ZooKeeper::start();
    let open = |credentials: &str| -> Arc<dyn KeyValue> {
        let url = format!("zk://{credentials}{}/m", server.address()).parse().expect("a URL");
        Arc::new(ZooKeeperStore::new(&url, options()))
    };
    let owner = open("jake:1@");
    let mut candidacy = owner.campaign("json.info", b"owner".to_vec());
    let fence = elected(&mut candidacy).await;
    write(&*owner, "1", Some(&fence)).await.expect("written");
    for store in [open("jake:2@"), open("")] {
        sees(&mut store.observe("json.info"), "owner").await;
        assert_eq!(store.get("t/a").await.expect("an answer").expect("an entry").value, b"1");
        let refused = write(&*store, "2", None).await.expect_err("refused");
        assert!(matches!(refused, KvError::Denied { .. }), "{refused}");
        let mut refused = store.campaign("json.info", b"x".to_vec());
        let error = soon("a refusal", refused.elected()).await.expect_err("refused");
        assert_eq!(error.to_string(), "cannot be a candidate");
    }
    write(&*open("jake:1@"), "2", Some(&fence)).await.expect("its owner, from elsewhere");
}

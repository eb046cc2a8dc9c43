//! The store in a real etcd: what every store does, and what happens when members and connections fail.

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
use services::etcd::{Certificates, Etcd};
use services::proxy::Proxy;
use store::kv::{EtcdStore, KeyValue, KvError, Options, Standing};
use suite::{Service, play, soon};

/// Short, so that a test need not wait long for a lease's end.
const SESSION: Duration = Duration::from_secs(5);

fn open(url: &str) -> Arc<dyn KeyValue> {
    let options = Options { session_timeout: SESSION, ..Options::default() };
    Arc::new(EtcdStore::new(&url.parse().expect("a URL"), options))
}

fn client(servers: &str) -> Arc<dyn KeyValue> {
    open(&format!("etcd://{servers}/m"))
}

/// One whose candidacies outlive what a test does to connections.
fn patient(servers: &str) -> Arc<dyn KeyValue> {
    let url = format!("etcd://{servers}/m").parse().expect("a URL");
    let options =
        Options { session_timeout: Duration::from_secs(20), answer_timeout: Duration::from_secs(30) };
    Arc::new(EtcdStore::new(&url, options))
}

/// A prefix for each scene.
struct Prefixes(Etcd);

impl Service for Prefixes {
    fn client(&self, scene: &str) -> Arc<dyn KeyValue> {
        let url = format!("etcd://{}/suite/{scene}", self.0.address()).parse().expect("a URL");
        let options =
            Options { session_timeout: Duration::from_secs(20), answer_timeout: Duration::from_secs(40) };
        Arc::new(EtcdStore::new(&url, options))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_does_what_a_store_must() {
    play(Prefixes(Etcd::start())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_is_cut_off_is_deposed_and_its_writes_are_fenced() {
    let server = Etcd::start();
    let proxy = Proxy::to(server.address()).await;
    let (far, near) = (client(&proxy.address().to_string()), client(&server.address().to_string()));
    a_leader_is_cut_off(far, near, proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaders_write_that_arrives_late_does_nothing() {
    let server = Etcd::start();
    let proxy = Proxy::to(server.address()).await;
    let far = patient(&proxy.address().to_string());
    a_write_that_was_given_up_arrives_late(far, client(&server.address().to_string()), proxy).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_in_the_middle_of_which_the_leader_is_lost_is_done_wholly_or_not_at_all() {
    let server = Etcd::start();
    let scene = async |prefix: &str| {
        let proxy = Proxy::to(server.address()).await;
        let at = |address: std::net::SocketAddr| open(&format!("etcd://{address}/{prefix}"));
        (at(proxy.address()), at(server.address()), proxy)
    };
    let (far, near, proxy) = scene("half").await;
    let (deaf, hearing, one_way) = scene("unanswered").await;
    tokio::join!(
        a_leader_is_lost_in_the_middle_of_a_write(far, near, proxy),
        an_answer_to_a_write_is_lost(deaf, hearing, one_way)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_a_majority_keeps_nobody_waiting_and_forgets_nothing() {
    let servers = std::cell::RefCell::new(Etcd::cluster(3));
    let all: Vec<String> = servers.borrow().iter().map(|server| server.address().to_string()).collect();
    let fail = || servers.borrow_mut()[..2].iter_mut().for_each(|server| server.process.kill());
    let heal = || servers.borrow_mut()[0].restart();
    a_majority_is_lost(client(&all.join(",")), fail, heal).await;
}

#[tokio::test]
async fn a_leader_that_stood_still_leads_no_more() {
    let server = Etcd::start();
    a_leader_stands_still(client(&server.address().to_string()), 4 * SESSION).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_yet_keeps_nobody_waiting() {
    let mut server = Etcd::start();
    server.process.kill();
    let store = client(&server.address().to_string());
    let mut observer = store.observe("json.info");
    let mut candidacy = store.campaign("json.info", b"first".to_vec());
    sees_nothing(&mut observer).await;
    assert_eq!(candidacy.standing(), Standing::Waiting);
    let refused = soon("an answer", store.get("t/a")).await.expect_err("nobody is there");
    assert!(matches!(refused, KvError::Unavailable { .. }), "{refused}");
    server.restart();
    elected(&mut candidacy).await;
    sees(&mut observer, "first").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_still_keeps_nobody_waiting() {
    let server = Etcd::start();
    let store = client(&server.address().to_string());
    a_server_stands_still(store, || server.process.pause(), || server.process.go_on()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_goes_on_without_any_one_of_its_members() {
    let mut servers = Etcd::cluster(3);
    let all: Vec<String> = servers.iter().map(|server| server.address().to_string()).collect();
    let store = patient(&all.join(","));
    let mut candidacy = store.campaign("json.info", b"one".to_vec());
    let fence = elected(&mut candidacy).await;
    for (number, server) in servers.iter_mut().enumerate() {
        server.process.kill();
        soon("a write through the others", async {
            while write(&*store, &number.to_string(), Some(&fence)).await.is_err() {}
        })
        .await;
        sees(&mut store.observe("json.info"), "one").await;
        server.restart();
    }
    assert_eq!(candidacy.standing(), Standing::Leading(fence), "it led all the time");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_encrypted_and_authenticated() {
    let certificates = Certificates::make();
    let server = Etcd::start_encrypted(&certificates);
    let file = |name: &str| certificates.file(name).display().to_string();
    let base = format!("etcd://{}/m?ca={}", server.address(), file("ca.pem"));
    let store = open(&format!("{base}&cert={}&key={}", file("client.pem"), file("client.key")));
    write(&*store, "1", None).await.expect("written");
    let options = Options { session_timeout: SESSION, answer_timeout: Duration::from_secs(2) };
    for without in [base.clone(), format!("etcd://{}/m", server.address())] {
        let store: Arc<dyn KeyValue> = Arc::new(EtcdStore::new(&without.parse().expect("a URL"), options));
        let refused = store.get("t/a").await.expect_err("who are you?");
        assert!(refused.is_transient(), "{refused}");
    }
    let nowhere = open(&format!("etcd://{}/m?ca=/no/such/file", server.address()));
    let refused = nowhere.get("t/a").await.expect_err("no certificates");
    assert!(refused.to_string().contains("/no/such/file"), "{refused}");
}

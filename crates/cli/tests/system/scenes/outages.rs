//! Servers of the service fail: one, then most of them; and what a leader has there is removed by hand.

use std::net::SocketAddr;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Scene, play};
use crate::cluster::get;
use crate::process::ask;
use crate::services::Kind;

pub(crate) fn fail(kind: Kind) {
    play(kind, 3, &[], async |scene| {
        one_server_fails(scene).await;
        most_servers_fail(scene).await;
        the_leaders_place_is_removed(scene).await;
    });
}

/// Nobody notices.
async fn one_server_fails(scene: &mut Scene) {
    let leader = scene.leader_id().await;
    scene.cluster.service.members[0].process.kill();
    scene.settled().await;
    scene.cluster.service.members[0].process.start();
    scene.cluster.service.members[0].ready();
    assert_eq!(scene.leader_id().await, leader, "the leader stays");
}

/// Nobody leads, and says so; the tasks run. Afterwards all goes on by itself.
async fn most_servers_fail(scene: &mut Scene) {
    let failed = Instant::now();
    for member in &mut scene.cluster.service.members[1..] {
        member.process.kill();
    }
    for number in 0..scene.cluster.masters.len() {
        let address = scene.cluster.masters[number].address();
        scene.cluster.eventually("nobody leads", async || nobody_leads(address).await.then_some(())).await;
    }
    eprintln!("nobody leads {:?} after most servers of the service were gone", failed.elapsed());
    scene.look("the framework waits", |scene| scene.book.open().leader.is_none()).await;
    let whole = Instant::now();
    for member in &mut scene.cluster.service.members[1..] {
        member.process.start();
    }
    scene.look("the framework is back", |scene| scene.book.open().leader.is_some()).await;
    scene.settled().await;
    eprintln!("all is whole {:?} after the service's servers were started again", whole.elapsed());
}

async fn nobody_leads(master: SocketAddr) -> bool {
    let status = async |path: &str| {
        let answer = get(master, path).await.ok()?;
        Some(answer.split(' ').nth(1)?.to_owned())
    };
    let own = status("/health").await.is_some_and(|status| status == "200");
    own && status("/state").await.is_some_and(|status| status == "503")
        && status("/redirect").await.is_some_and(|status| status == "503")
}

/// As by an operator's hand: the leader ends its term, and the next one begins.
async fn the_leaders_place_is_removed(scene: &mut Scene) {
    let id = scene.leader_id().await;
    let removed = Instant::now();
    let address = scene.cluster.service.members[0].address();
    match scene.cluster.service.kind {
        Kind::ZooKeeper => remove_first_node(address).await,
        Kind::Etcd => remove_first_key(address),
    }
    let took = scene.moved(&id, removed).await;
    eprintln!("the leader's place is removed: the next makes its first offer after {took:?}");
}

async fn remove_first_node(address: SocketAddr) {
    let client = zookeeper_client::Client::connect(&address.to_string()).await.expect("a session");
    let children = client.list_children("/mesos").await.expect("they are open");
    let first = children.iter().filter(|child| child.starts_with("json.info_")).min().expect("a leader");
    client.delete(&format!("/mesos/{first}"), None).await.expect("deleted");
}

fn remove_first_key(address: SocketAddr) {
    let call = |what: &str, body: serde_json::Value| -> serde_json::Value {
        let body = body.to_string();
        let head = format!("POST /v3/kv/{what} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
        let answer = ask(address, (head + &body).as_bytes()).expect("an answer");
        let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
        serde_json::from_str(body).expect("JSON")
    };
    let [key, range_end] = ["/mesos/json.info/", "/mesos/json.info0"].map(|text| STANDARD.encode(text));
    let ordered = serde_json::json!({
        "key": key, "range_end": range_end, "limit": 1, "sort_target": "CREATE", "sort_order": "ASCEND"
    });
    let first = call("range", ordered)["kvs"][0]["key"].clone();
    assert!(first.is_string(), "a leader has a key");
    let deleted = call("deleterange", serde_json::json!({ "key": first }));
    assert_eq!(deleted["deleted"], "1");
}

//! Servers of the service fail: one, then most of them; and what a leader has there is removed by hand.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Scene, play};
use crate::cluster::MASTERS;
use crate::process::{ask, ask_within, get};
use crate::services::Kind;

/// By then a leader that cannot write has done so, or leads no more.
const DECISION: Duration = Duration::from_secs(60);

pub(crate) fn fail(kind: Kind) {
    play(kind, 3, &[], async |scene| {
        scene.book.open().load = true;
        one_server_fails(scene).await;
        newcomers_reach_one_server_only(scene).await;
        most_servers_fail(scene).await;
        places_are_removed(scene).await;
        scene.book.open().load = false;
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

/// A master, an agent and a scheduler that start with two addresses of three from which nothing comes back.
async fn newcomers_reach_one_server_only(scene: &mut Scene) {
    let started = Instant::now();
    let standby = (scene.cluster.leader(None).await + 1) % MASTERS;
    let cluster = &mut scene.cluster;
    for host in [&cluster.masters[standby].host, &cluster.agents[0].host, &cluster.desks[1]] {
        for member in &cluster.service.members[..2] {
            cluster.world.cut(host, &member.host);
        }
    }
    cluster.masters[standby].process.start();
    cluster.agents[0].process.start();
    scene.take_over(1);
    scene.leader_id().await;
    eprintln!("the scheduler is subscribed after {:?}", started.elapsed());
    scene.cluster.answers(&scene.cluster.masters[standby]).await;
    scene.settled().await;
    let leader = scene.cluster.leader(None).await;
    assert_ne!(leader, standby, "it knows who leads");
    eprintln!("those who reach one server of three are there after {:?}", started.elapsed());
    let cluster = &scene.cluster;
    for host in [&cluster.masters[standby].host, &cluster.agents[0].host, &cluster.desks[1]] {
        for member in &cluster.service.members[..2] {
            cluster.world.mend(host, &member.host);
        }
    }
}

/// Nobody leads, and says so; the tasks run. Afterwards all goes on by itself.
async fn most_servers_fail(scene: &mut Scene) {
    let failed = Instant::now();
    let leader = scene.cluster.masters[scene.cluster.leader(None).await].address();
    for member in &mut scene.cluster.service.members[1..] {
        member.process.kill();
    }
    // What would have to be written down is not done, and the one who asked hears that, or nothing.
    let status = change_weights(leader).await;
    assert!(matches!(status.as_deref(), None | Some("500" | "503")), "{status:?}");
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
    let leader = scene.cluster.masters[scene.cluster.leader(None).await].address();
    assert_eq!(change_weights(leader).await.as_deref(), Some("200"), "now it is written down");
    eprintln!("all is whole {:?} after the service's servers were started again", whole.elapsed());
}

/// The status of the answer, if there is one.
async fn change_weights(master: SocketAddr) -> Option<String> {
    let body = r#"[{"role":"other","weight":2.5}]"#;
    let question = format!("PUT /weights HTTP/1.0\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let asked = tokio::task::spawn_blocking(move || ask_within(DECISION, master, question.as_bytes()));
    let answer = asked.await.expect("no panic").ok()?;
    answer.split(' ').nth(1).map(str::to_owned)
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

/// As by an operator's hand: the leader ends its term, and the next one begins; the same if those that wait lose theirs, too.
async fn places_are_removed(scene: &mut Scene) {
    for (all, whose) in [(false, "the leader's place"), (true, "every master's place")] {
        let id = scene.leader_id().await;
        let removed = Instant::now();
        let address = scene.cluster.service.members[0].address();
        match scene.cluster.service.kind {
            Kind::ZooKeeper => remove_nodes(scene, address, all).await,
            Kind::Etcd => remove_keys(scene, address, all).await,
        }
        let took = scene.moved(&id, removed).await;
        eprintln!("{whose} is removed: the next leader makes its first offer after {took:?}");
        scene.settled().await;
        for master in &scene.cluster.masters {
            scene.cluster.answers(master).await;
        }
    }
}

/// Removes that of the leader, or all, when each master has one.
async fn remove_nodes(scene: &Scene, address: SocketAddr, all: bool) {
    let client = zookeeper_client::Client::connect(&address.to_string()).await.expect("a session");
    let look = async || {
        let mut places = client.list_children("/mesos").await.ok()?;
        places.retain(|child| child.starts_with("json.info_"));
        (places.len() == MASTERS).then_some(places)
    };
    let mut places = scene.cluster.eventually("each master has a node", look).await;
    places.sort();
    for place in &places[..if all { MASTERS } else { 1 }] {
        client.delete(&format!("/mesos/{place}"), None).await.expect("deleted");
    }
}

async fn remove_keys(scene: &Scene, address: SocketAddr, all: bool) {
    let [key, range_end] = ["/mesos/json.info/", "/mesos/json.info0"].map(|text| STANDARD.encode(text));
    let ordered =
        json!({ "key": key, "range_end": range_end, "sort_target": "CREATE", "sort_order": "ASCEND" });
    let look = async || {
        let places = ask_etcd(address, "range", &ordered)["kvs"].as_array()?.clone();
        (places.len() == MASTERS).then_some(places)
    };
    let places = scene.cluster.eventually("each master has a key", look).await;
    for place in &places[..if all { MASTERS } else { 1 }] {
        let deleted = ask_etcd(address, "deleterange", &json!({ "key": place["key"] }));
        assert_eq!(deleted["deleted"], "1");
    }
}

fn ask_etcd(address: SocketAddr, what: &str, body: &Value) -> Value {
    let body = body.to_string();
    let head = format!("POST /v3/kv/{what} HTTP/1.0\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = ask(address, (head + &body).as_bytes()).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).expect("JSON")
}

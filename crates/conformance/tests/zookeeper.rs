//! What a master leaves in ZooKeeper, beside what a Mesos master left there.

#[path = "../../store/tests/services/mod.rs"]
mod services;

use std::collections::BTreeMap;
use std::path::Path;

use conformance::cluster::Cluster;
use serde_json::{Value, json};
use services::zookeeper::ZooKeeper;
use zookeeper_client::{Acl, AuthId, Client, Permission};

/// A node as it is recorded.
#[derive(Debug, PartialEq)]
struct Node {
    ephemeral: bool,
    data: String,
}

fn recorded() -> BTreeMap<String, Node> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/zookeeper.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let node = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let data = line["data"].as_str().unwrap().to_owned();
        (line["path"].as_str().unwrap().to_owned(), Node { ephemeral: line["ephemeral"] == true, data })
    };
    text.lines().map(node).collect()
}

/// The path of masters and what is directly below it, without what each keeps for itself: the replicas of Mesos' log, and
/// our registry.
async fn nodes(client: &Client) -> BTreeMap<String, Node> {
    let mut paths = vec!["/mesos".to_owned()];
    let children = client.list_children("/mesos").await.unwrap();
    paths.extend(children.iter().filter(|name| *name != "meseta").map(|name| format!("/mesos/{name}")));
    let mut nodes = BTreeMap::new();
    for path in paths {
        let (data, stat) = client.get_data(&path).await.unwrap();
        let data = String::from_utf8(data).unwrap();
        nodes.insert(path, Node { ephemeral: stat.ephemeral_owner != 0, data });
    }
    nodes
}

/// A master that leads, and a client of where it stands.
async fn master(credentials: &str) -> (ZooKeeper, Cluster, Client) {
    let zookeeper = ZooKeeper::start();
    let url = format!("zk://{credentials}{}/mesos", zookeeper.address());
    let mut cluster = Cluster::with_flags(0, &[&format!("--zk={url}")], &[]).unwrap();
    cluster.master.wait_until("the leading master", |master| master.get("/state").is_ok()).unwrap();
    let client = Client::connect(&zookeeper.address().to_string()).await.unwrap();
    (zookeeper, cluster, client)
}

/// The name of a candidate: its number is as in `%010d`.
fn number(path: &str) -> Option<i32> {
    let digits = path.strip_prefix("/mesos/json.info_").filter(|digits| digits.len() == 10)?;
    digits.parse().ok()
}

#[tokio::test]
async fn a_masters_nodes_are_as_mesos_has_them() {
    let (_zookeeper, cluster, client) = master("").await;
    let mut mesos = recorded();
    mesos.retain(|path, _| !path.starts_with("/mesos/log_replicas"));
    let own = nodes(&client).await;
    assert_eq!(own["/mesos"], mesos["/mesos"]);
    let info = |nodes: &BTreeMap<String, Node>| {
        let found: Vec<_> = nodes.iter().filter(|(path, _)| number(path).is_some()).collect();
        let [(_, node)] = found[..] else { panic!("one candidate: {nodes:?}") };
        assert!(node.ephemeral && nodes.len() == 2, "{nodes:?}");
        let info: Value = serde_json::from_str(&node.data).unwrap();
        assert_eq!(info.to_string(), node.data, "written as Mesos does: fields by name, no spaces");
        info
    };
    let (theirs, mut ours) = (info(&mesos), info(&own));
    // Who it is and where it listens is its own.
    let port = cluster.master.address.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    assert_eq!(ours["pid"], format!("master@127.0.0.1:{port}"));
    assert_eq!((&ours["port"], &ours["address"]["port"]), (&json!(port), &json!(port)));
    assert_eq!(ours["id"].as_str().map(str::len), theirs["id"].as_str().map(str::len));
    for field in ["id", "pid", "port"] {
        ours[field] = theirs[field].clone();
    }
    ours["address"]["port"] = theirs["address"]["port"].clone();
    // The rest is the same: what the master can, and the version that it says to be.
    assert_eq!(ours["version"], "1.12.0");
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn who_may_do_what_with_a_masters_nodes() {
    let open = vec![Acl::new(Permission::ALL, AuthId::anyone())];
    let owner = |id: &str| AuthId::new("digest", id);
    // To others ZooKeeper does not show what it has made of the password.
    let own = vec![Acl::new(Permission::READ, AuthId::anyone()), Acl::new(Permission::ALL, owner("user:x"))];
    for (credentials, expected) in [("", open), ("user:pass@", own)] {
        let (_zookeeper, _cluster, client) = master(credentials).await;
        for path in nodes(&client).await.keys() {
            let (mut acls, _) = client.get_acl(path).await.unwrap();
            acls.sort_by_key(|acl| acl.permission() == Permission::ALL);
            assert_eq!(acls, expected, "{path} with '{credentials}'");
        }
    }
}

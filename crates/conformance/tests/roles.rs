//! What `/roles` and GET_ROLES tell of a role: its frameworks, its weight, its quota, what is reserved for it, and what of all
//! that is in use.

use conformance::cluster::Cluster;
use conformance::operator;
use conformance::scheduler::{Framework, Log, Scheduler};
use conformance::tasks::{launch, reserve, reserved, scalar, task};
use serde_json::{Value, json};

fn subscribe(cluster: &Cluster, role: &str) -> Scheduler {
    Scheduler::subscribe(&cluster.master.address, &Framework::in_role(role), &Log::default()).unwrap()
}

fn roles(cluster: &Cluster) -> Value {
    cluster.master.get("/roles").unwrap()
}

/// A role about which there is nothing to tell but its name.
fn bare(name: &str) -> Value {
    json!({
        "name": name, "weight": 1.0, "frameworks": [], "resources": {}, "allocated": {}, "offered": {}, "reserved": {},
        "quota": {"role": name, "consumed": {}, "guarantee": {}, "limit": {}},
    })
}

/// Reserves on the only agent.
fn operator_reserves(cluster: &Cluster, resources: &[Value]) {
    let slaves = cluster.master.get("/slaves").unwrap();
    let fields = json!({"agent_id": {"value": slaves["slaves"][0]["id"]}, "resources": resources});
    let answer = operator::call(&cluster.master.address, "RESERVE_RESOURCES", &fields).unwrap();
    assert_eq!(answer.head.status, 202, "{}", answer.text());
}

#[test]
fn an_empty_cluster_has_no_roles() {
    let cluster = Cluster::start(0).unwrap();
    assert_eq!(roles(&cluster), json!({"roles": []}));
    let all = operator::call(&cluster.master.address, "GET_ROLES", &Value::Null).unwrap();
    let all: Value = serde_json::from_slice(&all.body).unwrap();
    assert_eq!(all["type"], "GET_ROLES");
    assert!(all["get_roles"]["roles"].as_array().is_none_or(Vec::is_empty), "{all}");
}

#[test]
fn roles_of_the_list_are_there_without_frameworks() {
    let cluster = Cluster::with_flags(0, &["--roles=role1,role2", "--weights=role1=5"], &[]).unwrap();
    let mut heavy = bare("role1");
    heavy["weight"] = json!(5.0);
    assert_eq!(roles(&cluster), json!({"roles": [bare("*"), heavy, bare("role2")]}));
}

#[test]
fn frameworks_weights_and_quotas_make_roles() {
    let cluster = Cluster::with_flags(0, &["--weights=roleX=5,roleY=4"], &[]).unwrap();
    let (x, z) = (subscribe(&cluster, "roleX"), subscribe(&cluster, "roleZ"));
    let [mut with_x, mut only_y, mut with_z] = ["roleX", "roleY", "roleZ"].map(bare);
    with_x["weight"] = json!(5.0);
    with_x["frameworks"] = json!([x.framework_id]);
    only_y["weight"] = json!(4.0);
    with_z["frameworks"] = json!([z.framework_id]);
    assert_eq!(roles(&cluster), json!({"roles": [with_x, only_y, with_z]}));
    let config =
        json!({"role": "quoted", "guarantees": {"cpus": {"value": 1}}, "limits": {"cpus": {"value": 2}}});
    let update = json!({"force": true, "quota_configs": [config]});
    let answer = operator::call(&cluster.master.address, "UPDATE_QUOTA", &update).unwrap();
    assert_eq!(answer.head.status, 200, "{}", answer.text());
    let seen = roles(&cluster);
    let quota = json!({"role": "quoted", "consumed": {}, "guarantee": {"cpus": 1.0}, "limit": {"cpus": 2.0}});
    assert_eq!((&seen["roles"][0]["name"], &seen["roles"][0]["quota"]), (&json!("quoted"), &quota));
}

#[test]
fn what_is_reserved_offered_and_in_use_is_told_apart() {
    let cluster = Cluster::start(1).unwrap();
    operator_reserves(&cluster, &[reserved(scalar("cpus", 2.0), "web")]);
    let seen = roles(&cluster);
    let mut idle = bare("web");
    idle["reserved"] = json!({"cpus": 2.0});
    idle["quota"]["consumed"] = json!({"cpus": 2.0});
    assert_eq!(seen, json!({"roles": [idle]}));

    let mut scheduler = subscribe(&cluster, "web");
    let offer = scheduler.offer().unwrap();
    let mut sleeper = task(&offer, "t", "sleep 100");
    sleeper["resources"] =
        json!([reserved(scalar("cpus", 2.0), "web"), scalar("cpus", 1.0), scalar("mem", 32.0)]);
    scheduler.accept(&offer["id"], &[launch(&[sleeper])]).unwrap();
    scheduler.running().unwrap();
    let seen = roles(&cluster);
    let used = json!({"cpus": 3.0, "mem": 32.0});
    let mut busy = bare("web");
    busy["frameworks"] = json!([scheduler.framework_id]);
    busy["reserved"] = json!({"cpus": 2.0});
    busy["allocated"] = used.clone();
    busy["resources"] = used.clone();
    busy["quota"]["consumed"] = used;
    assert_eq!(seen, json!({"roles": [busy]}));
    scheduler.end().unwrap();

    let mut other = subscribe(&cluster, "db");
    other.offer().unwrap();
    let seen = roles(&cluster);
    let offered = json!({"cpus": 6.0, "mem": 8192.0, "disk": 20480.0, "ports": 1001.0});
    let mut holding = bare("db");
    holding["frameworks"] = json!([other.framework_id]);
    holding["offered"] = offered.clone();
    holding["resources"] = offered;
    assert_eq!(seen["roles"][0], holding);
}

#[test]
fn roles_above_know_of_those_below() {
    let cluster = Cluster::start(1).unwrap();
    operator_reserves(&cluster, &[reserved(scalar("cpus", 1.0), "ancestor/child")]);
    let seen = roles(&cluster);
    let expected = ["ancestor", "ancestor/child"].map(|name| {
        let mut role = bare(name);
        role["reserved"] = json!({"cpus": 1.0});
        role["quota"]["consumed"] = json!({"cpus": 1.0});
        role
    });
    assert_eq!(seen, json!({"roles": expected}));
}

#[test]
fn a_framework_of_several_roles_reserves_for_the_one_to_which_it_was_offered() {
    let cluster = Cluster::start(1).unwrap();
    let framework = Framework::in_role("a").with("roles", json!(["a", "b"]));
    let mut scheduler = Scheduler::subscribe(&cluster.master.address, &framework, &Log::default()).unwrap();
    let offer = scheduler.offer().unwrap();
    let (own, other) = match offer["allocation_info"]["role"].as_str().unwrap() {
        "a" => ("a", "b"),
        _ => ("b", "a"),
    };
    let operations =
        [reserve(&[reserved(scalar("cpus", 1.0), other)]), reserve(&[reserved(scalar("cpus", 2.0), own)])];
    scheduler.accept_refusing(&offer["id"], &operations, 0.0).unwrap();
    scheduler.offer_where(conformance::offers::has_reservation).unwrap();
    let seen = roles(&cluster);
    let reserved = |name: &str| {
        let mut all = seen["roles"].as_array().unwrap().iter();
        all.find(|role| role["name"] == name).unwrap()["reserved"].clone()
    };
    assert_eq!((reserved(own), reserved(other)), (json!({"cpus": 2.0}), json!({})));
}

//! Quotas as operators set, read and remove them, and what frameworks notice of it.

use std::time::Duration;

use conformance::cluster::Cluster;
use conformance::http::{self, Request, Response};
use conformance::offers::amount;
use conformance::operator;
use conformance::scheduler::{Framework, Log, Scheduler};
use conformance::tasks::{launch, scalar, task};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

fn subscribe(cluster: &Cluster, role: &str) -> Scheduler {
    Scheduler::subscribe(&cluster.master.address, &Framework::in_role(role), &Log::default()).unwrap()
}

fn config(role: &str, guarantees: &[(&str, f64)], limits: &[(&str, f64)]) -> Value {
    let amounts = |amounts: &[(&str, f64)]| {
        amounts
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!({"value": value})))
            .collect::<serde_json::Map<_, _>>()
    };
    json!({"role": role, "guarantees": amounts(guarantees), "limits": amounts(limits)})
}

fn update(cluster: &Cluster, force: bool, configs: &[Value]) -> Response {
    let fields = json!({"force": force, "quota_configs": configs});
    operator::call(&cluster.master.address, "UPDATE_QUOTA", &fields).unwrap()
}

/// Sets a guarantee by the older endpoint.
fn set(cluster: &Cluster, body: &Value) -> Response {
    let request = Request { method: "POST".into(), path: "/quota".into(), ..Request::default() };
    http::send(&cluster.master.address, &request.body(body.to_string().into_bytes()), LIMIT).unwrap()
}

fn remove(cluster: &Cluster, role: &str) -> Response {
    let request = Request { method: "DELETE".into(), path: format!("/quota/{role}"), ..Request::default() };
    http::send(&cluster.master.address, &request, LIMIT).unwrap()
}

#[track_caller]
fn answered(response: &Response, status: u16, text: &str) {
    assert_eq!(response.head.status, status, "{}", response.text());
    assert!(response.text().contains(text), "{}", response.text());
}

#[test]
fn a_quota_is_set_and_read_in_every_way() {
    let cluster = Cluster::start(1).unwrap();
    let web = config("web", &[("cpus", 1.0), ("mem", 1024.0)], &[("cpus", 2.0), ("mem", 2048.0)]);
    answered(&update(&cluster, false, &[web.clone(), config("*", &[], &[("cpus", 7.0)])]), 200, "");
    let status = cluster.master.get("/quota").unwrap();
    let guarantee = json!([scalar("cpus", 1.0), scalar("mem", 1024.0)]);
    let info = status["infos"].as_array().unwrap().iter().find(|info| info["role"] == "web").unwrap().clone();
    assert_eq!(info, json!({"role": "web", "guarantee": guarantee}));
    let configs = status["configs"].as_array().unwrap();
    assert!(configs.contains(&web) && configs.len() == 2, "{configs:?}");
    let called = operator::call(&cluster.master.address, "GET_QUOTA", &Value::Null).unwrap();
    let called: Value = serde_json::from_slice(&called.body).unwrap();
    assert_eq!(called["get_quota"]["status"], status);
    // A quota without guarantees and limits is none.
    answered(&update(&cluster, false, &[config("web", &[], &[])]), 200, "");
    assert_eq!(cluster.master.get("/quota").unwrap()["configs"].as_array().unwrap().len(), 1);
}

#[test]
fn the_older_endpoint_sets_once_and_removes() {
    let cluster = Cluster::start(1).unwrap();
    let request = json!({"role": "web", "guarantee": [scalar("cpus", 1.0), scalar("mem", 512.0)]});
    answered(&set(&cluster, &request), 200, "");
    answered(&set(&cluster, &request), 400, "which already has quota");
    let configs = cluster.master.get("/quota").unwrap()["configs"].clone();
    let amounts: &[(&str, f64)] = &[("cpus", 1.0), ("mem", 512.0)];
    assert_eq!(configs, json!([config("web", amounts, amounts)]));
    answered(&remove(&cluster, "web"), 200, "");
    answered(&remove(&cluster, "web"), 400, "Role 'web' has no quota set");
    assert_eq!(
        cluster.master.get("/quota").unwrap().get("configs").map_or(0, |c| c.as_array().unwrap().len()),
        0
    );
}

#[test]
fn what_is_wrong_with_a_quota_is_said() {
    let cluster = Cluster::with_flags(0, &["--roles=web,db"], &[]).unwrap();
    let wrong =
        |resource: Value| set(&cluster, &json!({"role": "web", "guarantee": [resource], "force": true}));
    answered(
        &set(&cluster, &json!({"role": "nobody", "guarantee": [scalar("cpus", 1.0)]})),
        400,
        "Unknown role 'nobody'",
    );
    answered(
        &set(&cluster, &json!({"role": "web", "guarantee": []})),
        400,
        "QuotaInfo with empty 'guarantee'",
    );
    answered(&wrong(scalar("cpus", -1.0)), 400, "QuotaInfo with invalid resource");
    let ports = json!({"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}});
    answered(&wrong(ports), 400, "QuotaInfo must not include non-scalar resources");
    let mut reserved = scalar("cpus", 1.0);
    reserved["reservations"] = json!([{"type": "DYNAMIC", "role": "web"}]);
    answered(&wrong(reserved), 400, "QuotaInfo must not contain any ReservationInfo");
    let mut revocable = scalar("cpus", 1.0);
    revocable["revocable"] = json!({});
    answered(&wrong(revocable), 400, "QuotaInfo must not contain RevocableInfo");
    let twice = json!({"role": "web", "guarantee": [scalar("cpus", 1.0), scalar("cpus", 2.0)]});
    answered(&set(&cluster, &twice), 400, "QuotaInfo contains duplicate resource name 'cpus'");
    answered(
        &update(&cluster, true, &[config("nobody", &[], &[("cpus", 1.0)])]),
        400,
        "is not on the roles whitelist",
    );
    let huge = config("web", &[], &[("cpus", 1_000_000_000_001.0)]);
    let text = "Invalid 'QuotaConfig.limits': {'cpus': 1000000000001} is invalid: values greater than 1 trillion \
                (1000000000000) are not supported";
    answered(&update(&cluster, true, &[huge]), 400, text);
    let huge = config("web", &[("disk", 1_099_511_627_777.0)], &[]);
    let text = "Invalid 'QuotaConfig.guarantees': {'disk': 1099511627777} is invalid: values greater than 1 exabyte \
                (1099511627776) are not supported";
    answered(&update(&cluster, true, &[huge]), 400, text);
    let more = config("web", &[("cpus", 2.0)], &[("cpus", 1.0)]);
    answered(&update(&cluster, true, &[more]), 400, "is not contained within the 'QuotaConfig.limits'");
    assert_eq!(
        cluster.master.get("/quota").unwrap().get("configs").map_or(0, |c| c.as_array().unwrap().len()),
        0
    );
}

#[test]
fn guarantees_beyond_the_cluster_need_force() {
    let cluster = Cluster::start(2).unwrap();
    let request = json!({"role": "web", "guarantee": [scalar("cpus", 17.0)]});
    let text = "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees \
                'cpus:17' exceed cluster capacity 'cpus:16; disk:40960; mem:16384'";
    answered(&set(&cluster, &request), 409, text);
    let over = config("web", &[("cpus", 17.0)], &[]);
    let text = "Invalid QuotaConfig: total quota guarantees 'cpus:17' exceed cluster capacity 'cpus:16; disk:40960; \
                mem:16384' (use 'force' flag to bypass this check)";
    answered(&update(&cluster, false, std::slice::from_ref(&over)), 400, text);
    answered(&update(&cluster, true, &[over]), 200, "");
    answered(&remove(&cluster, "web"), 200, "");
    answered(
        &set(&cluster, &json!({"role": "web", "force": true, "guarantee": [scalar("cpus", 17.0)]})),
        200,
        "",
    );
}

#[test]
fn a_limit_below_what_is_used_needs_force() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, "web");
    let offer = scheduler.offer().unwrap();
    let mut sleeper = task(&offer, "t", "sleep 100");
    sleeper["resources"] = json!([scalar("cpus", 2.0), scalar("mem", 32.0)]);
    scheduler.accept_refusing(&offer["id"], &[launch(&[sleeper])], 600.0).unwrap();
    scheduler.running().unwrap();
    let low = config("web", &[], &[("cpus", 1.0)]);
    let text = "Invalid QuotaConfig: Role 'web' is already consuming 'cpus:2; mem:32'; this is more than the requested \
                limits 'cpus:1' (use 'force' flag to bypass this check)";
    answered(&update(&cluster, false, std::slice::from_ref(&low)), 400, text);
    answered(&update(&cluster, true, &[low]), 200, "");
    scheduler.end().unwrap();
}

#[test]
fn offers_beyond_a_new_limit_are_taken_back_and_it_holds() {
    let cluster = Cluster::start(1).unwrap();
    let mut scheduler = subscribe(&cluster, "web");
    let offer = scheduler.offer().unwrap();
    answered(&update(&cluster, false, &[config("web", &[], &[("cpus", 3.0), ("mem", 1024.0)])]), 200, "");
    let rescinded = scheduler.wait("RESCIND", 40).unwrap();
    assert_eq!(rescinded["rescind"]["offer_id"], offer["id"]);
    let offer = scheduler.offer().unwrap();
    assert_eq!((amount(&offer, "cpus", None), amount(&offer, "mem", None)), (3.0, 1024.0));
}

#[test]
fn a_guarantee_is_held_back_from_others() {
    let cluster = Cluster::start(1).unwrap();
    let mut greedy = subscribe(&cluster, "db");
    let offer = greedy.offer().unwrap();
    answered(&update(&cluster, false, &[config("web", &[("cpus", 6.0), ("mem", 8192.0)], &[])]), 200, "");
    let rescinded = greedy.wait("RESCIND", 40).unwrap();
    assert_eq!(rescinded["rescind"]["offer_id"], offer["id"]);
    // What nobody of the other role has asked for yet is there for it all the same.
    assert!(amount(&greedy.offer_within(3).unwrap_or_default(), "mem", None) == 0.0);
    let mut guaranteed = subscribe(&cluster, "web");
    let offer = guaranteed.offer_where(|offer| amount(offer, "mem", None) == 8192.0).unwrap();
    assert!(amount(&offer, "cpus", None) >= 6.0, "{offer}");
}

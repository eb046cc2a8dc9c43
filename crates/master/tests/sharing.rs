//! Weights and quotas, by the v1 API and by the older endpoints.

mod support;

use serde_json::{Value, json};
use support::{Answer, FakeAgent, Scheduler, Subscription, get, json as post, request};

async fn update_quota(address: std::net::SocketAddr, config: Value, force: bool) -> Answer {
    let update = json!({ "force": force, "quota_configs": [config] });
    post(address, "/api/v1", &json!({ "type": "UPDATE_QUOTA", "update_quota": update }).to_string()).await
}

/// Both forms of an answer.
async fn quota(address: std::net::SocketAddr) -> Value {
    let old = get(address, "/quota").await.json();
    let new = post(address, "/api/v1", r#"{"type":"GET_QUOTA"}"#).await.json();
    assert_eq!(new["get_quota"]["status"], old);
    old
}

#[tokio::test(flavor = "multi_thread")]
async fn guarantees_and_limits_are_shown_as_mesos_shows_them() {
    let master = support::master().await;
    let address = master.address();
    let _agent = FakeAgent::register(address).await;
    assert_eq!(quota(address).await, json!({}));
    let config = json!({ "role": "ads", "guarantees": { "cpus": { "value": 1 } },
        "limits": { "cpus": { "value": 8 }, "mem": { "value": 4096 } } });
    let answer = update_quota(address, config, false).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let expected = json!({
        "infos": [{ "role": "ads",
            "guarantee": [{ "name": "cpus", "type": "SCALAR", "scalar": { "value": 1.0 } }] }],
        "configs": [{ "role": "ads", "guarantees": { "cpus": { "value": 1.0 } },
            "limits": { "mem": { "value": 4096.0 }, "cpus": { "value": 8.0 } } }],
    });
    assert_eq!(quota(address).await, expected);
    let role = &get(address, "/roles").await.json()["roles"][0];
    assert_eq!(role["name"], "ads");
    let shown = json!({ "role": "ads", "guarantee": { "cpus": 1.0 }, "limit": { "cpus": 8.0, "mem": 4096.0 },
        "consumed": {} });
    assert_eq!(role["quota"], shown);
    let metrics = get(address, "/metrics/snapshot").await.json();
    for (name, value) in [
        ("ads/resources/cpus/guarantee", 1.0),
        ("ads/resources/cpus/limit", 8.0),
        ("ads/resources/mem/limit", 4096.0),
        ("ads/resources/cpus/offered_or_allocated", 0.0),
        ("ads/resources/mem/offered_or_allocated", 0.0),
    ] {
        assert_eq!(metrics[format!("allocator/mesos/quota/roles/{name}")], value, "{name}");
    }
    let none = json!({ "role": "ads" });
    assert_eq!(update_quota(address, none, false).await.status, 200);
    assert_eq!(quota(address).await, json!({}));
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_only_offered_is_not_consumed() {
    let master = support::master().await;
    let address = master.address();
    let mut agent = FakeAgent::register(address).await;
    let config = json!({ "role": "ads/new", "limits": { "cpus": { "value": 8 } } });
    assert_eq!(update_quota(address, config, false).await.status, 200);
    let subscription = Subscription::default().with("roles", json!(["ads/new"]));
    let mut scheduler = Scheduler::subscribe(address, subscription).await;
    let offer = scheduler.offer().await;
    let figures = async || {
        let metrics = get(address, "/metrics/snapshot").await.json();
        let figure = |name: &str| metrics[format!("allocator/mesos/quota/roles/{name}")].as_f64();
        [
            figure("ads/new/resources/cpus/offered_or_allocated"),
            figure("ads/new/resources/cpus/consumed"),
            figure("ads/resources/cpus/consumed"),
            figure("/resources/cpus/consumed"),
        ]
    };
    assert_eq!(figures().await, [Some(8.0), None, None, None]);
    let cpus = json!([{ "name": "cpus", "type": "SCALAR", "scalar": { "value": 1.5 } }]);
    let task = json!({ "name": "t", "task_id": { "value": "t" }, "agent_id": offer["agent_id"],
        "resources": cpus, "command": { "value": "true" } });
    scheduler.launch(&offer, task).await;
    let _: proto::internal::RunTaskMessage = agent.wait_for().await;
    assert_eq!(figures().await[1..], [Some(1.5); 3]);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_older_requests_set_and_remove_quotas() {
    let master = support::master_with(|options| options.roles = vec!["a".into(), "b".into()]).await;
    let address = master.address();
    let _agent = FakeAgent::register(address).await;
    let guarantee = |cpus: f64| json!([{ "name": "cpus", "type": "SCALAR", "scalar": { "value": cpus } }]);
    let set = async |request: Value| post(address, "/quota", &request.to_string()).await;
    assert_eq!(set(json!({ "role": "a", "guarantee": guarantee(2.0) })).await.status, 200);
    assert_eq!(quota(address).await["configs"][0]["limits"], json!({ "cpus": { "value": 2.0 } }));
    for (request, status, text) in [
        (
            json!({ "role": "a", "guarantee": guarantee(1.0) }),
            400,
            "Failed to validate set quota request: Cannot set quota for role 'a' which already has quota",
        ),
        (
            json!({ "role": "b", "guarantee": guarantee(100.0) }),
            409,
            "Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees 'cpus:102' exceed cluster capacity 'cpus:8; disk:1024; mem:8192'",
        ),
        (
            json!({ "role": "c", "guarantee": guarantee(1.0) }),
            400,
            "Failed to validate set quota request: Unknown role 'c'",
        ),
        (
            json!({ "guarantee": guarantee(1.0) }),
            400,
            "Failed to validate set quota request: QuotaInfo must specify a role",
        ),
    ] {
        let answer = set(request).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, text));
    }
    assert_eq!(set(json!({ "role": "b", "guarantee": guarantee(100.0), "force": true })).await.status, 200);
    let answer = post(address, "/quota", "[]").await;
    assert_eq!((answer.status, answer.body.starts_with("Failed to")), (400, true), "{answer:?}");

    let remove = async |role: &str| request(address, "DELETE", &format!("/quota/{role}"), &[], b"").await;
    assert_eq!(remove("a").await.status, 200);
    let answer = remove("a").await;
    let text = "Failed to remove quota for path '/master/quota/a': Role 'a' has no quota set";
    assert_eq!((answer.status, answer.body.as_str()), (400, text));
    let answer = remove("c").await;
    let text = "Failed to validate remove quota request for path '/master/quota/c': Unknown role 'c'";
    assert_eq!((answer.status, answer.body.as_str()), (400, text));
    let call = json!({ "type": "REMOVE_QUOTA", "remove_quota": { "role": "b" } });
    assert_eq!(post(address, "/api/v1", &call.to_string()).await.status, 200);
    assert_eq!(quota(address).await, json!({}));
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quotas_that_cannot_be_are_refused() {
    let master = support::master_with(|options| options.roles = vec!["a".into()]).await;
    let address = master.address();
    let _agent = FakeAgent::register(address).await;
    let cpus = |amount: f64| json!({ "cpus": { "value": amount } });
    for (config, text) in [
        (json!({ "role": "b", "limits": cpus(1.0) }), "'b' is not on the roles whitelist"),
        (
            json!({ "role": "a", "guarantees": cpus(100.0) }),
            "total quota guarantees 'cpus:100' exceed cluster capacity 'cpus:8; disk:1024; mem:8192' (use 'force' flag to bypass this check)",
        ),
        (
            json!({ "role": "a", "guarantees": cpus(2.0), "limits": cpus(1.0) }),
            "'QuotaConfig.guarantees' { cpus: 2 } is not contained within the 'QuotaConfig.limits' { cpus: 1 }",
        ),
    ] {
        let answer = update_quota(address, config, false).await;
        assert_eq!((answer.status, answer.body), (400, format!("Invalid QuotaConfig: {text}")));
    }
    assert_eq!(
        update_quota(address, json!({ "role": "a", "guarantees": cpus(100.0) }), true).await.status,
        200
    );
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_of_roles_that_may_be_used() {
    let master = support::master_with(|options| options.roles = vec!["a".into()]).await;
    let address = master.address();
    let put = async |body: &str| request(address, "PUT", "/weights", &[], body.as_bytes()).await;
    assert_eq!(put(r#"[{"role":" a ","weight":2}]"#).await.status, 200);
    assert_eq!(get(address, "/weights").await.json(), json!([{ "role": "a", "weight": 2.0 }]));
    let shown = post(address, "/api/v1", r#"{"type":"GET_WEIGHTS"}"#).await.json();
    assert_eq!(shown["get_weights"]["weight_infos"], json!([{ "role": "a", "weight": 2.0 }]));
    for (body, text) in [
        (
            r#"[{"role":"b","weight":1}]"#,
            "Failed to validate update weights request JSON: Unknown role 'b'".to_owned(),
        ),
        ("[", "Failed to parse update weights request JSON '[': syntax error at line 1 near: ".to_owned()),
        (
            r#"[{"role":"a"}]"#,
            r#"Failed to convert weights JSON array to protobuf '[{"role":"a"}]': Missing required fields: weight"#
                .to_owned(),
        ),
        (
            r#"[{"weight":1}]"#,
            "Failed to validate update weights request JSON: Invalid role '': Role names cannot be the empty string"
                .to_owned(),
        ),
        (
            r#"[{"role":"a","weight":-2}]"#,
            "Failed to validate update weights request JSON for role 'a': Invalid weight '-2': Weights must be positive"
                .to_owned(),
        ),
    ] {
        let answer = put(body).await;
        assert_eq!((answer.status, answer.body), (400, text));
    }
    master.shutdown().await;
}

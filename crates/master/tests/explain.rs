//! Why there are no offers, over HTTP.

mod support;

use serde_json::{Value, json};
use support::{FakeAgent, Scheduler, Subscription, get, json as post};

async fn why(master: std::net::SocketAddr, path: &str) -> Value {
    let answer = get(master, path).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_framework_that_declined_is_told_until_when() {
    let master = support::master().await;
    let address = master.address();
    let agent = FakeAgent::register(address).await;
    let mut scheduler = Scheduler::subscribe(address, Subscription::default()).await;
    let offer = scheduler.offer().await;
    let decline = json!({ "offer_ids": [offer["id"]], "filters": { "refuse_seconds": 600 } });
    assert_eq!(scheduler.call("DECLINE", "decline", decline).await.status, 202);
    let path = format!("/explain/framework?id={}", scheduler.framework_id);
    let mut role = Value::Null;
    support::until("the refusal is known", async || {
        let answer = why(address, &path).await;
        assert_eq!(answer["framework_id"], scheduler.framework_id.as_str());
        role = answer["roles"][0].clone();
        role["obstacles"][0]["obstacle"] == "refused"
    })
    .await;
    assert_eq!(
        (&role["state"], &role["agents"], &role["unhindered"]),
        (&json!("wanting"), &json!(1), &json!(0))
    );
    assert_eq!(role["obstacles"][0]["first_refusal"]["agent_id"], agent.id.as_str());
    assert_eq!((&role["help"][0]["change"], &role["help"][0]["role"]), (&json!("revive"), &json!("*")));
    let text = get(address, &format!("{path}&format=text")).await;
    assert!(text.head.to_lowercase().contains("content-type: text/plain"), "{}", text.head);
    assert!(text.body.contains("The smallest change that would help:"), "{}", text.body);
    assert!(text.body.contains("Have the scheduler revive role *"), "{}", text.body);
    assert_eq!(
        why(address, &path).await["text"].as_str().unwrap().lines().count(),
        text.body.lines().count()
    );
    let metrics = why(address, "/metrics/snapshot").await;
    assert_eq!(metrics["allocator/mesos/offer_filters/roles/*/active"], 1.0);
    assert_eq!(metrics["allocator/meseta/roles/*/frameworks_refusing"], 1.0);
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_at_its_limit_is_told_which() {
    let master = support::master().await;
    let address = master.address();
    let _agent = FakeAgent::register(address).await;
    let none = json!({ "cpus": { "value": 0 }, "mem": { "value": 0 }, "disk": { "value": 0 } });
    let quota = json!({ "type": "UPDATE_QUOTA", "update_quota": { "quota_configs": [{ "role": "ads", "limits": none }] } });
    assert_eq!(post(address, "/api/v1", &quota.to_string()).await.status, 200);
    let subscription = Subscription::default().with("roles", json!(["ads/search"]));
    let scheduler = Scheduler::subscribe(address, subscription).await;
    let answer = why(address, "/explain/role?name=ads/search").await;
    assert_eq!(answer["frameworks"][0]["framework_id"], scheduler.framework_id.as_str());
    let finding = &answer["frameworks"][0]["obstacles"][0];
    assert_eq!((&finding["obstacle"], &finding["limits"][0]["role"]), (&json!("at_limit"), &json!("ads")));
    assert_eq!(
        (&answer["help"][0]["change"], &answer["help"][0]["role"]),
        (&json!("raise_limit"), &json!("ads"))
    );
    let above = why(address, "/explain/role?name=ads").await;
    assert_eq!((&above["roles_below"], &above["limits"]["cpus"]), (&json!(["ads/search"]), &json!(0.0)));
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_said() {
    let master = support::master().await;
    for (path, status, text) in [
        (
            "/explain/framework?id=x",
            404,
            "No framework found with ID 'x'; one that has ended gets no offers any more",
        ),
        ("/explain/framework", 400, "Missing 'id' query parameter"),
        ("/explain/role?name=x", 404, "No framework has the role 'x', and nothing is set or reserved for it"),
        ("/master/explain/role", 400, "Missing 'name' query parameter"),
    ] {
        let answer = get(master.address(), path).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, text));
    }
    master.shutdown().await;
}

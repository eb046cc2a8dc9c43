//! Clients that ask for a stream and do not read it (MESOS-7748: Mesos keeps what they do not read until its memory is full).
//! Schedulers of that kind are in `framework.rs`.

mod support;

use std::time::Duration;

use serde_json::json;
use support::{Events, Scheduler, Subscription, get, until};

const SUBSCRIBE: &str = r#"{"type":"SUBSCRIBE"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn slow_stream_subscribers_do_not_exhaust_memory() {
    let master = support::master_with(|options| {
        options.watcher_patience = Duration::from_secs(2);
        options.http_heartbeat_interval = Duration::from_millis(20);
    })
    .await;
    let address = master.address();
    let metric = async |name: &str| get(address, "/metrics/snapshot").await.json()[name].clone();
    let mut deaf = Events::open(address, "/api/v1", SUBSCRIBE).await;
    let mut attentive = Events::open(address, "/api/v1", SUBSCRIBE).await;
    let reading = tokio::spawn(async move {
        while let Some(event) = attentive.next().await {
            if event["framework_added"]["framework"]["framework_info"]["name"] == "last" {
                return true;
            }
        }
        false
    });
    // More than any socket holds, and then as many events as may wait.
    until("the deaf one is given up", async || {
        // Not in its name: metrics begin with that.
        let labels = json!({ "labels": [{ "key": "x".repeat(100 << 10) }] });
        drop(Scheduler::subscribe(address, Subscription::default().with("labels", labels)).await);
        metric("master/operator_event_streams_too_slow").await == 1.0
    })
    .await;
    // Its connection is gone, not only what was to be sent over it.
    while deaf.next().await.is_some() {}
    until("one is left", async || metric("master/operator_event_stream_subscribers").await == 1.0).await;
    let _last = Scheduler::subscribe(address, Subscription::default().with("name", json!("last"))).await;
    assert!(reading.await.unwrap(), "who reads sees everything");
    assert_eq!(metric("master/operator_event_streams_too_slow").await, 1.0);
    master.shutdown().await;
}

//! A scheduler that speaks JSON.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::events::Events;
use super::http::{self, Answer};

/// A subscribed scheduler.
pub struct Scheduler {
    address: SocketAddr,
    events: Events,
    pub stream_id: String,
    pub framework_id: String,
}

/// What a scheduler says of itself.
pub struct Subscription {
    pub info: Value,
    /// Of which agents it wants offers.
    pub offer_constraints: Option<Value>,
}

impl Default for Subscription {
    fn default() -> Self {
        let capabilities = json!([{ "type": "MULTI_ROLE" }, { "type": "RESERVATION_REFINEMENT" }]);
        let info = json!({ "user": "root", "name": "test", "roles": ["*"], "capabilities": capabilities });
        Self { info, offer_constraints: None }
    }
}

impl Subscription {
    /// With one more field.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.info[field] = value;
        self
    }
}

/// A resource as it is in JSON.
pub fn scalar(name: &str, value: f64) -> Value {
    json!({ "name": name, "type": "SCALAR", "scalar": { "value": value } })
}

impl Scheduler {
    /// Subscribes, and waits for the SUBSCRIBED event.
    pub async fn subscribe(address: SocketAddr, subscription: Subscription) -> Self {
        let mut scheduler = Self::open(address, subscription).await;
        let event = scheduler.wait_for("SUBSCRIBED").await;
        scheduler.framework_id = event["subscribed"]["framework_id"]["value"].as_str().unwrap().to_owned();
        scheduler
    }

    /// Opens the stream only.
    pub async fn open(address: SocketAddr, subscription: Subscription) -> Self {
        let mut call = json!({ "type": "SUBSCRIBE", "subscribe": { "framework_info": subscription.info } });
        if let Some(constraints) = subscription.offer_constraints {
            call["subscribe"]["offer_constraints"] = constraints;
        }
        if let Some(id) = subscription.info.get("id") {
            call["framework_id"] = id.clone();
        }
        let events = Events::open(address, "/api/v1/scheduler", &call.to_string()).await;
        let stream_id = events
            .head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("mesos-stream-id: ").map(str::to_owned))
            .unwrap();
        Self { address, events, stream_id, framework_id: String::new() }
    }

    /// The next event; `None` when the stream is over.
    pub async fn next(&mut self) -> Option<Value> {
        self.events.next().await
    }

    /// Skips to the next event of a type.
    pub async fn wait_for(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("the stream ended before {kind}"));
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// The next offer.
    pub async fn offer(&mut self) -> Value {
        self.wait_for("OFFERS").await["offers"]["offers"][0].clone()
    }

    /// Makes a call.
    pub async fn call(&self, kind: &str, field: &str, part: Value) -> Answer {
        let call = json!({ "type": kind, "framework_id": { "value": self.framework_id }, field: part });
        self.send(&self.stream_id, &call).await
    }

    /// Sends any call with any stream id.
    pub async fn send(&self, stream_id: &str, call: &Value) -> Answer {
        let headers = [("Content-Type", "application/json"), ("Mesos-Stream-Id", stream_id)];
        http::request(self.address, "POST", "/api/v1/scheduler", &headers, call.to_string().as_bytes()).await
    }

    /// Accepts an offer with one task.
    pub async fn launch(&self, offer: &Value, task: Value) -> Answer {
        let launch = json!({ "type": "LAUNCH", "launch": { "task_infos": [task] } });
        let accept =
            json!({ "offer_ids": [offer["id"]], "operations": [launch], "filters": { "refuse_seconds": 0 } });
        self.call("ACCEPT", "accept", accept).await
    }
}

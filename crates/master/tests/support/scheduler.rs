//! A scheduler that speaks JSON.

use std::net::SocketAddr;

use proto::recordio::Decoder;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::{self, Answer};

/// A subscribed scheduler.
pub struct Scheduler {
    address: SocketAddr,
    stream: TcpStream,
    raw: Vec<u8>,
    decoder: Decoder,
    over: bool,
    pub stream_id: String,
    pub framework_id: String,
}

/// What a scheduler says of itself.
pub struct Subscription {
    pub info: Value,
}

impl Default for Subscription {
    fn default() -> Self {
        let capabilities = json!([{ "type": "MULTI_ROLE" }, { "type": "RESERVATION_REFINEMENT" }]);
        Self { info: json!({ "user": "root", "name": "test", "roles": ["*"], "capabilities": capabilities }) }
    }
}

impl Subscription {
    /// With one more field.
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.info[field] = value;
        self
    }
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
        if let Some(id) = subscription.info.get("id") {
            call["framework_id"] = id.clone();
        }
        let body = call.to_string();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST /api/v1/scheduler HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = Vec::new();
        let head = loop {
            if let Some(at) = raw.windows(4).position(|w| w == b"\r\n\r\n") {
                break String::from_utf8(raw.drain(..at + 4).collect()).unwrap();
            }
            assert!(stream.read_buf(&mut raw).await.unwrap() > 0);
        };
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let stream_id = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("mesos-stream-id: ").map(str::to_owned))
            .unwrap();
        let decoder = Decoder::new(1 << 24);
        Self { address, stream, raw, decoder, over: false, stream_id, framework_id: String::new() }
    }

    /// The next event; `None` when the stream is over.
    pub async fn next(&mut self) -> Option<Value> {
        let next = async {
            loop {
                if let Some(record) = self.decoder.next().unwrap() {
                    return Some(serde_json::from_slice(&record).unwrap());
                }
                if self.over {
                    return None;
                }
                self.over |= self.stream.read_buf(&mut self.raw).await.unwrap_or(0) == 0;
                self.take_chunks();
            }
        };
        tokio::time::timeout(super::PATIENCE, next).await.expect("an event in time")
    }

    fn take_chunks(&mut self) {
        loop {
            let Some(line) = self.raw.windows(2).position(|w| w == b"\r\n") else { return };
            let size = usize::from_str_radix(std::str::from_utf8(&self.raw[..line]).unwrap(), 16).unwrap();
            if self.raw.len() < line + 2 + size + 2 {
                return;
            }
            self.decoder.push(&self.raw[line + 2..line + 2 + size]);
            self.raw.drain(..line + 2 + size + 2);
            self.over |= size == 0;
        }
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

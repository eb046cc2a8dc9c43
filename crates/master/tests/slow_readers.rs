//! Clients that ask for a stream and do not read it (MESOS-7748: Mesos keeps what they do not read until its memory is full).
//! Schedulers of that kind that are still wanted are in `framework.rs`.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use proto::internal;
use serde_json::{Value, json};
use support::{Events, FakeAgent, PATIENCE, Scheduler, Subscription, get, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

const SUBSCRIBE: &str = r#"{"type":"SUBSCRIBE"}"#;

/// More than a server's socket holds for a client that does not read.
const MUCH: usize = 8 << 20;

/// In so large pieces.
const EACH: usize = 100 << 10;

/// A client that has asked for a stream and reads nothing of it.
struct Deaf {
    master: SocketAddr,
    stream: TcpStream,
}

impl Deaf {
    async fn ask(master: SocketAddr, path: &str, call: &Value) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(16 << 10).unwrap();
        let mut stream = socket.connect(master).await.unwrap();
        let (kind, body) = ("Content-Type: application/json\r\nAccept: application/json", call.to_string());
        let length = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).await.unwrap();
        Self { master, stream }
    }

    /// Whether the master has its end of the connection still: what nobody owns has no inode.
    fn is_served(&self) -> bool {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let (ours, theirs) = (self.stream.local_addr().unwrap().port(), self.master.port());
        let ends = (format!(":{theirs:04X}"), format!(":{ours:04X}"));
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).any(|row| {
            row.len() > 9 && row[1].ends_with(&ends.0) && row[2].ends_with(&ends.1) && row[9] != "0"
        })
    }

    /// Waits until the master has closed the connection, though nobody reads; then reads what is left of it.
    async fn until_hung_up_on(mut self) -> usize {
        until("the connection is closed", async || !self.is_served()).await;
        let mut left = Vec::new();
        let reading = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut left));
        reading.await.expect("there is an end").unwrap();
        assert!(left.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&left));
        left.len()
    }
}

/// What others have to say for so many bytes to be told to those who watch.
async fn much_happens(master: SocketAddr) {
    // Not in its name: metrics begin with that.
    let labels = json!({ "labels": [{ "key": "x".repeat(EACH) }] });
    for _ in 0..MUCH / EACH {
        drop(Scheduler::subscribe(master, Subscription::default().with("labels", labels.clone())).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watcher_that_never_reads_and_makes_room_is_hung_up_on() {
    let master = support::master_with(|options| options.max_operator_event_stream_subscribers = 1).await;
    let address = master.address();
    let watching = async || {
        get(address, "/metrics/snapshot").await.json()["master/operator_event_stream_subscribers"].clone()
    };
    let deaf = Deaf::ask(address, "/api/v1", &json!({ "type": "SUBSCRIBE" })).await;
    until("it watches", async || watching().await == 1.0).await;
    much_happens(address).await;
    assert!(deaf.is_served());
    let mut next = Events::open(address, "/api/v1", SUBSCRIBE).await;
    assert_eq!(next.next().await.unwrap()["type"], "SUBSCRIBED");
    assert!(deaf.until_hung_up_on().await < MUCH, "not all that it did not read was kept");
    assert_eq!(watching().await, 1.0, "the other one does");
    master.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_that_never_reads_and_is_replaced_is_hung_up_on() {
    let master = support::master().await;
    let address = master.address();
    let info = Subscription::default().with("failover_timeout", json!(600.0)).info;
    let subscribe = json!({ "type": "SUBSCRIBE", "subscribe": { "framework_info": info } });
    let deaf = Deaf::ask(address, "/api/v1/scheduler", &subscribe).await;
    let mut id = Value::Null;
    until("it has subscribed", async || {
        id = get(address, "/frameworks").await.json()["frameworks"][0]["id"].clone();
        id.is_string()
    })
    .await;
    let id = id.as_str().unwrap();
    let mut agent = FakeAgent::register(address).await;
    for _ in 0..MUCH / EACH {
        agent.send(&internal::ExecutorToFrameworkMessage {
            slave_id: agent.id.as_str().into(),
            framework_id: id.into(),
            executor_id: "e".into(),
            data: vec![0; EACH].into(),
        });
    }
    until("all was said", async || {
        let metrics = get(address, "/metrics/snapshot").await.json();
        metrics["master/valid_executor_to_framework_messages"] == (MUCH / EACH) as f64
    })
    .await;
    assert!(deaf.is_served());
    let replacing = Subscription { info, ..Subscription::default() }.with("id", json!({ "value": id }));
    let mut next = Scheduler::subscribe(address, replacing).await;
    assert!(deaf.until_hung_up_on().await < MUCH, "not all that it did not read was kept");
    next.offer().await;
    master.shutdown().await;
}

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
        much_happens(address).await;
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

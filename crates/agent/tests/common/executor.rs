//! The executor's side of the HTTP API, played by a test.

use std::net::SocketAddr;
use std::time::Duration;

use proto::recordio::Decoder;
use proto::v1;
use proto::v1::executor::{Call, Event, call, event};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{FRAMEWORK_ID, PATIENCE, http, scalar, shell, task};

pub const EXECUTOR_ID: &str = "e";

fn executor(line: &str) -> v1::ExecutorInfo {
    let mut executor = v1::ExecutorInfo {
        executor_id: EXECUTOR_ID.into(),
        framework_id: Some(FRAMEWORK_ID.into()),
        command: Some(shell(line)),
        resources: vec![scalar("cpus", 0.1), scalar("mem", 32.0)],
        ..Default::default()
    };
    executor.set_type(v1::executor_info::Type::Custom);
    executor
}

pub fn executor_task(id: &str, line: &str) -> v1::TaskInfo {
    v1::TaskInfo { executor: Some(executor(line)), ..task(id) }
}

pub fn of(kind: call::Type) -> Call {
    Call {
        framework_id: FRAMEWORK_ID.into(),
        executor_id: EXECUTOR_ID.into(),
        r#type: Some(kind.into()),
        ..Default::default()
    }
}

/// The executor's side of a subscription.
pub struct Stream {
    connection: TcpStream,
    chunks: Vec<u8>,
    records: Decoder,
    json: bool,
}

impl Stream {
    /// Subscribes; an answer other than 200 is an error.
    pub async fn subscribe(agent: SocketAddr, json: bool) -> Result<Self, u16> {
        Self::resubscribe(agent, json, call::Subscribe::default()).await
    }

    /// The same of an executor that has had no answer to something.
    pub async fn resubscribe(agent: SocketAddr, json: bool, subscribe: call::Subscribe) -> Result<Self, u16> {
        let call = Call { subscribe: Some(subscribe), ..of(call::Type::Subscribe) };
        let (kind, body) = if json {
            ("application/json", proto::json::to_vec(&call))
        } else {
            ("application/x-protobuf", proto::encode(&call))
        };
        let mut connection = TcpStream::connect(agent).await.expect("it listens");
        let head = format!(
            "POST /slave(1)/api/v1/executor HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nAccept: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.expect("it reads");
        connection.write_all(&body).await.expect("it reads");
        let mut stream = Self { connection, chunks: Vec::new(), records: Decoder::new(1 << 20), json };
        let head = loop {
            if let Some(end) = stream.chunks.windows(4).position(|end| end == b"\r\n\r\n") {
                break stream.chunks.drain(..end + 4).collect::<Vec<u8>>();
            }
            assert!(stream.read().await, "an answer");
        };
        let head = String::from_utf8(head).expect("text");
        match head.split(' ').nth(1).and_then(|status| status.parse().ok()) {
            Some(200) => Ok(stream),
            status => Err(status.expect("a status")),
        }
    }

    async fn read(&mut self) -> bool {
        let count = tokio::time::timeout(PATIENCE, self.connection.read_buf(&mut self.chunks)).await;
        count.expect("in time").is_ok_and(|count| count > 0)
    }

    /// The next event; `None` when the stream ended.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(record) = self.records.next().expect("records") {
                let event: Event = if self.json {
                    proto::json::from_slice(&record).expect("an event")
                } else {
                    proto::decode(&record).expect("an event")
                };
                return Some(event);
            }
            let Some(end) = self.chunks.windows(2).position(|end| end == b"\r\n") else {
                if !self.read().await {
                    return None;
                }
                continue;
            };
            let length = std::str::from_utf8(&self.chunks[..end]).expect("hex");
            let length = usize::from_str_radix(length, 16).expect("hex");
            if length == 0 {
                return None;
            }
            while self.chunks.len() < end + 2 + length + 2 {
                assert!(self.read().await, "a whole chunk");
            }
            self.records.push(&self.chunks[end + 2..end + 2 + length]);
            self.chunks.drain(..end + 2 + length + 2);
        }
    }

    pub async fn expect(&mut self, kind: event::Type) -> Event {
        let event = self.next().await.expect("an event");
        assert_eq!(event.r#type(), kind, "{event:?}");
        event
    }
}

pub async fn send(agent: SocketAddr, call: &Call) -> (u16, String) {
    http(agent, "POST", "/api/v1/executor", Some(&proto::json::to_string(call))).await
}

/// A UUID of version 4 for each number.
pub fn uuid(number: u8) -> Vec<u8> {
    base::Uuid::v4_from_bytes([number; 16]).as_bytes().to_vec()
}

pub fn update(task_id: &str, state: v1::TaskState, number: u8) -> Call {
    let mut status = v1::TaskStatus {
        task_id: task_id.into(),
        source: Some(v1::task_status::Source::Executor.into()),
        uuid: Some(uuid(number).into()),
        data: Some(b"mine".to_vec().into()),
        ..Default::default()
    };
    status.set_state(state);
    Call { update: Some(call::Update { status }), ..of(call::Type::Update) }
}

/// Subscribes as soon as the executor's process runs; sooner no executor could.
pub async fn subscribed(agent: SocketAddr, json: bool) -> Stream {
    let end = tokio::time::Instant::now() + PATIENCE;
    let wanted = r#"{"type":"GET_CONTAINERS","get_containers":{}}"#;
    loop {
        let containers = super::call(agent, wanted).await;
        let pid = containers.pointer("/get_containers/containers/0/container_status/executor_pid");
        if pid.is_some() {
            return Stream::subscribe(agent, json).await.expect("the agent knows it");
        }
        assert!(tokio::time::Instant::now() < end, "it should run by now");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

//! A hand-written master for tests: it says exactly what a test wants, and hears everything.

#![allow(dead_code, reason = "each test binary uses a part of this")]
#![allow(unreachable_pub, reason = "a module of several test binaries")]

pub mod api;

pub mod groups;

pub mod executor;

pub mod hang;

pub mod hierarchies;

pub mod pods;

#[path = "../../../store/tests/services/ports.rs"]
pub mod ports;

pub mod volumes;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use agent::{AgentOptions, AgentServer};
use base::Uuid;
use bytes::Bytes;
use proto::{FullName, Message, internal, v1};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use transport::{Accepted, Outgoing, Peers, PeersOptions, Receiver, accept};

/// Long enough for a loaded machine; nothing waits so long where things are right.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const AGENT_ID: &str = "m-S0";
pub const FRAMEWORK_ID: &str = "m-0000";

/// A message as it was received.
#[derive(Clone, Debug)]
pub struct Received {
    pub from: String,
    pub to: String,
    pub name: String,
    pub body: Bytes,
}

/// A message to send: sender, name, body.
pub struct Said(pub &'static str, pub String, pub Vec<u8>);

impl Outgoing for Said {
    type Receipt = ();

    fn sender(&self) -> &str {
        self.0
    }
    fn receiver(&self) -> &str {
        "slave(1)"
    }
    fn name(&self) -> &str {
        &self.1
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.2);
    }
}

#[derive(Clone)]
struct Collect(mpsc::UnboundedSender<Received>);

impl Receiver for Collect {
    async fn receive(&self, message: transport::Message<'_>) -> bool {
        let received = Received {
            from: message.from.to_string(),
            to: message.to.to_owned(),
            name: message.name.to_owned(),
            body: message.body,
        };
        // The test is over when nobody listens.
        let _ = self.0.send(received);
        true
    }
}

pub struct FakeMaster {
    pub address: SocketAddr,
    peers: Peers<Said>,
    agent: Option<SocketAddr>,
    heard: mpsc::UnboundedReceiver<Received>,
    listening: tokio::task::JoinHandle<()>,
}

impl FakeMaster {
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address")).await
    }

    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (sender, heard) = mpsc::unbounded_channel();
        let listening = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let collect = Collect(sender.clone());
                connections.spawn(async move {
                    if let Ok(Accepted::Messages(connection)) = accept(stream).await {
                        // A peer that goes away in a bad manner is what some tests want.
                        let _ = connection.serve(64 << 20, &collect).await;
                    }
                });
            }
        });
        let (events, _) = mpsc::unbounded_channel();
        let peers = Peers::new(address, PeersOptions::default(), Handle::current(), events);
        Self { address, peers, agent: None, heard, listening }
    }

    /// Goes away: connections break and the port is closed.
    pub async fn stop(mut self) -> SocketAddr {
        self.listening.abort();
        let _ = (&mut self.listening).await;
        self.address
    }

    /// An agent of this master, registered.
    pub async fn agent(&mut self, options: AgentOptions) -> AgentServer {
        let agent = AgentServer::start(options).await.expect("an agent");
        self.register(&agent).await;
        agent
    }

    pub async fn register(&mut self, agent: &AgentServer) -> internal::RegisterSlaveMessage {
        self.point_at(agent);
        self.take_in().await
    }

    /// The agent comes for the first time; what it says.
    pub async fn take_in(&mut self) -> internal::RegisterSlaveMessage {
        let register = self.hear_of().await;
        self.say(&internal::SlaveRegisteredMessage {
            slave_id: AGENT_ID.into(),
            connection: Some(internal::MasterSlaveConnection { total_ping_timeout_seconds: Some(75.0) }),
        });
        let _: internal::UpdateSlaveMessage = self.expect().await;
        register
    }

    /// The agent comes again; what it says, and what it says of itself then.
    pub async fn take_back(&mut self) -> (internal::ReregisterSlaveMessage, internal::UpdateSlaveMessage) {
        let message = self.hear_of().await;
        self.say(&internal::SlaveReregisteredMessage { slave_id: AGENT_ID.into(), ..Default::default() });
        // On a loaded machine an agent has asked again before it was answered.
        (message, self.hear_of().await)
    }

    /// Waits until what was said to the agent so far has been written down: what it answers comes after it.
    pub async fn until_written(&mut self) {
        let operations = vec![internal::reconcile_operations_message::Operation {
            operation_uuid: Some(v1::Uuid { value: vec![99; 16].into() }),
            ..Default::default()
        }];
        self.say(&internal::ReconcileOperationsMessage { framework_id: None, operations });
        let answer: internal::UpdateOperationStatusMessage = self.hear_of().await;
        assert_eq!(answer.status.state(), v1::OperationState::OperationDropped);
    }

    /// The next message of that type, whatever comes before it.
    pub async fn hear_of<M: Message + FullName + Default + proto::Described>(&mut self) -> M {
        loop {
            let heard = self.hear().await;
            if heard.name == M::FULL_NAME {
                return proto::decode(&heard.body).expect("it is what its name says");
            }
        }
    }

    pub fn point_at(&mut self, agent: &AgentServer) {
        self.point_to(agent.address());
    }

    pub fn point_to(&mut self, agent: SocketAddr) {
        self.agent = Some(agent);
    }

    pub fn say<M: Message + FullName>(&mut self, message: &M) {
        self.say_raw("master", M::FULL_NAME, message.encode_to_vec());
    }

    pub fn say_raw(&mut self, from: &'static str, name: &str, body: Vec<u8>) {
        let agent = self.agent.expect("an agent to speak to");
        self.peers.send(agent, Said(from, name.to_owned(), body)).expect("it listens");
    }

    /// The next message, whatever it is.
    pub async fn hear(&mut self) -> Received {
        let heard = tokio::time::timeout(PATIENCE, self.heard.recv()).await;
        heard.expect("a message in time").expect("we listen")
    }

    /// What was heard so far and not looked at, without waiting.
    pub fn heard_already(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }

    /// The next message, which must be of this type.
    pub async fn expect<M: Message + FullName + Default + proto::Described>(&mut self) -> M {
        let mut heard = self.hear().await;
        // On a loaded machine an agent has asked again before it was answered.
        while heard.name == internal::RegisterSlaveMessage::FULL_NAME && heard.name != M::FULL_NAME {
            heard = self.hear().await;
        }
        assert_eq!(heard.name, M::FULL_NAME, "from {}", heard.from);
        proto::decode(&heard.body).expect("it is what its name says")
    }

    /// The next status, acknowledged at once.
    pub async fn status(&mut self) -> v1::TaskStatus {
        let update = self.expect::<internal::StatusUpdateMessage>().await.update;
        self.acknowledge(&update);
        update.status
    }

    pub fn acknowledge(&mut self, update: &internal::StatusUpdate) {
        self.say(&internal::StatusUpdateAcknowledgementMessage {
            slave_id: AGENT_ID.into(),
            framework_id: update.framework_id.clone(),
            task_id: update.status.task_id.clone(),
            uuid: update.uuid.clone().expect("an update has a uuid"),
        });
    }

    /// Statuses until a terminal one, all acknowledged.
    pub async fn statuses(&mut self) -> Vec<v1::TaskStatus> {
        let mut statuses: Vec<v1::TaskStatus> = Vec::new();
        while !statuses.last().is_some_and(|status| is_terminal(status.state())) {
            statuses.push(self.status().await);
        }
        statuses
    }

    pub fn run(&mut self, task: v1::TaskInfo) {
        self.run_for(false, task);
    }

    /// Runs a task of a framework that checkpoints or does not.
    pub fn run_for(&mut self, checkpoint: bool, task: v1::TaskInfo) {
        self.say(&internal::RunTaskMessage {
            framework: v1::FrameworkInfo { checkpoint: checkpoint.then_some(true), ..framework() },
            task,
            launch_executor: Some(true),
            pid: Some("@0.0.0.0:0".to_owned()),
            ..Default::default()
        });
    }
}

impl Drop for FakeMaster {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

pub fn is_terminal(state: v1::TaskState) -> bool {
    use v1::TaskState::{TaskDropped, TaskError, TaskFailed, TaskFinished, TaskGone, TaskKilled, TaskLost};
    matches!(state, TaskFinished | TaskFailed | TaskKilled | TaskError | TaskLost | TaskDropped | TaskGone)
}

pub fn states(statuses: &[v1::TaskStatus]) -> Vec<&'static str> {
    statuses.iter().map(|status| status.state().as_str_name()).collect()
}

pub fn options(master: SocketAddr, work_dir: &Path) -> AgentOptions {
    AgentOptions {
        resources: Some("cpus:8;mem:8192;disk:20480;ports:[31000-32000]".to_owned()),
        attributes: Some("rack:r1;zone:a".to_owned()),
        registration_backoff_factor: Duration::from_millis(10),
        seed: Some(7),
        ..AgentOptions::loopback(master.to_string(), work_dir)
    }
}

pub fn framework() -> v1::FrameworkInfo {
    v1::FrameworkInfo {
        user: "root".to_owned(),
        name: "test".to_owned(),
        id: Some(FRAMEWORK_ID.into()),
        roles: vec!["*".to_owned()],
        ..Default::default()
    }
}

pub fn scalar(name: &str, value: f64) -> v1::Resource {
    let mut resource = v1::Resource { name: name.to_owned(), ..Default::default() };
    resource.set_type(v1::value::Type::Scalar);
    resource.scalar = Some(v1::value::Scalar { value });
    resource.allocation_info = Some(v1::resource::AllocationInfo { role: Some("*".to_owned()) });
    resource
}

pub fn task(id: &str) -> v1::TaskInfo {
    v1::TaskInfo {
        name: id.to_owned(),
        task_id: id.into(),
        agent_id: AGENT_ID.into(),
        resources: vec![scalar("cpus", 0.1), scalar("mem", 32.0)],
        ..Default::default()
    }
}

pub fn shell(line: &str) -> v1::CommandInfo {
    v1::CommandInfo { value: Some(line.to_owned()), shell: Some(true), ..Default::default() }
}

pub fn command_task(id: &str, line: &str) -> v1::TaskInfo {
    v1::TaskInfo { command: Some(shell(line)), ..task(id) }
}

pub fn uuid(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).expect("sixteen bytes")
}

/// One HTTP request on a connection of its own: status and body.
pub async fn http(address: SocketAddr, method: &str, path: &str, body: Option<&str>) -> (u16, String) {
    let (status, body) = http_bytes(address, method, path, body).await;
    (status, String::from_utf8_lossy(&body).into_owned())
}

pub async fn http_bytes(address: SocketAddr, method: &str, path: &str, body: Option<&str>) -> (u16, Vec<u8>) {
    let headers: &[_] = if body.is_some() { &[("Content-Type", "application/json")] } else { &[] };
    let (status, _, body) =
        exchange(address, method, path, headers, body.unwrap_or_default().as_bytes()).await;
    (status, body)
}

/// The same with any headers: status, head in lower case, and body.
pub async fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).await.expect("it reads");
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("in time")
        .expect("an answer");
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body = answer.split_off(end + 4);
    let body = if head.contains("transfer-encoding: chunked") { dechunk(&body) } else { body };
    (status, head, body)
}

fn dechunk(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|end| end == b"\r\n").expect("a chunk's length");
        let length = std::str::from_utf8(&body[..end]).expect("hex");
        let length = usize::from_str_radix(length, 16).expect("hex");
        if length == 0 {
            return whole;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 2 + length + 2..];
    }
}

pub async fn json(address: SocketAddr, path: &str) -> serde_json::Value {
    let (status, body) = http(address, "GET", path, None).await;
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
}

/// A call of the operator API that must be answered.
pub async fn call(address: SocketAddr, body: &str) -> serde_json::Value {
    let (status, answer) = http(address, "POST", "/api/v1", Some(body)).await;
    assert_eq!(status, 200, "{body}: {answer}");
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{body}: {error}: {answer}"))
}

/// Whether a process of that number runs; one that has ended and was not waited for does not.
pub fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Waits until something is so.
pub async fn until(mut condition: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !condition() {
        assert!(tokio::time::Instant::now() < end, "it did not come to that in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

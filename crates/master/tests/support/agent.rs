//! An agent that is none: it sends what a test tells it to, and notes what it gets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proto::{FullName, internal, v0, v1};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use transport::{Accepted, Message, Outgoing, Peers, PeersOptions, Receiver, accept};

/// An agent as the master sees it.
pub struct FakeAgent {
    master: SocketAddr,
    pub address: SocketAddr,
    peers: Peers<Raw>,
    received: mpsc::UnboundedReceiver<(String, String, Vec<u8>)>,
    listening: tokio::task::JoinHandle<()>,
    pub id: String,
}

struct Raw {
    receiver: String,
    name: &'static str,
    body: Vec<u8>,
}

impl Outgoing for Raw {
    type Receipt = ();

    fn sender(&self) -> &str {
        "slave(1)"
    }
    fn receiver(&self) -> &str {
        &self.receiver
    }
    fn name(&self) -> &str {
        self.name
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.body);
    }
}

/// How an agent takes acknowledgements.
#[derive(Default)]
pub struct Taking {
    /// How long it takes to take one, before it is answered.
    takes: Duration,
    taken: AtomicUsize,
}

impl Taking {
    /// How many have been taken by now.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

#[derive(Clone)]
struct Inbox(mpsc::UnboundedSender<(String, String, Vec<u8>)>, Arc<Taking>);

impl Receiver for Inbox {
    async fn receive(&self, message: Message<'_>) -> bool {
        if message.name == internal::StatusUpdateAcknowledgementMessage::FULL_NAME {
            tokio::time::sleep(self.1.takes).await;
            self.1.taken.fetch_add(1, Ordering::SeqCst);
        }
        let _ = self.0.send((message.from.id().to_owned(), message.name.to_owned(), message.body.to_vec()));
        message.to == "slave(1)"
    }
}

/// A resource as it is in messages.
pub fn proto_scalar(name: &str, value: f64) -> v1::Resource {
    v1::Resource {
        name: name.to_owned(),
        r#type: v1::value::Type::Scalar.into(),
        scalar: Some(v1::value::Scalar { value }),
        ..Default::default()
    }
}

impl FakeAgent {
    /// Listens, but says nothing yet.
    pub async fn listen(master: SocketAddr) -> Self {
        Self::listen_taking(master, Arc::default()).await
    }

    async fn listen_taking(master: SocketAddr, taking: Arc<Taking>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::unbounded_channel();
        let listening = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let inbox = Inbox(sender.clone(), Arc::clone(&taking));
                connections.spawn(async move {
                    if let Accepted::Messages(connection) = accept(stream).await.unwrap() {
                        let _ = connection.serve(1 << 24, &inbox).await;
                    }
                });
            }
        });
        let (events, _) = mpsc::unbounded_channel();
        let peers = Peers::new(address, PeersOptions::default(), Handle::current(), events);
        Self { master, address, peers, received, listening, id: String::new() }
    }

    /// Registers with eight processors, and waits until it is.
    pub async fn register(master: SocketAddr) -> Self {
        Self::listen(master).await.registered().await
    }

    /// The same; it takes its time for each acknowledgement.
    pub async fn register_taking(master: SocketAddr, takes: Duration) -> (Self, Arc<Taking>) {
        let taking = Arc::new(Taking { takes, ..Taking::default() });
        (Self::listen_taking(master, Arc::clone(&taking)).await.registered().await, taking)
    }

    async fn registered(mut self) -> Self {
        self.register_as(self.info()).await;
        self
    }

    /// Registers with a description of the test's own, and waits until it is.
    pub async fn register_as(&mut self, slave: v0::SlaveInfo) {
        self.send(&Self::registration(slave));
        let registered: internal::SlaveRegisteredMessage = self.wait_for().await;
        self.id = registered.slave_id.value;
    }

    /// What an agent says when it comes first.
    pub fn registration(slave: v0::SlaveInfo) -> internal::RegisterSlaveMessage {
        internal::RegisterSlaveMessage {
            slave,
            version: Some("1.12.0".into()),
            agent_capabilities: Self::capabilities(),
            resource_version_uuid: Some(v1::Uuid { value: vec![7; 16].into() }),
            ..Default::default()
        }
    }

    /// What it says when it comes back under its id, with nothing on it.
    pub fn reregistration(&self) -> internal::ReregisterSlaveMessage {
        internal::ReregisterSlaveMessage {
            slave: self.info(),
            version: Some("1.12.0".into()),
            agent_capabilities: Self::capabilities(),
            ..Default::default()
        }
    }

    pub fn capabilities() -> Vec<v1::agent_info::Capability> {
        (1..=8).map(|kind| v1::agent_info::Capability { r#type: Some(kind) }).collect()
    }

    pub fn info(&self) -> v0::SlaveInfo {
        v0::SlaveInfo {
            hostname: "localhost".into(),
            port: Some(i32::from(self.address.port())),
            resources: vec![
                proto_scalar("cpus", 8.0),
                proto_scalar("mem", 8192.0),
                proto_scalar("disk", 1024.0),
            ],
            id: (!self.id.is_empty()).then(|| self.id.as_str().into()),
            ..Default::default()
        }
    }

    /// Sends a message to the master.
    pub fn send<M: proto::Message + FullName>(&mut self, message: &M) {
        self.send_to("master", message);
    }

    /// Sends a message to a process of the master.
    pub fn send_to<M: proto::Message + FullName>(&mut self, receiver: &str, message: &M) {
        let raw = Raw { receiver: receiver.to_owned(), name: M::FULL_NAME, body: proto::encode(message) };
        self.peers.send(self.master, raw).unwrap();
    }

    /// Reports a task's state; returns the uuid of the status.
    pub fn update(
        &mut self,
        framework_id: &str,
        task_id: &str,
        state: v1::TaskState,
        number: u8,
    ) -> [u8; 16] {
        let status = v1::TaskStatus {
            task_id: task_id.into(),
            state: state.into(),
            timestamp: Some(1.0),
            ..Default::default()
        };
        self.report(framework_id, status, number)
    }

    /// Reports a status of a task; returns its uuid.
    pub fn report(&mut self, framework_id: &str, status: v1::TaskStatus, number: u8) -> [u8; 16] {
        let mut uuid = [number; 16];
        uuid[6] = 0x40 | (number & 0xf);
        let latest_state = status.state;
        let status = v1::TaskStatus {
            agent_id: Some(self.id.as_str().into()),
            uuid: Some(uuid.to_vec().into()),
            ..status
        };
        let update = internal::StatusUpdate {
            framework_id: framework_id.into(),
            slave_id: Some(self.id.as_str().into()),
            status,
            timestamp: 1.0,
            uuid: Some(uuid.to_vec().into()),
            latest_state: Some(latest_state),
            ..Default::default()
        };
        let pid = Some(format!("slave(1)@{}", self.address));
        self.send(&internal::StatusUpdateMessage { update, pid });
        uuid
    }

    /// Reports how an operation stands; returns the uuid of the status.
    pub fn tell_of_operation(
        &mut self,
        asked: &internal::ApplyOperationMessage,
        state: v1::OperationState,
        number: u8,
    ) -> v1::Uuid {
        let mut uuid = [number; 16];
        uuid[6] = 0x40 | (number & 0xf);
        let uuid = v1::Uuid { value: uuid.to_vec().into() };
        let status = v1::OperationStatus {
            operation_id: asked.operation_info.id.clone(),
            state: state.into(),
            uuid: Some(uuid.clone()),
            agent_id: Some(self.id.as_str().into()),
            ..Default::default()
        };
        self.send(&internal::UpdateOperationStatusMessage {
            framework_id: asked.framework_id.clone(),
            slave_id: Some(self.id.as_str().into()),
            latest_status: Some(status.clone()),
            status,
            operation_uuid: Some(asked.operation_uuid.clone()),
        });
        uuid
    }

    /// Skips to the next message of a type; answers pings on the way.
    pub async fn wait_for<M: proto::Message + Default + FullName + proto::Described>(&mut self) -> M {
        let wait = async {
            loop {
                let (from, name, body) = self.received.recv().await.unwrap();
                if name == internal::PingSlaveMessage::FULL_NAME {
                    self.send_to(&from, &internal::PongSlaveMessage {});
                }
                if name == M::FULL_NAME {
                    return proto::decode(&body).unwrap();
                }
            }
        };
        tokio::time::timeout(super::PATIENCE, wait)
            .await
            .unwrap_or_else(|_| panic!("no {} in time", M::FULL_NAME))
    }

    /// Vanishes, as if its process were killed.
    pub fn kill(self) {
        self.listening.abort();
    }
}

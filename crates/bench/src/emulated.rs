//! Agents that run nothing: they register, take tasks and report on them as real ones do, on connections of their own.
//!
//! As a real agent's updates, those of a task go out one at a time: the next when the one before is acknowledged.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use proto::internal::{
    RegisterSlaveMessage, RunTaskMessage, SlaveRegisteredMessage, StatusUpdate,
    StatusUpdateAcknowledgementMessage, StatusUpdateMessage, UpdateSlaveMessage,
};
use proto::v1::{AgentId, FrameworkId, TaskState, TaskStatus, agent_info, task_status};
use proto::{Message as _, v0};
use sdk::build::{Quantities, ranges};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use transport::{Accepted, Message, Outgoing, Peers, PeersOptions, Receiver};

/// Longest message that is taken, in bytes.
pub(crate) const MAX_BODY: usize = 64 << 20;

/// The process id of an agent.
const AGENT: &str = "slave(1)";

/// What all emulated agents have counted.
#[derive(Default)]
pub(crate) struct Counters {
    /// Agents that the master has registered.
    pub(crate) registered: AtomicU64,
    /// Messages from the master.
    pub(crate) received: AtomicU64,
    /// Messages to the master.
    pub(crate) sent: AtomicU64,
    /// Tasks whose TASK_FINISHED is acknowledged.
    pub(crate) finished: AtomicU64,
    /// When that happened last.
    pub(crate) last_finished: Mutex<Option<Instant>>,
    /// Told at each of these.
    pub(crate) progress: Notify,
}

/// What an emulated agent is like.
#[derive(Clone)]
pub(crate) struct Shape {
    /// The master.
    pub(crate) master: SocketAddr,
    /// What it offers.
    pub(crate) quantities: Quantities,
    /// The states that a task goes through, the last of them terminal.
    pub(crate) states: Arc<[TaskState]>,
}

/// Starts an agent: listens, registers, and works until the runtime ends.
pub(crate) async fn start(number: usize, shape: Shape, counters: Arc<Counters>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let own = listener.local_addr()?;
    let (events, _) = mpsc::unbounded_channel();
    let peers = Peers::new(own, PeersOptions::default(), Handle::current(), events);
    let register = registration(number, own, &shape.quantities);
    let state = State { peers, agent_id: AgentId::default(), tasks: HashMap::new(), updates: 0, number };
    let agent = Arc::new(Agent { shape, counters, state: Mutex::new(state) });
    agent.send(&mut agent.lock(), "master", "mesos.internal.RegisterSlaveMessage", &register);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let agent = Arc::clone(&agent);
            tokio::spawn(async move {
                // Without Nagle's delay, as real agents do; best effort.
                let _ = stream.set_nodelay(true);
                if let Ok(Accepted::Messages(connection)) = transport::accept(stream).await {
                    // The end of the connection is the end of the master, and with it of the run.
                    let _ = connection.serve(MAX_BODY, &*agent).await;
                }
            });
        }
    });
    Ok(())
}

fn registration(number: usize, own: SocketAddr, quantities: &Quantities) -> RegisterSlaveMessage {
    use agent_info::capability::Type;
    let mut resources = quantities.to_resources();
    resources.push(ranges("ports", &[(31000, 32000)]));
    let capability = |kind: Type| agent_info::Capability { r#type: Some(kind.into()) };
    RegisterSlaveMessage {
        slave: v0::SlaveInfo {
            hostname: format!("agent-{number}"),
            port: Some(own.port().into()),
            resources,
            ..v0::SlaveInfo::default()
        },
        version: Some("1.12.0".into()),
        agent_capabilities: [
            Type::MultiRole,
            Type::HierarchicalRole,
            Type::ReservationRefinement,
            Type::ResourceProvider,
            Type::ResizeVolume,
        ]
        .into_iter()
        .map(capability)
        .collect(),
        ..RegisterSlaveMessage::default()
    }
}

struct Agent {
    shape: Shape,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

struct State {
    peers: Peers<Note>,
    agent_id: AgentId,
    tasks: HashMap<String, Task>,
    updates: u64,
    number: usize,
}

struct Task {
    framework_id: FrameworkId,
    /// How many of its states are acknowledged.
    done: usize,
}

/// A message on its way to the master.
pub(crate) struct Note {
    /// The process id of the agent that sends it.
    pub(crate) from: Arc<str>,
    pub(crate) to: Box<str>,
    pub(crate) name: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Outgoing for Note {
    type Receipt = ();

    fn sender(&self) -> &str {
        &self.from
    }

    fn receiver(&self) -> &str {
        &self.to
    }

    fn name(&self) -> &str {
        self.name
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.body);
    }
}

impl Receiver for Agent {
    async fn receive(&self, message: Message<'_>) -> bool {
        self.counters.received.fetch_add(1, Ordering::Relaxed);
        let mut state = self.lock();
        match message.name.rsplit('.').next().unwrap_or_default() {
            "PingSlaveMessage" => {
                let pong = proto::internal::PongSlaveMessage::default();
                self.send(&mut state, message.from.id(), "mesos.internal.PongSlaveMessage", &pong);
            }
            "SlaveRegisteredMessage" => self.registered(&mut state, &message),
            "RunTaskMessage" => self.run(&mut state, &message),
            "StatusUpdateAcknowledgementMessage" => self.acknowledged(&mut state, &message),
            _ => {}
        }
        true
    }
}

impl Agent {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, state: &mut State, to: &str, name: &'static str, message: &impl proto::Message) {
        self.counters.sent.fetch_add(1, Ordering::Relaxed);
        let note = Note { from: AGENT.into(), to: to.into(), name, body: message.encode_to_vec() };
        // A queue that is full is a master that does not read: the run does not end, and says so.
        let _ = state.peers.send(self.shape.master, note);
    }

    fn registered(&self, state: &mut State, message: &Message<'_>) {
        let Ok(registered) = SlaveRegisteredMessage::decode(message.body.clone()) else { return };
        if state.agent_id == registered.slave_id {
            return;
        }
        state.agent_id = registered.slave_id;
        let update = UpdateSlaveMessage { slave_id: state.agent_id.clone(), ..UpdateSlaveMessage::default() };
        self.send(state, "master", "mesos.internal.UpdateSlaveMessage", &update);
        self.counters.registered.fetch_add(1, Ordering::Relaxed);
        self.counters.progress.notify_waiters();
    }

    fn run(&self, state: &mut State, message: &Message<'_>) {
        let Ok(run) = RunTaskMessage::decode(message.body.clone()) else { return };
        let framework_id = run.framework.id.or(run.framework_id).unwrap_or_default();
        let id = run.task.task_id.value;
        state.tasks.insert(id.clone(), Task { framework_id, done: 0 });
        self.update(state, &id);
    }

    fn acknowledged(&self, state: &mut State, message: &Message<'_>) {
        let Ok(acknowledgement) = StatusUpdateAcknowledgementMessage::decode(message.body.clone()) else {
            return;
        };
        let id = acknowledgement.task_id.value;
        let Some(task) = state.tasks.get_mut(&id) else { return };
        task.done += 1;
        if task.done < self.shape.states.len() {
            self.update(state, &id);
            return;
        }
        state.tasks.remove(&id);
        *self.counters.last_finished.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.counters.finished.fetch_add(1, Ordering::Release);
        self.counters.progress.notify_waiters();
    }

    /// Sends the update to the next state of a task.
    fn update(&self, state: &mut State, id: &str) {
        let Some(task) = state.tasks.get(id) else { return };
        let next = self.shape.states[task.done];
        let framework_id = task.framework_id.clone();
        let uuid = uuid(state.number, state.updates);
        state.updates += 1;
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let status = TaskStatus {
            task_id: id.into(),
            state: next.into(),
            source: Some(task_status::Source::Executor.into()),
            agent_id: Some(state.agent_id.clone()),
            executor_id: Some(id.into()),
            timestamp: Some(timestamp),
            uuid: Some(uuid.to_vec().into()),
            ..TaskStatus::default()
        };
        let update = StatusUpdate {
            framework_id,
            executor_id: Some(id.into()),
            slave_id: Some(state.agent_id.clone()),
            status,
            timestamp,
            uuid: Some(uuid.to_vec().into()),
            latest_state: Some(next.into()),
        };
        let message = StatusUpdateMessage { update, pid: Some(AGENT.to_owned()) };
        self.send(state, "master", "mesos.internal.StatusUpdateMessage", &message);
    }
}

/// The UUID of an agent's update of that number. Masters check that it has a version.
pub(crate) fn uuid(agent: usize, update: u64) -> [u8; 16] {
    let mut uuid = [0; 16];
    uuid[..6].copy_from_slice(&(agent as u64).to_be_bytes()[2..]);
    uuid[6] = 0x40;
    uuid[8] = 0x80;
    uuid[9..].copy_from_slice(&update.to_be_bytes()[1..]);
    uuid
}

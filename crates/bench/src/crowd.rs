//! A crowd of agents that come back with their tasks after their master was lost: each has an address and connections of
//! its own, answers pings, and does nothing else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use proto::internal::{ReregisterSlaveMessage, archive};
use proto::v0;
use proto::v1::{FrameworkInfo, Task, TaskState, TaskStatus, agent_info, task_status};
use sdk::build::{Quantities, ranges};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::sync::mpsc;
use transport::{Accepted, Message, Peers, PeersOptions, Receiver};

use crate::emulated::{MAX_BODY, Note};

/// How long nothing may happen before a run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many agents, and what each of them has.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) agents: u32,
    /// Each agent has tasks of all of them.
    pub(crate) frameworks: u32,
    /// Running tasks of each framework on each agent.
    pub(crate) tasks: u32,
    /// Completed tasks of each framework on each agent.
    pub(crate) completed: u32,
}

/// The agents, until this is dropped.
pub(crate) struct Crowd {
    shape: Shape,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    reregistered: AtomicU64,
    progress: Notify,
}

/// One agent of the crowd.
struct Agent {
    master: SocketAddr,
    peers: std::sync::Mutex<Peers<Note>>,
    counters: Arc<Counters>,
}

impl Receiver for Agent {
    async fn receive(&self, message: Message<'_>) -> bool {
        match message.name.rsplit('.').next().unwrap_or_default() {
            "PingSlaveMessage" => {
                let pong = proto::internal::PongSlaveMessage::default();
                self.send(message.from.id(), "mesos.internal.PongSlaveMessage", &pong);
            }
            "SlaveReregisteredMessage" => {
                self.counters.reregistered.fetch_add(1, Ordering::Relaxed);
                self.counters.progress.notify_waiters();
            }
            _ => {}
        }
        true
    }
}

impl Agent {
    fn send(&self, to: &str, name: &'static str, message: &impl proto::Message) {
        let note = Note { to: to.into(), name, body: message.encode_to_vec() };
        let mut peers = self.peers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A queue that is full is a master that does not read: the run does not end, and says so.
        let _ = peers.send(self.master, note);
    }
}

impl Crowd {
    /// Lets all agents come at once. Their messages are made before, so that the clock does not count that.
    pub(crate) async fn start(shape: Shape, master: SocketAddr) -> Result<(Self, Instant)> {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        let port = listener.local_addr()?.port();
        let counters = Arc::new(Counters::default());
        let mut agents = std::collections::HashMap::new();
        let mut messages = Vec::new();
        for number in 0..shape.agents {
            let own = SocketAddr::from((address(number), port));
            let (events, _) = mpsc::unbounded_channel();
            let peers = Peers::new(own, PeersOptions::default(), Handle::current(), events);
            let agent = Arc::new(Agent { master, peers: peers.into(), counters: Arc::clone(&counters) });
            messages.push((Arc::clone(&agent), shape.reregistration(number, port)));
            agents.insert(own.ip(), agent);
        }
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(own) = stream.local_addr() else { continue };
                let Some(agent) = agents.get(&own.ip()).cloned() else { continue };
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    if let Ok(Accepted::Messages(connection)) = transport::accept(stream).await {
                        // The end of the connection is the end of the master, and with it of the run.
                        let _ = connection.serve(MAX_BODY, &*agent).await;
                    }
                });
            }
        });
        let began = Instant::now();
        for (agent, message) in messages {
            agent.send("master", "mesos.internal.ReregisterSlaveMessage", &message);
        }
        Ok((Self { shape, counters }, began))
    }

    /// Waits until the master has taken all of them back.
    pub(crate) async fn wait(&self) -> Result<()> {
        loop {
            let progress = self.counters.progress.notified();
            let back = self.counters.reregistered.load(Ordering::Relaxed);
            if back >= u64::from(self.shape.agents) {
                return Ok(());
            }
            if tokio::time::timeout(PATIENCE, progress).await.is_err() {
                bail!("{back} of {} agents were taken back, and no more came", self.shape.agents);
            }
        }
    }
}

impl Shape {
    /// An agent's message. Its frameworks and tasks have ids of some length, as real ones have.
    fn reregistration(self, number: u32, port: u16) -> ReregisterSlaveMessage {
        use agent_info::capability::Type;
        let agent_id = format!("5c3b1f6e-6f0a-4b7e-9d55-0c1d2e3f4a5b-S{number}");
        let per_agent = f64::from(self.frameworks * self.tasks);
        let mut resources =
            Quantities { cpus: per_agent + 1.0, mem: 64.0 * per_agent + 64.0, disk: 1024.0, gpus: 0.0 }
                .to_resources();
        resources.push(ranges("ports", &[(31000, 32000)]));
        let kinds = [Type::MultiRole, Type::HierarchicalRole, Type::ReservationRefinement];
        let frameworks: Vec<FrameworkInfo> = (0..self.frameworks).map(framework).collect();
        let tasks = |count: u32, state: TaskState| {
            frameworks.iter().flat_map(move |framework| {
                let agent_id = format!("5c3b1f6e-6f0a-4b7e-9d55-0c1d2e3f4a5b-S{number}");
                (0..count).map(move |index| task(framework, &agent_id, index, state))
            })
        };
        let completed = tasks(self.completed, TaskState::TaskFinished);
        let mut archived: Vec<archive::Framework> = frameworks
            .iter()
            .map(|info| archive::Framework { framework_info: info.clone(), ..Default::default() })
            .collect();
        for task in completed {
            let of = archived
                .iter_mut()
                .find(|archive| archive.framework_info.id.as_ref() == Some(&task.framework_id));
            if let Some(archive) = of {
                archive.tasks.push(task);
            }
        }
        ReregisterSlaveMessage {
            slave: v0::SlaveInfo {
                id: Some(agent_id.as_str().into()),
                hostname: format!("agent-{number}.example.com"),
                port: Some(port.into()),
                resources,
                ..Default::default()
            },
            tasks: tasks(self.tasks, TaskState::TaskRunning).collect(),
            completed_frameworks: if self.completed > 0 { archived } else { Vec::new() },
            frameworks,
            version: Some("1.12.0".into()),
            agent_capabilities: kinds
                .into_iter()
                .map(|kind| agent_info::Capability { r#type: Some(kind.into()) })
                .collect(),
            ..Default::default()
        }
    }
}

/// The id of a framework of the crowd.
pub(crate) fn framework_id(number: u32) -> String {
    format!("5c3b1f6e-6f0a-4b7e-9d55-0c1d2e3f4a5b-{number:04}")
}

fn framework(number: u32) -> FrameworkInfo {
    FrameworkInfo {
        user: "root".into(),
        name: format!("framework-{number}"),
        id: Some(framework_id(number).as_str().into()),
        failover_timeout: Some(86_400.0),
        checkpoint: Some(true),
        ..Default::default()
    }
}

fn task(framework: &FrameworkInfo, agent_id: &str, index: u32, state: TaskState) -> Task {
    let id = format!("{agent_id}.{}.{}-{index}", framework.name, state.as_str_name());
    let mut resources = Quantities { cpus: 1.0, mem: 64.0, disk: 0.0, gpus: 0.0 }.to_resources();
    for resource in &mut resources {
        resource.allocation_info = Some(proto::v1::resource::AllocationInfo { role: Some("*".into()) });
    }
    let status = |state: TaskState| TaskStatus {
        task_id: id.as_str().into(),
        state: state.into(),
        source: Some(task_status::Source::Executor.into()),
        agent_id: Some(agent_id.into()),
        timestamp: Some(1_700_000_000.25),
        uuid: Some(vec![7, 7, 7, 7, 7, 7, 0x47, 7, 0x87, 7, 7, 7, 7, 7, 7, 7].into()),
        ..Default::default()
    };
    let mut statuses = vec![status(TaskState::TaskRunning)];
    if state != TaskState::TaskRunning {
        statuses.push(status(state));
    }
    Task {
        name: format!("task-{index}"),
        task_id: id.as_str().into(),
        framework_id: framework.id.clone().unwrap_or_default(),
        agent_id: agent_id.into(),
        state: state.into(),
        resources,
        status_update_state: Some(state.into()),
        statuses,
        ..Default::default()
    }
}

/// An address of this machine for each agent: all of 127.0.0.0/8 is.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number)
}

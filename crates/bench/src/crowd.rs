//! A crowd of agents that come back with their tasks after their master was lost: they answer pings, ask again when they are
//! not answered, and do nothing else.
//!
//! An agent of its own process has an address, and a connection in each direction, to itself. As many as that are more open
//! files than some machines allow, so several agents may be in one process, as libprocess has it: `slave(1)`, `slave(2)` and
//! so on at one address, over the same two connections.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc};
use transport::{Accepted, Message, Peers, PeersOptions, Receiver};

use crate::emulated::{MAX_BODY, Note};
use crate::returning::Shape;

/// How long nothing may happen before a run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long an agent waits for its answer before it asks again; twice as long each time. A real one asks after a second or
/// two, and so often; here each question again is a fault that is reported.
const FIRST_RETRY: Duration = Duration::from_secs(20);

/// Most addresses: with two connections each, no process has more open files than it may have on a machine that allows 20,000.
const MOST_ADDRESSES: u32 = 8_000;

const REREGISTER: &str = "mesos.internal.ReregisterSlaveMessage";

/// The agents, until this is dropped.
pub(crate) struct Crowd {
    shape: Shape,
    addresses: u32,
    port: u16,
    processes: Vec<Arc<Process>>,
    counters: Arc<Counters>,
    retrying: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Counters {
    reregistered: AtomicU64,
    asked_again: AtomicU64,
    progress: Notify,
}

/// One process with agents in it.
struct Process {
    master: SocketAddr,
    peers: Mutex<Peers<Note>>,
    agents: Vec<Agent>,
    counters: Arc<Counters>,
}

/// One agent of the crowd.
struct Agent {
    /// Its process id.
    id: Arc<str>,
    /// What it says to come back.
    message: Vec<u8>,
    is_back: AtomicBool,
    /// Whether it answers nothing more.
    is_silent: AtomicBool,
}

impl Receiver for Process {
    async fn receive(&self, message: Message<'_>) -> bool {
        let Some(agent) = number_of(message.to).and_then(|number| self.agents.get(number)) else {
            return false;
        };
        match message.name.rsplit('.').next().unwrap_or_default() {
            "PingSlaveMessage" if !agent.is_silent.load(Ordering::Relaxed) => {
                self.send(agent, message.from.id(), "mesos.internal.PongSlaveMessage", Vec::new());
            }
            "SlaveReregisteredMessage" if !agent.is_back.swap(true, Ordering::Relaxed) => {
                self.counters.reregistered.fetch_add(1, Ordering::Relaxed);
                self.counters.progress.notify_waiters();
            }
            _ => {}
        }
        true
    }
}

/// Which agent of its process has this id, from zero.
fn number_of(id: &str) -> Option<usize> {
    let number: usize = id.strip_prefix("slave(")?.strip_suffix(')')?.parse().ok()?;
    number.checked_sub(1)
}

impl Process {
    fn send(&self, agent: &Agent, to: &str, name: &'static str, body: Vec<u8>) {
        let note = Note { from: Arc::clone(&agent.id), to: to.into(), name, body };
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        // A queue that is full is a master that does not read: the run does not end, and says so.
        let _ = peers.send(self.master, note);
    }

    /// All agents that are not back say that they are here; how many did.
    fn reregister(&self) -> u64 {
        let away = self.agents.iter().filter(|agent| !agent.is_back.load(Ordering::Relaxed));
        away.inspect(|agent| self.send(agent, "master", REREGISTER, agent.message.clone())).count() as u64
    }
}

impl Crowd {
    /// Lets all agents come at once. Their messages are made before, so that the clock does not count that.
    pub(crate) async fn start(shape: Shape, master: SocketAddr) -> Result<(Self, Instant)> {
        let listener = listen()?;
        let port = listener.local_addr()?.port();
        let counters = Arc::new(Counters::default());
        let addresses = shape.agents.min(MOST_ADDRESSES);
        let processes: Vec<Arc<Process>> =
            (0..addresses).map(|each| process(shape, each, addresses, port, master, &counters)).collect();
        let by_address: HashMap<IpAddr, Arc<Process>> =
            (0..addresses).map(|each| address(each).into()).zip(processes.iter().cloned()).collect();
        tokio::spawn(accept(listener, by_address));
        let began = Instant::now();
        for process in &processes {
            process.reregister();
        }
        let retrying = tokio::spawn(ask_again(processes.clone(), Arc::clone(&counters)));
        Ok((Self { shape, addresses, port, processes, counters, retrying }, began))
    }

    /// How the agents are reached, in words.
    pub(crate) fn connections(&self) -> String {
        let Self { addresses, shape, .. } = self;
        match shape.agents.div_ceil((*addresses).max(1)) {
            1 => format!("{addresses} addresses, one agent and two connections each"),
            each => format!("{addresses} addresses, up to {each} agents and two connections each"),
        }
    }

    /// On so many agents the first task has another status.
    pub(crate) fn update(&self, agents: u32, round: u32) {
        for (number, (process, agent)) in (0..agents).zip(self.agents()) {
            let message = Shape::update(number, self.port, round);
            process.send(agent, "master", "mesos.internal.StatusUpdateMessage", proto::encode(&message));
        }
    }

    /// So many agents, the first ones, answer no ping any more.
    pub(crate) fn silence(&self, agents: u32) {
        for (_, agent) in self.agents().take(agents as usize) {
            agent.is_silent.store(true, Ordering::Relaxed);
        }
    }

    /// All agents by their numbers, each with its process.
    fn agents(&self) -> impl Iterator<Item = (&Arc<Process>, &Agent)> {
        (0..self.shape.agents).filter_map(|number| {
            let process = self.processes.get((number % self.addresses) as usize)?;
            Some((process, process.agents.get((number / self.addresses) as usize)?))
        })
    }

    /// How often agents had to ask again.
    pub(crate) fn asked_again(&self) -> u64 {
        self.counters.asked_again.load(Ordering::Relaxed)
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

impl Drop for Crowd {
    fn drop(&mut self) {
        self.retrying.abort();
    }
}

/// The process at an address, with its agents.
fn process(
    shape: Shape,
    number: u32,
    of: u32,
    port: u16,
    master: SocketAddr,
    counters: &Arc<Counters>,
) -> Arc<Process> {
    let own = SocketAddr::from((address(number), port));
    let (events, _) = mpsc::unbounded_channel();
    let peers = Peers::new(own, PeersOptions::default(), Handle::current(), events);
    let numbers = (number..shape.agents).step_by(of as usize);
    let agents = numbers.enumerate().map(|(index, number)| Agent {
        id: format!("slave({})", index + 1).into(),
        message: proto::encode(&shape.reregistration(number, port)),
        is_back: AtomicBool::new(false),
        is_silent: AtomicBool::new(false),
    });
    let (agents, counters) = (agents.collect(), Arc::clone(counters));
    Arc::new(Process { master, peers: peers.into(), agents, counters })
}

/// One listener for all addresses, with room for the master that connects to all of them at once.
fn listen() -> Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::UNSPECIFIED, 0).into())?;
    Ok(socket.listen(u32::from(u16::MAX))?)
}

async fn accept(listener: TcpListener, processes: HashMap<IpAddr, Arc<Process>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let Ok(own) = stream.local_addr() else { continue };
        let Some(process) = processes.get(&own.ip()).cloned() else { continue };
        tokio::spawn(async move {
            let _ = stream.set_nodelay(true);
            if let Ok(Accepted::Messages(connection)) = transport::accept(stream).await {
                // The end of the connection is the end of the master, and with it of the run.
                let _ = connection.serve(MAX_BODY, &*process).await;
            }
        });
    }
}

async fn ask_again(processes: Vec<Arc<Process>>, counters: Arc<Counters>) {
    let mut pause = FIRST_RETRY;
    loop {
        tokio::time::sleep(pause).await;
        pause *= 2;
        for process in &processes {
            counters.asked_again.fetch_add(process.reregister(), Ordering::Relaxed);
        }
    }
}

/// An address of this machine for each process: all of 127.0.0.0/8 is.
fn address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_of_a_process_are_told_apart() {
        assert_eq!([number_of("slave(1)"), number_of("slave(12)")], [Some(0), Some(11)]);
        assert_eq!([number_of("slave(0)"), number_of("slave"), number_of("master")], [None, None, None]);
    }
}

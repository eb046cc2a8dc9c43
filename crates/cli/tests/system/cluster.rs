//! Three masters and five agents that find each other by the URL of a service.

use std::net::SocketAddr;
use std::ops::AsyncFnMut;
use std::time::{Duration, Instant};

use sdk::proto::v1::TaskState;
use sdk::proto::v1::master::response::get_agents::Agent;
use sdk::{Masters, Operator};
use tokio::time::{sleep, timeout_at};

use crate::book::TASKS;
use crate::process::{Process, get, header};
use crate::services::{Kind, Service};
use crate::world::{Host, World};

/// How long a whole test may take on a loaded machine, so that it says itself what it waited for.
const PATIENCE: Duration = Duration::from_secs(100);
pub(crate) const MASTERS: usize = 3;
pub(crate) const AGENTS: usize = 5;

/// How long a leader may be silent before the service names another.
pub(crate) const SESSION: Duration = Duration::from_secs(4);

/// A master or an agent with its host.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) host: Host,
    pub(crate) process: Process,
    port: u16,
}

impl Server {
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((self.host.address, self.port))
    }
}

/// The whole.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) service: Service,
    pub(crate) masters: Vec<Server>,
    pub(crate) agents: Vec<Server>,
    /// Where schedulers run.
    pub(crate) desks: [Host; 2],
    pub(crate) url: String,
    deadline: Instant,
    // Gone when all others are.
    pub(crate) world: World,
}

/// What a failure needs to be understood.
impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let servers =
                self.masters.iter().map(|s| ("master", s)).chain(self.agents.iter().map(|s| ("agent", s)));
            for (kind, server) in servers {
                let said = server.process.said();
                let from = said.char_indices().nth_back(12_000).map_or(0, |(at, _)| at);
                eprintln!("{kind} {}:\n{}", server.host.address, &said[from..]);
            }
        }
    }
}

impl Cluster {
    /// Starts all servers, of the service as many as are said; `master_flags` are those of every master beside its own. This
    /// thread is on the network from now on.
    pub(crate) fn start(kind: Kind, members: usize, master_flags: &[&str]) -> Self {
        let deadline = Instant::now() + PATIENCE;
        let mut world = World::new();
        world.host().enter();
        let service = Service::start(kind, members, &mut world);
        let url = service.url();
        let masters = (0..MASTERS).map(|number| master(&mut world, number, &url, master_flags)).collect();
        let agents = (0..AGENTS).map(|number| agent(&mut world, number, &url)).collect();
        let desks = [world.host(), world.host()];
        let mut cluster = Self { service, masters, agents, desks, url, deadline, world };
        for server in cluster.masters.iter_mut().chain(&mut cluster.agents) {
            server.process.start();
        }
        cluster
    }

    pub(crate) fn masters(&self) -> Masters {
        Masters::parse(&self.url).expect("a URL")
    }

    /// Waits until all masters that answer name the same one as leader, which is not `except`; its number.
    pub(crate) async fn leader(&self, except: Option<usize>) -> usize {
        self.eventually("the masters agree who leads", async || {
            let mut found = None;
            for master in &self.masters {
                let Ok(answer) = get(master.address(), "/redirect").await else { continue };
                let location = header(&answer, "location")?.trim_start_matches('/').to_owned();
                let leader = self.masters.iter().position(|m| m.address().to_string() == location)?;
                if found.is_some_and(|found| found != leader) || except == Some(leader) {
                    return None;
                }
                found = Some(leader);
            }
            found
        })
        .await
    }

    /// Waits until the leader has all agents and all long tasks running.
    pub(crate) async fn whole(&self) {
        let operator = Operator::new(self.masters());
        self.eventually("all agents and all tasks are known", async || {
            let agents = self.active().await?;
            let tasks = operator.tasks().await.ok()?.tasks;
            let long = tasks.iter().filter(|task| task.task_id.value.starts_with("long"));
            let running = long.filter(|task| task.state() == TaskState::TaskRunning).count();
            (agents == AGENTS && running == TASKS).then_some(())
        })
        .await;
    }

    /// How many agents the leader has, if it says so.
    pub(crate) async fn active(&self) -> Option<usize> {
        let agents = Operator::new(self.masters()).agents().await.ok()?.agents;
        Some(agents.iter().filter(|agent| agent.active).count())
    }

    /// The agents' ids, in the order of their numbers, as soon as the leader has them all.
    pub(crate) async fn agent_ids(&self) -> Vec<String> {
        self.eventually("the leader has all agents", async || {
            let agents = Operator::new(self.masters()).agents().await.ok()?.agents;
            let id_of = |server: &Server| {
                let at = format!("@{}", server.address());
                let its = |agent: &&Agent| agent.pid.as_ref().is_some_and(|pid| pid.ends_with(&at));
                let agent = agents.iter().find(its)?;
                Some(agent.agent_info.id.as_ref()?.value.clone())
            };
            self.agents.iter().map(id_of).collect()
        })
        .await
    }

    /// Waits until a server answers.
    pub(crate) async fn answers(&self, server: &Server) {
        let what = format!("{} answers", server.address());
        self.eventually(&what, async || get(server.address(), "/health").await.ok()).await;
    }

    /// Looks again and again until something is found.
    pub(crate) async fn eventually<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
        let started = Instant::now();
        let looking = async {
            loop {
                if let Some(found) = look().await {
                    return found;
                }
                sleep(Duration::from_millis(100)).await;
            }
        };
        let found = timeout_at(self.deadline.into(), looking).await;
        found.unwrap_or_else(|_| panic!("not in time, after {:?}: {what}", started.elapsed()))
    }
}

fn master(world: &mut World, number: usize, url: &str, flags: &[&str]) -> Server {
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    let own = [format!("--zk={url}"), "--quorum=2".to_owned()];
    server(world, "master", number, 5050, own.into_iter().chain(flags))
}

fn agent(world: &mut World, number: usize, url: &str) -> Server {
    let work = world.directory().join(format!("agent-{number}"));
    let flags = [
        format!("--master={url}"),
        format!("--work_dir={}", work.display()),
        format!("--fetcher_cache_dir={}", work.join("cache").display()),
        format!("--cgroups_root={}-{number}", world.groups()),
        "--resources=cpus:8;mem:4096;disk:1000;ports:[]".to_owned(),
    ];
    server(world, "agent", number, 5051, flags)
}

fn server(
    world: &mut World,
    kind: &str,
    number: usize,
    port: u16,
    flags: impl IntoIterator<Item = String>,
) -> Server {
    let host = world.host();
    let own = [
        env!("CARGO_BIN_EXE_meseta").to_owned(),
        kind.to_owned(),
        format!("--ip={}", host.address),
        format!("--port={port}"),
        format!("--zk_session_timeout={}secs", SESSION.as_secs()),
    ];
    let command = host.command(own.into_iter().chain(flags));
    let log = world.directory().join(format!("{kind}-{number}.log"));
    Server { process: Process::new(command, &log), host, port }
}

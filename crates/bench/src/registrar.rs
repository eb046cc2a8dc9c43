//! The registry on each of its stores, after Mesos' `Registrar` benchmarks: agents admitted, marked unreachable and reachable
//! again in random order, forgotten by halves, read by a new master, removed.
//!
//! Written as a master writes that has all changes at hand: in order, a few thousand at a time, each with the fence that shows
//! that it leads. ZooKeeper and etcd are started for it, one server each; what they write, they sync to the disk.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use base::{AgentId, Rng, Time};
use clap::{Args, ValueEnum};
use master::RegistryStore;
use master_core::{AgentInfo, AgentRecord, FromAgent, RegistryContent, RegistryOperation, RegistryWrite};
use proto::internal::ReregisterSlaveMessage;
use proto::v1::{Attribute, value};
use sdk::build::Quantities;
use store::kv::{Candidacy, KeyValue, LocalStore};
use store::masters;

use crate::report::{self, cores, figure, seconds};
use crate::services::{etcd::Etcd, zookeeper::ZooKeeper};

/// How long one write may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Options {
    /// Agents.
    #[arg(long, default_values_t = [10_000, 50_000])]
    agents: Vec<u32>,
    /// Where the registry is; all of them without any.
    #[arg(long)]
    backend: Vec<Backend>,
}

/// A store that a registry can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// A directory of the master.
    Embedded,
    /// ZooKeeper.
    Zookeeper,
    /// etcd.
    Etcd,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    figure("cores", cores());
    figure("load before", report::load());
    let backends = if options.backend.is_empty() { Backend::value_variants() } else { &options.backend[..] };
    for backend in backends {
        for agents in &options.agents {
            let place = tokio::task::block_in_place(|| Place::open(*backend))?;
            println!("\n{backend:?}, {agents} agents");
            measure(&place, *agents).await?;
        }
    }
    figure("load after", report::load());
    Ok(())
}

/// Where a registry is; what it needs ends when this is dropped.
struct Place {
    /// Opens it as another master would.
    open: Box<dyn Fn() -> Result<Arc<dyn KeyValue>> + Send + Sync>,
    /// Whether one has to be elected before one may write.
    elects: bool,
}

impl Place {
    fn open(backend: Backend) -> Result<Self> {
        let service = |url: String, running: Box<dyn std::any::Any + Send + Sync>| {
            let open = move || {
                let _running = &running;
                masters::open(&url.parse()?, store::kv::Options::default()).context("a service")
            };
            Self { open: Box::new(open), elects: true }
        };
        Ok(match backend {
            Backend::Embedded => {
                let directory = tempfile::tempdir()?;
                let open = move || -> Result<Arc<dyn KeyValue>> {
                    Ok(Arc::new(LocalStore::new(directory.path(), store::kv::Options::default())))
                };
                Self { open: Box::new(open), elects: false }
            }
            Backend::Zookeeper => {
                let server = ZooKeeper::start();
                service(format!("zk://{}/benchmark", server.address()), Box::new(server))
            }
            Backend::Etcd => {
                let server = Etcd::start();
                service(format!("etcd://{}/benchmark", server.address()), Box::new(server))
            }
        })
    }

    /// The registry as a master has it that was elected, with its candidacy.
    async fn lead(&self) -> Result<(RegistryStore, Option<Candidacy>)> {
        let store = (self.open)()?;
        let mut candidacy = self.elects.then(|| store.campaign("benchmark", Vec::new()));
        let fence = match &mut candidacy {
            Some(candidacy) => Some(candidacy.elected().await?),
            None => None,
        };
        Ok((RegistryStore { store, fence, timeout: PATIENCE }, candidacy))
    }
}

async fn measure(place: &Place, agents: u32) -> Result<()> {
    let mut agents: Vec<(AgentId, Arc<AgentInfo>)> = (0..agents).map(agent).collect::<Result<_>>()?;
    let (master, candidacy) = place.lead().await?;
    let mut random = Rng::new(1);
    let admitted = |(id, info): &(AgentId, Arc<AgentInfo>)| {
        RegistryOperation::Agent(id.clone(), Some(AgentRecord::admitted(Arc::clone(info))))
    };
    let lost = |(id, _): &(AgentId, Arc<AgentInfo>)| {
        let hostname = "".into();
        let record =
            AgentRecord::Unreachable { since: Time::EPOCH, hostname, drain: None, deactivated: false };
        RegistryOperation::Agent(id.clone(), Some(record))
    };
    let removed = |(id, _): &(AgentId, Arc<AgentInfo>)| RegistryOperation::Agent(id.clone(), None);

    write(&master, "admitted", one_by_one(&agents, admitted)).await?;
    random.shuffle(&mut agents);
    write(&master, "marked unreachable", one_by_one(&agents, lost)).await?;
    random.shuffle(&mut agents);
    write(&master, "marked reachable again", one_by_one(&agents, admitted)).await?;

    // A master that has lost its term; the next one reads what it wrote.
    if let Some(candidacy) = candidacy {
        candidacy.resign().await;
    }
    drop(master);
    let (next, _candidacy) = place.lead().await?;
    let began = Instant::now();
    let RegistryContent { agents: read, .. } = next.read().await?;
    figure("  read by the next master", seconds(began.elapsed()));
    ensure!(read.len() == agents.len(), "{} of {} agents were read", read.len(), agents.len());

    let half = agents.len() / 2;
    let forgotten = agents.iter().take(half).map(removed).collect();
    write(&next, "half forgotten in one write", vec![forgotten]).await?;
    let rest: Vec<_> = agents.split_off(half);
    write(&next, "the others removed", one_by_one(&rest, removed)).await?;
    let left = next.read().await?.agents.len();
    ensure!(left == 0, "{left} agents are left");
    Ok(())
}

/// A write for each agent, as a master makes them.
fn one_by_one(
    agents: &[(AgentId, Arc<AgentInfo>)],
    operation: impl Fn(&(AgentId, Arc<AgentInfo>)) -> RegistryOperation,
) -> Vec<Vec<RegistryOperation>> {
    agents.iter().map(|agent| vec![operation(agent)]).collect()
}

async fn write(master: &RegistryStore, what: &str, writes: Vec<Vec<RegistryOperation>>) -> Result<()> {
    let numbered = |(number, operations)| RegistryWrite { number, operations };
    let writes: Vec<RegistryWrite> = (1..).zip(writes).map(numbered).collect();
    let began = Instant::now();
    for together in writes.chunks(RegistryStore::BATCH) {
        master.write(together).await.map_err(|why| anyhow!("{why}"))?;
    }
    figure(&format!("  {what}"), seconds(began.elapsed()));
    Ok(())
}

/// An agent as Mesos' benchmark has it: three resources, two attributes.
fn agent(number: u32) -> Result<(AgentId, Arc<AgentInfo>)> {
    let id = format!("201310101658-2280333834-5050-48574-{number}");
    let attribute = |name: &str, text: &str| Attribute {
        name: name.into(),
        r#type: value::Type::Text.into(),
        text: Some(value::Text { value: text.into() }),
        ..Default::default()
    };
    let message = ReregisterSlaveMessage {
        slave: proto::v0::SlaveInfo {
            id: Some(id.as_str().into()),
            hostname: "localhost".into(),
            resources: Quantities { cpus: 1.0, mem: 512.0, disk: 2048.0, gpus: 0.0 }.to_resources(),
            attributes: vec![attribute("foo", "bar"), attribute("baz", "quux")],
            ..Default::default()
        },
        ..Default::default()
    };
    let message = proto::encode(&message).into();
    match master::decode_message("mesos.internal.ReregisterSlaveMessage", &message)? {
        Some(FromAgent::Reregister(message)) => Ok((message.agent_id, message.agent.info)),
        _ => Err(anyhow!("the agent is not one")),
    }
}

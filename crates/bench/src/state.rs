//! How long a master takes to show everything that it knows, and whether that holds schedulers up. After Mesos'
//! `MasterStateQuery` and `MasterActorResponsiveness` benchmarks.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use sdk::build::Framework;
use sdk::scheduler::{Event, Scheduler};
use sdk::{Encoding, Masters};

use crate::full_cluster::{FullCluster, ask, get, post};
use crate::report::{figure, times};
use crate::returning::Shape;

#[derive(Args)]
pub(crate) struct Options {
    /// Emulated agents.
    #[arg(long, default_value_t = 20_000)]
    agents: u32,
    /// Frameworks, each with tasks on each agent.
    #[arg(long, default_value_t = 5)]
    frameworks: u32,
    /// Running tasks of each framework on each agent; as many are completed.
    #[arg(long, default_value_t = 2)]
    tasks: u32,
    /// How often each answer is asked for.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// How many clients poll `/state` while a scheduler works.
    #[arg(long, default_value_t = 100)]
    clients: usize,
    /// For how many seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let Options { agents, frameworks, tasks, .. } = *options;
    let shape = Shape { agents, frameworks, tasks, completed: tasks, ended: 0 };
    let cluster = FullCluster::start(shape).await?;
    let address = cluster.address;
    for (name, request) in questions(address) {
        cluster.measure(name, &request, options.rounds).await?;
    }
    changing(options, &cluster).await?;
    cluster.report_memory();
    responsiveness(options, address, false).await?;
    responsiveness(options, address, true).await
}

/// `/state` again and again, while one task in a hundred has another status each time: what they are in has to be encoded anew.
async fn changing(options: &Options, cluster: &FullCluster) -> Result<()> {
    let changed = (options.agents * options.frameworks * options.tasks).div_ceil(100).min(options.agents);
    let request = get_state(cluster.address);
    let mut all = Vec::new();
    for round in 0..u32::try_from(options.rounds)? {
        cluster.crowd.update(changed, round);
        // They are there long before.
        tokio::time::sleep(Duration::from_secs(1)).await;
        all.push(ask(cluster.address, &request).await?.0);
    }
    times(&format!("/state, {changed} tasks changed"), &mut all);
    Ok(())
}

/// What is asked for, as the bytes of a request. What is searched for is found in the host names of one agent in ten thousand,
/// or of none.
fn questions(address: SocketAddr) -> [(&'static str, Vec<u8>); 10] {
    let page = |list: &str| get(address, &format!("/{list}?limit=50&search=-4321"));
    let call = |accept: &str| post(address, r#"{"type":"GET_STATE"}"#, accept);
    [
        ("50 tasks, newest first", get(address, "/tasks?limit=50")),
        ("50 tasks of a search", page("tasks")),
        ("50 tasks of a search by name", get(address, "/tasks?limit=50&sort=name&search=1")),
        ("50 agents of a search", page("slaves")),
        ("/state-summary", get(address, "/state-summary")),
        ("/slaves", get(address, "/slaves")),
        ("/roles", get(address, "/roles")),
        ("/state", get_state(address)),
        ("GET_STATE in protobuf", call("application/x-protobuf")),
        ("GET_STATE in JSON", call("application/json")),
    ]
}

fn get_state(address: SocketAddr) -> Vec<u8> {
    get(address, "/state")
}

/// Clients that poll `/state`, until it is time; how often they were answered. They have threads of their own that give way to
/// the scheduler's, as if they were on other machines: what is measured is how long the master takes.
fn poll(clients: usize, address: SocketAddr, until: Instant) -> Result<std::thread::JoinHandle<u32>> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .on_thread_start(|| {
            // Without it the scheduler waits for its own machine.
            let _ = rustix::process::nice(19);
        })
        .enable_all()
        .build()?;
    Ok(std::thread::spawn(move || {
        let polling = async move {
            let request: std::sync::Arc<[u8]> = get_state(address).into();
            let client = |request: std::sync::Arc<[u8]>| async move {
                let mut polls = 0;
                while Instant::now() < until && ask(address, &request).await.is_ok() {
                    polls += 1;
                }
                polls
            };
            let clients: Vec<_> = (0..clients).map(|_| tokio::spawn(client(request.clone()))).collect();
            let mut polls = 0;
            for client in clients {
                // One that failed has polled nothing.
                polls += client.await.unwrap_or(0);
            }
            polls
        };
        runtime.block_on(polling)
    }))
}

/// A scheduler asks how a task of its own stands, again and again, while others poll everything, or do not.
async fn responsiveness(options: &Options, address: SocketAddr, polled: bool) -> Result<()> {
    let mut scheduler = Scheduler::builder(Framework::new("responsiveness").build())
        .suppressed_roles(["*"])
        .masters(Masters::parse(&address.to_string())?)
        .encoding(Encoding::Protobuf)
        .start()?;
    let calls = scheduler.calls();
    let until = Instant::now() + Duration::from_secs(options.seconds);
    let pollers = polled.then(|| poll(options.clients, address, until)).transpose()?;
    let mut all = Vec::new();
    let mut asked = None;
    while Instant::now() < until {
        match scheduler.next_event().await.context("the events ended")? {
            Event::Subscribed(_) if asked.is_none() => {}
            Event::Update(status) if status.task_id.value == "nobody's" => {
                all.extend(asked.take().map(|at: Instant| at.elapsed()));
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            _ => continue,
        }
        asked = Some(Instant::now());
        calls.reconcile(vec![("nobody's".into(), None)]).await?;
    }
    let name = if let Some(pollers) = pollers {
        let polls = tokio::task::block_in_place(|| pollers.join()).unwrap_or(0);
        figure("answers to the polling clients", format!("{polls} in {} s", options.seconds));
        format!("RECONCILE beside {} clients", options.clients)
    } else {
        "RECONCILE with nobody polling".to_owned()
    };
    times(&name, &mut all);
    Ok(())
}

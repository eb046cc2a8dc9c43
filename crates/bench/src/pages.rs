//! How long the web pages of a large cluster take, and the endpoints that they are drawn from.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::full_cluster::{FullCluster, get};
use crate::returning::{Shape, framework_id, id_of_agent, id_of_running_task};

#[derive(Args)]
pub(crate) struct Options {
    /// Emulated agents.
    #[arg(long, default_value_t = 50_000)]
    agents: u32,
    /// Frameworks, each with tasks on each agent.
    #[arg(long, default_value_t = 5)]
    frameworks: u32,
    /// Running tasks of each framework on each agent; as many are completed.
    #[arg(long, default_value_t = 2)]
    tasks: u32,
    /// How often each page is asked for; not at all where the cluster is only to be looked at.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// So many agents answer no pings once they are back, and are lost after three of them.
    #[arg(long, default_value_t = 0)]
    silent: u32,
    /// Keep the cluster for so many seconds afterwards, for a look at it in a browser.
    #[arg(long, default_value_t = 0)]
    stay: u64,
}

/// The pages that show many of something, and the worst that can be asked of them.
const LISTS: [&str; 14] = [
    "/",
    "/ui/agents",
    "/ui/agents?sort=used_cpus&order=des",
    "/ui/agents?search=999",
    "/ui/agents?offset=49950",
    "/ui/frameworks",
    "/ui/roles",
    "/ui/tasks",
    "/ui/tasks?state=TASK_RUNNING&sort=name",
    "/ui/tasks?search=nothing-has-this-name",
    "/ui/tasks?offset=400000",
    "/ui/offers",
    "/ui/maintenance",
    "/events",
];

/// The pages of one of each: of the last agent, the first framework with a task on every agent, and its task there.
fn entities(agents: u32) -> [String; 5] {
    let last = agents.saturating_sub(1);
    let framework = format!("/ui/frameworks/{}", framework_id(0));
    [
        format!("/ui/agents/{}", id_of_agent(last)),
        format!("/ui/tasks/{}/{}", framework_id(0), id_of_running_task(last, 0)),
        format!("{framework}/explain"),
        framework,
        "/ui/roles/explain?name=*".to_owned(),
    ]
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let Options { agents, frameworks, tasks, .. } = *options;
    let shape = Shape { agents, frameworks, tasks, completed: tasks, ended: 0 };
    // Sooner than by default; those that answer have the time of three pings, too.
    let flags = (options.silent > 0).then(|| "--max_agent_ping_timeouts=3".to_owned());
    let cluster = FullCluster::with_flags(shape, flags.as_slice()).await?;
    cluster.crowd.silence(options.silent);
    let address = cluster.address;
    let pages = LISTS.into_iter().map(str::to_owned).chain(entities(agents));
    for path in pages.filter(|_| options.rounds > 0) {
        cluster.measure(&path, &get(address, &path), options.rounds).await?;
    }
    cluster.report_memory();
    if options.stay > 0 {
        println!("the cluster stays at http://{address} for {} s", options.stay);
        // Whoever ends it earlier does so by a signal; master and agents end with it then, too.
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(options.stay)) => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
            _ = terminate.recv() => {}
        }
    }
    Ok(())
}

//! From `kill -9` of the leading master to the first offer of the next one, and which part of that is the service's: until it
//! says that the leader is gone nobody can do anything.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use conformance::cluster::{self, Server};
use conformance::ports;
use sdk::build::Framework;
use sdk::scheduler::{Event, Scheduler};
use sdk::{Masters, Operator};
use store::masters::{self, Detected, Detector};

use crate::report::{self, cores, figure};
use crate::services::{etcd::Etcd, zookeeper::ZooKeeper};

/// How long one failover may take.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Args)]
pub(crate) struct Options {
    /// The service that elects: `zookeeper` or `etcd`, which are started for it, one server; or one that runs, as
    /// zk://HOST:PORT/PATH or etcd://HOST:PORT/PREFIX with an unused path.
    #[arg(long)]
    service: String,
    /// How often the leader is killed.
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// For how many seconds the service waits for a sign of life of a master.
    #[arg(long, default_value_t = 3)]
    session_timeout: u64,
}

/// A service, until it is dropped if it was started here.
enum Service {
    ZooKeeper(ZooKeeper),
    Etcd(Etcd),
    Running(String),
}

impl Service {
    fn open(text: &str) -> Self {
        match text {
            "zookeeper" => Self::ZooKeeper(ZooKeeper::start()),
            "etcd" => Self::Etcd(Etcd::start()),
            url => Self::Running(url.to_owned()),
        }
    }

    fn url(&self) -> String {
        match self {
            Self::ZooKeeper(server) => format!("zk://{}/meseta", server.address()),
            Self::Etcd(server) => format!("etcd://{}/meseta", server.address()),
            Self::Running(url) => url.clone(),
        }
    }
}

/// How long it took, from the kill on.
struct Failover {
    /// Until the service said that the leader is gone, or that another one leads.
    detected: Duration,
    /// Until the scheduler was subscribed with the next leader.
    subscribed: Duration,
    /// Until it had an offer.
    offered: Duration,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let service = tokio::task::block_in_place(|| Service::open(&options.service));
    let url = service.url();
    let directory = tempfile::tempdir()?;
    let timeout_flag = format!("--zk_session_timeout={}secs", options.session_timeout);
    let flags = [format!("--zk={url}"), timeout_flag.clone()];
    let mut servers = Vec::new();
    for number in 0..3 {
        let log = directory.path().join(format!("master-{number}.log"));
        servers.push(Server::start("master", ports::free(), &flags, log)?);
    }
    let _agent = cluster::agent(&url, directory.path(), 0, &[&timeout_flag])?;
    figure("workload", format!("{} failovers of three masters, one agent, one scheduler", options.runs));
    figure("service", options.service.split('@').next_back().unwrap_or_default());
    figure("session timeout", format!("{} s", options.session_timeout));
    figure("cores; load before", format!("{}; {}", cores(), report::load()));

    let found = Masters::parse(&url)?;
    let operator = Operator::new(found.clone());
    let session_timeout = Duration::from_secs(options.session_timeout);
    let session = store::kv::Options { session_timeout, ..Default::default() };
    let store = masters::open(&url.parse()?, session).context("the service is none that elects")?;
    let mut detector = Detector::new(store);
    let framework = Framework::new("failover").failover_timeout(Duration::from_secs(3600)).build();
    let builder = Scheduler::builder(framework).masters(found).max_backoff(Duration::from_millis(200));
    let mut scheduler = builder.start()?;
    first_offer(&mut scheduler, Instant::now()).await.context("no first leader")?;
    let mut failovers = Vec::new();
    for number in 1..=options.runs {
        let leader = operator.get("/state").await?["pid"].as_str().unwrap_or_default().to_owned();
        let leader = leader.rsplit('@').next().unwrap_or_default();
        let killed = servers.iter_mut().find(|server| server.address == leader);
        let killed = killed.context("the leader is none of ours")?;
        failovers.push(failover(killed, &mut detector, &mut scheduler).await.with_context(|| {
            format!("failover {number}; the log of the master that was killed ends with:\n{}", killed.log())
        })?);
        killed.restart()?;
        tokio::task::block_in_place(|| killed.wait_until_healthy())?;
    }
    print(&failovers);
    figure("load after", report::load());
    scheduler.teardown().await?;
    Ok(())
}

/// Kills the leader.
async fn failover(
    leader: &mut Server,
    detector: &mut Detector,
    scheduler: &mut Scheduler,
) -> Result<Failover> {
    // What it says at first is what was.
    while !is_led_by(&detector.now(), &leader.address) {
        detector.next().await;
    }
    let killed = Instant::now();
    leader.kill();
    let address = &leader.address;
    let detected = async {
        while is_led_by(&detector.next().await, address) {}
        killed.elapsed()
    };
    let (detected, offer) = tokio::join!(detected, first_offer(scheduler, killed));
    let (subscribed, offered) = offer?;
    Ok(Failover { detected, subscribed, offered })
}

fn is_led_by(detected: &Detected, address: &str) -> bool {
    detected.leader().is_some_and(|info| masters::address(info) == address)
}

/// Waits for an offer of a leader that the scheduler has subscribed with since; when it was subscribed and when it came.
async fn first_offer(scheduler: &mut Scheduler, since: Instant) -> Result<(Duration, Duration)> {
    let mut subscribed = None;
    loop {
        let event = tokio::time::timeout(PATIENCE, scheduler.next_event()).await;
        match event.context("no offer in time")?.context("the events ended")? {
            Event::Error(message) => bail!("the master says: {message}"),
            Event::Subscribed(_) => subscribed = Some(since.elapsed()),
            Event::Offers(offers) => {
                let ids = offers.into_iter().map(|offer| offer.id).collect();
                // Declined for no time, so that there is something to offer at any moment.
                let declined = scheduler.calls().decline(ids, Some(0.0)).await;
                if let (Some(subscribed), Ok(())) = (subscribed, declined) {
                    return Ok((subscribed, since.elapsed()));
                }
            }
            _ => {}
        }
    }
}

fn print(failovers: &[Failover]) {
    let times = |name: &str, of: fn(&Failover) -> Duration| {
        report::times(name, &mut failovers.iter().map(of).collect::<Vec<_>>());
    };
    times("kill to the service's word", |failover| failover.detected);
    times("kill to subscribed again", |failover| failover.subscribed);
    times("kill to the first offer", |failover| failover.offered);
    times("the word to the first offer", |failover| failover.offered.saturating_sub(failover.detected));
}

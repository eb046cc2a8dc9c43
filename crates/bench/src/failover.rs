//! From `kill -9` of the leading master to the first offer of the next one.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use conformance::cluster::{self, Server};
use conformance::ports;
use sdk::build::Framework;
use sdk::scheduler::{Event, Scheduler};
use sdk::{Masters, Operator};

use crate::report::{self, cores, figure};

/// How long one failover may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args)]
pub(crate) struct Options {
    /// The service that elects: zk://HOST:PORT/PATH or etcd://HOST:PORT/PREFIX. It has to run, and the path to be unused.
    #[arg(long, value_name = "URL")]
    service: String,
    /// How often the leader is killed.
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// How long the service waits for a sign of life of a master.
    #[arg(long, default_value = "10secs", value_name = "DURATION")]
    session_timeout: String,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let flags =
        [format!("--zk={}", options.service), format!("--zk_session_timeout={}", options.session_timeout)];
    let mut masters = Vec::new();
    for number in 0..3 {
        let log = directory.path().join(format!("master-{number}.log"));
        masters.push(Server::start("master", ports::free()?, &flags, log)?);
    }
    let timeout_flag = format!("--zk_session_timeout={}", options.session_timeout);
    let _agent = cluster::agent(&options.service, directory.path(), 0, &[&timeout_flag])?;
    figure("workload", format!("{} failovers of three masters, one agent, one scheduler", options.runs));
    figure("service", options.service.split('@').next_back().unwrap_or_default());
    figure("session timeout", &options.session_timeout);
    figure("cores", cores());

    let found = Masters::parse(&options.service)?;
    let operator = Operator::new(found.clone());
    let framework = Framework::new("failover").failover_timeout(Duration::from_secs(3600)).build();
    let builder = Scheduler::builder(framework).masters(found).max_backoff(Duration::from_millis(200));
    let mut scheduler = builder.start()?;
    first_offer(&mut scheduler, None).await?;
    let (mut led, mut offered) = (Vec::new(), Vec::new());
    for _ in 0..options.runs {
        let leader = operator.get("/state").await?["pid"].as_str().unwrap_or_default().to_owned();
        let leader = leader.rsplit('@').next().unwrap_or_default();
        let killed =
            masters.iter_mut().find(|master| master.address == leader).context("a leader that is ours")?;
        let started = Instant::now();
        killed.kill();
        let (subscribed, offer) = first_offer(&mut scheduler, Some(started)).await?;
        led.push(subscribed);
        offered.push(offer);
        killed.restart()?;
        tokio::task::block_in_place(|| killed.wait_until_healthy())?;
    }
    report::times("kill to subscribed again", &mut led);
    report::times("kill to the first offer", &mut offered);
    scheduler.teardown().await?;
    Ok(())
}

/// Waits for an offer, of a new leader if there was one before; when the scheduler was subscribed and when it came.
async fn first_offer(scheduler: &mut Scheduler, since: Option<Instant>) -> Result<(Duration, Duration)> {
    let since_when = since.unwrap_or_else(Instant::now);
    let mut subscribed = None;
    loop {
        let event = tokio::time::timeout(PATIENCE, scheduler.next_event()).await;
        match event.context("no failover in time")?.context("the events ended")? {
            Event::Error(message) => bail!("the master says: {message}"),
            Event::Subscribed(_) => subscribed = Some(since_when.elapsed()),
            Event::Offers(offers) => {
                let ids = offers.into_iter().map(|offer| offer.id).collect();
                // Declined for no time, so that there is something to offer at any moment.
                let declined = scheduler.calls().decline(ids, Some(0.0)).await;
                if let (Some(subscribed), Ok(())) = (subscribed, declined) {
                    return Ok((subscribed, since_when.elapsed()));
                }
            }
            _ => {}
        }
    }
}

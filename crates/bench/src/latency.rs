//! Accept to TASK_RUNNING, one task after the other on an idle real agent.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use conformance::cluster::{self, Server};
use conformance::ports;
use proto::v1::{Offer, TaskState};
use sdk::build::{Framework, Task};
use sdk::scheduler::{Event, Scheduler};
use sdk::{Encoding, Masters};

use crate::report::{self, cores, figure};

#[derive(Args)]
pub(crate) struct Options {
    /// Tasks to run, one at a time.
    #[arg(long, default_value_t = 300)]
    tasks: usize,
    /// What each of them does.
    #[arg(long, default_value = "true")]
    command: String,
    /// Speak JSON to the master instead of protobuf.
    #[arg(long)]
    json: bool,
    /// Further flags for the agent.
    #[arg(long = "agent-flag")]
    agent_flags: Vec<String>,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let work_dir = format!("--work_dir={}", directory.path().join("master").display());
    let mut master =
        Server::start("master", ports::free(), &[work_dir], directory.path().join("master.log"))?;
    tokio::task::block_in_place(|| master.wait_until_healthy())?;
    let flags: Vec<&str> = options.agent_flags.iter().map(String::as_str).collect();
    let agent = cluster::agent(&master.address, directory.path(), 0, &flags)?;

    let encoding = if options.json { Encoding::Json } else { Encoding::Protobuf };
    let scheduler = Scheduler::builder(Framework::new("latency").build())
        .masters(Masters::parse(&master.address)?)
        .encoding(encoding)
        .start()?;
    let mut launcher = Launcher { scheduler, offers: VecDeque::new() };
    // The agent has registered when its first offer is here, and has done nothing yet.
    let offer = launcher.offer().await?;
    figure(
        "workload",
        format!("{} tasks `{}`, one at a time, one real agent", options.tasks, options.command),
    );
    figure("scheduler", if options.json { "JSON" } else { "protobuf" });
    figure("cores", cores());
    report::memory("the idle master", master.pid());
    report::memory("the idle agent", agent.pid());

    launcher.offers.push_front(offer);
    let (mut running, mut finished) = (Vec::new(), Vec::new());
    for number in 0..options.tasks {
        let (to_running, to_finished) = launcher
            .one(&format!("task-{number}"), &options.command)
            .await
            .with_context(|| format!("master:\n{}\nagent:\n{}", master.log(), agent.log()))?;
        running.push(to_running);
        finished.push(to_finished);
    }
    report::times("accept to TASK_RUNNING", &mut running);
    report::times("accept to TASK_FINISHED", &mut finished);
    report::memory("the master afterwards", master.pid());
    report::memory("the agent afterwards", agent.pid());
    launcher.scheduler.teardown().await?;
    Ok(())
}

struct Launcher {
    scheduler: Scheduler,
    offers: VecDeque<Offer>,
}

impl Launcher {
    async fn event(&mut self) -> Result<Event> {
        let event = tokio::time::timeout(Duration::from_secs(20), self.scheduler.next_event()).await;
        let event = event.context("nothing happened for 20 seconds")?.context("the events ended")?;
        match event {
            Event::Error(message) => bail!("the master says: {message}"),
            Event::CallFailed(failure) => bail!("a call failed: {failure:?}"),
            Event::Rescind(id) => self.offers.retain(|offer| offer.id != id),
            Event::Offers(offers) => {
                self.offers.extend(offers);
                return Ok(Event::Offers(Vec::new()));
            }
            event => return Ok(event),
        }
        Ok(Event::Offers(Vec::new()))
    }

    async fn offer(&mut self) -> Result<Offer> {
        loop {
            if let Some(offer) = self.offers.pop_front() {
                return Ok(offer);
            }
            self.event().await?;
        }
    }

    /// Runs one task to its end and returns how long after the accept it ran and had finished.
    async fn one(&mut self, id: &str, command: &str) -> Result<(Duration, Duration)> {
        let offer = self.offer().await?;
        let calls = self.scheduler.calls();
        let task = Task::new(id).command(command).cpus(0.1).mem(32.0).on(&offer);
        let accepted = Instant::now();
        calls.launch(&[offer], vec![task], Some(0.0)).await?;
        let mut running = None;
        loop {
            let Event::Update(status) = self.event().await? else { continue };
            match status.state() {
                TaskState::TaskStarting => {}
                TaskState::TaskRunning => running = Some(accepted.elapsed()),
                TaskState::TaskFinished => break,
                other => bail!("task {id} is {other:?}: {}", status.message.unwrap_or_default()),
            }
        }
        let finished = accepted.elapsed();
        // Asks for the next offer now instead of with the next round of allocations.
        calls.revive(Vec::new()).await?;
        Ok((running.context("finished without running")?, finished))
    }
}

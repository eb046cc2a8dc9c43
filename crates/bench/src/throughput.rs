//! Tasks per second: one scheduler keeps all agents full.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use conformance::cluster::Server;
use conformance::ports;
use proto::v1::{Offer, TaskState, TaskStatus};
use sdk::build::{Framework, Quantities, Task};
use sdk::scheduler::{Calls, Event, Scheduler};
use sdk::{Encoding, Masters};

use crate::emulated::{self, Counters, Shape};
use crate::report::{self, cores, figure};

/// What one task takes.
const TASK: Quantities = Quantities { cpus: 0.1, mem: 32.0, disk: 0.0, gpus: 0.0 };

#[derive(Args)]
pub(crate) struct Options {
    /// Emulated agents.
    #[arg(long, default_value_t = 100)]
    agents: usize,
    /// Tasks that run on an agent at the same time.
    #[arg(long, default_value_t = 200)]
    slots: u32,
    /// Tasks to run.
    #[arg(long, default_value_t = 200_000)]
    tasks: u64,
    /// Most tasks in one accept.
    #[arg(long, default_value_t = 200)]
    per_accept: u64,
    /// Leave out TASK_STARTING, as executors may: two updates a task instead of three.
    #[arg(long)]
    no_starting: bool,
    /// Speak JSON to the master instead of protobuf.
    #[arg(long)]
    json: bool,
    /// Give up when no task ends for so many seconds.
    #[arg(long, default_value_t = 30)]
    patience: u64,
    /// Further flags for the master, such as --master-flag=--allocation_interval=100ms.
    #[arg(long = "master-flag")]
    master_flags: Vec<String>,
    /// Keep the master's log here.
    #[arg(long)]
    log: Option<PathBuf>,
}

/// What the scheduler has seen.
#[derive(Default)]
struct Seen {
    launched: u64,
    accepts: u64,
    declines: u64,
    events: u64,
    failed: u64,
    started: Option<Instant>,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let log = options.log.clone().unwrap_or_else(|| directory.path().join("master.log"));
    let mut flags = vec![format!("--work_dir={}", directory.path().join("master").display())];
    flags.extend(options.master_flags.clone());
    let mut master = Server::start("master", ports::free(), &flags, log)?;
    tokio::task::block_in_place(|| master.wait_until_healthy())?;

    let counters = Arc::new(Counters::default());
    start_agents(options, &master, &counters).await?;

    let busy = |pid| report::processor_time(pid);
    let (master_before, own_before) = (busy(master.pid()), busy(std::process::id()));
    let seen = schedule(options, &master.address, &counters).await;
    let seen = seen.with_context(|| format!("the master's log ends with:\n{}", master.log()))?;
    let last = counters.last_finished.lock().map(|last| *last).ok().flatten().context("no task ended")?;
    let started = seen.started.context("no task was launched")?;
    let wall = last.duration_since(started);

    print(options, &counters, &seen, wall);
    let used = |before: Duration, pid| (busy(pid) - before).as_secs_f64();
    figure("processor time of the master", format!("{:.2} s", used(master_before, master.pid())));
    figure("of agents and scheduler", format!("{:.2} s", used(own_before, std::process::id())));
    report::memory("the master", master.pid());
    Ok(())
}

async fn start_agents(options: &Options, master: &Server, counters: &Arc<Counters>) -> Result<()> {
    let states: &[TaskState] = match options.no_starting {
        true => &[TaskState::TaskRunning, TaskState::TaskFinished],
        false => &[TaskState::TaskStarting, TaskState::TaskRunning, TaskState::TaskFinished],
    };
    let slots = f64::from(options.slots);
    let shape = Shape {
        master: master.address.parse()?,
        quantities: Quantities { cpus: TASK.cpus * slots, mem: TASK.mem * slots, disk: 1024.0, gpus: 0.0 },
        states: states.into(),
    };
    for number in 0..options.agents {
        emulated::start(number, shape.clone(), Arc::clone(counters)).await?;
    }
    let all = options.agents as u64;
    wait(counters, options.patience, "an agent registers", || {
        counters.registered.load(Ordering::Relaxed) == all
    })
    .await
}

/// Waits for `done`; fails when nothing at all happens for too long.
async fn wait(counters: &Counters, patience: u64, what: &str, done: impl Fn() -> bool) -> Result<()> {
    loop {
        let progress = counters.progress.notified();
        if done() {
            return Ok(());
        }
        if tokio::time::timeout(Duration::from_secs(patience), progress).await.is_err() {
            bail!("for {patience} seconds it was waited in vain until {what}");
        }
    }
}

async fn schedule(options: &Options, master: &str, counters: &Counters) -> Result<Seen> {
    let encoding = if options.json { Encoding::Json } else { Encoding::Protobuf };
    let mut scheduler = Scheduler::builder(Framework::new("throughput").build())
        .masters(Masters::parse(master)?)
        .encoding(encoding)
        .start()?;
    let calls = scheduler.calls();
    let mut seen = Seen::default();
    let all_finished = wait(counters, options.patience, "a task ends", || {
        counters.finished.load(Ordering::Acquire) >= options.tasks
    });
    tokio::pin!(all_finished);
    loop {
        tokio::select! {
            biased;
            event = scheduler.next_event() => {
                let event = event.context("the events ended")?;
                seen.events += 1;
                handle(options, &calls, &mut seen, event).await?;
            }
            finished = &mut all_finished => {
                finished.with_context(|| format!(
                    "{} launched, {} finished",
                    seen.launched,
                    counters.finished.load(Ordering::Relaxed)
                ))?;
                break;
            }
        }
    }
    scheduler.teardown().await?;
    Ok(seen)
}

async fn handle(options: &Options, calls: &Calls, seen: &mut Seen, event: Event) -> Result<()> {
    match event {
        Event::Offers(offers) => {
            for offer in offers {
                fill(options, calls, seen, offer).await?;
            }
        }
        Event::Update(status) => note(seen, &status)?,
        Event::Error(message) => bail!("the master says: {message}"),
        Event::CallFailed(failure) => bail!("a call failed: {failure:?}"),
        Event::Disconnected { reason } => bail!("the master is gone: {reason}"),
        _ => {}
    }
    Ok(())
}

fn note(seen: &mut Seen, status: &TaskStatus) -> Result<()> {
    if !matches!(status.state(), TaskState::TaskStarting | TaskState::TaskRunning | TaskState::TaskFinished) {
        seen.failed += 1;
        ensure!(seen.failed < 10, "tasks fail: {status:?}");
    }
    Ok(())
}

/// Launches as many tasks as the offer takes and as are left.
async fn fill(options: &Options, calls: &Calls, seen: &mut Seen, offer: Offer) -> Result<()> {
    let offered = Quantities::offered(&offer);
    let mut left = offered;
    let mut tasks = Vec::new();
    while seen.launched < options.tasks && (tasks.len() as u64) < options.per_accept && TASK.fits(&left) {
        left = left.minus(&TASK);
        let task = Task::new(format!("task-{}", seen.launched)).command("true").quantities(TASK);
        tasks.push(task.on(&offer));
        seen.launched += 1;
    }
    if tasks.is_empty() {
        seen.declines += 1;
        calls.decline(vec![offer.id], Some(if seen.launched < options.tasks { 0.0 } else { 3600.0 })).await?;
        return Ok(());
    }
    seen.started.get_or_insert_with(Instant::now);
    seen.accepts += 1;
    calls.launch(&[offer], tasks, Some(0.0)).await?;
    Ok(())
}

fn print(options: &Options, counters: &Counters, seen: &Seen, wall: Duration) {
    let finished = counters.finished.load(Ordering::Relaxed);
    let updates = if options.no_starting { 2 } else { 3 };
    figure("workload", format!("{} tasks, {updates} updates each, all acknowledged", options.tasks));
    figure("agents", format!("{} emulated, {} tasks at a time on each", options.agents, options.slots));
    figure("scheduler", format!("one, {}", if options.json { "JSON" } else { "protobuf" }));
    figure("cores", cores());
    let rate = |count: u64| Duration::from_micros(count).as_secs_f64() * 1e6 / wall.as_secs_f64();
    figure("wall time", format!("{:.2} s", wall.as_secs_f64()));
    figure("tasks per second", format!("{:.0}", rate(finished)));
    let agents = counters.received.load(Ordering::Relaxed) + counters.sent.load(Ordering::Relaxed);
    // Each update that the scheduler sees is one event and one acknowledgement of it.
    let scheduler = seen.events + finished * updates + seen.accepts + seen.declines;
    figure("messages with agents", format!("{agents}"));
    figure("messages with the scheduler", format!("{scheduler} ({} accepts)", seen.accepts));
    figure("messages per second", format!("{:.0}", rate(agents + scheduler)));
    if seen.failed > 0 {
        figure("tasks that failed", seen.failed);
    }
}

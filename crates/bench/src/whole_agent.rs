//! Tasks in containers on a whole agent: from a scheduler's accept until all of them run, and from its kills until all are
//! gone, with everything that a cluster does for them in between.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use conformance::cluster::Server;
use conformance::http::{self, Request};
use conformance::ports;
use proto::v1::{Offer, TaskState, TaskStatus};
use sdk::Masters;
use sdk::build::{Framework, Task};
use sdk::scheduler::{Event, Scheduler};
use serde_json::json;

use crate::report::{self, figure};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(120);
const CPUS: f64 = 0.01;
const MEGABYTES: f64 = 32.0;
/// How often the statistics of all are asked for.
const POLLS: u32 = 10;

/// Runs `count` tasks with `isolation`; the agent's control groups are below `groups`.
pub(crate) async fn run(count: usize, isolation: &str, groups: &str, directory: &Path) -> Result<()> {
    let work_dir = |name: &str| format!("--work_dir={}", directory.join(name).display());
    let mut master =
        Server::start("master", ports::free(), &[work_dir("master")], directory.join("master.log"))?;
    tokio::task::block_in_place(|| master.wait_until_healthy())?;
    let number = u32::try_from(count).context("so many tasks")?;
    let (cpus, memory) = (f64::from(number) * CPUS + 1.0, f64::from(number) * MEGABYTES + 1024.0);
    let flags = [
        format!("--master={}", master.address),
        work_dir("agent"),
        format!("--resources=cpus:{cpus};mem:{memory};disk:1024"),
        "--launcher=linux".to_owned(),
        format!("--isolation={isolation}"),
        format!("--cgroups_root={groups}"),
    ];
    let agent = Server::start("agent", ports::free(), &flags, directory.join("agent.log"))?;
    let mut run = Run::subscribe(&master.address)?;
    let measured = run.all(count, &agent).await;
    measured.with_context(|| format!("master:\n{}\nagent:\n{}", master.log(), agent.log()))?;
    report::memory("that agent", agent.pid());
    run.scheduler.teardown().await?;
    Ok(())
}

/// What somebody costs who asks the agent for the statistics of all its containers, over HTTP, each second.
fn polls(count: usize, agent: &Server) -> Result<()> {
    let call = json!({"type": "GET_CONTAINERS", "get_containers": {"show_nested": true}});
    for (name, request) in [
        ("/monitor/statistics", Request::get("/monitor/statistics")),
        ("GET_CONTAINERS", Request::json("/api/v1", &call)),
    ] {
        let own = report::processor_time(agent.pid());
        let mut times = Vec::new();
        for _ in 0..POLLS {
            let begin = Instant::now();
            let answer = http::send(&agent.address, &request, PATIENCE)?;
            times.push(begin.elapsed());
            let told: serde_json::Value = serde_json::from_str(&answer.text())?;
            let list = if told.is_array() { &told } else { &told["get_containers"]["containers"] };
            let found = list.as_array().map_or(0, Vec::len);
            ensure!(found == count, "{name} tells of {found} containers of {count}");
        }
        let share = (report::processor_time(agent.pid()) - own).as_secs_f64() / f64::from(POLLS);
        report::times(&format!("{name} of all"), &mut times);
        figure("of a processor, polled each second", format!("{:.1} %", 100.0 * share));
    }
    Ok(())
}

struct Run {
    scheduler: Scheduler,
    offers: Vec<Offer>,
}

impl Run {
    fn subscribe(master: &str) -> Result<Self> {
        let framework = Framework::new("containers").build();
        let scheduler = Scheduler::builder(framework).masters(Masters::parse(master)?).start()?;
        Ok(Self { scheduler, offers: Vec::new() })
    }

    /// Launches all, looks at all again and again, and kills all.
    async fn all(&mut self, count: usize, agent: &Server) -> Result<()> {
        while self.offers.is_empty() {
            self.event().await?;
        }
        let offers = std::mem::take(&mut self.offers);
        let calls = self.scheduler.calls();
        let task = |number| {
            let task = Task::new(format!("task-{number}")).command("exec sleep 10000");
            task.cpus(CPUS).mem(MEGABYTES).on(&offers[0])
        };
        let tasks: Vec<_> = (0..count).map(task).collect();
        let ids: Vec<_> = tasks.iter().map(|task| task.task_id.clone()).collect();
        let begin = Instant::now();
        calls.launch(&offers, tasks, Some(3600.0)).await?;
        self.until(count, TaskState::TaskRunning).await?;
        figure(&format!("{count} tasks on an agent running in"), report::seconds(begin.elapsed()));
        tokio::task::block_in_place(|| polls(count, agent))?;
        let begin = Instant::now();
        for id in ids {
            calls.kill(id, None, None).await?;
        }
        self.until(count, TaskState::TaskKilled).await?;
        figure(&format!("{count} tasks on an agent killed in"), report::seconds(begin.elapsed()));
        Ok(())
    }

    /// Waits until so many tasks have been in a state.
    async fn until(&mut self, count: usize, wanted: TaskState) -> Result<()> {
        let mut seen = HashSet::new();
        while seen.len() < count {
            let Some(status) = self.event().await? else { continue };
            match status.state() {
                state if state == wanted => {
                    seen.insert(status.task_id.value);
                }
                TaskState::TaskStarting | TaskState::TaskRunning => {}
                _ => bail!("a task ended: {status:?}"),
            }
        }
        Ok(())
    }

    async fn event(&mut self) -> Result<Option<TaskStatus>> {
        let event = tokio::time::timeout(PATIENCE, self.scheduler.next_event()).await;
        let event = event.context("nothing happened for two minutes")?.context("the events ended")?;
        match event {
            Event::Error(message) => bail!("the master says: {message}"),
            Event::CallFailed(failure) => bail!("a call failed: {failure:?}"),
            Event::Offers(offers) => self.offers.extend(offers),
            Event::Update(status) => return Ok(Some(status)),
            _ => {}
        }
        Ok(None)
    }
}

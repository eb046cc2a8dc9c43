//! The demo's scheduler.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use proto::v1::{Offer, TaskStatus};
use sdk::build::{Framework, Quantities, Task};
use sdk::scheduler::{Event, Scheduler};
use sdk::{Address, Masters};

use super::jobs::Job;
use super::progress::Progress;
use super::summary::{Ended, Summary};
use crate::cluster::is_terminal;

/// What each job gets.
const JOB: Quantities = Quantities { cpus: 0.5, mem: 32.0, disk: 0.0, gpus: 0.0 };
/// When nothing has happened for so long, something is wrong with the cluster.
const PATIENCE: Duration = Duration::from_secs(60);

/// A job that was launched.
struct Launched {
    job: Job,
    agent: String,
    accepted: Instant,
    running: Option<Duration>,
}

struct Demo {
    scheduler: Scheduler,
    waiting: VecDeque<(String, Job)>,
    launched: HashMap<String, Launched>,
    ended: Vec<Ended>,
    progress: Progress,
}

/// Runs the jobs to their ends.
pub(super) async fn run(masters: Masters, jobs: Vec<Job>) -> Result<Summary> {
    let scheduler = Scheduler::builder(Framework::new("demo").build()).masters(masters.clone()).start()?;
    let progress = Progress::new(jobs.len());
    let id = |(number, job): (usize, Job)| (format!("{}-{number}", job.kind), job);
    let waiting = jobs.into_iter().enumerate().map(id).collect();
    let demo = Demo { scheduler, waiting, launched: HashMap::new(), ended: Vec::new(), progress };
    let started = Instant::now();
    demo.run(&masters).await.map(|ended| Summary::new(&ended, started.elapsed()))
}

impl Demo {
    async fn run(mut self, masters: &Masters) -> Result<Vec<Ended>> {
        let total = self.waiting.len();
        while self.ended.len() < total {
            let event = match tokio::time::timeout(PATIENCE, self.scheduler.next_event()).await {
                Ok(Some(event)) => event,
                Ok(None) => bail!("the master ended the demo"),
                Err(_) => {
                    bail!(
                        "nothing has happened for {} s; see `meseta agents` and `meseta tasks`",
                        PATIENCE.as_secs()
                    )
                }
            };
            match event {
                Event::Offers(offers) => self.use_offers(offers).await?,
                Event::Update(status) => self.update(&status),
                Event::Disconnected { reason } => {
                    // Whoever has no cluster is told so at once.
                    sdk::Operator::new(masters.clone()).agents().await?;
                    self.progress.say(&format!("lost the master ({reason}); looking for it"));
                }
                Event::CallFailed(error) => self.progress.say(&error.to_string()),
                Event::Error(message) => bail!("the master ended the demo: {message}"),
                _ => {}
            }
        }
        self.progress.finish();
        self.scheduler.teardown().await?;
        Ok(self.ended)
    }

    async fn use_offers(&mut self, offers: Vec<Offer>) -> Result<()> {
        let calls = self.scheduler.calls();
        for offer in offers {
            let mut left = Quantities::offered(&offer);
            let mut tasks = Vec::new();
            while JOB.fits(&left)
                && let Some((id, job)) = self.waiting.pop_front()
            {
                left = left.minus(&JOB);
                tasks.push(Task::new(&id).command(&job.command).quantities(JOB).on(&offer));
                let launched =
                    Launched { job, agent: place(&offer), accepted: Instant::now(), running: None };
                self.launched.insert(id, launched);
            }
            if tasks.is_empty() {
                calls.decline(vec![offer.id], None).await?;
            } else {
                // What is left is wanted again at once.
                calls.launch(&[offer], tasks, Some(0.0)).await?;
            }
        }
        if self.waiting.is_empty() {
            calls.suppress(Vec::new()).await?;
        }
        Ok(())
    }

    fn update(&mut self, status: &TaskStatus) {
        let id = &status.task_id.value;
        let Some(launched) = self.launched.get_mut(id) else { return };
        let state = status.state();
        if state == proto::v1::TaskState::TaskRunning && launched.running.is_none() {
            launched.running = Some(launched.accepted.elapsed());
        }
        if is_terminal(state)
            && let Some(Launched { job, agent, running, .. }) = self.launched.remove(id)
        {
            let message = status.message.clone().unwrap_or_default();
            let expected = job.is_as_expected(state, &message);
            self.ended.push(Ended {
                id: id.clone(),
                kind: job.kind,
                agent,
                state,
                message,
                running,
                expected,
            });
            self.progress.ended(self.launched.len());
        }
    }
}

/// Where an offer's agent is, for people.
fn place(offer: &Offer) -> String {
    let port = offer.url.as_ref().and_then(|url| u16::try_from(url.address.port).ok());
    match port {
        Some(port) => Address { host: offer.hostname.clone(), port }.to_string(),
        None => offer.hostname.clone(),
    }
}

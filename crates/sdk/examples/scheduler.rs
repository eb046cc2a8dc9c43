//! A batch scheduler: runs a command so many times on a cluster, some at a time, and tries again what fails.
//!
//! ```sh
//! cargo run -p sdk --example scheduler -- --tasks 20 --parallel 4 'sleep 1; echo done by $(hostname)'
//! ```
//!
//! The masters are those in `MESETA_MASTER`, such as `127.0.0.1:5050`. Prints a line for each task that has ended, and
//! ends with 0 when all have succeeded.

use std::collections::{HashMap, VecDeque};
use std::process::ExitCode;

use sdk::Scheduler;
use sdk::build::{Framework, Quantities, Task};
use sdk::proto::v1::{Offer, TaskState, TaskStatus};
use sdk::scheduler::{Calls, Event};

/// What each task gets.
const SHARE: Quantities = Quantities { cpus: 0.1, mem: 32.0, disk: 0.0, gpus: 0.0 };
/// How often a task is tried.
const ATTEMPTS: u32 = 3;

type Error = Box<dyn std::error::Error>;

/// What to do, from the command line.
struct Options {
    command: String,
    tasks: usize,
    parallel: usize,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mut options = Self { command: String::new(), tasks: 10, parallel: 100 };
        while let Some(word) = words.next() {
            let mut number =
                || -> Result<usize, Error> { Ok(words.next().ok_or("a number is missing")?.parse()?) };
            match word.as_str() {
                "--tasks" => options.tasks = number()?,
                "--parallel" => options.parallel = number()?,
                _ => options.command = word,
            }
        }
        if options.command.is_empty() {
            return Err("usage: scheduler [--tasks N] [--parallel N] COMMAND".into());
        }
        Ok(options)
    }
}

/// A task that is to be run, for the first time or again.
#[derive(Clone, Copy)]
struct Work {
    number: usize,
    attempt: u32,
}

impl Work {
    /// Task ids must never come twice in a framework, so an attempt is a part of them.
    fn id(self) -> String {
        format!("task-{}-{}", self.number, self.attempt)
    }
}

struct Batch {
    options: Options,
    calls: Calls,
    waiting: VecDeque<Work>,
    running: HashMap<String, Work>,
    succeeded: usize,
    failed: usize,
}

impl Batch {
    fn new(options: Options, calls: Calls) -> Self {
        let waiting = (0..options.tasks).map(|number| Work { number, attempt: 1 }).collect();
        Self { options, calls, waiting, running: HashMap::new(), succeeded: 0, failed: 0 }
    }

    fn is_done(&self) -> bool {
        self.succeeded + self.failed == self.options.tasks
    }

    /// Puts as many tasks on each offer as it can hold, and gives back offers for which there is none.
    async fn use_offers(&mut self, offers: Vec<Offer>) -> Result<(), Error> {
        for offer in offers {
            let mut left = Quantities::offered(&offer);
            let mut tasks = Vec::new();
            while SHARE.fits(&left) && self.running.len() < self.options.parallel {
                let Some(work) = self.waiting.pop_front() else { break };
                left = left.minus(&SHARE);
                let task = Task::new(work.id())
                    .name(format!("task {}", work.number))
                    .command(&self.options.command)
                    .env("TASK_NUMBER", work.number.to_string())
                    .quantities(SHARE);
                tasks.push(task.on(&offer));
                self.running.insert(work.id(), work);
            }
            if tasks.is_empty() {
                self.calls.decline(vec![offer.id], Some(1.0)).await?;
            } else {
                // What is left of the offer may come back at once.
                self.calls.launch(&[offer], tasks, Some(0.0)).await?;
            }
        }
        if self.waiting.is_empty() {
            self.calls.suppress(Vec::new()).await?;
        }
        Ok(())
    }

    /// Notes the end of a task. It has been acknowledged already: the batch lives in memory only.
    async fn update(&mut self, status: TaskStatus) -> Result<(), Error> {
        let id = &status.task_id.value;
        let state = status.state();
        if !is_terminal(state) {
            return Ok(());
        }
        let Some(work) = self.running.remove(id) else { return Ok(()) };
        let message = status.message.as_deref().unwrap_or_default();
        println!("{id}: {} {message}", state.as_str_name());
        if state == TaskState::TaskFinished {
            self.succeeded += 1;
        } else if work.attempt < ATTEMPTS {
            self.waiting.push_back(Work { attempt: work.attempt + 1, ..work });
            // Offers were declined or suppressed when there was nothing to do.
            self.calls.revive(Vec::new()).await?;
        } else {
            self.failed += 1;
        }
        Ok(())
    }

    /// Asks what became of the tasks while the master was away.
    async fn reconcile(&self) -> Result<(), Error> {
        let tasks = self.running.keys().map(|id| (id.as_str().into(), None)).collect();
        Ok(self.calls.reconcile(tasks).await?)
    }
}

/// Whether a task in this state has come to its end, one way or another.
fn is_terminal(state: TaskState) -> bool {
    !matches!(
        state,
        TaskState::TaskStaging
            | TaskState::TaskStarting
            | TaskState::TaskRunning
            | TaskState::TaskKilling
            | TaskState::TaskUnreachable
    )
}

async fn run(options: Options) -> Result<bool, Error> {
    let mut scheduler = Scheduler::builder(Framework::new("batch").build()).start()?;
    let mut batch = Batch::new(options, scheduler.calls());
    while !batch.is_done() {
        match scheduler.next_event().await {
            Some(Event::Subscribed(subscribed)) => {
                eprintln!("subscribed as {}", subscribed.framework_id.value);
                if subscribed.again {
                    batch.reconcile().await?;
                }
            }
            Some(Event::Offers(offers)) => batch.use_offers(offers).await?,
            Some(Event::Update(status)) => batch.update(status).await?,
            Some(Event::Disconnected { reason }) => eprintln!("looking for the master: {reason}"),
            Some(Event::CallFailed(error)) => eprintln!("{error}"),
            Some(Event::Error(message)) => return Err(message.into()),
            Some(_) => {}
            None => break,
        }
    }
    println!("{} of {} tasks have succeeded", batch.succeeded, batch.options.tasks);
    scheduler.teardown().await?;
    Ok(batch.failed == 0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let outcome = match Options::read(std::env::args().skip(1)) {
        Ok(options) => run(options).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

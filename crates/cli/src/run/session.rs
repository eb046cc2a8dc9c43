//! The framework of `meseta run`: waits for offers, launches the instances, shows their output, and sees them end.

use std::time::Duration;

use anyhow::Result;
use proto::v1::{Offer, TaskId, TaskStatus};
use sdk::build::Quantities;
use sdk::operator::sandbox_path;
use sdk::scheduler::{Calls, Event};
use sdk::{Address, Operator, Scheduler};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::outcome::Outcome;
use super::printer::{Printer, Stream, Style, event};
use super::spec::Spec;
use super::{NOT_RUN, Options, TIMED_OUT};
use crate::cluster::{is_terminal, state_name};
use crate::failure::tell;
use crate::tail::Tail;
use crate::view::Output;

/// When somebody who waits for offers is told what is missing.
const EXPLAIN_AFTER: Duration = Duration::from_secs(3);
/// How long tasks that are being killed may take: a grace period, and time for the news.
const KILL_PATIENCE: Duration = Duration::from_secs(30);
/// How long the last of the output may take to come.
const OUTPUT_PATIENCE: Duration = Duration::from_secs(20);
/// How long the master may take to answer a goodbye.
const TEARDOWN_PATIENCE: Duration = Duration::from_secs(5);

/// One task of the run.
struct Instance {
    id: String,
    /// The agent that it was launched on; none while it waits for an offer.
    agent: Option<Address>,
    /// Tells the readers of its output that it has ended; none before they were started.
    ended: Option<watch::Sender<bool>>,
    outcome: Option<Outcome>,
}

/// Why the run is being ended from here.
#[derive(Clone, Copy)]
struct Stop {
    code: u8,
    deadline: Instant,
}

pub(super) struct Session {
    options: Options,
    spec: Spec,
    scheduler: Scheduler,
    calls: Calls,
    instances: Vec<Instance>,
    readers: JoinSet<Result<()>>,
    /// The largest amounts that one offer had, for those who wait in vain.
    largest: Option<Quantities>,
    stop: Option<Stop>,
    explained: bool,
    subscribed: bool,
}

/// The signals that end a run.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The exit code that the next signal asks for.
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }
}

impl Session {
    pub(super) fn start(options: Options, spec: Spec) -> Result<Self> {
        let scheduler = Scheduler::builder(spec.framework(&options))
            .masters(options.connection.master.clone())
            .start()?;
        let waiting = |i| Instance { id: spec.id(i), agent: None, ended: None, outcome: None };
        let instances = (0..spec.instances).map(waiting).collect();
        Ok(Self {
            calls: scheduler.calls(),
            scheduler,
            instances,
            readers: JoinSet::new(),
            largest: None,
            stop: None,
            explained: false,
            subscribed: false,
            options,
            spec,
        })
    }

    /// Runs to the end; the number is the exit code.
    pub(super) async fn run(mut self) -> Result<u8> {
        let mut signals = Signals::listen()?;
        let started = Instant::now();
        // A time that no clock reaches is no limit.
        let timeout = self.options.timeout().and_then(|timeout| started.checked_add(timeout));
        while !self.is_done() {
            let deadline = match self.stop {
                Some(stop) => Some(stop.deadline),
                None => timeout,
            };
            tokio::select! {
                event = self.scheduler.next_event() => match event {
                    Some(event) => if let Some(code) = self.take(event).await? { return Ok(code) },
                    None => return Ok(NOT_RUN),
                },
                code = signals.next() => if !self.stop(code).await { break },
                () = at(deadline) => if !self.stop(TIMED_OUT).await { break },
                () = at(Some(started + EXPLAIN_AFTER)), if !self.explained => self.explain(),
                Some(read) = self.readers.join_next(), if !self.readers.is_empty() => self.was_read(read).await?,
            }
        }
        self.finish(&mut signals).await
    }

    fn is_done(&self) -> bool {
        self.instances.iter().all(|instance| match self.stop {
            // What was not launched never will be.
            Some(_) => instance.outcome.is_some() || instance.agent.is_none(),
            None => instance.outcome.is_some(),
        })
    }

    /// Reacts to an event; a number ends the run at once.
    async fn take(&mut self, event: Event) -> Result<Option<u8>> {
        match event {
            Event::Subscribed(subscribed) => {
                self.subscribed = true;
                if subscribed.again {
                    self.note("the master is back");
                    let asked = self
                        .running()
                        .map(|instance| (TaskId { value: instance.id.clone() }, None))
                        .collect();
                    self.calls.reconcile(asked).await?;
                }
            }
            Event::Disconnected { reason } if self.subscribed => {
                tell(format_args!("meseta: lost the master ({reason}); looking for it"));
            }
            Event::Disconnected { .. } => {
                // Whoever has no cluster is told at once, by the error that asking for anything gives.
                self.options.connection.operator().agents().await?;
            }
            Event::Offers(offers) => self.use_offers(offers).await?,
            Event::Update(status) => self.update(&status)?,
            Event::CallFailed(error) => tell(format_args!("meseta: {error}")),
            Event::Error(message) => {
                tell(format_args!("meseta: the master ended the run: {message}"));
                return Ok(Some(NOT_RUN));
            }
            _ => {}
        }
        Ok(None)
    }

    fn running(&self) -> impl Iterator<Item = &Instance> {
        self.instances.iter().filter(|instance| instance.agent.is_some() && instance.outcome.is_none())
    }

    async fn use_offers(&mut self, offers: Vec<Offer>) -> Result<()> {
        for offer in offers {
            let mut left = Quantities::offered(&offer);
            if self.largest.is_none_or(|largest| largest.fits(&left)) {
                self.largest = Some(left);
            }
            let address = offer_address(&offer);
            let mut tasks = Vec::new();
            for (i, instance) in self.instances.iter_mut().enumerate() {
                if self.stop.is_some() || !self.spec.quantities.fits(&left) {
                    break;
                }
                if instance.agent.is_none() {
                    left = left.minus(&self.spec.quantities);
                    instance.agent = Some(address.clone());
                    tasks.push(self.spec.task(i, &offer));
                }
            }
            if tasks.is_empty() {
                self.calls.decline(vec![offer.id], None).await?;
            } else {
                self.calls.launch(&[offer], tasks, None).await?;
            }
        }
        if self.instances.iter().all(|instance| instance.agent.is_some()) {
            self.calls.suppress(Vec::new()).await?;
        }
        Ok(())
    }

    fn update(&mut self, status: &TaskStatus) -> Result<()> {
        let Some(at) = self.instances.iter().position(|i| i.id == status.task_id.value) else {
            return Ok(());
        };
        let instance = &self.instances[at];
        if instance.outcome.is_some() {
            return Ok(());
        }
        let place = instance.agent.as_ref().map(Address::to_string).unwrap_or_default();
        let state = state_name(status.state());
        if self.style() == Style::Json {
            event(&json!({
                "event": "state",
                "task_id": instance.id,
                "state": state,
                "agent": place,
                "message": status.message,
            }))?;
        }
        self.note(&format!("{} is {state} on {place}", instance.id));
        let executor = status.executor_id.as_ref().map_or(&status.task_id.value, |id| &id.value);
        self.read_output(at, executor);
        if is_terminal(status.state()) {
            self.ended(at, Outcome::of(status));
        }
        Ok(())
    }

    fn ended(&mut self, at: usize, outcome: Outcome) {
        let stopping = self.stop.is_some();
        let instance = &mut self.instances[at];
        if let Some(ended) = &instance.ended {
            ended.send_replace(true);
        }
        let expected = matches!(outcome, Outcome::Exited(_)) || (stopping && outcome == Outcome::Killed);
        if self.options.verbose || !expected {
            tell(format_args!("meseta: {} {outcome}", instance.id));
        }
        instance.outcome = Some(outcome);
    }

    /// Starts to read a task's output, once.
    fn read_output(&mut self, at: usize, executor_id: &str) {
        let style = self.style();
        let instance = &mut self.instances[at];
        let (Some(agent), None, Some(framework)) =
            (&instance.agent, &instance.ended, self.calls.framework_id())
        else {
            return;
        };
        let (ended, seen) = watch::channel(false);
        for stream in [Stream::Stdout, Stream::Stderr] {
            let path = sandbox_path(&framework.value, executor_id, stream.file());
            let tail = Tail::new(Operator::agent(agent.clone()), path);
            let mut printer = Printer::new(style, stream, instance.id.clone());
            let seen = seen.clone();
            self.readers.spawn(async move {
                tail.follow(seen, |data| printer.show(data)).await?;
                printer.finish()
            });
        }
        instance.ended = Some(ended);
    }

    /// One of the readers is done.
    async fn was_read(&mut self, read: Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
        match read? {
            Ok(()) => Ok(()),
            Err(error) if crate::failure::is_broken_pipe(&error) => {
                // Nobody reads the output any more: as if the command's own pipe had broken.
                self.stop(128 + 13).await;
                Ok(())
            }
            Err(error) => {
                tell(format_args!("meseta: some of the output is missing: {error:#}"));
                Ok(())
            }
        }
    }

    /// Begins to end the run; false when it was ending already, and somebody insists.
    async fn stop(&mut self, code: u8) -> bool {
        if self.stop.is_some() {
            return false;
        }
        self.stop = Some(Stop { code, deadline: Instant::now() + KILL_PATIENCE });
        self.explained = true;
        let kill: Vec<_> = self.running().map(|instance| instance.id.clone()).collect();
        for id in kill {
            self.note(&format!("killing {id}"));
            // Without a subscription the master kills them when the framework's time is over.
            if let Err(error) = self.calls.kill(TaskId { value: id }, None, None).await {
                tell(format_args!("meseta: {error}"));
            }
        }
        true
    }

    /// Waits for the last of the output, says goodbye and finds the exit code.
    async fn finish(mut self, signals: &mut Signals) -> Result<u8> {
        let deadline = Instant::now() + OUTPUT_PATIENCE;
        for instance in &self.instances {
            if let Some(ended) = &instance.ended {
                ended.send_replace(true);
            }
        }
        while !self.readers.is_empty() {
            tokio::select! {
                Some(read) = self.readers.join_next() => self.was_read(read).await?,
                _ = signals.next() => break,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        let code = self.code();
        if self.style() == Style::Json {
            event(&json!({ "event": "exit", "code": code }))?;
        }
        // The tasks have ended; if the master is away it finds that out by itself.
        let _ = tokio::time::timeout(TEARDOWN_PATIENCE, self.scheduler.teardown()).await;
        Ok(code)
    }

    fn code(&self) -> u8 {
        if let Some(stop) = self.stop {
            return stop.code;
        }
        let codes = self.instances.iter().map(|i| i.outcome.as_ref().map_or(NOT_RUN, Outcome::code));
        codes.into_iter().find(|code| *code != 0).unwrap_or(0)
    }

    /// Tells those who wait for offers what is missing.
    fn explain(&mut self) {
        self.explained = true;
        let waiting = self.instances.iter().filter(|instance| instance.agent.is_none()).count();
        if waiting == 0 || !self.subscribed {
            return;
        }
        let wanted = self.spec.quantities;
        match self.largest {
            None => tell(format_args!(
                "meseta: waiting for offers of {wanted}; nothing was offered yet (see `meseta agents`)"
            )),
            Some(largest) => tell(format_args!(
                "meseta: {waiting} waiting for offers of {wanted}; the largest offer had {largest}"
            )),
        }
    }

    fn note(&self, what: &str) {
        if self.options.verbose {
            tell(format_args!("meseta: {what}"));
        }
    }

    fn style(&self) -> Style {
        match (self.options.output, self.spec.instances) {
            (Output::Json, _) => Style::Json,
            (Output::Table, 1) => Style::Plain,
            (Output::Table, _) => Style::Prefixed,
        }
    }
}

/// Sleeps until then, or for ever.
async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Where the agent of an offer listens.
fn offer_address(offer: &Offer) -> Address {
    let address = offer.url.as_ref().map(|url| &url.address);
    let host =
        address.and_then(|a| a.ip.clone().or(a.hostname.clone())).unwrap_or_else(|| offer.hostname.clone());
    let port = address.and_then(|a| u16::try_from(a.port).ok()).unwrap_or(5051);
    Address { host, port }
}

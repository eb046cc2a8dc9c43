//! Keeps a framework subscribed: find the leader, subscribe, read events, and begin again.

use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use proto::v1::scheduler::{self as wire, Call, call, event};
use tokio::sync::mpsc;

use super::Calls;
use super::event::{Event, Subscribed};
use crate::address::{Address, Masters};
use crate::backoff::Backoff;
use crate::encoding::Encoding;
use crate::finder::Finder;
use crate::http::exchange::{self, Answer, ExchangeError};
use crate::http::pipe::{Pipe, PipeHead};
use crate::http::{CallFailure, Records};

/// Where schedulers subscribe and call.
pub(super) const PATH: &str = "/api/v1/scheduler";
/// How long a master may take to answer SUBSCRIBE; an overloaded one is slow, not gone.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(30);
/// Standby masters that may point to another before we wait: they may disagree for a moment.
const MAX_REDIRECTS: usize = 4;
const FIRST_BACKOFF: Duration = Duration::from_millis(100);

/// What does not change over the client's life.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) encoding: Encoding,
    pub(super) max_backoff: Duration,
    pub(super) missed_heartbeats: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { encoding: Encoding::default(), max_backoff: Duration::from_secs(10), missed_heartbeats: 5 }
    }
}

pub(super) struct Driver {
    masters: Masters,
    finder: Finder,
    settings: Settings,
    calls: Calls,
    batches: mpsc::Sender<Vec<Event>>,
    failures: mpsc::Sender<CallFailure>,
    subscribed_before: bool,
}

/// How one attempt, or one subscription, ended.
enum End {
    /// Try again, after a wait.
    Retry(String),
    /// Subscribed for a while; then this.
    Lost(String),
    /// No use in trying again.
    Fatal(String),
    /// The scheduler is gone.
    Dropped,
}

impl Driver {
    pub(super) fn new(
        masters: Masters,
        settings: Settings,
        calls: Calls,
        batches: mpsc::Sender<Vec<Event>>,
        failures: mpsc::Sender<CallFailure>,
    ) -> Self {
        let finder = Finder::new(&masters);
        Self { masters, finder, settings, calls, batches, failures, subscribed_before: false }
    }

    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(FIRST_BACKOFF, self.settings.max_backoff);
        let mut attempt = 0;
        let mut told = None;
        loop {
            let end = self.subscribe(attempt).await;
            self.calls.disconnect("the subscription was lost");
            let (reason, fatal) = match end {
                End::Retry(reason) => (reason, false),
                End::Lost(reason) => {
                    backoff.reset();
                    told = None;
                    (reason, false)
                }
                End::Fatal(message) => (message, true),
                End::Dropped => return,
            };
            if fatal {
                let _ = self.batches.send(vec![Event::Error(reason)]).await;
                return;
            }
            tracing::debug!(masters = %self.masters, reason, "not subscribed");
            // The same trouble is told once, not at every attempt.
            if told.as_ref() != Some(&reason) {
                if self.batches.send(vec![Event::Disconnected { reason: reason.clone() }]).await.is_err() {
                    return;
                }
                told = Some(reason);
            }
            attempt += 1;
            backoff.wait().await;
        }
    }

    /// One attempt: asks the masters' `attempt`th, follows it to the leader, and stays subscribed there.
    async fn subscribe(&mut self, attempt: usize) -> End {
        let mut master = match self.finder.master(attempt).await {
            Ok(master) => master,
            Err(reason) => return End::Retry(reason),
        };
        for _ in 0..=MAX_REDIRECTS {
            let call = self.settings.encoding.encode(&self.subscribe_call());
            let answer = tokio::select! {
                answer = ask(&master, self.settings.encoding, call) => match answer {
                    Ok(answer) => answer,
                    Err(error) => return End::Retry(chain(&error)),
                },
                // One that is gone without a word would be waited for in vain.
                () = self.finder.moved() => return End::Retry(format!("{master}: another master leads now")),
            };
            let status = answer.status;
            match status {
                StatusCode::OK => return self.follow(master, answer).await,
                StatusCode::TEMPORARY_REDIRECT if !self.finder.takes_hints() => {
                    return End::Retry(format!("{master} does not lead yet"));
                }
                StatusCode::TEMPORARY_REDIRECT => match leader(&answer) {
                    Some(leader) => master = leader,
                    None => return End::Retry(format!("{master} does not know the leading master")),
                },
                // Of the server's errors only "not implemented" is for ever.
                status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
                    let why = answer.explain().await;
                    return End::Retry(format!("{master} cannot subscribe frameworks now ({status}): {why}"));
                }
                _ => {
                    let why = answer.explain().await;
                    return End::Fatal(format!("{master} refused the subscription with {status}: {why}"));
                }
            }
        }
        End::Retry(format!("the masters point to each other, at last to {master}"))
    }

    fn subscribe_call(&self) -> Call {
        let subscribe = self.calls.profile().clone();
        Call {
            framework_id: subscribe.framework_info.id.clone(),
            r#type: Some(call::Type::Subscribe.into()),
            subscribe: Some(subscribe),
            ..Call::default()
        }
    }

    /// Reads events until the stream ends.
    async fn follow(&mut self, master: Address, answer: Answer) -> End {
        let stream_id =
            answer.headers.get("mesos-stream-id").and_then(|v| v.to_str().ok()).map(str::to_owned);
        // One that answers but never confirms the subscription is as good as one that does not answer.
        let silence = Some(SUBSCRIBE_TIMEOUT);
        let mut connection = Connection { master, stream_id, silence, subscribed: false };
        let mut records = Records::new(answer);
        let mut batch = Vec::new();
        loop {
            let read = tokio::select! {
                read = records.next_batch(connection.silence, &mut batch) => read,
                () = self.finder.moved() => {
                    return End::Lost(format!("{}: another master leads now", connection.master));
                }
            };
            if let Err(end) = read {
                let reason = format!("{}: {end}", connection.master);
                return if connection.subscribed { End::Lost(reason) } else { End::Retry(reason) };
            }
            let mut events = Vec::with_capacity(batch.len());
            let mut end = None;
            for record in batch.drain(..) {
                if let Err(e) = self.take(&mut connection, record, &mut events) {
                    end = Some(e);
                    break;
                }
            }
            if !events.is_empty() && self.batches.send(events).await.is_err() {
                return End::Dropped;
            }
            if let Some(end) = end {
                return end;
            }
        }
    }

    /// Appends the event in `record`; an error ends the subscription.
    fn take(
        &mut self,
        connection: &mut Connection,
        record: Bytes,
        events: &mut Vec<Event>,
    ) -> Result<(), End> {
        let event: wire::Event = self.settings.encoding.decode(record).map_err(|error| {
            End::Lost(format!("{} sent an event that cannot be read: {error}", connection.master))
        })?;
        if event.r#type() == event::Type::Subscribed
            && let Some(subscribed) = event.subscribed
        {
            events.push(self.subscribed(connection, subscribed));
            return Ok(());
        }
        match Event::from_wire(event) {
            Some(Event::Error(message)) => Err(End::Fatal(message)),
            Some(event) => {
                events.push(event);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn subscribed(&mut self, connection: &mut Connection, subscribed: event::Subscribed) -> Event {
        let interval =
            subscribed.heartbeat_interval_seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
        let interval = interval.filter(|interval| !interval.is_zero());
        let missed = self.settings.missed_heartbeats;
        connection.silence = interval.map(|interval| interval.saturating_mul(missed));
        connection.subscribed = true;
        self.calls.profile().framework_info.id = Some(subscribed.framework_id.clone());
        self.calls.connect(self.pipe(connection), &subscribed.framework_id);
        let again = std::mem::replace(&mut self.subscribed_before, true);
        Event::Subscribed(Subscribed {
            framework_id: subscribed.framework_id,
            heartbeat_interval: interval,
            master_info: subscribed.master_info,
            again,
        })
    }

    fn pipe(&self, connection: &Connection) -> Pipe {
        let stream_id = connection.stream_id.as_deref().map(|id| ("Mesos-Stream-Id", id));
        let head = PipeHead {
            path: PATH,
            content_type: self.settings.encoding.content_type(),
            headers: stream_id.as_slice(),
        };
        Pipe::start(connection.master.clone(), &head, self.failures.clone())
    }
}

async fn ask(master: &Address, encoding: Encoding, call: Vec<u8>) -> Result<Answer, ExchangeError> {
    let request = exchange::post(master, PATH, encoding, None, call)?;
    exchange::within(SUBSCRIBE_TIMEOUT, master, exchange::send(master, request)).await
}

/// One subscription.
struct Connection {
    master: Address,
    stream_id: Option<String>,
    /// How long the master may say nothing; no limit where it does not say how often it speaks.
    silence: Option<Duration>,
    subscribed: bool,
}

fn leader(answer: &Answer) -> Option<Address> {
    answer.headers.get(header::LOCATION)?.to_str().ok().and_then(Address::from_location)
}

/// An error and what caused it, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

//! Keeps an executor subscribed at its agent.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use proto::v1::executor::{self as wire, Call, call, event::Type};
use tokio::sync::mpsc;

use super::event::{Event, Subscribed};
use super::ledger::Ledger;
use super::{Environment, Order};
use crate::backoff::Backoff;
use crate::encoding::Encoding;
use crate::http::exchange::{self, Answer, ExchangeError};
use crate::http::pipe::{Pipe, PipeHead};
use crate::http::{CallFailure, Records};

/// Where executors subscribe and call.
const PATH: &str = "/api/v1/executor";
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often is looked for updates that were not acknowledged in time.
const RETRY_TICK: Duration = Duration::from_secs(5);
/// Failed calls that may wait to be logged.
const FAILURES: usize = 64;

pub(super) struct Driver {
    environment: Environment,
    encoding: Encoding,
    ledger: Arc<Mutex<Ledger>>,
    events: mpsc::Sender<Event>,
    orders: mpsc::Receiver<Order>,
}

/// How one attempt, or one subscription, ended.
enum End {
    Retry(String),
    Lost(String),
    /// The last event has been sent, or nobody listens any more.
    Done,
    Fatal(String),
}

impl Driver {
    pub(super) fn new(
        environment: Environment,
        encoding: Encoding,
        ledger: Arc<Mutex<Ledger>>,
        events: mpsc::Sender<Event>,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        Self { environment, encoding, ledger, events, orders }
    }

    /// Subscribes again and again, until there is no hope or no need.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(100), self.environment.subscription_backoff_max);
        let mut away_since = Instant::now();
        let mut subscribed_before = false;
        loop {
            let reason = match self.subscribe().await {
                End::Done => return,
                End::Fatal(message) => {
                    let _ = self.events.send(Event::Error(message)).await;
                    return;
                }
                End::Retry(reason) => reason,
                End::Lost(reason) => {
                    backoff.reset();
                    away_since = Instant::now();
                    subscribed_before = true;
                    if self.events.send(Event::Disconnected { reason: reason.clone() }).await.is_err() {
                        return;
                    }
                    reason
                }
            };
            tracing::debug!(agent = %self.environment.agent, reason, "not subscribed");
            // An executor that is not to outlive its agent may still wait for an agent that is slow at the start.
            let patience = if self.environment.checkpoint || !subscribed_before {
                self.environment.recovery_timeout
            } else {
                Duration::ZERO
            };
            if away_since.elapsed() >= patience {
                let _ = self.events.send(Event::Shutdown).await;
                return;
            }
            backoff.wait().await;
        }
    }

    async fn subscribe(&mut self) -> End {
        let answer = match self.ask().await {
            Ok(answer) => answer,
            Err(error) => return End::Retry(error.to_string()),
        };
        match answer.status {
            StatusCode::OK => self.follow(answer).await,
            // A restarted agent answers so until it has read its checkpoints.
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::INTERNAL_SERVER_ERROR | StatusCode::NOT_FOUND => {
                End::Retry(format!("{} cannot subscribe executors now ({})", answer.peer, answer.status))
            }
            status => {
                let agent = &self.environment.agent;
                End::Fatal(format!(
                    "{agent} refused the subscription with {status}: {}",
                    answer.explain().await
                ))
            }
        }
    }

    async fn ask(&self) -> Result<Answer, ExchangeError> {
        let agent = &self.environment.agent;
        let subscribe = self.ledger().subscribe();
        let call = Call { subscribe: Some(subscribe), ..self.call(call::Type::Subscribe) };
        let body = self.encoding.encode(&call);
        let request = exchange::post(agent, PATH, self.encoding, self.authorization().as_deref(), body)?;
        exchange::within(SUBSCRIBE_TIMEOUT, agent, exchange::send(agent, request)).await
    }

    /// Reads events and sends updates until the stream ends.
    async fn follow(&mut self, answer: Answer) -> End {
        let (failures_to, mut failures) = mpsc::channel(FAILURES);
        let pipe = self.pipe(failures_to);
        let mut records = Records::new(answer);
        let mut batch = Vec::new();
        let mut tick = tokio::time::interval(RETRY_TICK);
        let mut subscribed = false;
        loop {
            // Nothing is sent before the agent has confirmed the subscription.
            tokio::select! {
                read = records.next_batch(None, &mut batch) => if let Err(end) = read {
                    let reason = format!("{}: {end}", self.environment.agent);
                    return if subscribed { End::Lost(reason) } else { End::Retry(reason) };
                },
                Some(order) = self.orders.recv(), if subscribed => {
                    let call = self.order(order);
                    if let Err(end) = self.push(&pipe, call).await { return end; }
                }
                Some(failure) = failures.recv() => self.failed(&failure),
                _ = tick.tick(), if subscribed => {
                    let overdue = self.ledger().overdue(Instant::now());
                    for status in overdue {
                        let call = self.order(Order::Update(Box::new(status)));
                        if let Err(end) = self.push(&pipe, call).await { return end; }
                    }
                }
            }
            for record in batch.drain(..) {
                match self.take(record, &mut subscribed).await {
                    Ok(()) => {}
                    Err(end) => return end,
                }
            }
        }
    }

    async fn push(&self, pipe: &Pipe, call: Call) -> Result<(), End> {
        let name = call.r#type().as_str_name();
        pipe.push(name, &self.encoding.encode(&call), None)
            .await
            .map_err(|error| End::Lost(error.to_string()))
    }

    fn failed(&self, failure: &CallFailure) {
        // An update stays in the ledger and is sent again; a message was never promised to arrive.
        tracing::warn!(agent = %self.environment.agent, %failure, "a call failed");
    }

    async fn take(&mut self, record: Bytes, subscribed: &mut bool) -> Result<(), End> {
        let agent = &self.environment.agent;
        let event: wire::Event = (self.encoding.decode(record))
            .map_err(|error| End::Lost(format!("{agent} sent an event that cannot be read: {error}")))?;
        *subscribed |= event.r#type() == Type::Subscribed;
        let Some(event) = self.understand(event) else { return Ok(()) };
        let last = matches!(event, Event::Shutdown | Event::Error(_));
        if self.events.send(event).await.is_err() || last { Err(End::Done) } else { Ok(()) }
    }

    /// Keeps the books; none for what the executor's author need not see.
    fn understand(&self, event: wire::Event) -> Option<Event> {
        match event.r#type() {
            Type::Subscribed => event.subscribed.map(|e| {
                Event::Subscribed(Subscribed {
                    executor_info: e.executor_info,
                    framework_info: e.framework_info,
                    agent_info: e.agent_info,
                    container_id: e.container_id,
                })
            }),
            Type::Launch => event.launch.map(|e| {
                self.ledger().launched(e.task.clone());
                Event::Launch(e.task)
            }),
            Type::LaunchGroup => event.launch_group.map(|e| {
                for task in &e.task_group.tasks {
                    self.ledger().launched(task.clone());
                }
                Event::LaunchGroup(e.task_group)
            }),
            Type::Kill => event.kill.map(|e| Event::Kill { task_id: e.task_id, kill_policy: e.kill_policy }),
            Type::Acknowledged => {
                if let Some(e) = event.acknowledged {
                    self.ledger().acknowledged(&e.task_id.value, &e.uuid);
                }
                None
            }
            Type::Message => event.message.map(|e| Event::Message(e.data)),
            Type::Shutdown => Some(Event::Shutdown),
            Type::Error => event.error.map(|e| Event::Error(e.message)),
            Type::Unknown | Type::Heartbeat => None,
        }
    }

    fn order(&self, order: Order) -> Call {
        match order {
            Order::Update(status) => {
                Call { update: Some(call::Update { status: *status }), ..self.call(call::Type::Update) }
            }
            Order::Message(data) => {
                Call { message: Some(call::Message { data }), ..self.call(call::Type::Message) }
            }
        }
    }

    fn call(&self, kind: call::Type) -> Call {
        Call {
            executor_id: self.environment.executor_id.clone(),
            framework_id: self.environment.framework_id.clone(),
            r#type: Some(kind.into()),
            ..Call::default()
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn authorization(&self) -> Option<String> {
        self.environment.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    fn pipe(&self, failures: mpsc::Sender<CallFailure>) -> Pipe {
        let authorization = self.authorization();
        let header = authorization.as_deref().map(|value| ("Authorization", value));
        let head =
            PipeHead { path: PATH, content_type: self.encoding.content_type(), headers: header.as_slice() };
        Pipe::start(self.environment.agent.clone(), &head, failures)
    }
}

//! A scheduler by hand: one subscription over plain HTTP and JSON that writes down all it sees.

use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::http::{self, Body, Request};
use crate::records::Records;

/// Where schedulers speak to a master.
pub const PATH: &str = "/api/v1/scheduler";

/// States after which nothing comes for a task.
pub const TERMINAL: &[&str] = &[
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_LOST",
    "TASK_ERROR",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_UNKNOWN",
    "TASK_UNREACHABLE",
];

/// All that was seen, in order: events as they came (without heartbeats), and notes in parentheses, such as a call
/// that was refused or an event that did not come.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<Value>>>);

impl Log {
    /// Writes one entry.
    pub fn push(&self, entry: Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
    }

    /// What is written so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What a framework says of itself.
#[derive(Clone, Debug)]
pub struct Framework {
    info: Value,
}

impl Default for Framework {
    fn default() -> Self {
        Self::in_role("*")
    }
}

impl Framework {
    /// A framework of one role, with the capabilities that every current framework has.
    #[must_use]
    pub fn in_role(role: &str) -> Self {
        let capabilities = json!([{"type": "MULTI_ROLE"}, {"type": "RESERVATION_REFINEMENT"}]);
        Self {
            info: json!({"user": "root", "name": "scenario", "roles": [role], "capabilities": capabilities}),
        }
    }

    /// With one more capability.
    #[must_use]
    pub fn capable_of(mut self, capability: &str) -> Self {
        if let Some(list) = self.info["capabilities"].as_array_mut() {
            list.push(json!({"type": capability}));
        }
        self
    }

    /// With any other field of `FrameworkInfo`.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.info[field] = value;
        self
    }

    /// With the id of an earlier subscription.
    #[must_use]
    pub fn with_id(self, id: &str) -> Self {
        self.with("id", json!({"value": id}))
    }

    /// The call that subscribes it.
    #[must_use]
    pub fn subscribe_call(&self) -> Value {
        let mut call = json!({"type": "SUBSCRIBE", "subscribe": {"framework_info": self.info}});
        if let Some(id) = self.info.get("id") {
            call["framework_id"] = id.clone();
        }
        call
    }
}

/// A subscribed framework. Updates are acknowledged as they are waited past.
#[derive(Debug)]
pub struct Scheduler {
    master: String,
    stream_id: String,
    connection: TcpStream,
    events: Receiver<Value>,
    log: Log,
    /// The id that the master gave.
    pub framework_id: String,
    /// Offers that were seen and not yet taken.
    pub offers: VecDeque<Value>,
}

impl Scheduler {
    /// Subscribes and waits until the master says so. What comes is written to `log`.
    pub fn subscribe(master: &str, framework: &Framework, log: &Log) -> Result<Self> {
        let request = Request::json(PATH, &framework.subscribe_call());
        let (head, body) = http::open(master, &request, None).context("SUBSCRIBE")?;
        let connection = body.connection()?;
        let (sender, events) = mpsc::channel();
        let pump_log = log.clone();
        let stream_id = head.header("Mesos-Stream-Id").unwrap_or_default().to_owned();
        if head.status != 200 {
            bail!("SUBSCRIBE is answered {}", head.status);
        }
        thread::spawn(move || pump(body, &pump_log, &sender));
        let mut scheduler = Self {
            master: master.to_owned(),
            stream_id,
            connection,
            events,
            log: log.clone(),
            framework_id: String::new(),
            offers: VecDeque::new(),
        };
        let subscribed = scheduler.wait("SUBSCRIBED", 40).context("SUBSCRIBED did not come")?;
        scheduler.framework_id = text(&subscribed["subscribed"]["framework_id"]["value"]);
        Ok(scheduler)
    }

    /// Sends a call of this framework and returns the status; one that is not 202 is written down.
    pub fn call(&self, kind: &str, mut fields: Value) -> Result<u16> {
        fields["type"] = json!(kind);
        fields["framework_id"] = json!({"value": self.framework_id});
        let request = Request::json(PATH, &fields).header("Mesos-Stream-Id", &self.stream_id);
        let response =
            http::send(&self.master, &request, Duration::from_secs(20)).context(kind.to_owned())?;
        if response.head.status != 202 {
            let status = response.head.status;
            self.log.push(json!({"type": "(call)", "call": kind, "status": status, "body": response.text()}));
        }
        Ok(response.head.status)
    }

    /// Waits for an event of a kind, passing others by; notes when it does not come.
    pub fn wait(&mut self, kind: &str, seconds: u64) -> Option<Value> {
        self.wait_for(kind, seconds, |_| true)
    }

    /// As [`wait`](Self::wait), for an event that `wanted` takes.
    pub fn wait_for(&mut self, kind: &str, seconds: u64, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = match self.events.recv_timeout(left) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            };
            self.note(&event);
            if event["type"] == kind && wanted(&event) {
                return Some(event);
            }
        }
        self.log.push(json!({"type": "(timeout)", "waiting": kind}));
        None
    }

    /// Waits until the master closes the stream.
    pub fn wait_closed(&mut self, seconds: u64) -> bool {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) => self.note(&event),
                Err(RecvTimeoutError::Disconnected) => return true,
                Err(RecvTimeoutError::Timeout) => return false,
            }
        }
    }

    /// Keeps offers, forgets those rescinded, acknowledges updates.
    fn note(&mut self, event: &Value) {
        match event["type"].as_str() {
            Some("OFFERS") => {
                self.offers.extend(event["offers"]["offers"].as_array().cloned().unwrap_or_default());
            }
            Some("RESCIND") => self.offers.retain(|o| o["id"] != event["rescind"]["offer_id"]),
            Some("UPDATE") => self.acknowledge(&event["update"]["status"]),
            _ => {}
        }
    }

    fn acknowledge(&self, status: &Value) {
        if status.get("uuid").is_none() {
            return;
        }
        let acknowledge =
            json!({"agent_id": status["agent_id"], "task_id": status["task_id"], "uuid": status["uuid"]});
        if let Err(failed) = self.call("ACKNOWLEDGE", json!({"acknowledge": acknowledge})) {
            self.log.push(json!({"type": "(call)", "call": "ACKNOWLEDGE", "status": format!("{failed:#}")}));
        }
    }

    /// The next offer.
    pub fn offer(&mut self) -> Result<Value> {
        self.offer_within(40)
    }

    /// The next offer, if it comes in time.
    pub fn offer_within(&mut self, seconds: u64) -> Result<Value> {
        if self.offers.is_empty() {
            self.wait("OFFERS", seconds).context("no offer came")?;
        }
        self.offers.pop_front().context("an event OFFERS without offers")
    }

    /// The next offer that `wanted` takes. Others are declined for now, so that what they hold may come with it.
    pub fn offer_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            let offer = self.offer_within(40)?;
            if wanted(&offer) {
                return Ok(offer);
            }
            let decline = json!({"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0}});
            self.call("DECLINE", json!({"decline": decline}))?;
        }
        bail!("the offer that was wanted did not come")
    }

    /// Accepts an offer with operations, and refuses the rest of it for ten minutes.
    pub fn accept(&self, offer_id: &Value, operations: &[Value]) -> Result<u16> {
        self.accept_refusing(offer_id, operations, 600.0)
    }

    /// Accepts an offer with operations, and refuses the rest of it for so many seconds.
    pub fn accept_refusing(&self, offer_id: &Value, operations: &[Value], seconds: f64) -> Result<u16> {
        let filters = json!({"refuse_seconds": seconds});
        let accept = json!({"offer_ids": [offer_id], "operations": operations, "filters": filters});
        self.call("ACCEPT", json!({"accept": accept}))
    }

    /// Waits for an update to one of `states`.
    pub fn update(&mut self, states: &[&str], seconds: u64) -> Option<Value> {
        let in_states = |event: &Value| {
            event["update"]["status"]["state"].as_str().is_some_and(|state| states.contains(&state))
        };
        let event = self.wait_for("UPDATE", seconds, in_states)?;
        Some(event["update"]["status"].clone())
    }

    /// Waits for the end of a task, whichever it is.
    pub fn terminal(&mut self) -> Option<Value> {
        self.update(TERMINAL, 40)
    }

    /// Waits for an update to TASK_RUNNING.
    pub fn running(&mut self) -> Option<Value> {
        self.update(&["TASK_RUNNING"], 40)
    }

    /// Waits for the status of an operation.
    pub fn operation_status(&mut self, seconds: u64) -> Option<Value> {
        let event = self.wait("UPDATE_OPERATION_STATUS", seconds)?;
        Some(event["update_operation_status"]["status"].clone())
    }

    /// Acknowledges the status of an operation.
    pub fn acknowledge_operation(&self, status: &Value) -> Result<u16> {
        let acknowledge = json!({
            "agent_id": status["agent_id"],
            "uuid": status["uuid"]["value"],
            "operation_id": status["operation_id"],
        });
        self.call("ACKNOWLEDGE_OPERATION_STATUS", json!({"acknowledge_operation_status": acknowledge}))
    }

    /// Kills a task.
    pub fn kill(&self, task: &str) -> Result<u16> {
        self.call("KILL", json!({"kill": {"task_id": {"value": task}}}))
    }

    /// Ends the framework and waits until the master has closed its stream.
    pub fn end(mut self) -> Result<()> {
        self.call("TEARDOWN", json!({}))?;
        self.wait_closed(40);
        Ok(())
    }

    /// Lets go of the connection without a word, as a scheduler that dies does.
    pub fn vanish(self) {
        drop(self);
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        // Already closed is as good.
        let _ = self.connection.shutdown(Shutdown::Both);
    }
}

/// Reads events until the stream ends.
fn pump(body: Body, log: &Log, events: &mpsc::Sender<Value>) {
    let mut records = Records::new(body);
    while let Ok(Some(record)) = records.read() {
        let event = serde_json::from_slice(&record)
            .unwrap_or_else(|_| json!({"type": "(no JSON)", "text": String::from_utf8_lossy(&record)}));
        if event["type"] == "HEARTBEAT" {
            continue;
        }
        log.push(event.clone());
        // Nobody waits any more; the log still wants the rest.
        let _ = events.send(event);
    }
    log.push(json!({"type": "(stream closed)"}));
}

/// A JSON string's text; empty for anything else.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

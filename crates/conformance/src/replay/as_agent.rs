//! The recorded agent, played to a master under test, with schedulers that do what the recorded ones did.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use proto::internal;
use serde_json::{Value, json};

use super::{Body, MASTER_ID, Recorded, Side, describe, recorded, replaced, short, with_master_id};
use crate::http::{self, Request};
use crate::libprocess::{Message, Peer};
use crate::scheduler::{Framework, Log, Scheduler, text};
use crate::tasks::launch;

/// How long the master may take with a message.
const LIMIT: Duration = Duration::from_secs(40);

/// Fields of messages whose values no two runs have in common.
const VOLATILE: &[&str] =
    &["uuid", "resource_version_uuids", "pid", "port", "address", "resource_version_uuid", "operation_uuid"];

/// The agent's process id.
const AGENT: &str = "slave(1)";

/// What the replay has met.
struct Replay {
    master: String,
    /// The id of the master under test.
    master_id: String,
    agent: Peer,
    schedulers: BTreeMap<u32, Scheduler>,
    /// Number of the last message that was caused.
    caused: usize,
    /// Names of operations, the recorded master's and that of the master under test.
    operations: Vec<(Vec<u8>, Vec<u8>)>,
    /// Statuses of operations that a scheduler hears of, and of which framework.
    feedback: BTreeMap<Vec<u8>, u32>,
    pings: usize,
}

/// Plays the agent to the master at `master`, which must be new: the first agent and the first frameworks it sees are
/// those of the replay. Returns how its messages differ from the recorded master's.
pub fn run(master: &str) -> Result<Vec<String>> {
    let messages = recorded()?;
    let mut replay = Replay::new(master)?;
    let mut differences = Vec::new();
    for (at, message) in messages.iter().enumerate() {
        match message.side {
            Side::Agent => replay.send(message)?,
            Side::Master if message.name == "PingSlaveMessage" => {}
            Side::Master => {
                replay
                    .cause(message, &messages[at..])
                    .with_context(|| format!("at message {} {}", message.number, message.name))?;
                let found = replay.expect(message)?;
                let stop = found.is_none();
                differences.extend(
                    found.unwrap_or_else(|| vec![format!("message {} did not come", message.number)]),
                );
                if stop {
                    return Ok(differences);
                }
            }
        }
    }
    ensure!(replay.pings > 0, "the master did not ping the agent");
    differences.extend(replay.rest());
    Ok(differences)
}

impl Replay {
    fn new(master: &str) -> Result<Self> {
        let state = http::send(master, &Request::get("/state"), LIMIT)?;
        let state: Value = serde_json::from_slice(&state.body).context("the master's /state")?;
        let master_id = text(&state["id"]);
        let agent = Peer::listen(0)?;
        Ok(Self {
            master: master.to_owned(),
            master_id,
            agent,
            schedulers: BTreeMap::new(),
            caused: 0,
            operations: Vec::new(),
            feedback: BTreeMap::new(),
            pings: 0,
        })
    }

    /// Sends what the recorded agent sent.
    fn send(&mut self, message: &Recorded) -> Result<()> {
        match message.name.as_str() {
            // Pings are answered as they come.
            "PongSlaveMessage" => return Ok(()),
            // The recorded agent was restarted before it.
            "ReregisterSlaveMessage" => self.agent.hang_up(),
            _ => {}
        }
        let mut body = with_master_id(&message.body, MASTER_ID, &self.master_id);
        if message.name == "UpdateOperationStatusMessage" {
            let update: internal::UpdateOperationStatusMessage = proto::decode(&message.body)?;
            if let (Some(_), Some(uuid)) = (&update.status.operation_id, &update.status.uuid) {
                self.feedback.insert(uuid.value.to_vec(), message.read()?.framework().unwrap_or_default());
            }
            for (recorded, seen) in &self.operations {
                body = replaced(&body, recorded, seen);
            }
        }
        let name = format!("mesos.internal.{}", message.name);
        self.agent.send(&self.master, AGENT, &message.to, &name, &body)
    }

    /// Lets a scheduler do what made the recorded master send a message; `following` begins with it.
    fn cause(&mut self, message: &Recorded, following: &[Recorded]) -> Result<()> {
        let content = message.read()?;
        let Some(number) = content.framework() else { return self.order(message, &content) };
        match message.name.as_str() {
            _ if message.number <= self.caused => Ok(()),
            "RunTaskMessage" | "RunTaskGroupMessage" | "ApplyOperationMessage" => {
                let mut accepted = Vec::new();
                for next in following.iter().take_while(|m| m.side == Side::Master && is_accepted(m)) {
                    accepted.push(next.read()?);
                    self.caused = next.number;
                }
                self.accept(number, &accepted)
            }
            "KillTaskMessage" => {
                self.scheduler(number)?.kill(&content.task())?;
                Ok(())
            }
            "StatusUpdateAcknowledgementMessage" => {
                // Waiting for the update acknowledges it.
                self.scheduler(number)?
                    .wait("UPDATE", LIMIT.as_secs())
                    .context("no update reached the scheduler")?;
                Ok(())
            }
            "ShutdownExecutorMessage" => {
                let agent_id = json!({"value": format!("{}-S0", self.master_id)});
                let shutdown = json!({"executor_id": content.0["executor_id"], "agent_id": agent_id});
                self.scheduler(number)?.call("SHUTDOWN", json!({"shutdown": shutdown}))?;
                Ok(())
            }
            "ShutdownFrameworkMessage" => self.end_framework(number),
            _ => Ok(()),
        }
    }

    /// Has an operator do what made the recorded master send a message that names no framework.
    fn order(&mut self, message: &Recorded, content: &Body) -> Result<()> {
        let agent_id = json!({"value": format!("{}-S0", self.master_id)});
        let call = match message.name.as_str() {
            "DrainSlaveMessage" => {
                let config = &content.0["config"];
                let nanoseconds = config["max_grace_period"]["nanoseconds"].as_u64().unwrap_or_default();
                let grace = json!({"seconds": nanoseconds / 1_000_000_000});
                let drain = json!({
                    "agent_id": agent_id, "max_grace_period": grace, "mark_gone": config["mark_gone"],
                });
                json!({"type": "DRAIN_AGENT", "drain_agent": drain})
            }
            "AcknowledgeOperationStatusMessage" => return self.acknowledge(message),
            "ShutdownMessage" => {
                json!({"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": agent_id}})
            }
            _ => return Ok(()),
        };
        let answer = http::send(&self.master, &Request::json("/api/v1", &call), LIMIT)?;
        ensure!(answer.head.status == 200, "{}: {} {}", call["type"], answer.head.status, answer.text());
        Ok(())
    }

    /// Accepts an offer with what made the recorded master send these messages.
    fn accept(&mut self, number: u32, messages: &[Body]) -> Result<()> {
        if !self.schedulers.contains_key(&number) {
            let info = messages.iter().find_map(|message| message.0["framework"].as_object());
            // Who only reserves is not described in the recording.
            let described = |framework: Framework, info: &serde_json::Map<String, Value>| {
                let fields = info.iter().filter(|(field, _)| *field != "id");
                fields.fold(framework, |framework, (field, value)| framework.with(field, value.clone()))
            };
            let framework =
                info.map_or_else(|| Framework::in_role("scen"), |info| described(Framework::default(), info));
            self.subscribe(number, &framework)?;
        }
        let scheduler = self.scheduler(number)?;
        let framework_id = scheduler.framework_id.clone();
        let mut operations: Vec<Value> =
            messages.iter().map(|message| operation(message, &framework_id)).collect();
        let offer =
            scheduler.offer_where(|offer| operations.first().is_some_and(|first| fits(offer, first)))?;
        for operation in &mut operations {
            set_agent(operation, &offer["agent_id"]);
        }
        let is_launch =
            |operation: &Value| operation["type"].as_str().is_some_and(|t| t.starts_with("LAUNCH"));
        let refuse_seconds = if operations.iter().all(is_launch) { 600.0 } else { 0.0 };
        scheduler.accept_refusing(&offer["id"], &operations, refuse_seconds)?;
        Ok(())
    }

    /// Lets the scheduler acknowledge the status of an operation, if it is one that it hears of.
    fn acknowledge(&mut self, message: &Recorded) -> Result<()> {
        let acknowledgement: internal::AcknowledgeOperationStatusMessage = proto::decode(&message.body)?;
        let number = self.feedback.get(acknowledgement.status_uuid.value.as_ref());
        let Some(scheduler) = number.and_then(|number| self.schedulers.get_mut(number)) else {
            return Ok(());
        };
        let status = scheduler
            .operation_status(LIMIT.as_secs())
            .context("no operation status reached the scheduler")?;
        scheduler.acknowledge_operation(&status)?;
        Ok(())
    }

    fn subscribe(&mut self, number: u32, framework: &Framework) -> Result<()> {
        let scheduler = Scheduler::subscribe(&self.master, framework, &Log::default())?;
        let expected = format!("{}-{number:04}", self.master_id);
        ensure!(scheduler.framework_id == expected, "framework {} is not {expected}", scheduler.framework_id);
        self.schedulers.insert(number, scheduler);
        Ok(())
    }

    fn scheduler(&mut self, number: u32) -> Result<&mut Scheduler> {
        self.schedulers.get_mut(&number).with_context(|| format!("framework {number} has not subscribed"))
    }

    fn end_framework(&mut self, number: u32) -> Result<()> {
        self.scheduler(number)?;
        self.schedulers.remove(&number).context("it is there")?.end()
    }

    /// Whether the master acknowledges the status of an operation in place of a framework that has ended without doing it.
    /// The recorded master does that when the agent repeats the status, so it may come where nothing of it is expected.
    fn is_for_one_that_ended(&self, message: &Message, expected: &str) -> Result<bool> {
        let name = short(&message.name);
        if name != "AcknowledgeOperationStatusMessage" || name == expected {
            return Ok(false);
        }
        let acknowledgement: internal::AcknowledgeOperationStatusMessage = proto::decode(&message.body)?;
        let framework = self.feedback.get(acknowledgement.status_uuid.value.as_ref());
        Ok(framework.is_some_and(|number| !self.schedulers.contains_key(number)))
    }

    /// The master's next message beside pings, which are answered. One of the name `expected` is never passed by.
    fn receive(&mut self, limit: Duration, expected: &str) -> Result<Option<Message>> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(message) = self.agent.receive(left) else { return Ok(None) };
            if short(&message.name) != "PingSlaveMessage" {
                if self.is_for_one_that_ended(&message, expected)? {
                    continue;
                }
                return Ok(Some(message));
            }
            self.pings += 1;
            let observer = message.from.split('@').next().unwrap_or_default();
            self.agent.send(&self.master, AGENT, observer, "mesos.internal.PongSlaveMessage", b"")?;
        }
    }

    /// Waits for the message that the recorded master sent here, and says how it differs; `None` when none comes.
    fn expect(&mut self, expected: &Recorded) -> Result<Option<Vec<String>>> {
        let Some(message) = self.receive(LIMIT, &expected.name)? else { return Ok(None) };
        let number = expected.number;
        if short(&message.name) != expected.name || message.to != expected.to {
            return Ok(Some(vec![format!(
                "message {number}: {}, expected {}",
                describe(&message),
                expected.name
            )]));
        }
        if expected.name == "ApplyOperationMessage" {
            let name = |body: &[u8]| -> Result<Vec<u8>> {
                let apply: internal::ApplyOperationMessage = proto::decode(body)?;
                Ok(apply.operation_uuid.value.to_vec())
            };
            self.operations.push((name(&expected.body)?, name(&message.body)?));
        }
        let body = with_master_id(&message.body, &self.master_id, MASTER_ID);
        let seen = Body::read(&expected.name, &body)?;
        let found = seen.differences(&expected.read()?, VOLATILE);
        Ok(Some(found.into_iter().map(|d| format!("message {number} {}: {d}", expected.name)).collect()))
    }

    /// What the master sends after it has told the agent to go.
    fn rest(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        while let Ok(Some(message)) = self.receive(Duration::from_millis(500), "") {
            found.push(format!("at the end: {}", describe(&message)));
        }
        found
    }
}

/// Whether it tells the agent of something that a scheduler wants to be done with an offer.
fn is_accepted(message: &Recorded) -> bool {
    matches!(message.name.as_str(), "RunTaskMessage" | "RunTaskGroupMessage" | "ApplyOperationMessage")
}

/// The operation of an ACCEPT that made the recorded master send a message.
fn operation(message: &Body, framework_id: &str) -> Value {
    if let Some(operation) = message.0.get("operation_info") {
        return operation.clone();
    }
    if let Some(task) = message.0.get("task") {
        return launch(&[stripped(task)]);
    }
    let tasks = message.0["task_group"]["tasks"].as_array().cloned().unwrap_or_default();
    let mut group = json!({"tasks": tasks.iter().map(stripped).collect::<Vec<_>>()});
    for task in group["tasks"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        // The master has put it there.
        task.remove("executor");
    }
    let mut executor = stripped(&message.0["executor"]);
    executor["framework_id"] = json!({"value": framework_id});
    json!({"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": group}})
}

/// Whether an offer has what an operation takes back.
fn fits(offer: &Value, operation: &Value) -> bool {
    let wanted = match operation["type"].as_str() {
        Some("UNRESERVE") => "/reservations",
        Some("DESTROY") => "/disk/persistence",
        _ => return true,
    };
    let mut resources = offer["resources"].as_array().into_iter().flatten();
    resources.any(|resource| resource.pointer(wanted).is_some())
}

/// A recorded task or executor as its scheduler sent it: without what the master adds.
fn stripped(info: &Value) -> Value {
    let mut info = info.clone();
    if let Some(object) = info.as_object_mut() {
        if let Some(executor) = object.get("executor") {
            let executor = stripped(executor);
            object.insert("executor".into(), executor);
        }
        for resource in object.get_mut("resources").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(resource) = resource.as_object_mut() {
                resource.remove("allocation_info");
            }
        }
    }
    info
}

/// Puts the agent of the offer into every task of an operation.
fn set_agent(operation: &mut Value, agent_id: &Value) {
    for path in ["/launch/task_infos", "/launch_group/task_group/tasks"] {
        for task in operation.pointer_mut(path).and_then(Value::as_array_mut).into_iter().flatten() {
            task["agent_id"] = agent_id.clone();
        }
    }
}

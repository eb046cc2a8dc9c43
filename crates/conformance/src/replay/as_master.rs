//! The recorded master, played to an agent under test that runs the recorded tasks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use proto::internal;
use serde_json::Value;

use super::{Body, Recorded, Side, describe, recorded, replaced, short};
use crate::cluster::Server;
use crate::libprocess::{Message, Peer};
use crate::sequence::comparable;

/// How long the agent may take with a message. The recorded group waits a second, its executor a grace period.
const LIMIT: Duration = Duration::from_secs(40);

/// Fields of a registration whose values no two agents have in common: names that each draws, places, times, and the process
/// of an executor. What an agent says of its version and what it can is the same.
const VOLATILE: &[&str] =
    &["uuid", "resource_version_uuid", "port", "hostname", "timestamp", "container_id", "executor_pid"];

/// What an agent says of itself as a whole when it registers.
const REGISTRATIONS: [&str; 2] = ["RegisterSlaveMessage", "ReregisterSlaveMessage"];

/// Plays the master at `master` to the agent that has been told its address, and kills it and starts it again where the
/// recorded one was. Returns how the agent's messages differ from the recorded agent's.
pub fn run(master: Peer, agent: &mut Server) -> Result<Vec<String>> {
    let mut replay = Replay {
        master,
        agent: None,
        updates: BTreeMap::new(),
        uuids: BTreeMap::new(),
        statuses: BTreeMap::new(),
        repeated: BTreeSet::new(),
        version: (Vec::new(), Vec::new()),
        pongs: 0,
        pings: 0,
    };
    let mut differences = Vec::new();
    let messages = recorded()?;
    let mut expected_updates = BTreeMap::new();
    for message in &messages {
        match message.side {
            Side::Master => replay.send(message)?,
            Side::Agent if message.name == "PongSlaveMessage" => {}
            Side::Agent => {
                if let Some(version) = resource_version(&message.name, &message.body)? {
                    replay.version.0 = version;
                }
                if message.name == "StatusUpdateMessage" {
                    note_update(&mut expected_updates, &message.read()?);
                }
                if message.name == "ReregisterSlaveMessage" {
                    agent.kill();
                    replay.master.hang_up();
                    agent.restart()?;
                }
                let operation = operation(&message.name, &message.body)?;
                if operation.as_ref().is_some_and(|(uuid, _)| replay.repeated.remove(uuid)) {
                    continue; // repeated already, earlier than it was recorded
                }
                let Some(seen) = replay.receive(message)? else {
                    differences.push(format!("message {}, a {}, did not come", message.number, message.name));
                    break;
                };
                if short(&seen.name) != message.name || seen.to != message.to {
                    let seen = describe(&seen);
                    differences
                        .push(format!("message {}: {seen}, expected {}", message.number, message.name));
                } else if operation.is_some() || REGISTRATIONS.contains(&message.name.as_str()) {
                    let volatile = if operation.is_some() { &["uuid"] } else { VOLATILE };
                    let seen = as_recovered(Body::read(&message.name, &seen.body)?);
                    let found = seen.differences(&as_recovered(message.read()?), volatile);
                    differences.extend(found.into_iter().map(|d| format!("message {}: {d}", message.number)));
                }
            }
        }
    }
    for (task, expected) in &expected_updates {
        let seen = replay.updates.get(task).cloned().unwrap_or_default();
        if seen != *expected {
            differences
                .push(format!("framework {} task {}: {seen:?}, expected {expected:?}", task.0, task.1));
        }
    }
    replay.end();
    if replay.pongs < replay.pings {
        differences.push(format!("{} of {} pings were answered", replay.pongs, replay.pings));
    }
    Ok(differences)
}

/// A framework's number and a task's id.
type Task = (u32, String);

struct Replay {
    master: Peer,
    /// Where the agent listens, known from its first message.
    agent: Option<String>,
    /// States and reasons of each task's updates, in order.
    updates: BTreeMap<Task, Vec<String>>,
    /// Updates of each task that are not acknowledged.
    uuids: BTreeMap<Task, VecDeque<Vec<u8>>>,
    /// The status of each operation, by the operation's name.
    statuses: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Operations of which the status was sent again, before it was expected.
    repeated: BTreeSet<Vec<u8>>,
    /// The recorded agent's version of its resources, and the version of the agent under test: launches name it.
    version: (Vec<u8>, Vec<u8>),
    pongs: usize,
    pings: usize,
}

/// A message without what means nothing. The role that resources have when none is named may be named. And an agent of ours
/// still knows after its restart which status of a task it told last; the recorded one knows it again with the next.
fn as_recovered(mut body: Body) -> Body {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                if fields.get("role").is_some_and(|role| role == "*") {
                    fields.remove("role");
                }
                fields.remove("status_update_state");
                fields.remove("status_update_uuid");
                fields.values_mut().for_each(strip);
            }
            Value::Array(values) => values.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut body.0);
    body
}

/// The version of its resources that an agent tells.
fn resource_version(name: &str, body: &[u8]) -> Result<Option<Vec<u8>>> {
    if name != "UpdateSlaveMessage" {
        return Ok(None);
    }
    let update: internal::UpdateSlaveMessage = proto::decode(body)?;
    Ok(update.resource_version_uuid.map(|uuid| uuid.value.to_vec()))
}

/// The names of an operation and of its status, if the message brings one.
fn operation(name: &str, body: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    if name != "UpdateOperationStatusMessage" {
        return Ok(None);
    }
    let update: internal::UpdateOperationStatusMessage = proto::decode(body)?;
    let status = update.status.uuid.map(|uuid| uuid.value.to_vec()).unwrap_or_default();
    let name = update.operation_uuid.map(|uuid| uuid.value.to_vec()).unwrap_or_default();
    Ok(Some((name, status)))
}

fn note_update(updates: &mut BTreeMap<Task, Vec<String>>, body: &Body) {
    let status = &body.0["update"]["status"];
    let fields = ["state", "reason", "source"];
    let text = fields.iter().filter_map(|field| status[*field].as_str()).collect::<Vec<_>>().join(" ");
    let message = comparable(status["message"].as_str().unwrap_or_default(), &status["state"]);
    let text = format!("{text} '{message}'");
    updates.entry((body.framework().unwrap_or_default(), body.task())).or_default().push(text);
}

impl Replay {
    /// Sends what the recorded master sent; an acknowledgement is of the update that was really sent.
    fn send(&mut self, message: &Recorded) -> Result<()> {
        let mut body = message.body.clone();
        match message.name.as_str() {
            "PingSlaveMessage" => self.pings += 1,
            "StatusUpdateAcknowledgementMessage" => {
                let content = message.read()?;
                let task = (content.framework().unwrap_or_default(), content.task());
                let uuid = self.uuids.get_mut(&task).and_then(VecDeque::pop_front);
                let uuid =
                    uuid.with_context(|| format!("message {}: no update of {task:?}", message.number))?;
                let mut acknowledgement: internal::StatusUpdateAcknowledgementMessage = proto::decode(&body)?;
                acknowledgement.uuid = uuid.into();
                body = proto::encode(&acknowledgement);
            }
            "AcknowledgeOperationStatusMessage" => {
                let mut acknowledgement: internal::AcknowledgeOperationStatusMessage = proto::decode(&body)?;
                let status = self.statuses.get(acknowledgement.operation_uuid.value.as_ref());
                let status = status.with_context(|| format!("message {}: no status", message.number))?;
                acknowledgement.status_uuid.value = status.clone().into();
                body = proto::encode(&acknowledgement);
            }
            "RunTaskMessage" | "RunTaskGroupMessage" | "ApplyOperationMessage" => {
                body = replaced(&body, &self.version.0, &self.version.1)
            }
            _ => {}
        }
        let agent = self.agent.clone().context("the agent has not spoken")?;
        self.master.send(
            &agent,
            &message.from,
            &message.to,
            &format!("mesos.internal.{}", message.name),
            &body,
        )
    }

    /// The agent's next message beside pongs; what it says is noted.
    fn receive(&mut self, expected: &Recorded) -> Result<Option<Message>> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(message) = self.master.receive(left) else { return Ok(None) };
            let name = short(&message.name);
            if name == "PongSlaveMessage" {
                self.pongs += 1;
                continue;
            }
            // An agent that is not answered at once asks again.
            if REGISTRATIONS.contains(&name) && expected.name != name {
                continue;
            }
            self.agent = message.from.split('@').nth(1).map(str::to_owned);
            let body = Body::read(name, &message.body).with_context(|| format!("the agent's {name}"))?;
            if let Some(version) = resource_version(name, &message.body)? {
                self.version.1 = version;
            }
            if let Some((uuid, status)) = operation(name, &message.body)?
                && self.statuses.insert(uuid.clone(), status.clone()) == Some(status)
                && operation(&expected.name, &expected.body)?.is_none_or(|(expected, _)| expected != uuid)
            {
                self.repeated.insert(uuid);
                continue;
            }
            if name == "StatusUpdateMessage" && !self.note(&body, &message.body)? {
                continue;
            }
            return Ok(Some(message));
        }
    }

    /// Notes an update; false when it is one that was sent before, which an agent may do while it is not acknowledged.
    fn note(&mut self, body: &Body, bytes: &[u8]) -> Result<bool> {
        let update: internal::StatusUpdateMessage = proto::decode(bytes)?;
        let uuid = update.update.uuid.as_deref().unwrap_or_default().to_vec();
        ensure!(uuid.len() == 16, "an update without a uuid: {body}");
        let task = (body.framework().unwrap_or_default(), body.task());
        let uuids = self.uuids.entry(task).or_default();
        if uuids.contains(&uuid) {
            return Ok(false);
        }
        uuids.push_back(uuid);
        note_update(&mut self.updates, body);
        Ok(true)
    }

    /// Waits for the pongs.
    fn end(&mut self) {
        while self.pongs < self.pings {
            match self.master.receive(Duration::from_secs(5)) {
                Some(message) if short(&message.name) == "PongSlaveMessage" => self.pongs += 1,
                Some(_) => {}
                None => break,
            }
        }
    }
}

//! The recorded agent, played to a master under test, with schedulers that do what the recorded ones did.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Body, MASTER_ID, Recorded, Side, describe, recorded, short, with_master_id};
use crate::http::{self, Request};
use crate::libprocess::{Message, Peer};
use crate::scheduler::{Framework, Log, Scheduler, text};
use crate::tasks::launch;

/// How long the master may take with a message.
const LIMIT: Duration = Duration::from_secs(15);

/// Fields of messages whose values no two runs have in common.
const VOLATILE: &[&str] =
    &["uuid", "resource_version_uuids", "pid", "port", "address", "resource_version_uuid"];

/// The agent's process id.
const AGENT: &str = "slave(1)";

/// What the replay has met.
struct Replay {
    master: String,
    /// The id of the master under test.
    master_id: String,
    agent: Peer,
    schedulers: BTreeMap<u32, Scheduler>,
    pings: usize,
}

/// Plays the agent to the master at `master`, which must be new: the first agent and the first frameworks it sees are
/// those of the replay. Returns how its messages differ from the recorded master's.
pub fn run(master: &str) -> Result<Vec<String>> {
    let messages = recorded()?;
    let mut replay = Replay::new(master)?;
    let mut differences = Vec::new();
    for message in &messages {
        match message.side {
            Side::Agent => replay.send(message)?,
            Side::Master if message.name == "PingSlaveMessage" => {}
            Side::Master => {
                replay
                    .cause(message)
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
        let timeout = Duration::from_secs(10);
        let state = http::send(master, &Request::get("/state"), timeout)?;
        let state: Value = serde_json::from_slice(&state.body).context("the master's /state")?;
        let master_id = text(&state["id"]);
        let agent = Peer::listen(0)?;
        Ok(Self { master: master.to_owned(), master_id, agent, schedulers: BTreeMap::new(), pings: 0 })
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
        let body = with_master_id(&message.body, MASTER_ID, &self.master_id);
        let name = format!("mesos.internal.{}", message.name);
        self.agent.send(&self.master, AGENT, &message.to, &name, &body)
    }

    /// Lets a scheduler do what made the recorded master send a message.
    fn cause(&mut self, message: &Recorded) -> Result<()> {
        let content = message.read()?;
        let Some(number) = content.framework() else { return self.order(message, &content) };
        match message.name.as_str() {
            "RunTaskMessage" => {
                let task = stripped(&content.0["task"]);
                self.launch(number, &content.0["framework"], |_| launch(&[task]))
            }
            "RunTaskGroupMessage" => {
                let tasks = content.0["task_group"]["tasks"].as_array().cloned().unwrap_or_default();
                let mut group = json!({"tasks": tasks.iter().map(stripped).collect::<Vec<_>>()});
                for task in
                    group["tasks"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut)
                {
                    // The master has put it there.
                    task.remove("executor");
                }
                let executor = stripped(&content.0["executor"]);
                self.launch(number, &content.0["framework"], |scheduler| {
                    let mut executor = executor;
                    executor["framework_id"] = json!({"value": scheduler.framework_id});
                    json!({"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": group}})
                })
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

    /// Has an operator do what made the recorded master send a message that is about no framework.
    fn order(&self, message: &Recorded, content: &Body) -> Result<()> {
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
            "ShutdownMessage" => {
                json!({"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": agent_id}})
            }
            _ => return Ok(()),
        };
        let answer = http::send(&self.master, &Request::json("/api/v1", &call), LIMIT)?;
        ensure!(answer.head.status == 200, "{}: {} {}", call["type"], answer.head.status, answer.text());
        Ok(())
    }

    fn launch(
        &mut self,
        number: u32,
        info: &Value,
        operation: impl FnOnce(&Scheduler) -> Value,
    ) -> Result<()> {
        let mut framework = Framework::default();
        for (field, value) in info.as_object().into_iter().flatten().filter(|(field, _)| *field != "id") {
            framework = framework.with(field, value.clone());
        }
        self.subscribe(number, &framework)?;
        let scheduler = self.scheduler(number)?;
        let offer = scheduler.offer()?;
        let mut operation = operation(scheduler);
        set_agent(&mut operation, &offer["agent_id"]);
        scheduler.accept(&offer["id"], &[operation])?;
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
        if !self.schedulers.contains_key(&number) {
            // One of those whose launches are left out.
            self.subscribe(number, &Framework::in_role("scen"))?;
        }
        self.schedulers.remove(&number).context("subscribed above")?.end()
    }

    /// The master's next message beside pings, which are answered.
    fn receive(&mut self, limit: Duration) -> Result<Option<Message>> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(message) = self.agent.receive(left) else { return Ok(None) };
            if short(&message.name) != "PingSlaveMessage" {
                return Ok(Some(message));
            }
            self.pings += 1;
            let observer = message.from.split('@').next().unwrap_or_default();
            self.agent.send(&self.master, AGENT, observer, "mesos.internal.PongSlaveMessage", b"")?;
        }
    }

    /// Waits for the message that the recorded master sent here, and says how it differs; `None` when none comes.
    fn expect(&mut self, expected: &Recorded) -> Result<Option<Vec<String>>> {
        let Some(message) = self.receive(LIMIT)? else { return Ok(None) };
        let number = expected.number;
        if short(&message.name) != expected.name || message.to != expected.to {
            return Ok(Some(vec![format!(
                "message {number}: {}, expected {}",
                describe(&message),
                expected.name
            )]));
        }
        let body = with_master_id(&message.body, &self.master_id, MASTER_ID);
        let seen = Body::read(&expected.name, &body)?;
        let found = seen.differences(&expected.read()?, VOLATILE);
        Ok(Some(found.into_iter().map(|d| format!("message {number} {}: {d}", expected.name)).collect()))
    }

    /// What the master sends after it has told the agent to go.
    fn rest(&mut self) -> Vec<String> {
        let mut found = Vec::new();
        while let Ok(Some(message)) = self.receive(Duration::from_millis(500)) {
            found.push(format!("at the end: {}", describe(&message)));
        }
        found
    }
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

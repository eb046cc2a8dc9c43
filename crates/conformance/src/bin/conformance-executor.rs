//! An executor for the tests: every task is running until it is killed or the executor is.
//!
//! Started by an agent, as a custom executor is; its environment says where the agent is and who it is.

use std::fs::File;
use std::io::Read;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use conformance::http::{self, Request};
use conformance::records::Records;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/executor";

struct Executor {
    agent: String,
    framework_id: String,
    executor_id: String,
}

fn main() -> Result<()> {
    let variable = |name: &str| std::env::var(name).with_context(|| format!("{name} is not set"));
    let executor = Executor {
        agent: variable("MESOS_AGENT_ENDPOINT")?,
        framework_id: variable("MESOS_FRAMEWORK_ID")?,
        executor_id: variable("MESOS_EXECUTOR_ID")?,
    };
    let subscribe = json!({"subscribe": {"unacknowledged_tasks": [], "unacknowledged_updates": []}});
    let (head, body) = http::open(&executor.agent, &executor.call("SUBSCRIBE", subscribe), None)?;
    ensure!(head.status == 200, "SUBSCRIBE is answered {}", head.status);
    let mut events = Records::new(body);
    while let Some(event) = events.read()? {
        let event: Value = serde_json::from_slice(&event)?;
        match event["type"].as_str().unwrap_or_default() {
            "LAUNCH" => executor.update(&event["launch"]["task"]["task_id"], "TASK_RUNNING")?,
            "KILL" => executor.update(&event["kill"]["task_id"], "TASK_KILLED")?,
            "SHUTDOWN" => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

impl Executor {
    fn call(&self, kind: &str, mut fields: Value) -> Request {
        fields["type"] = json!(kind);
        fields["framework_id"] = json!({"value": self.framework_id});
        fields["executor_id"] = json!({"value": self.executor_id});
        Request::json(PATH, &fields)
    }

    fn update(&self, task_id: &Value, state: &str) -> Result<()> {
        let mut uuid = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut uuid)?;
        // A random one says so, or it is refused.
        uuid[6] = (uuid[6] & 0x0f) | 0x40;
        uuid[8] = (uuid[8] & 0x3f) | 0x80;
        let uuid = STANDARD.encode(uuid);
        let status = json!({"task_id": task_id, "state": state, "source": "SOURCE_EXECUTOR", "uuid": uuid});
        let update = self.call("UPDATE", json!({"update": {"status": status}}));
        let response = http::send(&self.agent, &update, Duration::from_secs(10))?;
        ensure!(
            response.head.status == 202,
            "UPDATE is answered {}: {}",
            response.head.status,
            response.text()
        );
        Ok(())
    }
}

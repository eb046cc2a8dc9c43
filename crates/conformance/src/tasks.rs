//! Builders for what schedulers send, in the JSON form.

use serde_json::{Value, json};

/// A scalar resource.
#[must_use]
pub fn scalar(name: &str, amount: f64) -> Value {
    json!({"name": name, "type": "SCALAR", "scalar": {"value": amount}})
}

/// Resources for one small task.
#[must_use]
pub fn small() -> Value {
    json!([scalar("cpus", 0.1), scalar("mem", 32.0)])
}

/// A command run by a shell.
#[must_use]
pub fn shell(command: &str) -> Value {
    json!({"value": command, "shell": true})
}

/// A small task on an offer's agent that runs a command in a shell. Further fields are set on what is returned.
#[must_use]
pub fn task(offer: &Value, id: &str, command: &str) -> Value {
    let mut task = bare_task(offer, id);
    task["command"] = shell(command);
    task
}

/// A small task with neither command nor executor.
#[must_use]
pub fn bare_task(offer: &Value, id: &str) -> Value {
    json!({"name": id, "task_id": {"value": id}, "agent_id": offer["agent_id"], "resources": small()})
}

/// A task for a custom executor that is started by a command.
#[must_use]
pub fn custom_task(offer: &Value, framework_id: &str, id: &str, executor_id: &str, command: &Value) -> Value {
    let mut task = bare_task(offer, id);
    task["executor"] = json!({
        "type": "CUSTOM",
        "executor_id": {"value": executor_id},
        "framework_id": {"value": framework_id},
        "command": command,
        "resources": small(),
    });
    task
}

/// The operation that launches tasks.
#[must_use]
pub fn launch(tasks: &[Value]) -> Value {
    json!({"type": "LAUNCH", "launch": {"task_infos": tasks}})
}

/// The operation that launches a group of tasks under the default executor `pod`.
#[must_use]
pub fn launch_group(framework_id: &str, tasks: &[Value]) -> Value {
    let executor = json!({
        "type": "DEFAULT",
        "executor_id": {"value": "pod"},
        "framework_id": {"value": framework_id},
        "resources": [scalar("cpus", 0.1), scalar("mem", 32.0), scalar("disk", 16.0)],
    });
    json!({"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": {"tasks": tasks}}})
}

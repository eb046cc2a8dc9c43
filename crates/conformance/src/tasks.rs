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

/// Disk space, dynamically reserved for a role.
#[must_use]
pub fn reserved_disk(role: &str, amount: f64) -> Value {
    reserved(scalar("disk", amount), role)
}

/// A resource, dynamically reserved for a role.
#[must_use]
pub fn reserved(mut resource: Value, role: &str) -> Value {
    resource["reservations"] = json!([{"type": "DYNAMIC", "role": role}]);
    resource
}

/// A persistent volume made of disk space.
#[must_use]
pub fn volume(space: &Value, id: &str, container_path: &str) -> Value {
    let mut volume = space.clone();
    volume["disk"] =
        json!({"persistence": {"id": id}, "volume": {"mode": "RW", "container_path": container_path}});
    volume
}

/// The operation that reserves resources.
#[must_use]
pub fn reserve(resources: &[Value]) -> Value {
    json!({"type": "RESERVE", "reserve": {"resources": resources}})
}

/// The operation that takes a reservation back.
#[must_use]
pub fn unreserve(resources: &[Value]) -> Value {
    json!({"type": "UNRESERVE", "unreserve": {"resources": resources}})
}

/// The operation that makes persistent volumes.
#[must_use]
pub fn create(volumes: &[Value]) -> Value {
    json!({"type": "CREATE", "create": {"volumes": volumes}})
}

/// The same volume, for several tasks at once.
#[must_use]
pub fn shared(volume: &Value) -> Value {
    let mut shared = volume.clone();
    shared["shared"] = json!({});
    shared
}

/// The operation that makes a persistent volume larger.
#[must_use]
pub fn grow(volume: &Value, addition: &Value) -> Value {
    json!({"type": "GROW_VOLUME", "grow_volume": {"volume": volume, "addition": addition}})
}

/// The operation that makes a persistent volume smaller.
#[must_use]
pub fn shrink(volume: &Value, subtract: f64) -> Value {
    json!({"type": "SHRINK_VOLUME", "shrink_volume": {"volume": volume, "subtract": {"value": subtract}}})
}

/// The operation that deletes persistent volumes.
#[must_use]
pub fn destroy(volumes: &[Value]) -> Value {
    json!({"type": "DESTROY", "destroy": {"volumes": volumes}})
}

/// An operation of which its scheduler wants to hear.
#[must_use]
pub fn with_id(mut operation: Value, id: &str) -> Value {
    operation["id"] = json!({"value": id});
    operation
}

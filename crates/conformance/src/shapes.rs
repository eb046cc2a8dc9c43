//! What answers consist of: their fields with the types of those, compared with what Mesos' answers consisted of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::scenarios::Target;

/// The paths of a document, and of which types their values are. Elements of a list share a path.
pub type Shape = BTreeMap<String, BTreeSet<&'static str>>;

/// Members whose names are data: what matters is of which type their values are.
const NAMED_BY_DATA: [&str; 5] =
    ["flags", "attributes", "reserved_resources", "reserved_resources_allocated", "reserved_resources_full"];

/// The shape of a document.
#[must_use]
pub fn shape(document: &Value) -> Shape {
    let mut shape = Shape::new();
    add(document, String::new(), &mut shape);
    shape
}

/// What the answer to a question lacks, or has of another type, as `NAME.path` or `NAME.path is KIND`.
#[must_use]
pub fn differences_of(name: &str, wanted: &Value, found: &Value) -> Vec<String> {
    // The whole of this answer is named by data: paths of sandboxes.
    let by_data = |value: &Value| json!({ "attributes": value });
    let found = if name.ends_with("files_debug") {
        differences(&by_data(wanted), &by_data(found))
    } else if name.ends_with("metrics_snapshot") {
        differences(&without_framework_ids(wanted), &without_framework_ids(found))
    } else {
        differences(wanted, found)
    };
    found.into_iter().map(|path| format!("{name}{path}")).collect()
}

/// Metrics without the ids of frameworks in their names: `master/frameworks/NAME/ID/...`.
fn without_framework_ids(metrics: &Value) -> Value {
    let Value::Object(members) = metrics else { return metrics.clone() };
    let renamed = members.iter().map(|(name, value)| {
        let parts: Vec<&str> = name.split('/').collect();
        let name = match parts.as_slice() {
            ["master", "frameworks", framework, _, rest @ ..] => {
                format!("master/frameworks/{framework}/{}", rest.join("/"))
            }
            _ => name.clone(),
        };
        (name, value.clone())
    });
    Value::Object(renamed.collect())
}

fn add(value: &Value, path: String, shape: &mut Shape) {
    shape.entry(path.clone()).or_default().insert(kind(value));
    match value {
        Value::Object(members) => {
            let last = path.rsplit('.').next().unwrap_or_default();
            let by_data = NAMED_BY_DATA.contains(&last);
            for (name, member) in members {
                if by_data {
                    shape.entry(format!("{path}.*")).or_default().insert(kind(member));
                } else {
                    add(member, format!("{path}.{name}"), shape);
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|each| add(each, format!("{path}[]"), shape)),
        _ => {}
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What an answer lacks, or has of another type, as `path` or `path is KIND`.
#[must_use]
pub fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let found = shape(found);
    let differs = |(path, kinds): (String, BTreeSet<&str>)| match found.get(&path) {
        None => Some(path),
        Some(others) if kinds.is_disjoint(others) => {
            Some(format!("{path} is {}", others.iter().copied().collect::<Vec<_>>().join(" or ")))
        }
        Some(_) => None,
    };
    shape(wanted).into_iter().filter_map(differs).collect()
}

/// Asks a cluster what was recorded under this name: `SIDE.get.PATH`, with `_` for `/`, or `SIDE.v1.CALL`.
pub fn ask(name: &str, target: &Target) -> Result<Value> {
    let parts: Vec<&str> = name.splitn(3, '.').collect();
    let [side, api, rest] = parts[..] else { bail!("'{name}' names no question") };
    let address = if side == "master" { &target.master } else { &target.agent };
    let request = match api {
        "get" => Request::get(&format!("/{}", rest.replace('_', "/"))),
        _ => Request::json("/api/v1", &call(rest)),
    };
    let response = http::send(address, &request, Duration::from_secs(20))?;
    if response.head.status != 200 {
        bail!("{name}: {} {}", response.head.status, response.text());
    }
    if response.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&response.body).with_context(|| format!("{name}: {}", response.text()))
}

fn call(kind: &str) -> Value {
    let mut call = json!({ "type": kind });
    match kind {
        "GET_METRICS" => call["get_metrics"] = json!({ "timeout": { "nanoseconds": 5_000_000_000_u64 } }),
        "GET_CONTAINERS" => {
            call["get_containers"] = json!({ "show_nested": true, "show_standalone": true });
        }
        _ => {}
    }
    call
}

macro_rules! endpoints {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../data/endpoints/", $name, ".200.json")))),*]
    };
}

/// What Mesos answered, by name: compiled in, as the other recordings are.
pub const RECORDED: &[(&str, &str)] = endpoints![
    "agent.get.containers" "agent.get.files_debug" "agent.get.flags" "agent.get.metrics_snapshot"
    "agent.get.monitor_statistics" "agent.get.slave(1)_state" "agent.get.state"
    "agent.get.system_stats.json" "agent.get.version" "agent.v1.GET_AGENT" "agent.v1.GET_CONTAINERS"
    "agent.v1.GET_EXECUTORS" "agent.v1.GET_FLAGS" "agent.v1.GET_FRAMEWORKS" "agent.v1.GET_HEALTH"
    "agent.v1.GET_LOGGING_LEVEL" "agent.v1.GET_METRICS" "agent.v1.GET_OPERATIONS"
    "agent.v1.GET_RESOURCE_PROVIDERS" "agent.v1.GET_STATE" "agent.v1.GET_TASKS" "agent.v1.GET_VERSION"
    "master.get.files_debug" "master.get.flags" "master.get.frameworks" "master.get.maintenance_schedule"
    "master.get.maintenance_status" "master.get.master_slaves" "master.get.master_state"
    "master.get.master_tasks" "master.get.metrics_snapshot" "master.get.quota" "master.get.roles"
    "master.get.slaves" "master.get.state" "master.get.state-summary" "master.get.system_stats.json"
    "master.get.tasks" "master.get.version" "master.get.weights" "master.v1.GET_AGENTS"
    "master.v1.GET_EXECUTORS" "master.v1.GET_FLAGS" "master.v1.GET_FRAMEWORKS" "master.v1.GET_HEALTH"
    "master.v1.GET_LOGGING_LEVEL" "master.v1.GET_MAINTENANCE_SCHEDULE" "master.v1.GET_MAINTENANCE_STATUS"
    "master.v1.GET_MASTER" "master.v1.GET_METRICS" "master.v1.GET_OPERATIONS" "master.v1.GET_QUOTA"
    "master.v1.GET_ROLES" "master.v1.GET_STATE" "master.v1.GET_TASKS" "master.v1.GET_VERSION"
    "master.v1.GET_WEIGHTS"
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_of_another_type_is_told() {
        let wanted =
            json!({ "a": [{ "b": 1, "c": "x" }, { "d": true }], "flags": { "port": "5050" }, "n": null });
        let alike =
            json!({ "a": [{ "d": false, "b": 2.5 }, { "c": "" }], "flags": { "ip": "x" }, "n": null });
        assert_eq!(differences(&wanted, &alike), Vec::<String>::new());
        let other = json!({ "a": [{ "b": "1", "c": "x" }], "flags": { "port": 5050 } });
        assert_eq!(differences(&wanted, &other), [".a[].b is string", ".a[].d", ".flags.* is number", ".n"]);
    }

    #[test]
    fn every_recording_is_a_document() {
        assert_eq!(RECORDED.len(), 57);
        for (name, text) in RECORDED {
            assert!(serde_json::from_str::<Value>(text).is_ok() || text.is_empty(), "{name}");
        }
    }
}

//! What a message between master and agent says, as JSON, so that one function reads them all.

use std::fmt;

use anyhow::{Context, Result, bail};
use proto::internal;
use serde_json::Value;

use crate::scheduler::text;

/// The content of a message, in the JSON form.
#[derive(Clone, Debug, PartialEq)]
pub struct Body(pub Value);

macro_rules! transcode {
    ($name:expr, $bytes:expr, $($message:ident)*) => {{
        let mut out = Vec::new();
        match $name {
            $(stringify!($message) => proto::json::transcode::<internal::$message>($bytes, &mut out)?,)*
            other => bail!("no message is called '{other}'"),
        }
        out
    }};
}

impl Body {
    /// Reads the protobuf of a message with a name of `mesos.internal`.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self> {
        let json = transcode!(
            name, bytes,
            RegisterSlaveMessage SlaveRegisteredMessage ReregisterSlaveMessage SlaveReregisteredMessage
            UpdateSlaveMessage PingSlaveMessage PongSlaveMessage RunTaskMessage RunTaskGroupMessage KillTaskMessage
            StatusUpdateMessage StatusUpdateAcknowledgementMessage ShutdownFrameworkMessage ShutdownExecutorMessage
            ExitedExecutorMessage UpdateFrameworkMessage ApplyOperationMessage UpdateOperationStatusMessage
            AcknowledgeOperationStatusMessage ReconcileOperationsMessage DrainSlaveMessage ShutdownMessage ReconcileTasksMessage
            FrameworkToExecutorMessage ExecutorToFrameworkMessage UnregisterSlaveMessage
        );
        serde_json::from_slice(&json).map(Self).context("no JSON")
    }

    /// The number of the framework it is about, if it is about one.
    #[must_use]
    pub fn framework(&self) -> Option<u32> {
        let paths = [
            "/framework_id/value",
            "/framework/id/value",
            "/update/framework_id/value",
            "/framework_info/id/value",
        ];
        let id = paths.iter().find_map(|path| self.0.pointer(path)?.as_str())?;
        id.rsplit('-').next()?.parse().ok()
    }

    /// The task it is about; empty if it is about none.
    #[must_use]
    pub fn task(&self) -> String {
        let paths = ["/task/task_id/value", "/update/status/task_id/value", "/task_id/value"];
        paths.iter().find_map(|path| self.0.pointer(path)).map(text).unwrap_or_default()
    }

    /// The state that a status update brings; empty for another message.
    #[must_use]
    pub fn state(&self) -> String {
        text(&self.0["update"]["status"]["state"])
    }

    /// How it differs from what is expected, but for what no two runs have in common: `volatile` names fields, at any
    /// depth, whose values may differ; they must be there or not be there all the same.
    #[must_use]
    pub fn differences(&self, expected: &Self, volatile: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        compare("", &expected.0, &self.0, volatile, &mut found);
        found
    }
}

fn compare(path: &str, expected: &Value, seen: &Value, volatile: &[&str], found: &mut Vec<String>) {
    match (expected, seen) {
        (Value::Object(one), Value::Object(other)) => {
            for (name, value) in one {
                match other.get(name) {
                    None => found.push(format!("{path}/{name} is missing")),
                    Some(_) if volatile.contains(&name.as_str()) => {}
                    Some(seen) => compare(&format!("{path}/{name}"), value, seen, volatile, found),
                }
            }
            for name in other.keys().filter(|name| !one.contains_key(*name)) {
                found.push(format!("{path}/{name} is too much: {}", other[name]));
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (i, (expected, seen)) in one.iter().zip(other).enumerate() {
                compare(&format!("{path}/{i}"), expected, seen, volatile, found);
            }
        }
        _ if expected == seen => {}
        _ => found.push(format!("{path} is {seen}, expected {expected}")),
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        f.write_str(text.get(..300).unwrap_or(&text))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_name_the_field() {
        let expected = Body(json!({"a": {"b": 1, "id": "x"}, "c": [1]}));
        let seen = Body(json!({"a": {"b": 2, "id": "y"}, "c": [1], "d": 0}));
        let found = seen.differences(&expected, &["id"]);
        assert_eq!(found, ["/a/b is 2, expected 1", "/d is too much: 0"]);
        assert!(expected.differences(&expected, &[]).is_empty());
        assert_eq!(Body(json!({})).differences(&expected, &["a"]).len(), 2);
    }
}

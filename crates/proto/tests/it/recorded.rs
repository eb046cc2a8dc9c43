//! What a real Apache Mesos sent is read without loss and written as it was.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::Value;

use crate::codecs;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/data").join(name)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty(), "{} is empty", path.display());
    lines
}

#[test]
fn every_message_between_master_and_agent_encodes_to_the_same_bytes() {
    for (index, line) in lines(&data("libprocess.jsonl")).iter().enumerate() {
        let name = line["path"].as_str().unwrap().rsplit('/').next().unwrap();
        let body = base64::engine::general_purpose::STANDARD.decode(line["body"].as_str().unwrap()).unwrap();
        let again = (codecs::named(name).recode)(&body).unwrap();
        assert_eq!(again, body, "message {index}, {name}");
    }
}

/// Reads the value as this message and expects an equal value back.
fn same_json(message: &str, value: &Value, context: &str) {
    let codec = codecs::named(message);
    let encoded =
        (codec.from_json)(&serde_json::to_vec(value).unwrap()).unwrap_or_else(|e| panic!("{context}: {e}"));
    let again: Value = serde_json::from_slice(&(codec.to_json)(&encoded).unwrap()).unwrap();
    let mut want = value.clone();
    only_what_the_messages_say(&mut want);
    if let Some(difference) = first_difference("", &again, &want) {
        panic!("{context}: {difference}");
    }
}

/// Mesos writes some answers from its v0 objects by hand; takes away what such a text has more than the message:
/// lists that are empty.
fn only_what_the_messages_say(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(only_what_the_messages_say),
        Value::Object(object) => {
            object.retain(|_, value| *value != Value::Array(Vec::new()));
            object.values_mut().for_each(only_what_the_messages_say);
        }
        _ => {}
    }
}

/// Where two values differ first; the values themselves are too long to read.
fn first_difference(path: &str, have: &Value, want: &Value) -> Option<String> {
    match (have, want) {
        (Value::Object(have), Value::Object(want)) => {
            let keys: BTreeSet<&String> = have.keys().chain(want.keys()).collect();
            keys.into_iter().find_map(|key| {
                let (have, want) =
                    (have.get(key).unwrap_or(&Value::Null), want.get(key).unwrap_or(&Value::Null));
                first_difference(&format!("{path}.{key}"), have, want)
            })
        }
        (Value::Array(have), Value::Array(want)) if have.len() == want.len() => have
            .iter()
            .zip(want)
            .enumerate()
            .find_map(|(index, (have, want))| first_difference(&format!("{path}[{index}]"), have, want)),
        _ if have == want => None,
        _ => Some(format!("{path} is {have} instead of {want}")),
    }
}

#[test]
fn every_answer_of_the_operator_api_is_written_as_it_was() {
    let mut count = 0;
    for entry in fs::read_dir(data("endpoints")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let side = name.split('.').next().unwrap();
        let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        same_json(&format!("mesos.v1.{side}.Response"), &value, &name);
        count += 1;
    }
    assert!(count >= 30, "only {count} answers found");
}

#[test]
fn every_event_of_an_operators_subscription_is_written_as_it_was() {
    for (index, event) in lines(&data("operator_subscribe.jsonl")).iter().enumerate() {
        same_json("mesos.v1.master.Event", event, &format!("event {index}"));
    }
}

#[test]
fn every_event_of_a_scheduler_is_written_as_it_was() {
    for entry in fs::read_dir(data("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        // Lines such as `(stream closed)` are remarks of the recorder.
        let remark = |event: &Value| event["type"].as_str().is_some_and(|kind| kind.starts_with('('));
        for (index, event) in lines(&path).iter().enumerate().filter(|(_, event)| !remark(event)) {
            same_json("mesos.v1.scheduler.Event", event, &format!("{} event {index}", path.display()));
        }
    }
}

//! The messages that are used, as JSON has them: bytes in base64, large numbers as text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize};

pub(super) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The first key behind all that begin with this.
pub(super) fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    vec![0]
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Text(String),
        Plain(u64),
    }
    match Number::deserialize(from)? {
        Number::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Number::Plain(number) => Ok(number),
    }
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Range {
    pub(super) key: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range_end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sort_order: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sort_target: Option<&'static str>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Header {
    #[serde(default, deserialize_with = "number")]
    pub(super) revision: u64,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct KeyValue {
    #[serde(default)]
    key: String,
    #[serde(default)]
    value: String,
    #[serde(default, deserialize_with = "number")]
    pub(super) create_revision: u64,
    #[serde(default, deserialize_with = "number")]
    pub(super) mod_revision: u64,
}

impl KeyValue {
    pub(super) fn key(&self) -> Result<Vec<u8>, base64::DecodeError> {
        STANDARD.decode(&self.key)
    }

    pub(super) fn value(&self) -> Result<Vec<u8>, base64::DecodeError> {
        STANDARD.decode(&self.value)
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct RangeAnswer {
    #[serde(default)]
    pub(super) header: Header,
    #[serde(default)]
    pub(super) kvs: Vec<KeyValue>,
    #[serde(default)]
    pub(super) more: bool,
}

#[derive(Debug, Default, Serialize)]
pub(super) struct Txn {
    pub(super) compare: Vec<serde_json::Value>,
    pub(super) success: Vec<serde_json::Value>,
    pub(super) failure: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TxnAnswer {
    #[serde(default)]
    pub(super) header: Header,
    #[serde(default)]
    pub(super) succeeded: bool,
    #[serde(default)]
    pub(super) responses: Vec<TxnPart>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TxnPart {
    pub(super) response_range: Option<RangeAnswer>,
}

#[derive(Debug, Deserialize)]
pub(super) struct LeaseAnswer {
    #[serde(default, rename = "ID")]
    pub(super) id: String,
    /// In seconds; 0 if the lease is over.
    #[serde(default, rename = "TTL", deserialize_with = "number")]
    pub(super) ttl: u64,
}

/// What streams are made of.
#[derive(Debug, Deserialize)]
pub(super) struct Streamed<T> {
    pub(super) result: T,
}

#[derive(Debug, Deserialize)]
pub(super) struct WatchAnswer {
    #[serde(default)]
    pub(super) canceled: bool,
    /// Why; empty if it is for the next.
    #[serde(default)]
    cancel_reason: String,
    /// What was asked for is older than this, which is the oldest that is kept.
    #[serde(default, deserialize_with = "number")]
    compact_revision: u64,
    #[serde(default)]
    pub(super) events: Vec<WatchEvent>,
}

impl WatchAnswer {
    /// Why the watch is over.
    pub(super) fn reason(&self) -> String {
        match (self.compact_revision, self.cancel_reason.as_str()) {
            (0, "") => "it does not say why".to_owned(),
            (0, reason) => reason.to_owned(),
            (compacted, _) => format!("all before revision {compacted} is compacted"),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WatchEvent {
    #[serde(default)]
    r#type: String,
    pub(super) kv: KeyValue,
}

impl WatchEvent {
    pub(super) fn is_removal(&self) -> bool {
        self.r#type == "DELETE"
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) token: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorAnswer {
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) error: String,
    #[serde(default)]
    pub(super) code: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix() {
        assert_eq!(end_of(b"/m/"), b"/m0");
        assert_eq!(end_of(&[1, 0xff]), [2]);
        assert_eq!(end_of(&[0xff]), [0], "all keys");
    }

    #[test]
    fn numbers_come_as_text() {
        let answer: RangeAnswer =
            serde_json::from_str(r#"{"header":{"revision":"9"},"kvs":[{"key":"YQ==","mod_revision":"7"}]}"#)
                .expect("an answer");
        assert_eq!((answer.header.revision, answer.kvs[0].mod_revision), (9, 7));
        assert_eq!(answer.kvs[0].key().expect("a key"), b"a");
    }
}

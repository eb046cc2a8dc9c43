//! The JSON form of messages, as Mesos writes and reads it.
//!
//! Written are the fields that are set, in the order of the `.proto` file, and also every field with an explicit default
//! that is not deprecated, with that default. Enums are names, bytes are base64, 64 bit integers are numbers, maps are
//! objects; an empty list is left out. A double without end is the text `Infinity` or `-Infinity`. Read is the same, and
//! numbers and bools in strings; fields that are not known and `null` are ignored.
//!
//! Both directions go through the protobuf form and the tables of [`crate::table`]; so a message that is at hand in its
//! encoded form is written as JSON without being decoded, by [`transcode`].

mod error;
mod read;
mod write;

use prost::Message;
use serde::{Serialize, Serializer};

use crate::{DecodeError, Described, missing};

pub use error::JsonError;
use write::WireMessage;

const INFINITY: &str = "Infinity";
const MINUS_INFINITY: &str = "-Infinity";

/// The JSON form of a message.
#[must_use]
pub fn to_vec<M: Message + Described>(message: &M) -> Vec<u8> {
    let encoded = message.encode_to_vec();
    let mut out = Vec::with_capacity(encoded.len() * 2 + 64);
    serde_json::to_writer(&mut out, &WireMessage::new(M::table(), &encoded))
        .expect("what was just encoded is well-formed, and a vector takes all that is written");
    out
}

/// The JSON form of a message.
#[must_use]
pub fn to_string<M: Message + Described>(message: &M) -> String {
    String::from_utf8(to_vec(message)).expect("JSON is UTF-8")
}

/// The JSON form of a message that is at hand in its encoded form; `out` is appended to.
///
/// # Errors
///
/// The bytes are not an encoding of the message; `out` then holds a part of the text.
pub fn transcode<M: Described>(encoded: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
    serde_json::to_writer(out, &WireMessage::new(M::table(), encoded))
        .map_err(|_| DecodeError::Malformed { message: M::FULL_NAME, source: None })
}

/// Reads a message from JSON text.
///
/// # Errors
///
/// The text is not JSON, or not this message; the errors print as those of Mesos do.
pub fn from_slice<M: Message + Default + Described>(text: &[u8]) -> Result<M, JsonError> {
    let value: serde_json::Value =
        serde_json::from_slice(text).map_err(|error| JsonError::syntax(text, &error))?;
    from_value(&value)
}

/// Reads a message from JSON that is already parsed.
///
/// # Errors
///
/// The value is not this message.
pub fn from_value<M: Message + Default + Described>(value: &serde_json::Value) -> Result<M, JsonError> {
    let serde_json::Value::Object(object) = value else { return Err(JsonError::NotAnObject) };
    let depth = missing::depth_limit(M::FULL_NAME);
    let mut encoded = Vec::new();
    read::encode_object(M::table(), object, &mut encoded)?;
    if !missing::satisfied(M::table(), &encoded, depth).map_err(|_| JsonError::TooDeep)? {
        let fields = missing::list(M::table(), &encoded, depth).map_err(|_| JsonError::TooDeep)?;
        if !fields.is_empty() {
            return Err(JsonError::Missing(fields.join(", ")));
        }
    }
    // The text was turned into this encoding just before; only its depth can still be too much.
    M::decode(encoded.as_slice()).map_err(|_| JsonError::TooDeep)
}

/// What every generated message's `Serialize` does.
pub(crate) fn serialize<M, S>(message: &M, serializer: S) -> Result<S::Ok, S::Error>
where
    M: Message + Described,
    S: Serializer,
{
    WireMessage::new(M::table(), &message.encode_to_vec()).serialize(serializer)
}

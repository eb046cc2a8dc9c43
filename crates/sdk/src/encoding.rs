//! How messages are written: protobuf, which is quick, or JSON, which people can read in a packet dump.

use bytes::Bytes;
use proto::{Described, Message};

/// The encoding of calls and events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    #[default]
    Protobuf,
    /// `application/json`, in Mesos' form.
    Json,
}

/// What was received is not the message that was expected.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct DecodeError(pub(crate) String);

impl Encoding {
    /// The value of `Content-Type` and `Accept`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    pub(crate) fn encode<M: Message + Described>(self, message: &M) -> Vec<u8> {
        match self {
            Self::Protobuf => message.encode_to_vec(),
            Self::Json => proto::json::to_vec(message),
        }
    }

    /// Decodes without a copy of byte fields where the encoding allows.
    pub(crate) fn decode<M>(self, bytes: Bytes) -> Result<M, DecodeError>
    where
        M: Message + Default + Described,
    {
        match self {
            Self::Protobuf => M::decode(bytes).map_err(|e| DecodeError(e.to_string())),
            Self::Json => proto::json::from_slice(&bytes).map_err(|e| DecodeError(e.to_string())),
        }
    }
}

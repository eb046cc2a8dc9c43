//! The protobuf form of a message.

use prost::Message;

use crate::missing::{self, Unfit};
use crate::table::Described;

/// Why bytes are not the message that they should be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are not protobuf, or not of this message.
    #[error("malformed {message}")]
    Malformed {
        /// The full name of the message.
        message: &'static str,
        /// What the decoder says, where it says anything.
        #[source]
        source: Option<prost::DecodeError>,
    },
    /// Required fields are not there; the paths, separated by commas.
    #[error("{message} lacks required fields: {fields}")]
    Missing {
        /// The full name of the message.
        message: &'static str,
        /// Such as `framework_id, executor_id.value`.
        fields: String,
    },
    /// Messages are nested too deeply.
    #[error("the messages in {message} are nested too deeply")]
    TooDeep {
        /// The full name of the message.
        message: &'static str,
    },
}

/// Decodes a message and checks that it has all its required fields, at any depth.
///
/// Encodings that were written one after another count as their sum, as protobuf has it.
///
/// # Errors
///
/// The bytes are malformed or nested too deeply, or a required field is missing.
pub fn decode<M: Message + Default + Described>(bytes: &[u8]) -> Result<M, DecodeError> {
    check::<M>(bytes)?;
    M::decode(bytes).map_err(|error| DecodeError::Malformed { message: M::FULL_NAME, source: Some(error) })
}

fn check<M: Described>(bytes: &[u8]) -> Result<(), DecodeError> {
    let unfit = |unfit| match unfit {
        Unfit::Malformed => DecodeError::Malformed { message: M::FULL_NAME, source: None },
        Unfit::TooDeep => DecodeError::TooDeep { message: M::FULL_NAME },
    };
    let depth = missing::depth_limit(M::FULL_NAME);
    if missing::satisfied(M::table(), bytes, depth).map_err(unfit)? {
        return Ok(());
    }
    let fields = missing::list(M::table(), bytes, depth).map_err(unfit)?;
    if fields.is_empty() {
        return Ok(());
    }
    Err(DecodeError::Missing { message: M::FULL_NAME, fields: fields.join(", ") })
}

/// Encodes a message.
#[must_use]
pub fn encode<M: Message>(message: &M) -> Vec<u8> {
    message.encode_to_vec()
}

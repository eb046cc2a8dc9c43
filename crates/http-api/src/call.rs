//! From the bytes of a body to a call.

use proto::json::JsonError;
use proto::{Described, Message};

use crate::{ApiError, Encoding};

/// Decodes a call and checks its required fields; whether the call makes sense is for others to say.
///
/// # Errors
///
/// `400` with the text that Mesos has for it.
pub fn decode_call<M: Message + Default + Described>(
    encoding: Encoding,
    bytes: &[u8],
) -> Result<M, ApiError> {
    let label = M::FULL_NAME.rsplit('.').next().unwrap_or(M::FULL_NAME);
    match encoding {
        Encoding::Protobuf => proto::decode(bytes)
            .map_err(|_| ApiError::bad_request(format!("Failed to parse body into {label} protobuf"))),
        Encoding::Json => proto::json::from_slice(bytes).map_err(|error| match error {
            JsonError::Syntax { .. } => {
                ApiError::bad_request(format!("Failed to parse body into JSON: {error}"))
            }
            error => ApiError::bad_request(format!("Failed to convert JSON into {label} protobuf: {error}")),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proto::v1::{executor, scheduler};

    use super::*;

    fn text<M: Message + Default + Described + std::fmt::Debug>(encoding: Encoding, bytes: &[u8]) -> String {
        let error = decode_call::<M>(encoding, bytes).unwrap_err();
        assert_eq!(error.status, 400);
        error.message
    }

    #[test]
    fn the_texts_are_those_of_mesos() {
        let json = |bytes: &[u8]| text::<scheduler::Call>(Encoding::Json, bytes);
        assert_eq!(json(b"{"), "Failed to parse body into JSON: syntax error at line 1 near: ");
        assert_eq!(json(b""), "Failed to parse body into JSON: syntax error at line 1 near: ");
        assert_eq!(json(b"[]"), "Failed to convert JSON into Call protobuf: Expecting a JSON object");
        assert_eq!(
            json(br#"{"type":7}"#),
            "Failed to convert JSON into Call protobuf: Not expecting a JSON number for field 'type'"
        );
        assert_eq!(
            json(br#"{"type":"SUBSCRIBE","subscribe":{"framework_info":{"name":"x"}}}"#),
            "Failed to convert JSON into Call protobuf: Missing required fields: subscribe.framework_info.user"
        );
        assert_eq!(
            text::<executor::Call>(Encoding::Json, b"{}"),
            "Failed to convert JSON into Call protobuf: Missing required fields: executor_id, framework_id"
        );
        for bytes in [&b"\xff\xff\xff\xff"[..], b"\x0a\x00"] {
            assert_eq!(
                text::<scheduler::Call>(Encoding::Protobuf, bytes),
                "Failed to parse body into Call protobuf"
            );
        }
    }
}

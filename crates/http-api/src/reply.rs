//! Answers of success.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use proto::{Described, Message};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{Answer, ApiError, Encoding};

/// `202`: taken; what comes of it is told elsewhere.
#[must_use]
pub fn accepted() -> Response {
    StatusCode::ACCEPTED.into_response()
}

/// `200` with nothing to say.
#[must_use]
pub fn ok() -> Response {
    StatusCode::OK.into_response()
}

/// `200` with a message.
#[must_use]
pub fn message<M: Message + Described>(encoding: Encoding, message: &M) -> Response {
    with_type(encoding.media_type(), encoded(encoding, message))
}

/// The same as an answer that has a tag.
#[must_use]
pub fn message_answer<M: Message + Described>(encoding: Encoding, message: &M) -> Answer {
    Answer::whole(encoding.media_type(), encoded(encoding, message))
}

fn encoded<M: Message + Described>(encoding: Encoding, message: &M) -> Vec<u8> {
    match encoding {
        Encoding::Json => proto::json::to_vec(message),
        Encoding::Protobuf => proto::encode(message),
    }
}

/// `200` with a JSON text.
#[must_use]
pub fn json_text(text: Vec<u8>) -> Response {
    with_type(Encoding::Json.media_type(), text)
}

/// `{"type": KIND, FIELD: VIEW}`, the JSON form of an answer of the operator APIs.
#[must_use]
pub fn typed_json(kind: &'static str, field: &'static str, view: &impl Serialize) -> Answer {
    struct Typed<'a, V>(&'static str, &'static str, &'a V);
    impl<V: Serialize> Serialize for Typed<'_, V> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(2))?;
            map.serialize_entry("type", self.0)?;
            map.serialize_entry(self.1, self.2)?;
            map.end()
        }
    }
    let text = serde_json::to_vec(&Typed(kind, field, view)).unwrap_or_default();
    Answer::whole(Encoding::Json.media_type(), text)
}

/// `200` with a JSON text; as a call of the function `callback` where one is asked for, so that pages of other origins
/// can load it as a script (`?jsonp=NAME` of the v0 endpoints).
///
/// # Errors
///
/// `400` when the callback is not the name of a function.
pub fn with_jsonp(text: Vec<u8>, callback: Option<&str>) -> Result<Response, ApiError> {
    let Some(callback) = callback else { return Ok(json_text(text)) };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.' | '[' | ']');
    if callback.is_empty() || !callback.chars().all(is_name) {
        return Err(ApiError::bad_request("Expecting 'jsonp' to be the name of a function"));
    }
    let mut script = Vec::with_capacity(text.len() + callback.len() + 3);
    script.extend_from_slice(callback.as_bytes());
    script.push(b'(');
    script.extend_from_slice(&text);
    script.extend_from_slice(b");");
    Ok(with_type("text/javascript", script))
}

fn with_type(media_type: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

//! Which media types a request has and which its answer may have.
//!
//! As Mesos has it, JSON is preferred whenever it is accepted, whatever the order or weights of the `Accept` header.
//! More lenient than Mesos, parameters such as `charset` and letter case do not matter in a `Content-Type`.

use axum::http::{HeaderMap, StatusCode, header};

use crate::ApiError;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const RECORDIO: &str = "application/recordio";
const MESSAGE_CONTENT_TYPE: &str = "message-content-type";
const MESSAGE_ACCEPT: &str = "message-accept";

/// How messages are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// `application/json`
    Json,
    /// `application/x-protobuf`
    Protobuf,
}

impl Encoding {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Protobuf => PROTOBUF,
        }
    }

    fn of_media_type(text: &str) -> Option<Self> {
        match essence(text).as_str() {
            JSON => Some(Self::Json),
            PROTOBUF => Some(Self::Protobuf),
            _ => None,
        }
    }
}

/// What the body of a request to the agent's operator API is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBody {
    /// One call.
    Message(Encoding),
    /// RecordIO with a call in each record.
    Stream(Encoding),
}

/// What the body of an answer of the agent's operator API is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseBody {
    /// One message.
    Message(Encoding),
    /// RecordIO with a message in each record.
    Stream(Encoding),
}

/// The encoding of a call, by its `Content-Type`.
///
/// # Errors
///
/// `400` without the header, `415` for any other type.
pub fn request_encoding(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    Encoding::of_media_type(content_type(headers)?)
        .ok_or_else(|| unsupported("Expecting 'Content-Type' of application/json or application/x-protobuf"))
}

/// The encoding of the answer, by the request's `Accept`; JSON when there is none.
///
/// # Errors
///
/// `406` when neither JSON nor protobuf is accepted.
pub fn response_encoding(headers: &HeaderMap) -> Result<Encoding, ApiError> {
    first_accepted(headers, header::ACCEPT.as_str(), &[Encoding::Json, Encoding::Protobuf]).ok_or_else(|| {
        not_acceptable("Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'")
    })
}

/// What the body of a request to the agent's operator API is, by `Content-Type` and `Message-Content-Type`.
///
/// # Errors
///
/// `400` where a header is missing, `415` for other types and where `Message-Content-Type` has no place.
pub fn request_body(headers: &HeaderMap) -> Result<RequestBody, ApiError> {
    let content_type = content_type(headers)?;
    let of_messages = text_of(headers, MESSAGE_CONTENT_TYPE);
    if essence(content_type) == RECORDIO {
        let of_messages = of_messages.ok_or_else(|| {
            ApiError::bad_request("Expecting 'Message-Content-Type' to be set for streaming requests")
        })?;
        return Encoding::of_media_type(of_messages).map(RequestBody::Stream).ok_or_else(|| {
            unsupported("Expecting 'Message-Content-Type' of application/json or application/x-protobuf")
        });
    }
    let encoding = Encoding::of_media_type(content_type).ok_or_else(|| {
        unsupported(
            "Expecting 'Content-Type' of application/json or application/x-protobuf or application/recordio",
        )
    })?;
    if of_messages.is_some() {
        return Err(unsupported("Expecting 'Message-Content-Type' to be not set for non-streaming requests"));
    }
    Ok(RequestBody::Message(encoding))
}

/// What the body of an answer of the agent's operator API is to be, by `Accept` and `Message-Accept`.
///
/// # Errors
///
/// `406` when nothing that can be sent is accepted, and where `Message-Accept` has no place.
pub fn response_body(headers: &HeaderMap) -> Result<ResponseBody, ApiError> {
    const BOTH: [Encoding; 2] = [Encoding::Json, Encoding::Protobuf];
    if let Some(encoding) = first_accepted(headers, header::ACCEPT.as_str(), &BOTH) {
        if headers.contains_key(MESSAGE_ACCEPT) {
            return Err(not_acceptable(
                "Expecting 'Message-Accept' to be not set for non-streaming responses",
            ));
        }
        return Ok(ResponseBody::Message(encoding));
    }
    if !accepts(headers, header::ACCEPT.as_str(), RECORDIO) {
        return Err(not_acceptable(
            "Expecting 'Accept' to allow application/json or application/x-protobuf or application/recordio",
        ));
    }
    first_accepted(headers, MESSAGE_ACCEPT, &BOTH).map(ResponseBody::Stream).ok_or_else(|| {
        not_acceptable("Expecting 'Message-Accept' to allow application/json or application/x-protobuf")
    })
}

fn content_type(headers: &HeaderMap) -> Result<&str, ApiError> {
    text_of(headers, header::CONTENT_TYPE.as_str())
        .ok_or_else(|| ApiError::bad_request("Expecting 'Content-Type' to be present"))
}

fn unsupported(message: &str) -> ApiError {
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
}

fn not_acceptable(message: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_ACCEPTABLE, message)
}

/// The header as text; what is not text counts as a type that nobody knows.
fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// A media type without its parameters, in lower case.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn first_accepted(headers: &HeaderMap, name: &str, encodings: &[Encoding]) -> Option<Encoding> {
    encodings.iter().copied().find(|encoding| accepts(headers, name, encoding.media_type()))
}

/// Whether the header allows the media type, also by a range such as `*/*`; it allows everything when it is absent.
fn accepts(headers: &HeaderMap, name: &str, media_type: &str) -> bool {
    if !headers.contains_key(name) {
        return true;
    }
    let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|range| {
            let allowed = essence(range);
            let refused = range.split(';').skip(1).any(|parameter| {
                parameter.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0_f32))
            });
            !refused && (allowed == "*/*" || allowed == media_type || allowed == format!("{kind}/*"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[track_caller]
    fn check<T: PartialEq + std::fmt::Debug>(result: Result<T, ApiError>, want: Result<T, (u16, &str)>) {
        let result = result.map_err(|error| (error.status.as_u16(), error.message));
        assert_eq!(result, want.map_err(|(status, text)| (status, text.to_owned())));
    }

    #[test]
    fn content_types() {
        let of = |value| request_encoding(&headers(&[("content-type", value)]));
        check(of("application/json"), Ok(Encoding::Json));
        check(of("application/json; charset=utf-8"), Ok(Encoding::Json));
        check(of("Application/X-Protobuf"), Ok(Encoding::Protobuf));
        check(request_encoding(&headers(&[])), Err((400, "Expecting 'Content-Type' to be present")));
        let text = "Expecting 'Content-Type' of application/json or application/x-protobuf";
        for other in ["text/plain", "", "application/recordio", "application/jsonx"] {
            check(of(other), Err((415, text)));
        }
    }

    #[test]
    fn accepted_types() {
        let of = |value| response_encoding(&headers(&[("accept", value)]));
        check(response_encoding(&headers(&[])), Ok(Encoding::Json));
        for json in
            ["*/*", "application/*", "application/x-protobuf, application/json", "text/html,*/*;q=0.1"]
        {
            check(of(json), Ok(Encoding::Json));
        }
        check(of("application/x-protobuf"), Ok(Encoding::Protobuf));
        check(of("application/json;q=0, application/x-protobuf"), Ok(Encoding::Protobuf));
        let text = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";
        for other in ["text/html", "", "application/json;q=0"] {
            check(of(other), Err((406, text)));
        }
    }

    #[test]
    fn streams_to_the_agent() {
        let of = |pairs| request_body(&headers(pairs));
        check(of(&[("content-type", JSON)]), Ok(RequestBody::Message(Encoding::Json)));
        check(
            of(&[("content-type", RECORDIO), (MESSAGE_CONTENT_TYPE, PROTOBUF)]),
            Ok(RequestBody::Stream(Encoding::Protobuf)),
        );
        check(
            of(&[("content-type", RECORDIO)]),
            Err((400, "Expecting 'Message-Content-Type' to be set for streaming requests")),
        );
        check(
            of(&[("content-type", JSON), (MESSAGE_CONTENT_TYPE, JSON)]),
            Err((415, "Expecting 'Message-Content-Type' to be not set for non-streaming requests")),
        );
        assert_eq!(of(&[("content-type", "text/plain")]).unwrap_err().status, 415);
    }

    #[test]
    fn streams_from_the_agent() {
        let of = |pairs| response_body(&headers(pairs));
        check(of(&[]), Ok(ResponseBody::Message(Encoding::Json)));
        check(of(&[("accept", RECORDIO)]), Ok(ResponseBody::Stream(Encoding::Json)));
        check(
            of(&[("accept", RECORDIO), (MESSAGE_ACCEPT, PROTOBUF)]),
            Ok(ResponseBody::Stream(Encoding::Protobuf)),
        );
        assert_eq!(of(&[("accept", RECORDIO), (MESSAGE_ACCEPT, "text/html")]).unwrap_err().status, 406);
        assert_eq!(of(&[("accept", JSON), (MESSAGE_ACCEPT, JSON)]).unwrap_err().status, 406);
        assert_eq!(of(&[("accept", "text/html")]).unwrap_err().status, 406);
    }
}

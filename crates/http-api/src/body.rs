//! Request bodies, read up to a limit.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use proto::recordio::Decoder;

use crate::ApiError;

/// What is still taken and thrown away of a body that was refused, so that its sender gets to read the answer.
const DRAIN_BYTES: usize = 64 << 20;
const DRAIN_TIME: Duration = Duration::from_secs(5);

/// How long a body may bring nothing new.
const BODY_PAUSE: Duration = Duration::from_secs(60);

/// Reads a whole body. One that is announced to be over the limit is not read at all; one that turns out to be is not
/// read further.
///
/// # Errors
///
/// `413` over the limit, `400` when the body breaks off, `408` when nothing more of it comes for a minute.
pub async fn read_body(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, ApiError> {
    read_body_within(headers, body, limit, BODY_PAUSE).await
}

/// The same with another limit of the time in which nothing new comes.
///
/// # Errors
///
/// As [`read_body`].
pub async fn read_body_within(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    pause: Duration,
) -> Result<Bytes, ApiError> {
    let announced =
        headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > limit)) {
        // Who waits for `100 Continue` has sent nothing yet.
        if !headers.contains_key(header::EXPECT) {
            tokio::spawn(drain(body));
        }
        return Err(too_large(limit));
    }
    // Most bodies are one chunk, which is handed on as it is.
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut length = 0;
    while let Some(frame) = tokio::time::timeout(pause, body.frame()).await.map_err(stalled)? {
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        length += data.len();
        if length > limit {
            tokio::spawn(drain(body));
            return Err(too_large(limit));
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            let announced = announced.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
            rest.reserve(announced.max(length));
            rest.extend_from_slice(&first);
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Reads the first record of a body that is a stream of them. The rest is thrown away, so that its sender, who may go on
/// sending, gets to read the answer.
///
/// # Errors
///
/// `400` when it is no stream of records, or a record is over the limit, and when it breaks off or ends before one is whole;
/// `408` when nothing more of it comes for a minute.
pub async fn read_first_record(mut body: Body, limit: usize) -> Result<Bytes, ApiError> {
    let mut records = Decoder::new(limit);
    let found = loop {
        match records.next() {
            Ok(Some(record)) => break Ok(record),
            Err(error) => break Err(ApiError::bad_request(format!("Failed to decode a record: {error}"))),
            Ok(None) => {}
        }
        let frame = tokio::time::timeout(BODY_PAUSE, body.frame()).await.map_err(stalled)?;
        let frame = frame
            .ok_or_else(|| ApiError::bad_request("Received EOF while reading request body"))?
            .map_err(broken)?;
        if let Some(data) = frame.data_ref() {
            records.push(data);
        }
    };
    tokio::spawn(drain(body));
    found
}

fn stalled(_: tokio::time::error::Elapsed) -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "The rest of the body did not come in time")
}

fn broken(error: axum::Error) -> ApiError {
    ApiError::bad_request(format!("Failed to read the body: {error}"))
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, format!("The body is over the limit of {limit} bytes"))
}

async fn drain(mut body: Body) {
    let drained = async {
        let mut taken = 0;
        while let Some(Ok(frame)) = body.frame().await {
            taken += frame.data_ref().map_or(0, Bytes::len);
            if taken > DRAIN_BYTES {
                return;
            }
        }
    };
    // However it ends, nobody waits for it.
    let _ = tokio::time::timeout(DRAIN_TIME, drained).await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tokio::sync::mpsc;

    use super::*;
    use crate::EventStream;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up_and_a_slow_one_is_not() {
        let (pieces, received) = mpsc::channel::<&'static str>(1);
        let body = Body::new(EventStream::new(received, |piece: &str, out: &mut Vec<u8>| {
            out.extend_from_slice(piece.as_bytes());
        }));
        let sender = tokio::spawn(async move {
            for piece in ["a", "b", "c"] {
                tokio::time::sleep(Duration::from_millis(9)).await;
                pieces.send(piece).await.unwrap();
            }
        });
        let pause = Duration::from_millis(10);
        let read = read_body_within(&HeaderMap::new(), body, 10, pause).await.unwrap();
        assert_eq!(&read[..], b"abc");
        sender.await.unwrap();

        let (silent, received) = mpsc::channel::<Infallible>(1);
        let body = Body::new(EventStream::new(received, |never: Infallible, _: &mut Vec<u8>| match never {}));
        let error = read_body_within(&HeaderMap::new(), body, 10, pause).await.unwrap_err();
        assert_eq!(error.status, StatusCode::REQUEST_TIMEOUT);
        drop(silent);
    }

    #[tokio::test]
    async fn the_first_record_is_enough_however_it_comes() {
        let first = async |pieces: &'static [&'static str], goes_on: bool| {
            let (sender, received) = mpsc::channel::<&'static str>(8);
            for piece in pieces {
                sender.send(piece).await.unwrap();
            }
            // One who goes on sending is answered all the same.
            let held = goes_on.then_some(sender);
            let body = Body::new(EventStream::new(received, |piece: &str, out: &mut Vec<u8>| {
                out.extend_from_slice(piece.as_bytes());
            }));
            let read = read_first_record(body, 5).await;
            drop(held);
            read.map(|record| String::from_utf8(record.to_vec()).unwrap()).map_err(|error| error.to_string())
        };
        let wrong = |text: &str| Err(format!("400 Bad Request: {text}"));
        assert_eq!(first(&["3\nabc4\nmo"], true).await, Ok("abc".to_owned()));
        assert_eq!(first(&["5", "\nab", "cde"], true).await, Ok("abcde".to_owned()));
        assert_eq!(first(&["3\nab"], false).await, wrong("Received EOF while reading request body"));
        assert_eq!(first(&[], false).await, wrong("Received EOF while reading request body"));
        assert_eq!(
            first(&["{\"type\":1}"], true).await,
            wrong("Failed to decode a record: expected the decimal length of a record, found byte 0x7b")
        );
        assert_eq!(
            first(&["6\nabcdef"], true).await,
            wrong("Failed to decode a record: a record of 6 bytes is over the limit of 5 bytes")
        );
    }
}

//! Streams of events: the body of an answer that does not end.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use proto::recordio;
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;

use crate::Encoding;
use crate::pieces::{Answer, Sending};

/// The header that names a subscription in its later calls.
pub const MESOS_STREAM_ID: &str = "mesos-stream-id";

/// Events that are waiting go out together until a chunk has this many bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// A body made of the events of a bounded channel.
///
/// Events are encoded here, in the task of the connection, when the client can take them; who sends them only moves
/// them into the channel. A client that reads too slowly shows at the channel's other end as one that is full; one that
/// went away, as one that is closed. The stream ends when all senders are gone.
pub struct EventStream<T, E> {
    events: Receiver<T>,
    encode: E,
    buffer: Vec<u8>,
    first: Option<First>,
}

/// A record on its way that is not copied.
struct First {
    sending: Sending,
    left: watch::Sender<u64>,
}

impl<T, E> EventStream<T, E>
where
    T: Send + 'static,
    E: FnMut(T, &mut Vec<u8>) + Send + Unpin + 'static,
{
    /// A stream of these events. `encode` appends an event with its frame (see [`proto::recordio::encode`]).
    pub fn new(events: Receiver<T>, encode: E) -> Self {
        Self { events, encode, buffer: Vec::new(), first: None }
    }

    /// The same with a long record before all events, which is sent in the pieces that it is made of: a client that does not
    /// read it costs no copy of what is shared. How much of it is still to be taken can be watched, until the stream is dropped.
    #[must_use]
    pub fn beginning_with(mut self, record: &Answer) -> (Self, watch::Receiver<u64>) {
        recordio::encode_length(&mut self.buffer, record.length());
        let (left, watched) = watch::channel(record.length());
        self.first = Some(First { sending: record.sending(), left });
        (self, watched)
    }

    /// The answer that carries the stream; `stream_id` is for the client to send with its later calls.
    pub fn into_response(self, encoding: Encoding, stream_id: Option<&str>) -> Response {
        self.into_response_of(HeaderValue::from_static(encoding.media_type()), stream_id)
    }

    /// The same for a stream of the agent's operator API, whose media type says that it is RecordIO.
    pub fn into_recordio_response(self, encoding: Encoding) -> Response {
        let mut response = self.into_response_of(HeaderValue::from_static("application/recordio"), None);
        response
            .headers_mut()
            .insert("message-content-type", HeaderValue::from_static(encoding.media_type()));
        response
    }

    fn into_response_of(self, media_type: HeaderValue, stream_id: Option<&str>) -> Response {
        let mut response = Response::new(Body::new(self));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, media_type);
        if let Some(value) = stream_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(MESOS_STREAM_ID, value);
        }
        response
    }
}

impl<T, E> hyper::body::Body for EventStream<T, E>
where
    E: FnMut(T, &mut Vec<u8>) + Unpin,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let stream = self.get_mut();
        if let Some(first) = &mut stream.first {
            if !stream.buffer.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut stream.buffer).into()))));
            }
            if let Some(frame) = ready!(Pin::new(&mut first.sending).poll_frame(context)) {
                first.left.send_replace(first.sending.size_hint().lower());
                return Poll::Ready(Some(frame));
            }
            stream.first = None;
        }
        loop {
            let polled = stream.events.poll_recv(context);
            match polled {
                Poll::Ready(Some(event)) => {
                    (stream.encode)(event, &mut stream.buffer);
                    if stream.buffer.len() < CHUNK_BYTES {
                        continue;
                    }
                }
                // A chunk of nothing would end the body for the client; an encoder may write nothing.
                Poll::Ready(None) if stream.buffer.is_empty() => return Poll::Ready(None),
                Poll::Pending if stream.buffer.is_empty() => return Poll::Pending,
                Poll::Ready(None) | Poll::Pending => {}
            }
            let chunk = Bytes::from(std::mem::take(&mut stream.buffer));
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;
    use crate::{Piece, Pieces};

    #[tokio::test]
    async fn a_long_first_record_goes_out_without_being_copied() {
        let shared = Piece { number: 1, bytes: Bytes::from(vec![b'x'; 10_000]) };
        let mut record = Pieces::default();
        record.write(b"[");
        record.share(&shared);
        record.write(b"]");
        let (events, received) = mpsc::channel(1);
        let encode = |event: &str, out: &mut Vec<u8>| recordio::encode(out, event.as_bytes());
        let (mut stream, left) =
            EventStream::new(received, encode).beginning_with(&record.finish("application/json"));
        events.try_send("event").unwrap();
        drop(events);
        assert_eq!(*left.borrow(), 10_002);
        let mut frames = Vec::new();
        let mut remaining = Vec::new();
        while let Some(frame) = stream.frame().await {
            frames.push(frame.unwrap().into_data().unwrap());
            remaining.push(*left.borrow());
        }
        assert_eq!(remaining, [10_002, 10_001, 1, 0, 0]);
        assert_eq!(frames[2].as_ptr(), shared.bytes.as_ptr());
        let expected = [&b"10002\n["[..], &shared.bytes, b"]5\nevent"].concat();
        assert_eq!(frames.concat(), expected);
    }
}

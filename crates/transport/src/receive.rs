//! The receiving side: a connection that carries messages, one after another, pipelined.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::head::{self, Framing, Head, HeadError};
use crate::{Prefixed, Upid};

/// Longest head of a message, in bytes.
pub(crate) const MAX_HEAD: usize = 16 << 10;

/// How much is read at a time, in bytes.
const READ_SIZE: usize = 64 << 10;

/// Longest line that says how long a chunk is, in bytes. Real ones have a few digits; what may follow them means nothing
/// to anybody here.
const MAX_SIZE_LINE: usize = 256;

/// How many bytes all that is between the chunks of a message may have beyond those of the message itself. A chunk of
/// some bytes has less of it than of them.
const MAX_FRAMING: usize = 64 << 10;

/// How long a peer may pause in the middle of a message, or leave the answers to its messages unread; between two
/// messages it may be silent for as long as it likes.
const PAUSE: Duration = Duration::from_secs(60);

/// A message that arrived.
#[derive(Debug)]
pub struct Message<'a> {
    /// Who sent it and gets the replies.
    pub from: &'a Upid,
    /// The process that it is for.
    pub to: &'a str,
    /// Its full protobuf name, such as `mesos.internal.RegisterSlaveMessage`.
    pub name: &'a str,
    /// The protobuf.
    pub body: Bytes,
}

/// Takes the messages of a server's connections.
pub trait Receiver: Send + Sync {
    /// Takes one message; the next of the same connection comes after it is done. Returns whether there is a process
    /// `to`: an unknown message to a known process is taken and ignored.
    fn receive(&self, message: Message<'_>) -> impl Future<Output = bool> + Send;
}

/// A connection that carries messages.
#[derive(Debug)]
pub struct MessageConnection<S> {
    buffer: BytesMut,
    stream: S,
}

/// How a message connection came to its end in good order.
pub enum Ended<S> {
    /// The peer closed it.
    Closed,
    /// A request came that is no message: the rest is for an HTTP server.
    Http(Prefixed<S>),
}

/// How a message connection came to a bad end.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The connection failed.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The peer sent what is no message.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// The head or the body is over the limit.
    #[error("a message is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The chunks of the body are not well formed, or there is more around them than in them.
    #[error("malformed chunk in a message's body")]
    Chunk,
}

impl ReceiveError {
    fn answer(&self) -> Option<&'static [u8]> {
        match self {
            Self::Io(_) => None,
            Self::TooLong { .. } => {
                Some(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            }
            Self::Head(_) | Self::Chunk => {
                Some(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            }
        }
    }
}

const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
const NOT_FOUND: &[u8] =
    b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n\r\n404 Not Found.";

impl<S> MessageConnection<S> {
    pub(crate) fn new(buffer: BytesMut, stream: S) -> Self {
        Self { buffer, stream }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> MessageConnection<S> {
    /// Gives every message to `receiver`, in order, and answers, until the connection ends. A body longer than
    /// `max_body` bytes is refused before it is read.
    ///
    /// # Errors
    /// Says why the connection could not go on; the peer has been answered where that was possible.
    pub async fn serve(
        mut self,
        max_body: usize,
        receiver: &impl Receiver,
    ) -> Result<Ended<S>, ReceiveError> {
        let mut answers = Vec::new();
        let ended = self.exchange(max_body, receiver, &mut answers).await;
        if let Err(error) = &ended
            && let Some(answer) = error.answer()
        {
            answers.extend_from_slice(answer);
        }
        // Best effort: the peer may be gone already, and then `ended` says so or the answer does not matter.
        let _ = timeout(PAUSE, self.stream.write_all(&answers)).await;
        match ended? {
            End::Closed => Ok(Ended::Closed),
            End::Other => Ok(Ended::Http(Prefixed::new(self.buffer.freeze(), self.stream))),
        }
    }

    async fn exchange(
        &mut self,
        max_body: usize,
        receiver: &impl Receiver,
        answers: &mut Vec<u8>,
    ) -> Result<End, ReceiveError> {
        let mut known: Option<Upid> = None;
        let mut chunks = Chunks::default();
        loop {
            match next(&mut self.buffer, max_body, known.as_ref(), &mut chunks) {
                Ok(Some((head, body))) => {
                    let message = Message { from: &head.from, to: &head.to, name: &head.name, body };
                    let delivered = receiver.receive(message).await;
                    if head.wants_answer {
                        answers.extend_from_slice(if delivered { ACCEPTED } else { NOT_FOUND });
                    }
                    if head.close {
                        return Ok(End::Closed);
                    }
                    known = Some(head.from);
                }
                Ok(None) => {
                    // All that came in one read is answered in one write.
                    if !answers.is_empty() {
                        timeout(PAUSE, self.stream.write_all(answers)).await.map_err(io::Error::from)??;
                        answers.clear();
                    }
                    if self.read().await? == 0 {
                        return Ok(End::Closed);
                    }
                }
                Err(ReceiveError::Head(HeadError::NotAMessage)) => return Ok(End::Other),
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on; how much has come.
    async fn read(&mut self) -> io::Result<usize> {
        let has_begun = !self.buffer.is_empty();
        self.buffer.reserve(READ_SIZE);
        let read = self.stream.read_buf(&mut self.buffer);
        if has_begun { timeout(PAUSE, read).await? } else { read.await }
    }
}

enum End {
    Closed,
    Other,
}

/// Takes one whole message off the buffer, if there is one. `chunks` is for the next call with the same buffer.
fn next(
    buffer: &mut BytesMut,
    max_body: usize,
    known: Option<&Upid>,
    chunks: &mut Chunks,
) -> Result<Option<(Head, Bytes)>, ReceiveError> {
    if buffer.is_empty() {
        return Ok(None);
    }
    let Some((head, length)) = head::parse(buffer, known)? else {
        return if buffer.len() > MAX_HEAD {
            Err(ReceiveError::TooLong { limit: MAX_HEAD })
        } else {
            Ok(None)
        };
    };
    match head.framing {
        Framing::Length(body) if body > max_body => Err(ReceiveError::TooLong { limit: max_body }),
        Framing::Length(body) if buffer.len() - length < body => Ok(None),
        Framing::Length(body) => {
            buffer.advance(length);
            let body = buffer.split_to(body).freeze();
            Ok(Some((head, body)))
        }
        Framing::Chunked => {
            if !chunks.scan(&buffer[length..], max_body)? {
                return Ok(None);
            }
            let Chunks { pieces, end, .. } = std::mem::take(chunks);
            let mut body = Vec::with_capacity(pieces.iter().map(Range::len).sum());
            for piece in pieces {
                body.extend_from_slice(&buffer[length..][piece]);
            }
            buffer.advance(length + end);
            Ok(Some((head, body.into())))
        }
    }
}

/// The chunks of a body that is still coming: what was looked at once is not looked at again when more has come.
#[derive(Default)]
struct Chunks {
    /// Where the whole chunks' bytes are; neighbours that could be one are not put together.
    pieces: Vec<Range<usize>>,
    /// The bytes of all of them.
    length: usize,
    /// Where the next chunk begins.
    end: usize,
}

impl Chunks {
    /// Looks at what has come of a body by now; whether that is all of it.
    fn scan(&mut self, bytes: &[u8], max_body: usize) -> Result<bool, ReceiveError> {
        loop {
            let line = &bytes[self.end..bytes.len().min(self.end + MAX_SIZE_LINE)];
            let (start, size) = match httparse::parse_chunk_size(line) {
                Ok(httparse::Status::Complete(chunk)) => chunk,
                Ok(httparse::Status::Partial) if line.len() < MAX_SIZE_LINE => return Ok(false),
                Ok(httparse::Status::Partial) | Err(_) => return Err(ReceiveError::Chunk),
            };
            let size = usize::try_from(size).map_err(|_| ReceiveError::Chunk)?;
            if size.saturating_add(self.length) > max_body {
                return Err(ReceiveError::TooLong { limit: max_body });
            }
            let data = self.end + start;
            // No trailers: nobody sends any with a message.
            let Some(end) = bytes.get(data + size..data + size + 2) else { return Ok(false) };
            if end != b"\r\n" {
                return Err(ReceiveError::Chunk);
            }
            self.end = data + size + 2;
            if size == 0 {
                return Ok(true);
            }
            self.length += size;
            if self.end - self.length > self.length + MAX_FRAMING {
                return Err(ReceiveError::Chunk);
            }
            self.pieces.push(data..data + size);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "POST /master/mesos.X HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n";

    fn all(text: &str, step: usize) -> Result<Vec<Bytes>, ReceiveError> {
        let mut buffer = BytesMut::new();
        let mut chunks = Chunks::default();
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some((_, body)) = next(&mut buffer, 64, None, &mut chunks)? {
                found.push(body);
            }
        }
        assert!(buffer.is_empty(), "{buffer:?} is left");
        Ok(found)
    }

    #[test]
    fn both_framings_in_pieces_of_any_size() {
        let text = format!(
            "{HEAD}Content-Length: 3\r\n\r\nabc{HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n{HEAD}\r\n"
        );
        for step in [1, 2, 7, 64, text.len()] {
            assert_eq!(all(&text, step).unwrap(), ["abc", "def", ""], "pieces of {step}");
        }
    }

    #[test]
    fn limits_and_malformed_chunks() {
        let too_long = format!("{HEAD}Content-Length: 65\r\n\r\n");
        assert!(matches!(all(&too_long, 1000), Err(ReceiveError::TooLong { limit: 64 })));
        let too_long = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nff\r\n");
        assert!(matches!(all(&too_long, 1000), Err(ReceiveError::TooLong { limit: 64 })));
        let malformed = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n");
        assert!(matches!(all(&malformed, 1000), Err(ReceiveError::Chunk)));
        let malformed = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\n");
        assert!(matches!(all(&malformed, 1000), Err(ReceiveError::Chunk)));
    }

    #[test]
    fn what_is_between_chunks_is_bounded() {
        let begun = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
        let of = |extension: usize| format!("{begun}1;{}\r\na\r\n0\r\n\r\n", "x".repeat(extension));
        assert_eq!(all(&of(100), 7).unwrap(), ["a"]);
        assert!(matches!(all(&of(MAX_SIZE_LINE), 7), Err(ReceiveError::Chunk)));
        // Also where the line does not end by now, and where none of them alone is too long.
        assert!(matches!(all(&format!("{begun}1;{}", "x".repeat(300)), 1000), Err(ReceiveError::Chunk)));
        let mut buffer = BytesMut::from(begun.as_str());
        let one = format!("1;{}\r\na\r\n", "x".repeat(200));
        buffer.extend_from_slice(one.repeat(MAX_FRAMING / 200).as_bytes());
        let error = next(&mut buffer, 1 << 20, None, &mut Chunks::default()).unwrap_err();
        assert!(matches!(error, ReceiveError::Chunk));
    }

    struct Known;

    impl Receiver for Known {
        async fn receive(&self, _: Message<'_>) -> bool {
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_may_pause_between_messages_and_not_within_one() {
        let (mut client, server) = tokio::io::duplex(1024);
        let connection = MessageConnection::new(BytesMut::new(), server);
        let serving = tokio::spawn(async move { connection.serve(64, &Known).await.err() });
        let message = format!("{HEAD}Content-Length: 3\r\n\r\nabc");
        for _ in 0..3 {
            client.write_all(message.as_bytes()).await.unwrap();
            tokio::time::sleep(10 * PAUSE).await;
            assert!(!serving.is_finished());
        }
        client.write_all(&message.as_bytes()[..message.len() - 1]).await.unwrap();
        tokio::time::sleep(PAUSE + Duration::from_secs(1)).await;
        assert!(serving.is_finished());
        let Some(ReceiveError::Io(error)) = serving.await.unwrap() else { panic!("it goes on") };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_read_its_answers_is_given_up() {
        let (mut client, server) = tokio::io::duplex(64);
        let connection = MessageConnection::new(BytesMut::new(), server);
        let serving = tokio::spawn(async move { connection.serve(64, &Known).await.err() });
        let message = format!("{HEAD}Content-Length: 0\r\n\r\n").repeat(20);
        // The pipe is small: the server stops to read once nobody reads what it says.
        let _ = tokio::time::timeout(PAUSE / 2, client.write_all(message.as_bytes())).await;
        tokio::time::sleep(2 * PAUSE).await;
        assert!(serving.is_finished());
        assert!(matches!(serving.await.unwrap(), Some(ReceiveError::Io(_))));
    }
}

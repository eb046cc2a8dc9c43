//! Sorts an incoming connection: messages of libprocess, or any other HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::timeout;

use crate::head::{self, HeadError};
use crate::receive::MAX_HEAD;
use crate::senders::InOrder;
use crate::{Ended, MessageConnection, Prefixed, Receiver, Senders};

/// How long a new connection may say nothing at all.
const FIRST_BYTE: Duration = Duration::from_secs(600);

/// How long it may take, once it has begun, to say what it is for.
const FIRST_HEAD: Duration = Duration::from_secs(60);

/// What a new connection is used for.
pub enum Accepted<S> {
    /// Messages of another process.
    Messages(MessageConnection<S>),
    /// Other HTTP requests; nothing of them is lost.
    Http(Prefixed<S>),
}

/// Reads the first request's head, as far as is needed to see what the connection is used for.
///
/// # Errors
/// Fails as reading from the stream fails, and with [`io::ErrorKind::TimedOut`] when the head does not come: within 10
/// minutes at all, and within 1 minute as a whole once it has begun.
pub async fn accept<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Accepted<S>> {
    let mut buffer = BytesMut::with_capacity(4096);
    timeout(FIRST_BYTE, stream.read_buf(&mut buffer)).await??;
    timeout(FIRST_HEAD, first_head(buffer, stream)).await?
}

async fn first_head<S: AsyncRead + Unpin>(mut buffer: BytesMut, mut stream: S) -> io::Result<Accepted<S>> {
    let mut ended = buffer.is_empty();
    loop {
        match head::parse(&buffer, None) {
            Ok(Some(_)) => return Ok(Accepted::Messages(MessageConnection::new(buffer, stream))),
            // An end in the middle of a head, or an endless one, is for the HTTP server to answer.
            Ok(None) if !ended && buffer.len() < MAX_HEAD => {
                ended = stream.read_buf(&mut buffer).await? == 0;
            }
            Ok(None) | Err(HeadError::NotAMessage | HeadError::Malformed(_)) => {
                return Ok(Accepted::Http(Prefixed::new(buffer.freeze(), stream)));
            }
        }
    }
}

/// Serves a connection of a server for as long as it carries messages, and gives it on when it (or what is left of it) is
/// for an HTTP server. How a message connection ends badly is logged. To be called in the order in which connections were
/// accepted: a later one of a sender counts, see [`Senders`].
pub fn serve_messages<S>(
    stream: S,
    peer: SocketAddr,
    max_body: usize,
    senders: Arc<Senders>,
    receiver: impl Receiver,
) -> impl Future<Output = Option<Prefixed<S>>> + Send
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    serve(stream, peer, max_body, InOrder::new(senders, receiver))
}

async fn serve<S>(
    stream: S,
    peer: SocketAddr,
    max_body: usize,
    receiver: InOrder<impl Receiver>,
) -> Option<Prefixed<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let messages = match accept(stream).await {
        Ok(Accepted::Http(stream)) => return Some(stream),
        Ok(Accepted::Messages(messages)) => messages,
        Err(error) => {
            tracing::debug!(%peer, %error, "the connection ended");
            return None;
        }
    };
    let ended = tokio::select! {
        ended = messages.serve(max_body, &receiver) => ended,
        () = receiver.superseded() => {
            tracing::debug!(%peer, "closing a message connection: its sender uses a newer one");
            return None;
        }
    };
    match ended {
        Ok(Ended::Http(stream)) => Some(stream),
        Ok(Ended::Closed) => None,
        Err(error) => {
            tracing::debug!(%peer, %error, "the message connection ended");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn half_a_head_is_given_up_sooner_than_silence() {
        for (said, limit) in [("", FIRST_BYTE), ("POST /master/mesos.X HTTP/1.1\r\n", FIRST_HEAD)] {
            let (mut client, server) = tokio::io::duplex(1024);
            client.write_all(said.as_bytes()).await.unwrap();
            let start = Instant::now();
            let error = accept(server).await.err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(start.elapsed() >= limit && start.elapsed() < limit + Duration::from_secs(1));
        }
    }
}

//! Sorts an incoming connection: messages of libprocess, or any other HTTP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use crate::head::{self, HeadError};
use crate::receive::MAX_HEAD;
use crate::{Ended, MessageConnection, Prefixed, Receiver};

/// How long a new connection may take to say what it is for.
const FIRST_HEAD: Duration = Duration::from_secs(600);

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
/// Fails as reading from the stream fails.
pub async fn accept<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Accepted<S>> {
    let mut buffer = BytesMut::with_capacity(4096);
    loop {
        let count = stream.read_buf(&mut buffer).await?;
        match head::parse(&buffer, None) {
            Ok(Some(_)) => return Ok(Accepted::Messages(MessageConnection::new(buffer, stream))),
            // An end in the middle of a head, or an endless one, is for the HTTP server to answer.
            Ok(None) if count > 0 && buffer.len() < MAX_HEAD => {}
            Ok(None) | Err(HeadError::NotAMessage | HeadError::Malformed(_)) => {
                return Ok(Accepted::Http(Prefixed::new(buffer.freeze(), stream)));
            }
        }
    }
}

/// Serves a connection of a server for as long as it carries messages, and gives it on when it (or what is left of it) is
/// for an HTTP server. How a message connection ends badly is logged.
pub async fn serve_messages<S>(
    stream: S,
    peer: SocketAddr,
    max_body: usize,
    receiver: impl Receiver,
) -> Option<Prefixed<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    match tokio::time::timeout(FIRST_HEAD, accept(stream)).await {
        Ok(Ok(Accepted::Http(stream))) => Some(stream),
        Ok(Ok(Accepted::Messages(messages))) => match messages.serve(max_body, &receiver).await {
            Ok(Ended::Http(stream)) => Some(stream),
            Ok(Ended::Closed) => None,
            Err(error) => {
                tracing::debug!(%peer, %error, "the message connection ended");
                None
            }
        },
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "the connection ended");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "the connection said nothing");
            None
        }
    }
}

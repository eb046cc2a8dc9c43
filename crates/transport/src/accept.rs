//! Sorts an incoming connection: messages of libprocess, or any other HTTP.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::head::{self, HeadError};
use crate::receive::MAX_HEAD;
use crate::{MessageConnection, Prefixed};

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

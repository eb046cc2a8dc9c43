//! One request and its answer, on a connection of its own.

use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::address::Address;
use crate::encoding::Encoding;

/// How long a peer may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the text of a refusal may take: it is for people, and the refusal itself is known already.
const EXPLANATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// Nobody accepts connections there.
    #[error("cannot connect to {peer}")]
    Connect {
        /// The address tried.
        peer: Address,
        /// What the system says.
        source: io::Error,
    },
    /// The connection broke before the answer had come.
    #[error("the connection to {peer} broke")]
    Broken {
        /// The address spoken to.
        peer: Address,
        /// What HTTP says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer came in time.
    #[error("{peer} did not answer within {} s", .after.as_secs())]
    Timeout {
        /// The address spoken to.
        peer: Address,
        /// The time it had.
        after: Duration,
    },
    /// The request cannot be written, for example because of a character that may not be in a path.
    #[error("a request that cannot be sent to {peer}: {reason}")]
    Request {
        /// The address meant.
        peer: Address,
        /// What is wrong.
        reason: String,
    },
}

/// An answer whose body still comes. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) peer: Address,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    connection: Connection,
}

/// The task that moves a connection's bytes; it ends with its owner.
#[derive(Debug)]
pub(crate) struct Connection(JoinHandle<()>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Opens a connection with small packets sent at once.
pub(crate) async fn connect(peer: &Address) -> Result<TcpStream, ExchangeError> {
    let attempt = TcpStream::connect((peer.host.as_str(), peer.port));
    let stream = match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(source)) => return Err(ExchangeError::Connect { peer: peer.clone(), source }),
        Err(_) => return Err(ExchangeError::Timeout { peer: peer.clone(), after: CONNECT_TIMEOUT }),
    };
    stream.set_nodelay(true).map_err(|source| ExchangeError::Connect { peer: peer.clone(), source })?;
    Ok(stream)
}

/// The call `body` as a request to `path`.
pub(crate) fn post(
    peer: &Address,
    path: &str,
    encoding: Encoding,
    authorization: Option<&str>,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, ExchangeError> {
    let mut request = Request::post(path)
        .header(header::HOST, peer.to_string())
        .header(header::CONTENT_TYPE, encoding.content_type())
        .header(header::ACCEPT, encoding.content_type());
    if let Some(authorization) = authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    request
        .body(body.into())
        .map_err(|e| ExchangeError::Request { peer: peer.clone(), reason: e.to_string() })
}

/// The form `body` as a request to `path`.
pub(crate) fn post_form(
    peer: &Address,
    path: &str,
    body: String,
) -> Result<Request<Full<Bytes>>, ExchangeError> {
    Request::post(path)
        .header(header::HOST, peer.to_string())
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body.into())
        .map_err(|e| ExchangeError::Request { peer: peer.clone(), reason: e.to_string() })
}

/// A request for the JSON at `path`.
pub(crate) fn get(peer: &Address, path: &str) -> Result<Request<Full<Bytes>>, ExchangeError> {
    Request::get(path)
        .header(header::HOST, peer.to_string())
        .header(header::ACCEPT, Encoding::Json.content_type())
        .body(Full::default())
        .map_err(|e| ExchangeError::Request { peer: peer.clone(), reason: e.to_string() })
}

/// Sends `request` to `peer` and waits for the head of the answer.
pub(crate) async fn send(peer: &Address, request: Request<Full<Bytes>>) -> Result<Answer, ExchangeError> {
    let broken = |source: hyper::Error| ExchangeError::Broken { peer: peer.clone(), source: source.into() };
    let stream = connect(peer).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let connection = Connection(tokio::spawn(async move {
        // An error here is also seen by whoever reads the answer.
        let _ = connection.await;
    }));
    let (head, body) = sender.send_request(request).await.map(Response::into_parts).map_err(broken)?;
    Ok(Answer { peer: peer.clone(), status: head.status, headers: head.headers, body, connection })
}

/// Gives `exchange` a time limit.
pub(crate) async fn within<T>(
    limit: Duration,
    peer: &Address,
    exchange: impl Future<Output = Result<T, ExchangeError>>,
) -> Result<T, ExchangeError> {
    tokio::time::timeout(limit, exchange)
        .await
        .unwrap_or_else(|_| Err(ExchangeError::Timeout { peer: peer.clone(), after: limit }))
}

impl Answer {
    /// The whole body, up to `limit` bytes.
    pub(crate) async fn collect(self, limit: usize) -> Result<Bytes, ExchangeError> {
        match Limited::new(self.body, limit).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(source) if source.is::<LengthLimitError>() => {
                let source = format!("its answer is longer than {limit} bytes").into();
                Err(ExchangeError::Broken { peer: self.peer, source })
            }
            Err(source) => Err(ExchangeError::Broken { peer: self.peer, source }),
        }
    }

    /// The body as one line of text, for people; one that cannot be read, or does not come, is left out.
    pub(crate) async fn explain(self) -> String {
        self.explain_within(EXPLANATION_TIMEOUT).await
    }

    async fn explain_within(self, limit: Duration) -> String {
        let peer = self.peer.clone();
        let bytes = within(limit, &peer, self.collect(64 << 10)).await.unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// The body as it comes, and what keeps it coming.
    pub(crate) fn into_stream(self) -> (Incoming, Connection) {
        (self.body, self.connection)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_refusal_whose_text_does_not_come_is_one_without_text() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer: Address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 100\r\n\r\nNot";
            stream.write_all(head).await.unwrap();
            // Until the client has given up.
            while stream.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
        });
        let answer = send(&peer, get(&peer, "/").unwrap()).await.unwrap();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(answer.explain_within(Duration::from_millis(50)).await, "");
        server.await.unwrap();
    }
}

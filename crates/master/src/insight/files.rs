//! `/agents/ID/files/read`, `browse` and `download`: files of sandboxes, passed on by the master, for who cannot reach the
//! agent. Only registered agents are asked, and only for these three.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderName, Method, Request, header};
use axum::response::Response;
use base::AgentId;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http_api::ApiError;
use http_body_util::{BodyStream, Empty};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use transport::Upid;

use crate::server::Master;
use crate::status::gone;

/// How many may be passed on at a time.
const MOST: usize = 64;
/// How long an agent may take to be connected with.
const CONNECT: Duration = Duration::from_secs(5);
/// How long it may take to answer, and then to go on.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a reader may take none of it before it is given up.
const STALL: Duration = Duration::from_secs(60);

/// What is told of the agent's answer beside its body.
const PASSED: [HeaderName; 3] = [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::CONTENT_DISPOSITION];

/// What limits how much is passed on.
pub(super) struct Passing(Arc<Semaphore>);

impl Default for Passing {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

/// `GET /agents/ID/files/WHAT?path=...`.
pub(super) async fn pass(
    State(master): State<Master>,
    Path((agent_id, what)): Path<(String, String)>,
    method: Method,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    if !["read", "browse", "download"].contains(&what.as_str()) {
        return Err(ApiError::not_found("404 Not Found."));
    }
    if method != Method::GET {
        return Err(ApiError::method_not_allowed(&["GET"], &method));
    }
    let id = AgentId::from(agent_id.as_str());
    let asked = master.core.ask(move |core, _| core.agent(&id).map(|agent| agent.pid.to_string()));
    let pid = asked.await.map_err(gone)?.ok_or_else(|| {
        ApiError::not_found(format!(
            "No agent is registered with ID '{agent_id}', so its files cannot be read"
        ))
    })?;
    let upid: Upid = pid.parse().map_err(|_| ApiError::internal(format!("{pid} is no address")))?;
    let permit = Arc::clone(&master.insight.passing.0).try_acquire_owned().map_err(|_| {
        ApiError::unavailable(format!("{MOST} files of agents are being read already; try again"))
    })?;
    let path = format!("/files/{what}?{}", query.unwrap_or_default());
    forward(&upid, &path, permit).await
}

async fn forward(agent: &Upid, path: &str, permit: OwnedSemaphorePermit) -> Result<Response, ApiError> {
    let address = agent.address();
    let failed = |what: &str, why: &dyn std::fmt::Display| {
        tracing::debug!("a file of agent {agent} cannot be read: {what}: {why}");
        ApiError::new(
            axum::http::StatusCode::BAD_GATEWAY,
            format!("The agent at {address} cannot be asked for its files: {what}: {why}"),
        )
    };
    let stream = match timeout(CONNECT, TcpStream::connect(address)).await {
        Ok(stream) => stream.map_err(|error| failed("connecting", &error))?,
        Err(late) => return Err(failed("connecting", &late)),
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed("connecting", &error))?;
    // It ends with the answer; what goes wrong in it is seen there.
    let connection = tokio::spawn(async move { drop(connection.await) });
    let request = Request::get(path)
        .header(header::HOST, address.to_string())
        .header(header::ACCEPT, "*/*")
        .body(Empty::<Bytes>::new())
        .map_err(|error| ApiError::bad_request(format!("Not a valid query: {error}")))?;
    let answer = match timeout(ANSWER, sender.send_request(request)).await {
        Ok(answer) => answer.map_err(|error| failed("asking", &error))?,
        Err(late) => {
            connection.abort();
            return Err(failed("asking", &late));
        }
    };
    let (head, body) = answer.into_parts();
    let mut response = Response::new(Body::from_stream(pieces(body, permit, connection.abort_handle())));
    *response.status_mut() = head.status;
    for name in PASSED {
        if let Some(value) = head.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    // What a task wrote is shown and never run.
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, axum::http::HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The body, a few frames ahead of the reader. It breaks off when the agent or the reader does not go on.
fn pieces(
    body: Incoming,
    permit: OwnedSemaphorePermit,
    connection: tokio::task::AbortHandle,
) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let _permit = permit;
        let mut frames = BodyStream::new(body);
        loop {
            let piece = match timeout(ANSWER, frames.next()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => Ok(Frame::into_data(frame).unwrap_or_default()),
                Ok(Some(Err(error))) => Err(std::io::Error::other(error)),
                Err(late) => Err(std::io::Error::other(late)),
            };
            let broken = piece.is_err();
            if !matches!(timeout(STALL, sender.send(piece)).await, Ok(Ok(()))) || broken {
                break;
            }
        }
        connection.abort();
    });
    futures_util::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece, receiver))
    })
}

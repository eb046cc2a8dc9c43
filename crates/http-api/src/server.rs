//! The loop that serves HTTP connections.

use std::future::{self, Future};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::gather::{self, gather};
use crate::receipts::Receipts;

/// The other end of the connection, among the extensions of each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Ends the connection; among the extensions of each request.
///
/// A client that does not read keeps the end of its stream from being seen, because nobody asks the stream for more: whoever
/// ends a stream ends its connection, too.
#[derive(Debug, Clone, Default)]
pub struct HangUp(Arc<Told>);

/// How a connection is told to end.
#[derive(Debug, Default)]
struct Told {
    now: Notify,
    soon: Notify,
}

impl HangUp {
    /// Ends it at once; what is waiting to be written is dropped, also on this side.
    pub fn now(&self) {
        self.0.now.notify_one();
    }

    /// Ends it behind the answer that is under way, for which the client has [`ServeOptions::end_timeout`]: for streams that
    /// have been ended, of which the client may read what is left if it does.
    pub fn soon(&self) {
        self.0.soon.notify_one();
    }
}

/// Limits of a server.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// How many connections may be open; more wait to be accepted.
    pub max_connections: usize,
    /// How long a connection may take for the head of its next request, being idle included.
    pub head_timeout: Duration,
    /// How many bytes the head of a request may have.
    pub head_bytes: usize,
    /// How long requests may go on after the server was told to stop; streams go on until then.
    pub stop_timeout: Duration,
    /// How long a client may take to read the rest of a stream that was ended here (see [`HangUp::soon`]).
    pub end_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_connections: 20_000,
            head_timeout: Duration::from_secs(600),
            head_bytes: 128 << 10,
            stop_timeout: Duration::from_secs(1),
            end_timeout: Duration::from_secs(5),
        }
    }
}

/// Tells servers to stop: when the value becomes true or the sender is gone.
pub type Shutdown = watch::Receiver<bool>;

/// Serves connections until told to stop, and then until they are done or the time for that is over.
pub async fn serve(listener: TcpListener, router: Router, options: ServeOptions, shutdown: Shutdown) {
    let front = |stream, _| future::ready(Some(Admitted { stream, runtime: None }));
    serve_behind(listener, router, options, shutdown, front).await;
}

/// A connection that HTTP is to serve.
#[derive(Debug)]
pub struct Admitted<S> {
    /// The connection.
    pub stream: S,
    /// Where it is served, if not on the runtime of the server.
    pub runtime: Option<Handle>,
}

/// As [`serve`], with a look at each connection before HTTP gets it: `front` gives the stream on, with nothing of it lost,
/// or serves it itself and gives nothing. It is dropped when the server stops.
pub async fn serve_behind<F, R, S>(
    listener: TcpListener,
    router: Router,
    options: ServeOptions,
    mut shutdown: Shutdown,
    front: F,
) where
    F: Fn(TcpStream, SocketAddr) -> R,
    R: Future<Output = Option<Admitted<S>>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let places = Arc::new(Semaphore::new(options.max_connections));
    let mut connections = JoinSet::new();
    let mut told = false;
    loop {
        // Told once, and again when there was room for a while in between.
        let room = places.available_permits();
        if room == 0 && !told {
            let limit = options.max_connections;
            tracing::warn!(
                "{limit} connections are open, as many as there may be: others wait to be accepted"
            );
        }
        told = room == 0 || (told && room < options.max_connections / 10);
        let accepted = tokio::select! {
            biased;
            () = stopped(&mut shutdown) => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, peer, place)) => {
                let (router, options, mut shutdown) = (router.clone(), options.clone(), shutdown.clone());
                let front = front(stream, peer);
                connections.spawn(async move {
                    let admitted = tokio::select! {
                        admitted = front => admitted,
                        () = stopped(&mut shutdown) => None,
                    };
                    if let Some(Admitted { stream, runtime }) = admitted {
                        let serving =
                            async move { serve_connection(stream, peer, router, &options, shutdown).await };
                        match runtime {
                            // How it ended has been said; a runtime that is gone serves nobody.
                            Some(runtime) => drop(runtime.spawn(serving).await),
                            None => serving.await,
                        }
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: it passes when connections end.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "the connection is gone already");
    }
    Ok((stream, peer, place))
}

/// Serves the requests of one connection, for servers that accept connections themselves. Returns when the connection
/// is closed or hung up, or, after being told to stop, when its requests are done or `stop_timeout` is over.
pub async fn serve_connection<S>(
    stream: S,
    peer: SocketAddr,
    router: Router,
    options: &ServeOptions,
    mut shutdown: Shutdown,
) where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let hang_up = HangUp::default();
    let told = Arc::clone(&hang_up.0);
    let receipts = Receipts::default();
    let (stream, sender) = gather(stream, receipts.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        if let Some(uri) = without_last_slash(request.uri()) {
            *request.uri_mut() = uri;
        }
        request.extensions_mut().insert(Peer(peer));
        request.extensions_mut().insert(hang_up.clone());
        request.extensions_mut().insert(receipts.clone());
        router.clone().oneshot(request)
    });
    // `pipeline_flush` stays off: with it, hyper buffers a body without a bound, and a client that does not read its
    // stream of events would cost memory until it goes away.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_header_size(options.head_bytes)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut connection = Turns { connection, sender };
    let bounded = tokio::select! {
        result = &mut connection => return told_of(peer, result),
        () = told.now.notified() => return,
        () = told.soon.notified() => options.end_timeout,
        () = stopped(&mut shutdown) => options.stop_timeout,
    };
    connection.connection.as_mut().graceful_shutdown();
    let stop = async {
        stopped(&mut shutdown).await;
        tokio::time::sleep(options.stop_timeout).await;
    };
    tokio::select! {
        result = &mut connection => told_of(peer, result),
        () = told.now.notified() => {}
        () = tokio::time::sleep(bounded) => {}
        () = stop => {}
    }
}

/// How a connection ended, for the log.
fn told_of(peer: SocketAddr, result: Result<(), ConnectionError>) {
    if let Err(error) = result {
        tracing::debug!(%peer, %error, "the connection ended");
    }
}

/// The same without slashes at the end of the path, if there are any: libprocess does not mind them, and clients write them.
fn without_last_slash(uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_suffix('/')?.trim_end_matches('/');
    if path.is_empty() {
        return None;
    }
    let text = uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// How a connection came to a bad end.
#[derive(Debug, thiserror::Error)]
enum ConnectionError {
    #[error(transparent)]
    Http(hyper::Error),
    #[error("the answers could not be written")]
    Write(#[source] io::Error),
}

/// A connection that sends what it has gathered at the end of each turn.
struct Turns<'a, C, S> {
    connection: Pin<&'a mut C>,
    sender: gather::Sender<S>,
}

impl<C, S> Future for Turns<'_, C, S>
where
    C: Future<Output = hyper::Result<()>>,
    S: AsyncWrite + Unpin,
{
    type Output = Result<(), ConnectionError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(result) = self.connection.as_mut().poll(context) {
            return Poll::Ready(result.map_err(ConnectionError::Http));
        }
        match self.sender.poll_send(context) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(ConnectionError::Write(error))),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

async fn stopped(shutdown: &mut Shutdown) {
    // Without a sender nobody can say it any more; then it is over as well.
    let _ = shutdown.wait_for(|&stop| stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_end_do_not_matter() {
        let trimmed = |text: &str| without_last_slash(&text.parse().unwrap()).map(|uri| uri.to_string());
        assert_eq!(trimmed("/master/frameworks/").as_deref(), Some("/master/frameworks"));
        assert_eq!(trimmed("/state//?jsonp=x/").as_deref(), Some("/state?jsonp=x/"));
        for same in ["/", "//", "/state", "/state?path=/"] {
            assert_eq!(trimmed(same), None, "{same}");
        }
    }
}

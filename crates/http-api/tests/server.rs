//! The server over real sockets: what clients see of limits, streams, pipelining and shutdown.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, RawQuery};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::{get, post};
use http_api::{
    ApiError, Encoding, EventStream, HangUp, Peer, Receipts, ServeOptions, accepted, decode_call, message,
    method_not_allowed, not_found, parse_form, read_body, request_encoding, response_encoding, serve,
    value_of, with_jsonp,
};
use proto::recordio;
use proto::v1::master::{Call, Response as Reply, response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const LIMIT: usize = 10_000;
/// Far more than anything here takes; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

async fn operator(headers: HeaderMap, body: Body) -> Result<Response, ApiError> {
    let encoding = request_encoding(&headers)?;
    let answer = response_encoding(&headers)?;
    let bytes = read_body(&headers, body, LIMIT).await?;
    let call: Call = decode_call(encoding, &bytes)?;
    if call.r#type.is_none() {
        return Ok(accepted());
    }
    let get_health = Some(response::GetHealth { healthy: true });
    Ok(message(answer, &Reply { r#type: Some(1), get_health, ..Default::default() }))
}

async fn state(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let form = parse_form(query.as_deref().unwrap_or_default());
    with_jsonp(b"{\"a\":1}".to_vec(), value_of(&form, "jsonp"))
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, options: ServeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(listener, router, options, stopped));
        Self { address, stop, task }
    }

    async fn plain() -> Self {
        let router = Router::new()
            .route("/api/v1", post(operator).fallback(method_not_allowed(&["POST"])))
            .route("/state", get(state))
            .route("/peer", get(|Extension(Peer(peer)): Extension<Peer>| async move { peer.to_string() }))
            .route("/leader", get(|| async { ApiError::redirect("//127.0.0.1:5050") }))
            .fallback(not_found);
        Self::start(router, ServeOptions::default()).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection and reads all until the server closes it.
    async fn exchange(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn stop(self) {
        self.stop.send(true).unwrap();
        timeout(PATIENCE, self.task).await.unwrap().unwrap();
    }
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

const JSON: &str = "Content-Type: application/json\r\n";

fn status_and_body(answer: &str) -> (u16, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole head in {answer:?}"));
    (head[9..12].parse().unwrap(), body)
}

#[tokio::test]
async fn a_client_that_does_not_read_is_hung_up_on() {
    let (told, mut streams) = mpsc::channel::<(HangUp, mpsc::Sender<()>)>(1);
    let endless = move |Extension(hang_up): Extension<HangUp>| async move {
        let (events, received) = mpsc::channel(1000);
        told.send((hang_up, events)).await.unwrap();
        let encode = |(), out: &mut Vec<u8>| out.resize(out.len() + (1 << 20), b'x');
        EventStream::new(received, encode).into_response(Encoding::Json, None)
    };
    let server = Server::start(Router::new().route("/", get(endless)), ServeOptions::default()).await;
    let mut client = server.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let (hang_up, events) = timeout(PATIENCE, streams.recv()).await.unwrap().unwrap();
    // More than any socket holds: the rest waits, and nobody asks for it.
    while events.try_send(()).is_ok() {}
    assert!(!events.is_closed());
    hang_up.now();
    timeout(PATIENCE, events.closed()).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn answers_and_errors_read_as_in_mesos() {
    let server = Server::plain().await;
    let health = r#"{"type":"GET_HEALTH"}"#;
    let expected = r#"{"type":"GET_HEALTH","get_health":{"healthy":true}}"#;
    let cases = [
        (request("POST", "/api/v1", JSON, health), 200, expected),
        (request("POST", "/api/v1", JSON, "{}"), 202, ""),
        (
            request("GET", "/api/v1", "", ""),
            405,
            "405 Method Not Allowed. Expecting one of { 'POST' }, but received 'GET'.",
        ),
        (request("POST", "/api/v1", "", "{}"), 400, "Expecting 'Content-Type' to be present"),
        (
            request("POST", "/api/v1", "Content-Type: text/plain\r\n", "x"),
            415,
            "Expecting 'Content-Type' of application/json or application/x-protobuf",
        ),
        (
            request("POST", "/api/v1", &format!("{JSON}Accept: text/html\r\n"), health),
            406,
            "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
        ),
        (
            request("POST", "/api/v1", JSON, "{"),
            400,
            "Failed to parse body into JSON: syntax error at line 1 near: ",
        ),
        (request("GET", "/nothing", "", ""), 404, "404 Not Found."),
        (request("GET", "/state", "", ""), 200, "{\"a\":1}"),
        (request("GET", "/state?jsonp=cb", "", ""), 200, "cb({\"a\":1});"),
        (
            request("GET", "/state?jsonp=alert(1)", "", ""),
            400,
            "Expecting 'jsonp' to be the name of a function",
        ),
        (request("GET", "/leader", "", ""), 307, ""),
    ];
    for (bytes, status, body) in cases {
        let answer = server.exchange(&bytes).await;
        assert_eq!(status_and_body(&answer), (status, body), "{}", String::from_utf8_lossy(&bytes));
    }
    assert!(
        server.exchange(&request("GET", "/leader", "", "")).await.contains("location: //127.0.0.1:5050\r\n")
    );
    assert!(server.exchange(&request("GET", "/api/v1", "", "")).await.contains("allow: POST\r\n"));
    assert!(server.exchange(&request("GET", "/peer", "", "")).await.contains("\r\n\r\n127.0.0.1:"));
    server.stop().await;
}

#[tokio::test]
async fn protobuf_is_answered_in_protobuf() {
    let server = Server::plain().await;
    let headers = "Content-Type: application/x-protobuf\r\nAccept: application/x-protobuf\r\n";
    let answer = server.exchange(&request("POST", "/api/v1", headers, "\u{8}\u{1}")).await;
    assert!(answer.contains("content-type: application/x-protobuf\r\n"), "{answer}");
    assert_eq!(status_and_body(&answer), (200, "\u{8}\u{1}\u{12}\u{2}\u{8}\u{1}"));
    server.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_comes() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    let head = format!("POST /api/v1 HTTP/1.1\r\nHost: a\r\n{JSON}Content-Length: 99999999999\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 13];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 413 ");
    server.stop().await;
}

#[tokio::test]
async fn who_sends_all_of_a_refused_body_still_reads_the_answer() {
    let server = Server::plain().await;
    let answer = server.exchange(&request("POST", "/api/v1", JSON, &"x".repeat(5 << 20))).await;
    assert_eq!(status_and_body(&answer), (413, "The body is over the limit of 10000 bytes"));
    server.stop().await;
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_refused() {
    let server = Server::plain().await;
    let mut bytes = format!(
        "POST /api/v1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for _ in 0..=LIMIT / 100 {
        bytes.extend_from_slice(format!("64\r\n{}\r\n", "x".repeat(100)).as_bytes());
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let answer = server.exchange(&bytes).await;
    assert_eq!(status_and_body(&answer), (413, "The body is over the limit of 10000 bytes"));
    server.stop().await;
}

#[tokio::test]
async fn a_body_in_many_chunks_arrives_whole() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    let head = format!("POST /api/v1 HTTP/1.1\r\nHost: a\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    for byte in br#"{"type":"GET_HEALTH"}"# {
        stream.write_all(&[b'1', b'\r', b'\n', *byte, b'\r', b'\n']).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 13];
    timeout(PATIENCE, stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 200 ");
    server.stop().await;
}

#[tokio::test]
async fn pipelined_requests_are_all_answered() {
    let server = Server::plain().await;
    let one = format!("POST /api/v1 HTTP/1.1\r\nHost: a\r\n{JSON}Content-Length: 2\r\n\r\n{{}}");
    let mut bytes = one.repeat(50).into_bytes();
    bytes.extend_from_slice(&request("POST", "/api/v1", JSON, "{}"));
    let answer = server.exchange(&bytes).await;
    assert_eq!(answer.matches("HTTP/1.1 202 ").count(), 51);
    server.stop().await;
}

/// The event that is written as a record of a megabyte.
const LONG: u64 = 9_999;

/// A server whose `/stream` hands out the receiver of one channel.
async fn streaming(capacity: usize, options: ServeOptions) -> (Server, mpsc::Sender<u64>) {
    let (events, receiver) = mpsc::channel(capacity);
    let receiver = std::sync::Arc::new(std::sync::Mutex::new(Some(receiver)));
    let handler = move || {
        let receiver = receiver.lock().unwrap().take().expect("one subscription");
        let encode = |event: u64, out: &mut Vec<u8>| match event {
            LONG => recordio::encode(out, &vec![b'x'; 1 << 20]),
            event => recordio::encode(out, event.to_string().as_bytes()),
        };
        let response = EventStream::new(receiver, encode).into_response(Encoding::Json, Some("the-id"));
        async { response }
    };
    (Server::start(Router::new().route("/stream", get(handler)), options).await, events)
}

/// Reads until the text is there.
async fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(wanted) {
        let count = timeout(PATIENCE, stream.read(&mut buffer)).await.expect(wanted).unwrap();
        assert!(count > 0, "closed before {wanted:?} came: {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

#[tokio::test]
async fn events_arrive_when_they_happen_and_waiting_ones_together() {
    let (server, events) = streaming(100, ServeOptions::default()).await;
    for event in 1..=3 {
        events.send(event).await.unwrap();
    }
    let mut stream = server.connect().await;
    stream.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let text = read_until(&mut stream, "1\n11\n21\n3").await;
    assert!(text.contains("mesos-stream-id: the-id\r\n"), "{text}");
    assert!(text.contains("content-type: application/json\r\n"), "{text}");
    assert!(text.contains("transfer-encoding: chunked\r\n"), "{text}");
    events.send(4).await.unwrap();
    read_until(&mut stream, "1\n4").await;
    drop(events);
    read_until(&mut stream, "0\r\n\r\n").await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_goes_away_closes_the_channel() {
    let (server, events) = streaming(1, ServeOptions::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    drop(stream);
    timeout(PATIENCE, events.closed()).await.expect("the server notices, though nothing is sent");
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_fills_the_channel() {
    let (server, events) = streaming(4, ServeOptions::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    // What the sockets and the server buffer is some megabytes; a gigabyte is not.
    let filled = async {
        for _ in 0..1_000 {
            if timeout(Duration::from_millis(500), events.send(LONG)).await.is_err() {
                return;
            }
        }
        panic!("a gigabyte went somewhere");
    };
    timeout(PATIENCE, filled).await.expect("what is buffered has a bound");
    server.stop().await;
}

/// Whoever reads gets what was sent before the end; for whoever does not, nothing is kept for long.
#[tokio::test]
async fn the_end_of_a_stream_is_not_waited_for_for_ever() {
    const EVENTS: usize = 48;
    let (told, mut streams) = mpsc::channel(1);
    let handler = move |Extension(hang_up): Extension<HangUp>| async move {
        let (events, received) = mpsc::channel(EVENTS);
        // It is gone when the stream is.
        let (kept, gone) = oneshot::channel::<()>();
        told.send((hang_up, events, gone)).await.unwrap();
        let encode = move |(), out: &mut Vec<u8>| {
            let _ = &kept;
            recordio::encode(out, &vec![b'x'; 1 << 20]);
        };
        EventStream::new(received, encode).into_response(Encoding::Json, None)
    };
    for reads in [true, false] {
        let router = Router::new().route("/stream", get(handler.clone()));
        let end_timeout = if reads { PATIENCE } else { Duration::from_millis(100) };
        let server = Server::start(router, ServeOptions { end_timeout, ..ServeOptions::default() }).await;
        let mut client = server.connect().await;
        client.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let (hang_up, events, gone) = timeout(PATIENCE, streams.recv()).await.unwrap().unwrap();
        // More than the sockets hold.
        (0..EVENTS).for_each(|_| events.try_send(()).unwrap());
        drop(events);
        hang_up.soon();
        let mut answer = Vec::new();
        if reads {
            timeout(PATIENCE / 2, client.read_to_end(&mut answer)).await.expect("the end").unwrap();
            assert!(answer.len() > EVENTS << 20 && answer.ends_with(b"0\r\n\r\n"));
        }
        timeout(PATIENCE / 2, gone).await.expect("the stream is dropped").unwrap_err();
        if !reads {
            timeout(PATIENCE, client.read_to_end(&mut answer)).await.expect("the end").unwrap();
            assert!(answer.len() < EVENTS << 20, "{}", answer.len());
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn stopping_ends_streams_and_waits_for_requests() {
    let options = ServeOptions { stop_timeout: Duration::from_millis(200), ..ServeOptions::default() };
    let (server, events) = streaming(1, options).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    let address = server.address;
    server.stop().await;
    assert!(events.is_closed());
    assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn connections_over_the_bound_wait_their_turn() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    let server = Server::start(router, ServeOptions { max_connections: 1, ..ServeOptions::default() }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    read_until(&mut first, "hello").await;

    let mut second = server.connect().await;
    second.write_all(&request("GET", "/", "", "")).await.unwrap();
    let mut buffer = [0; 100];
    assert!(timeout(Duration::from_millis(200), second.read(&mut buffer)).await.is_err(), "no place yet");
    drop(first);
    read_until(&mut second, "hello").await;
    server.stop().await;
}

#[tokio::test]
async fn a_slow_head_and_a_huge_head_are_refused() {
    let router = Router::new().route("/", get(|| async { "hello" }));
    let options = ServeOptions {
        head_timeout: Duration::from_millis(200),
        head_bytes: 8 << 10,
        ..ServeOptions::default()
    };
    let server = Server::start(router, options).await;
    let slow = server.exchange(b"GET / HTTP/1.1\r\nHost").await;
    assert!(slow.is_empty() || slow.starts_with("HTTP/1.1 408"), "{slow}");
    let huge = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(9_000));
    let answer = server.exchange(huge.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    server.stop().await;
}

/// Calls of one connection, of which the answers wait until their receipts are dropped, behind which other calls do not wait.
#[tokio::test]
async fn answers_wait_for_what_they_promise_and_calls_do_not() {
    let (handled, mut handlers) = mpsc::unbounded_channel();
    let call = move |Extension(receipts): Extension<Receipts>| async move {
        handled.send((receipts.receipt(), Instant::now())).unwrap();
        accepted()
    };
    let server = Server::start(Router::new().route("/call", get(call)), ServeOptions::default()).await;
    let mut stream = server.connect().await;
    stream.write_all(&b"GET /call HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3)).await.unwrap();
    let promises = tokio::spawn(async move {
        let mut kept = Vec::new();
        for _ in 0..3 {
            kept.push(timeout(PATIENCE, handlers.recv()).await.expect("all are handled").unwrap());
        }
        let first = kept[0].1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let dropped = Instant::now();
        drop(kept);
        (first, dropped)
    });
    let mut answers = Vec::new();
    let mut answered = None;
    while answers.windows(12).filter(|at| *at == b"202 Accepted").count() < 3 {
        assert!(timeout(PATIENCE, stream.read_buf(&mut answers)).await.expect("answers").unwrap() > 0);
        answered.get_or_insert_with(Instant::now);
    }
    let (first, dropped) = promises.await.unwrap();
    let answered = answered.unwrap();
    // On a machine that stands still for so long they need not wait any more.
    let late = answered - first >= Duration::from_millis(100);
    assert!(answered >= dropped || late, "answered {:?} too early", dropped - answered);
    server.stop().await;
}

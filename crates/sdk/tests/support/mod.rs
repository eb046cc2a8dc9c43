//! A server that does what a test tells it: it records every request, and each answer is scripted.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::sync::{Arc, Mutex};

use bytes::{Buf, BytesMut};
use proto::{Described, Message};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// The body, in the encoding that the request names.
    pub(crate) fn message<M: Message + Default + Described>(&self) -> M {
        match self.header("content-type") {
            Some("application/json") => proto::json::from_slice(&self.body).unwrap(),
            _ => proto::decode(&self.body).unwrap(),
        }
    }
}

/// What the script says to a request.
pub(crate) enum Reply {
    /// A whole answer: status, further headers, body.
    Answer(u16, &'static str, String),
    /// A stream of records, sent as they come out of the channel; it ends when the channel does.
    Stream(mpsc::UnboundedReceiver<Vec<u8>>),
    /// The connection is closed without an answer.
    Hangup,
}

pub(crate) fn accepted() -> Reply {
    Reply::Answer(202, "", String::new())
}

type Script = Box<dyn FnMut(&Request) -> Reply + Send>;

pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (seen, requests) = mpsc::unbounded_channel();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(serve(stream, Arc::clone(&script), seen.clone()));
            }
        });
        Self { address, requests, task }
    }

    /// The next request to come.
    pub(crate) async fn request(&mut self) -> Request {
        self.requests.recv().await.unwrap()
    }
}

async fn serve(stream: TcpStream, script: Arc<Mutex<Script>>, seen: mpsc::UnboundedSender<Request>) {
    let (mut read, mut write) = stream.into_split();
    let mut buffer = BytesMut::new();
    loop {
        let Some(request) = take(&mut buffer) else {
            match read.read_buf(&mut buffer).await {
                Ok(n) if n > 0 => continue,
                _ => return,
            }
        };
        let reply = (script.lock().unwrap())(&request);
        drop(seen.send(request));
        match reply {
            Reply::Hangup => return,
            Reply::Answer(status, headers, body) => {
                let head =
                    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
                write.write_all(head.as_bytes()).await.unwrap();
            }
            Reply::Stream(records) => return drop(send_records(&mut write, records).await),
        }
    }
}

async fn send_records(
    write: &mut OwnedWriteHalf,
    mut records: mpsc::UnboundedReceiver<Vec<u8>>,
) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nMesos-Stream-Id: stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    write.write_all(head.as_bytes()).await?;
    while let Some(record) = records.recv().await {
        let mut framed = Vec::new();
        proto::recordio::encode(&mut framed, &record);
        // Cut in the middle, so that records do not come in one piece.
        for part in [&framed[..framed.len() / 2], &framed[framed.len() / 2..]] {
            write.write_all(format!("{:x}\r\n", part.len()).as_bytes()).await?;
            write.write_all(part).await?;
            write.write_all(b"\r\n").await?;
        }
    }
    Ok(())
}

fn take(buffer: &mut BytesMut) -> Option<Request> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(buffer).unwrap() else { return None };
    let headers: Vec<_> = parsed
        .headers
        .iter()
        .map(|h| (h.name.to_owned(), String::from_utf8(h.value.to_vec()).unwrap()))
        .collect();
    let path = parsed.path.unwrap().to_owned();
    let mut request = Request { path, headers, body: Vec::new() };
    let length = request.header("content-length").map_or(0, |l| l.parse().unwrap());
    if buffer.len() < head + length {
        return None;
    }
    request.body = buffer[head..head + length].to_vec();
    buffer.advance(head + length);
    Some(request)
}

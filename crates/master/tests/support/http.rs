//! Plain HTTP/1.1: one request for each connection.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// Sends a request and reads the answer to its end. A chunked answer of status 200 is a stream: its body is not read.
pub async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut message = (head + "\r\n").into_bytes();
    message.extend_from_slice(body);
    stream.write_all(&message).await.unwrap();
    tokio::time::timeout(super::PATIENCE, read(stream)).await.expect("an answer in time")
}

async fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = parse(&bytes) {
            return answer;
        }
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "{}", String::from_utf8_lossy(&bytes));
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let body_at = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..body_at]).trim_end().to_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let lower = head.to_ascii_lowercase();
    // Neither has a body to be read: a stream goes on, and "not modified" never has one.
    if lower.contains("transfer-encoding: chunked") || status == 304 {
        return Some(Answer { status, head, body: String::new(), bytes: Vec::new() });
    }
    let length =
        lower.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse::<usize>().ok()?;
    let bytes = bytes.get(body_at..body_at + length)?.to_vec();
    Some(Answer { status, head, body: String::from_utf8_lossy(&bytes).into_owned(), bytes })
}

/// The bytes of a good answer.
pub async fn raw(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let answer = request(address, method, path, headers, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.bytes
}

/// Asks for a path.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &[], b"").await
}

/// Posts a call.
pub async fn json(address: SocketAddr, path: &str, body: &str) -> Answer {
    request(address, "POST", path, &[("Content-Type", "application/json")], body.as_bytes()).await
}

/// Posts a form.
pub async fn form(address: SocketAddr, path: &str, body: &str) -> Answer {
    request(address, "POST", path, &[], body.as_bytes()).await
}

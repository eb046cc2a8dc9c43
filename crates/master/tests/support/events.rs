//! A stream of events in JSON.

use std::net::SocketAddr;

use proto::recordio::Decoder;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer that does not end.
pub struct Events {
    stream: TcpStream,
    raw: Vec<u8>,
    decoder: Decoder,
    over: bool,
    pub head: String,
}

impl Events {
    /// Makes a call that is answered with a stream.
    pub async fn open(address: SocketAddr, path: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut raw = Vec::new();
        let head = loop {
            if let Some(at) = raw.windows(4).position(|w| w == b"\r\n\r\n") {
                break String::from_utf8(raw.drain(..at + 4).collect()).unwrap();
            }
            assert!(stream.read_buf(&mut raw).await.unwrap() > 0);
        };
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut events = Self { stream, raw, decoder: Decoder::new(1 << 24), over: false, head };
        events.take_chunks();
        events
    }

    /// The next event; `None` when the stream is over.
    pub async fn next(&mut self) -> Option<Value> {
        let next = async {
            loop {
                if let Some(record) = self.decoder.next().unwrap() {
                    return Some(serde_json::from_slice(&record).unwrap());
                }
                if self.over {
                    return None;
                }
                self.over |= self.stream.read_buf(&mut self.raw).await.unwrap_or(0) == 0;
                self.take_chunks();
            }
        };
        tokio::time::timeout(super::PATIENCE, next).await.expect("an event in time")
    }

    fn take_chunks(&mut self) {
        loop {
            let Some(line) = self.raw.windows(2).position(|w| w == b"\r\n") else { return };
            let size = usize::from_str_radix(std::str::from_utf8(&self.raw[..line]).unwrap(), 16).unwrap();
            if self.raw.len() < line + 2 + size + 2 {
                return;
            }
            self.decoder.push(&self.raw[line + 2..line + 2 + size]);
            self.raw.drain(..line + 2 + size + 2);
            self.over |= size == 0;
        }
    }
}

//! Master and agent as each sees the other: one-way messages over HTTP, in the way of libprocess.
//!
//! A [`Peer`] stands for one process. It listens, answers `202` to what it gets, and keeps one connection to each peer
//! that it sends to, as libprocess does; closing them is how it dies.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::http;

/// A message as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who sent it: `<process id>@<ip>:<port>`.
    pub from: String,
    /// The process id it is for.
    pub to: String,
    /// The full name of its protobuf.
    pub name: String,
    /// The protobuf.
    pub body: Vec<u8>,
}

/// One process that others can send to.
#[derive(Debug)]
pub struct Peer {
    address: String,
    messages: Receiver<Message>,
    accepted: Arc<Mutex<Vec<TcpStream>>>,
    opened: HashMap<String, TcpStream>,
}

impl Peer {
    /// Listens on a port of the loopback address.
    pub fn listen(port: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?.to_string();
        let (sender, messages) = mpsc::channel();
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&accepted);
        thread::spawn(move || accept(&listener, &kept, &sender));
        Ok(Self { address, messages, accepted, opened: HashMap::new() })
    }

    /// Where it listens, as `ip:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The next message, if one comes in time.
    pub fn receive(&self, limit: Duration) -> Option<Message> {
        self.messages.recv_timeout(limit).ok()
    }

    /// Sends to the process `to` at `address`, as process `from` of this peer.
    pub fn send(&mut self, address: &str, from: &str, to: &str, name: &str, body: &[u8]) -> Result<()> {
        let head = format!(
            "POST /{to}/{name} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: libprocess/{from}@{own}\r\n\
             Libprocess-From: {from}@{own}\r\nConnection: Keep-Alive\r\nContent-Length: {length}\r\n\r\n",
            own = self.address,
            length = body.len(),
        );
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        if !self.opened.contains_key(address) {
            let stream = http::connect(address, None).with_context(|| format!("connecting to {address}"))?;
            let answers = stream.try_clone()?;
            thread::spawn(move || discard(answers));
            self.opened.insert(address.to_owned(), stream);
        }
        let stream = self.opened.get_mut(address).context("just opened")?;
        stream.write_all(&bytes).with_context(|| format!("sending {name} to {address}"))
    }

    /// Closes every connection and goes on listening, as a process does that is started anew.
    pub fn hang_up(&mut self) {
        let accepted = std::mem::take(&mut *self.accepted.lock().unwrap_or_else(PoisonError::into_inner));
        for stream in accepted.into_iter().chain(self.opened.drain().map(|(_, stream)| stream)) {
            // Closed by the other side already: as good.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.hang_up();
    }
}

fn accept(listener: &TcpListener, kept: &Mutex<Vec<TcpStream>>, messages: &Sender<Message>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        if let Ok(copy) = stream.try_clone() {
            kept.lock().unwrap_or_else(PoisonError::into_inner).push(copy);
        }
        let messages = messages.clone();
        thread::spawn(move || {
            // A connection that is cut or speaks no HTTP ends here; what came before it counts.
            let _ = serve(stream, &messages);
        });
    }
}

/// Takes messages from one connection, in order.
fn serve(mut stream: TcpStream, messages: &Sender<Message>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let message = read_message(&mut reader)?;
        stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")?;
        if messages.send(message).is_err() {
            return Ok(());
        }
    }
}

fn read_message(reader: &mut BufReader<TcpStream>) -> Result<Message> {
    let line = http::read_line(reader)?;
    let path = line.strip_prefix("POST /").and_then(|rest| rest.split(' ').next()).context("no POST")?;
    let (to, name) = path.split_once('/').context("a path without a message name")?;
    let headers = http::read_headers(reader)?;
    let header = |wanted: &str| {
        headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
    };
    let length = match header("Content-Length") {
        Some(length) => length.parse().context("no length")?,
        None if header("Transfer-Encoding").is_some() => bail!("a message in chunks"),
        None => 0,
    };
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Message {
        from: header("Libprocess-From").context("no Libprocess-From")?.to_owned(),
        to: to.replace("%28", "(").replace("%29", ")"),
        name: name.to_owned(),
        body,
    })
}

fn discard(mut answers: TcpStream) {
    // What is answered says nothing about the message; the end of the connection ends the thread.
    let _ = io::copy(&mut answers, &mut io::sink());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_order_and_name_their_sender() {
        let receiver = Peer::listen(0).unwrap();
        let mut sender = Peer::listen(0).unwrap();
        for body in [&b"one"[..], b"", b"three"] {
            sender.send(receiver.address(), "slave(1)", "master", "a.B", body).unwrap();
        }
        let limit = Duration::from_secs(5);
        let from = format!("slave(1)@{}", sender.address());
        for body in [&b"one"[..], b"", b"three"] {
            let expected =
                Message { from: from.clone(), to: "master".into(), name: "a.B".into(), body: body.into() };
            assert_eq!(receiver.receive(limit), Some(expected));
        }
        sender.hang_up();
        sender.send(receiver.address(), "slave(1)", "master", "a.B", b"again").unwrap();
        assert_eq!(receiver.receive(limit).unwrap().body, b"again");
    }
}

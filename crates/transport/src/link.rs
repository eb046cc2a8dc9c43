//! The sending side: one connection to one peer, its queue, and what becomes of the answers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::PeersOptions;

/// Most messages that go into one write.
const BATCH: usize = 512;

/// A write buffer that has grown beyond this many bytes is given back after use.
const KEEP_BUFFER: usize = 1 << 20;

/// Receipts of messages that a connection keeps for their answers. A peer that answers none of so many answers none at all, and
/// the oldest is given up.
const MAX_RECEIPTS: usize = 64 << 10;

/// A message on its way out; encoded by the connection's task, not by the sender.
pub trait Outgoing: Send + 'static {
    /// Tells by being dropped that the peer has answered the message, or that nobody will ever know whether it arrived.
    type Receipt: Send + 'static;

    /// The process id that sends it, such as `master` or `slave-observer(1)`.
    fn sender(&self) -> &str;
    /// The process id at the peer that it is for, such as `slave(1)`.
    fn receiver(&self) -> &str;
    /// The message's full protobuf name.
    fn name(&self) -> &str;
    /// Appends the protobuf.
    fn encode(&self, out: &mut Vec<u8>);
    /// What to drop when the peer has answered, if anybody wants to know.
    fn receipt(&mut self) -> Option<Self::Receipt> {
        None
    }
}

/// What a connection to a peer has to report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerEvent {
    /// The connection was lost or could not be made. The next message tries a new one.
    Lost {
        /// The peer.
        peer: SocketAddr,
        /// Which of the links to the peer, one after another, it was; see [`Peers::is_current`](crate::Peers::is_current).
        link: u64,
        /// How many messages the peer may not have received.
        unanswered: u64,
        /// What happened, in one line.
        reason: String,
    },
    /// The peer answered that it has no such receiver.
    Refused {
        /// The peer.
        peer: SocketAddr,
        /// The status code of its answer.
        status: u16,
    },
}

/// What has gone over one connection.
struct Traffic<R> {
    sent: AtomicU64,
    answered: AtomicU64,
    /// With the number of the answer that each waits for, in order.
    receipts: Mutex<VecDeque<(u64, R)>>,
}

impl<R> Traffic<R> {
    fn new() -> Self {
        Self { sent: AtomicU64::new(0), answered: AtomicU64::new(0), receipts: Mutex::default() }
    }

    /// These messages are about to be sent.
    fn begin(&self, written: &mut Written<R>) {
        let before = self.sent.fetch_add(written.messages, Ordering::Relaxed);
        if written.receipts.is_empty() {
            return;
        }
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        receipts.extend(written.receipts.drain(..).map(|(place, receipt)| (before + place, receipt)));
        let excess = receipts.len().saturating_sub(MAX_RECEIPTS);
        receipts.drain(..excess);
    }

    /// So many have been answered by now.
    fn release(&self, answered: u64) {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = receipts.partition_point(|(number, _)| *number <= answered);
        receipts.drain(..waiting);
    }
}

/// Messages in a buffer that have not been sent.
struct Written<R> {
    messages: u64,
    /// With the place of each one's message among them, from 1.
    receipts: Vec<(u64, R)>,
}

impl<R> Default for Written<R> {
    fn default() -> Self {
        Self { messages: 0, receipts: Vec::new() }
    }
}

/// What waits in a link's queue.
pub(crate) enum Item<M> {
    /// A message to be sent.
    Message(M),
    /// From here on over a new connection, which is the link of this number.
    Reconnect(u64),
}

pub(crate) struct Link<M> {
    pub(crate) peer: SocketAddr,
    pub(crate) number: u64,
    pub(crate) own: SocketAddr,
    pub(crate) queue: mpsc::Receiver<Item<M>>,
    pub(crate) events: mpsc::UnboundedSender<PeerEvent>,
    pub(crate) options: PeersOptions,
}

/// A connection while it lasts.
struct Connection<R> {
    writer: OwnedWriteHalf,
    reader: JoinHandle<String>,
    traffic: Arc<Traffic<R>>,
}

impl<R> Drop for Connection<R> {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl<M: Outgoing> Link<M> {
    /// Sends what is queued until the queue is closed.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::new();
        let mut buffer = Vec::new();
        let parts = HeadParts::new(self.own, self.peer);
        let mut connection: Option<Connection<M::Receipt>> = None;
        loop {
            let count = match &mut connection {
                Some(open) => tokio::select! {
                    reason = &mut open.reader => {
                        let reason = reason.unwrap_or_else(|e| e.to_string());
                        self.report_loss(connection.take(), 0, reason);
                        continue;
                    }
                    count = self.queue.recv_many(&mut batch, BATCH) => count,
                },
                None => self.queue.recv_many(&mut batch, BATCH).await,
            };
            if count == 0 {
                return self.finish(connection).await;
            }
            self.send_batch(&mut batch, &mut buffer, &parts, &mut connection).await;
            if buffer.capacity() > KEEP_BUFFER {
                buffer = Vec::new();
            }
        }
    }

    /// Sends all of a batch: messages in one write, up to where a new connection is asked for.
    async fn send_batch(
        &mut self,
        batch: &mut Vec<Item<M>>,
        buffer: &mut Vec<u8>,
        parts: &HeadParts,
        connection: &mut Option<Connection<M::Receipt>>,
    ) {
        buffer.clear();
        let mut written = Written::default();
        for item in batch.drain(..) {
            match item {
                Item::Message(mut message) => {
                    write_message(buffer, &message, parts);
                    written.messages += 1;
                    written.receipts.extend(message.receipt().map(|receipt| (written.messages, receipt)));
                }
                Item::Reconnect(number) => {
                    self.send(connection, buffer, std::mem::take(&mut written)).await;
                    self.finish(connection.take()).await;
                    self.number = number;
                    buffer.clear();
                }
            }
        }
        self.send(connection, buffer, written).await;
    }

    /// Sends what was written, over a new connection if there is none.
    async fn send(
        &self,
        connection: &mut Option<Connection<M::Receipt>>,
        buffer: &[u8],
        mut written: Written<M::Receipt>,
    ) {
        if written.messages == 0 {
            return;
        }
        if connection.is_none() {
            match self.connect().await {
                Ok(open) => *connection = Some(open),
                Err(error) => {
                    return self.report_loss(None, written.messages, format!("cannot connect: {error}"));
                }
            }
        }
        let Some(open) = connection else { return };
        open.traffic.begin(&mut written);
        let sent = tokio::time::timeout(self.options.write_timeout, open.writer.write_all(buffer)).await;
        if let Err(error) = sent.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            self.report_loss(connection.take(), 0, error.to_string());
        }
    }

    /// Lets what was sent arrive: closing a connection with unread answers would reset it.
    async fn finish(&self, connection: Option<Connection<M::Receipt>>) {
        let Some(mut open) = connection else { return };
        if open.writer.shutdown().await.is_ok() {
            let _ = tokio::time::timeout(self.options.connect_timeout, &mut open.reader).await;
        }
    }

    async fn connect(&self) -> io::Result<Connection<M::Receipt>> {
        let stream = tokio::time::timeout(self.options.connect_timeout, TcpStream::connect(self.peer))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let (read, writer) = stream.into_split();
        let traffic = Arc::new(Traffic::new());
        let reader = tokio::spawn(read_answers(read, self.peer, traffic.clone(), self.events.clone()));
        Ok(Connection { writer, reader, traffic })
    }

    fn report_loss(&self, connection: Option<Connection<M::Receipt>>, unsent: u64, reason: String) {
        let in_flight = connection.map_or(0, |c| {
            c.traffic.sent.load(Ordering::Relaxed).saturating_sub(c.traffic.answered.load(Ordering::Relaxed))
        });
        let unanswered = in_flight + unsent;
        // Nobody listens any more when the server is on its way down.
        let _ = self.events.send(PeerEvent::Lost { peer: self.peer, link: self.number, unanswered, reason });
    }
}

/// The parts of a message's head that are the same for all messages to a peer.
struct HeadParts {
    before_sender: String,
    after_sender: String,
}

impl HeadParts {
    fn new(own: SocketAddr, peer: SocketAddr) -> Self {
        Self {
            before_sender: format!(" HTTP/1.1\r\nHost: {peer}\r\nLibprocess-From: "),
            after_sender: format!("@{own}\r\nConnection: Keep-Alive\r\nContent-Length: "),
        }
    }
}

fn write_message(buffer: &mut Vec<u8>, message: &impl Outgoing, parts: &HeadParts) {
    // The length comes before the body and is not known yet: room for it is left in digits that are always there.
    const ROOM: &[u8] = b"0000000000";
    let pieces = [
        "POST /",
        message.receiver(),
        "/",
        message.name(),
        &parts.before_sender,
        message.sender(),
        &parts.after_sender,
    ];
    for piece in pieces {
        buffer.extend_from_slice(piece.as_bytes());
    }
    let length_at = buffer.len();
    buffer.extend_from_slice(ROOM);
    buffer.extend_from_slice(b"\r\n\r\n");
    let body_at = buffer.len();
    message.encode(buffer);
    let mut rest = buffer.len() - body_at;
    for digit in buffer[length_at..length_at + ROOM.len()].iter_mut().rev() {
        *digit = b"0123456789"[rest % 10];
        rest /= 10;
    }
}

/// Reads answers until the connection ends; returns why it ended.
async fn read_answers<R>(
    mut stream: OwnedReadHalf,
    peer: SocketAddr,
    traffic: Arc<Traffic<R>>,
    events: mpsc::UnboundedSender<PeerEvent>,
) -> String {
    let mut buffer = Vec::with_capacity(4096);
    loop {
        match stream.read_buf(&mut buffer).await {
            Ok(0) => return "closed by the peer".to_owned(),
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
        let mut at = 0;
        loop {
            match next_answer(&buffer[at..]) {
                Ok(Some((status, length))) => {
                    at += length;
                    let answered = traffic.answered.fetch_add(1, Ordering::Relaxed) + 1;
                    if answered > traffic.sent.load(Ordering::Relaxed) {
                        return "the peer answers what was not sent".to_owned();
                    }
                    if status >= 300 {
                        let _ = events.send(PeerEvent::Refused { peer, status });
                    }
                }
                Ok(None) => break,
                Err(reason) => return reason,
            }
        }
        buffer.drain(..at);
        traffic.release(traffic.answered.load(Ordering::Relaxed));
        if buffer.len() > MAX_ANSWER {
            return format!("an answer is longer than {MAX_ANSWER} bytes");
        }
    }
}

/// Longest answer to a message, in bytes; peers answer with a line at most.
const MAX_ANSWER: usize = 64 << 10;

/// The status and the length of the answer at the start of `bytes`; `None` when more bytes are needed.
fn next_answer(bytes: &[u8]) -> Result<Option<(u16, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("malformed answer: {error}")),
    };
    let status = response.code.ok_or("malformed answer: no status")?;
    let length = response.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
    let body = match length {
        Some(header) => std::str::from_utf8(header.value)
            .ok()
            .and_then(|v| v.trim().parse::<usize>().ok())
            .filter(|&length| length <= MAX_ANSWER)
            .ok_or("malformed answer: senseless content length")?,
        None => 0,
    };
    Ok((bytes.len() >= head + body).then_some((status, head + body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ping;

    impl Outgoing for Ping {
        type Receipt = ();

        fn sender(&self) -> &str {
            "slave-observer(1)"
        }
        fn receiver(&self) -> &str {
            "slave(1)"
        }
        fn name(&self) -> &str {
            "mesos.internal.PingSlaveMessage"
        }
        fn encode(&self, out: &mut Vec<u8>) {
            out.extend_from_slice(b"body");
        }
    }

    #[test]
    fn what_is_sent_is_what_is_received() {
        let mut bytes = Vec::new();
        let parts = HeadParts::new("127.0.0.1:5050".parse().unwrap(), "127.0.0.1:5051".parse().unwrap());
        write_message(&mut bytes, &Ping, &parts);
        let (head, length) = crate::head::parse(&bytes, None).unwrap().unwrap();
        assert_eq!(head.from.to_string(), "slave-observer(1)@127.0.0.1:5050");
        assert_eq!((head.to.as_str(), head.name.as_str()), ("slave(1)", "mesos.internal.PingSlaveMessage"));
        assert_eq!(head.framing, crate::head::Framing::Length(4));
        assert_eq!(&bytes[length..], b"body");
        assert!(head.wants_answer);
    }

    #[test]
    fn receipts_wait_for_the_answers_to_their_own_messages() {
        let traffic = Traffic::new();
        let left = |traffic: &Traffic<char>| {
            traffic.receipts.lock().unwrap().iter().map(|(_, r)| *r).collect::<String>()
        };
        traffic.begin(&mut Written { messages: 3, receipts: vec![(2, 'a'), (3, 'b')] });
        traffic.begin(&mut Written { messages: 2, receipts: Vec::new() });
        traffic.begin(&mut Written { messages: 1, receipts: vec![(1, 'c')] });
        for (answered, waiting) in [(1, "abc"), (2, "bc"), (3, "c"), (5, "c"), (6, "")] {
            traffic.release(answered);
            assert_eq!(left(&traffic), waiting, "{answered} are answered");
        }
        // A peer that answers nothing does not pile them up.
        for _ in 0..MAX_RECEIPTS + 10 {
            traffic.begin(&mut Written { messages: 1, receipts: vec![(1, 'd')] });
        }
        assert_eq!(left(&traffic).len(), MAX_RECEIPTS);
    }

    #[test]
    fn answers_one_after_another() {
        let bytes = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno";
        let (status, length) = next_answer(bytes).unwrap().unwrap();
        assert_eq!((status, length), (202, 44));
        assert_eq!(next_answer(&bytes[length..]).unwrap().unwrap().0, 404);
        assert_eq!(next_answer(&bytes[length..bytes.len() - 1]), Ok(None));
        assert!(next_answer(b"SSH-2.0\r\n\r\n").is_err());
        assert!(next_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").is_err());
    }
}

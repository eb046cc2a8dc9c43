//! Messages over real sockets: order under load, pipelining, losses, and peers that answer nonsense.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use transport::{
    Accepted, Ended, Message, Outgoing, PeerEvent, Peers, PeersOptions, Receiver, SendError, Senders, accept,
    serve_messages,
};

/// A number, and who wants to know that it has arrived.
struct Numbered(u64, Option<oneshot::Sender<()>>);

fn numbered(number: u64) -> Numbered {
    Numbered(number, None)
}

impl Outgoing for Numbered {
    type Receipt = oneshot::Sender<()>;

    fn sender(&self) -> &str {
        "master"
    }
    fn receiver(&self) -> &str {
        if self.0 == u64::MAX { "nobody" } else { "slave(1)" }
    }
    fn name(&self) -> &str {
        "mesos.internal.Numbered"
    }
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }
    fn receipt(&mut self) -> Option<Self::Receipt> {
        self.1.take()
    }
}

/// Hands the numbers on to the test.
#[derive(Clone)]
struct Collect(mpsc::Sender<u64>);

impl Receiver for Collect {
    async fn receive(&self, message: Message<'_>) -> bool {
        if message.to != "slave(1)" {
            return false;
        }
        let number = u64::from_be_bytes(message.body[..].try_into().unwrap());
        self.0.send(number).await.unwrap();
        true
    }
}

async fn server() -> (SocketAddr, mpsc::Receiver<u64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, received) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let collect = Collect(sender.clone());
            tokio::spawn(async move {
                if let Accepted::Messages(connection) = accept(stream).await.unwrap() {
                    let _ = connection.serve(1 << 20, &collect).await;
                }
            });
        }
    });
    (address, received)
}

fn peers(options: PeersOptions) -> (Peers<Numbered>, mpsc::UnboundedReceiver<PeerEvent>) {
    let (sender, events) = mpsc::unbounded_channel();
    (Peers::new("127.0.0.1:5050".parse().unwrap(), options, Handle::current(), sender), events)
}

#[tokio::test]
async fn order_is_kept_under_load() {
    let (address, mut received) = server().await;
    let (mut peers, mut events) = peers(PeersOptions::default());
    for number in 0..20_000 {
        peers.send(address, numbered(number)).unwrap();
    }
    for number in 0..20_000 {
        assert_eq!(received.recv().await, Some(number));
    }
    peers.send(address, numbered(u64::MAX)).unwrap();
    assert_eq!(events.recv().await, Some(PeerEvent::Refused { peer: address, status: 404 }));
}

#[tokio::test]
async fn loss_is_reported_and_the_next_message_reconnects() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mut peers, mut events) = peers(PeersOptions::default());
    peers.send(address, numbered(1)).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = vec![0; 4096];
    assert!(stream.read(&mut bytes).await.unwrap() > 0);
    drop(stream);
    let Some(PeerEvent::Lost { peer, unanswered, .. }) = events.recv().await else {
        panic!("no loss reported")
    };
    assert_eq!((peer, unanswered), (address, 1));

    peers.send(address, numbered(2)).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    assert!(stream.read(&mut bytes).await.unwrap() > 0);
    // An answered message is not counted as lost; an answer that is not HTTP ends the connection.
    stream.write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\nnonsense\r\n\r\n").await.unwrap();
    let Some(PeerEvent::Lost { unanswered, reason, .. }) = events.recv().await else {
        panic!("no loss reported")
    };
    assert_eq!(unanswered, 0);
    assert!(reason.contains("malformed answer"), "{reason}");
}

#[tokio::test]
async fn a_receipt_is_dropped_when_its_message_is_answered_or_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mut peers, _events) = peers(PeersOptions::default());
    let mut waiting = Vec::new();
    for number in 0..4 {
        // Nobody asks about every other one.
        let (sender, receiver) = oneshot::channel();
        peers.send(address, Numbered(number, (number % 2 == 1).then_some(sender))).unwrap();
        waiting.push(receiver);
    }
    let (mut last, _, first) = (waiting.pop().unwrap(), waiting.pop(), waiting.pop().unwrap());
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = vec![0; 64 << 10];
    let mut read = 0;
    while bytes[..read].windows(5).filter(|found| found == b"POST ").count() < 4 {
        read += stream.read(&mut bytes[read..]).await.unwrap();
    }
    let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    stream.write_all(&answer.repeat(2)).await.unwrap();
    assert!(first.await.is_err());
    assert_eq!(last.try_recv(), Err(oneshot::error::TryRecvError::Empty), "it is not answered");
    // What is lost with the connection is known to nobody.
    drop(stream);
    assert!(last.await.is_err());
}

#[tokio::test]
async fn the_loss_of_a_former_link_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mut peers, mut events) = peers(PeersOptions::default());
    peers.send(address, numbered(1)).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    drop(stream);
    let Some(PeerEvent::Lost { link, .. }) = events.recv().await else { panic!("no loss reported") };
    assert!(peers.is_current(address, link));
    peers.reconnect(address);
    peers.send(address, numbered(2)).unwrap();
    assert!(!peers.is_current(address, link), "the peer has a new link");
}

#[tokio::test]
async fn order_is_kept_over_a_change_of_connection() {
    let (address, mut received) = server().await;
    let (mut peers, mut events) = peers(PeersOptions::default());
    for number in 0..1000 {
        if number % 100 == 0 {
            peers.reconnect(address);
        }
        peers.send(address, numbered(number)).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(received.recv().await, Some(number));
    }
    assert!(events.try_recv().is_err(), "nothing was lost");
}

#[tokio::test]
async fn a_retired_peer_gets_what_was_sent() {
    let (address, mut received) = server().await;
    let (mut peers, _events) = peers(PeersOptions::default());
    for number in 0..100 {
        peers.send(address, numbered(number)).unwrap();
    }
    peers.retire(address);
    for number in 0..100 {
        assert_eq!(received.recv().await, Some(number));
    }
}

#[tokio::test]
async fn an_unreachable_peer_is_reported() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (mut peers, mut events) = peers(PeersOptions::default());
    peers.send(closed, numbered(1)).unwrap();
    let Some(PeerEvent::Lost { unanswered: 1, reason, .. }) = events.recv().await else { panic!("no loss") };
    assert!(reason.contains("cannot connect"), "{reason}");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (mut peers, mut events) = peers(PeersOptions { queue: 8, ..PeersOptions::default() });
    let full = (0..).find_map(|n| peers.send(address, numbered(n)).err());
    assert_eq!(full, Some(SendError::Full(address)));
    assert!(matches!(events.recv().await, Some(PeerEvent::Lost { .. })));
    assert!(peers.is_empty());
}

#[tokio::test]
async fn a_peer_that_is_stopped_is_given_up_although_its_queue_has_room() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let write_timeout = std::time::Duration::from_millis(20);
    let (mut peers, mut events) =
        peers(PeersOptions { queue: 1 << 20, write_timeout, ..PeersOptions::default() });
    // More than the network's buffers hold.
    for number in 0..200_000 {
        peers.send(address, numbered(number)).unwrap();
    }
    let Some(PeerEvent::Lost { reason, .. }) = events.recv().await else { panic!("no loss") };
    assert_eq!(reason, "timed out");
}

/// Counts; knows every process.
#[derive(Clone, Default)]
struct Count(Arc<Mutex<Vec<String>>>);

impl Receiver for Count {
    async fn receive(&self, message: Message<'_>) -> bool {
        self.0.lock().unwrap().push(format!("{} {}", message.from, message.to));
        message.to != "nobody"
    }
}

/// What a sender left in a connection that it took for lost does not come behind what it has sent over the next.
#[tokio::test]
async fn what_is_left_in_a_former_connection_is_not_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Count::default();
    let taken = Arc::clone(&count.0);
    tokio::spawn(async move {
        let senders = Arc::new(Senders::default());
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            tokio::spawn(serve_messages(stream, peer, 16, Arc::clone(&senders), count.clone()));
        }
    });
    // Sends a message, and says whether it was answered.
    async fn say(stream: &mut TcpStream, from: &str, to: &str) -> bool {
        let message = format!("POST /{to}/mesos.X HTTP/1.1\r\nLibprocess-From: {from}@1.2.3.4:5\r\n\r\n");
        let mut answer = [0; 256];
        stream.write_all(message.as_bytes()).await.unwrap();
        let read = tokio::time::timeout(std::time::Duration::from_secs(60), stream.read(&mut answer)).await;
        read.expect("neither answered nor closed").is_ok_and(|length| length > 0)
    }
    let mut former = TcpStream::connect(address).await.unwrap();
    assert!(say(&mut former, "master", "one").await);
    assert!(say(&mut former, "observer", "two").await);
    let mut next = TcpStream::connect(address).await.unwrap();
    assert!(say(&mut former, "master", "three").await, "the next one carries nothing yet");
    assert!(say(&mut next, "master", "four").await);
    assert!(say(&mut former, "observer", "five").await, "another process, which did not change over");
    assert!(!say(&mut former, "master", "six").await);
    assert!(say(&mut next, "master", "seven").await);
    assert!(say(&mut next, "observer", "eight").await);
    let taken: Vec<String> = taken.lock().unwrap().clone();
    let taken: Vec<&str> = taken.iter().filter_map(|text| text.split(' ').nth(1)).collect();
    assert_eq!(taken, ["one", "two", "three", "four", "five", "seven", "eight"]);
}

async fn exchange(request: &str) -> (Vec<String>, String, Option<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    client.write_all(request.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let count = Count::default();
    let rest = match accept(stream).await.unwrap() {
        Accepted::Messages(connection) => match connection.serve(16, &count).await {
            Ok(Ended::Http(rest)) => Some(rest),
            Ok(Ended::Closed) | Err(_) => None,
        },
        Accepted::Http(rest) => Some(rest),
    };
    let rest = match rest {
        Some(mut stream) => {
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            Some(text)
        }
        None => None,
    };
    let mut answers = String::new();
    client.read_to_string(&mut answers).await.unwrap();
    let received = count.0.lock().unwrap().clone();
    (received, answers, rest)
}

#[tokio::test]
async fn pipelined_messages_get_their_answers_in_order() {
    let to = |to: &str| format!("POST /{to}/mesos.X HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n\r\n");
    let (received, answers, rest) = exchange(&(to("master") + &to("nobody") + &to("master"))).await;
    assert_eq!(received, ["a@1.2.3.4:5 master", "a@1.2.3.4:5 nobody", "a@1.2.3.4:5 master"]);
    let statuses: Vec<&str> =
        answers.lines().filter(|l| l.contains("HTTP/1.1")).map(|l| &l[l.len() - 9..]).collect();
    assert_eq!(statuses.len(), 3, "{answers}");
    assert!(statuses[0].ends_with("Accepted") && statuses[1].ends_with("Not Found"), "{statuses:?}");
    assert_eq!(rest, None);
}

#[tokio::test]
async fn libprocess_itself_gets_no_answer() {
    let request = "POST /master/mesos.X HTTP/1.1\r\nUser-Agent: libprocess/a@1.2.3.4:5\r\n\
                   Libprocess-From: a@1.2.3.4:5\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    let (received, answers, _) = exchange(request).await;
    assert_eq!((received.len(), answers.as_str()), (1, ""));
}

#[tokio::test]
async fn other_requests_lose_nothing() {
    let message = "POST /master/mesos.X HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n\r\n";
    let other = "GET /state HTTP/1.1\r\nHost: x\r\n\r\n";
    let (received, _, rest) = exchange(&format!("{message}{other}")).await;
    assert_eq!((received.len(), rest.as_deref()), (1, Some(other)));
    let (received, _, rest) = exchange(other).await;
    assert_eq!((received.len(), rest.as_deref()), (0, Some(other)));
}

#[tokio::test]
async fn what_is_too_long_or_malformed_is_answered_and_ends_the_connection() {
    let head = "POST /master/mesos.X HTTP/1.1\r\nLibprocess-From: a@1.2.3.4:5\r\n";
    let (_, answers, _) = exchange(&format!("{head}Content-Length: 17\r\n\r\n")).await;
    assert!(answers.starts_with("HTTP/1.1 413"), "{answers}");
    let (received, answers, _) =
        exchange(&format!("{head}\r\n{head}Transfer-Encoding: chunked\r\n\r\nxx\r\n")).await;
    assert_eq!(received.len(), 1);
    assert!(answers.starts_with("HTTP/1.1 202") && answers.contains("HTTP/1.1 400"), "{answers}");
}

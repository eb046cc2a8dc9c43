//! A stretch of network that a test can cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Passes on what comes to its address. While it is cut nothing arrives, in neither direction, and nobody is told: as when a
/// cable is pulled. When it is mended, what was on its way arrives.
#[derive(Debug)]
pub(crate) struct Proxy {
    address: SocketAddr,
    cable: Cable,
    task: JoinHandle<()>,
}

#[derive(Clone, Debug)]
struct Cable {
    /// Which directions are whole: to the server, and back.
    whole: watch::Sender<[bool; 2]>,
    /// How many more bytes reach the server before it is cut.
    left: Arc<AtomicUsize>,
    /// How many connections there have been.
    connections: Arc<AtomicUsize>,
    /// Of so many connections, the first ones, nothing reaches the server.
    held: watch::Sender<usize>,
    /// How many of them have something that the server has not answered yet.
    late: watch::Sender<usize>,
}

/// A connection: the how many it is, and whether something of it was held back and is not answered yet.
#[derive(Clone, Debug)]
struct Connection {
    number: usize,
    late: watch::Sender<bool>,
}

/// A direction.
const THERE: usize = 0;
const BACK: usize = 1;

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cable = Cable {
            whole: watch::Sender::new([true, true]),
            left: Arc::new(AtomicUsize::new(usize::MAX)),
            connections: Arc::default(),
            held: watch::Sender::new(0),
            late: watch::Sender::new(0),
        };
        let of_connections = cable.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, target, of_connections.clone()));
            }
        });
        Self { address, cable, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn cut(&self) {
        self.cable.whole.send_replace([false, false]);
    }

    /// Cuts it when so many more bytes have reached the server.
    pub(crate) fn cut_after(&self, bytes: usize) {
        self.cable.left.store(bytes, Ordering::SeqCst);
    }

    /// What the server answers does not arrive any more.
    pub(crate) fn cut_answers(&self) {
        self.cable.whole.send_replace([true, false]);
    }

    /// What is said over the connections that there are does not reach the server until it is released. Others are whole.
    pub(crate) fn hold(&self) {
        self.cable.held.send_replace(self.cable.connections.load(Ordering::SeqCst));
    }

    /// What was held back arrives, and it is waited until the server has answered it or closed the connection.
    pub(crate) async fn release(&self) {
        self.cable.held.send_replace(0);
        let answered = self.cable.late.subscribe();
        let mut all = answered.clone();
        let done = tokio::time::timeout(Duration::from_secs(60), all.wait_for(|late| *late == 0)).await;
        done.unwrap_or_else(|_| panic!("{} do not get an answer", *answered.borrow())).expect("the proxy");
    }

    pub(crate) fn is_cut(&self) -> bool {
        *self.cable.whole.borrow() == [false, false]
    }

    pub(crate) fn mend(&self) {
        self.cable.left.store(usize::MAX, Ordering::SeqCst);
        self.cable.whole.send_replace([true, true]);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cable {
    /// Waits until it is whole in this direction.
    async fn wait(&self, direction: usize) -> Option<()> {
        self.whole.subscribe().wait_for(|whole| whole[direction]).await.ok().map(drop)
    }

    /// How many of these bytes still arrive at the server; after them it is cut.
    fn take(&self, count: usize) -> usize {
        let left = self.left.load(Ordering::SeqCst);
        if left == usize::MAX {
            return count;
        }
        let taken = count.min(left);
        self.left.store(left - taken, Ordering::SeqCst);
        if taken < count {
            self.whole.send_replace([false, false]);
        }
        taken
    }
}

impl Connection {
    /// Waits until it is not held back.
    async fn pass(&self, cable: &Cable) {
        let mut held = cable.held.subscribe();
        let mine = |held: &usize| self.number < *held;
        if mine(&held.borrow()) && !self.late.send_replace(true) {
            cable.late.send_modify(|late| *late += 1);
        }
        let _ = held.wait_for(|held| !mine(held)).await;
    }

    /// The server has said something, or is gone.
    fn answered(&self, cable: &Cable, gone: bool) {
        let arrived = gone || self.number >= *cable.held.borrow();
        if arrived && self.late.send_replace(false) {
            cable.late.send_modify(|late| *late -= 1);
        }
    }
}

async fn connect(client: TcpStream, target: SocketAddr, cable: Cable) {
    if cable.wait(THERE).await.is_none() {
        return;
    }
    let number = cable.connections.fetch_add(1, Ordering::SeqCst);
    let connection = Connection { number, late: watch::Sender::new(false) };
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let there = tokio::spawn(ask(from_client, to_server, cable.clone(), connection.clone()));
    answer(from_server, to_client, &cable, &connection).await;
    connection.answered(&cable, true);
    // One side is gone, so the other goes too.
    there.abort();
}

async fn ask(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, cable: Cable, connection: Connection) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = client.read(&mut buffer).await {
        connection.pass(&cable).await;
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            if cable.wait(THERE).await.is_none() {
                return;
            }
            let (now, later) = rest.split_at(cable.take(rest.len()));
            if server.write_all(now).await.is_err() {
                return;
            }
            rest = later;
        }
    }
    // Whoever gave up has closed it; the server hears of that after its answer, as if it were still on its way.
    let _ = connection.late.subscribe().wait_for(|late| !late).await;
}

async fn answer(
    mut server: OwnedReadHalf,
    mut client: OwnedWriteHalf,
    cable: &Cable,
    connection: &Connection,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = server.read(&mut buffer).await {
        connection.answered(cable, false);
        if cable.wait(BACK).await.is_none() || client.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

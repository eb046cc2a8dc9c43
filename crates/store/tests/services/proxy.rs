//! A stretch of network that a test can cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

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
}

/// A direction.
const THERE: usize = 0;
const BACK: usize = 1;

impl Proxy {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cable =
            Cable { whole: watch::Sender::new([true, true]), left: Arc::new(AtomicUsize::new(usize::MAX)) };
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

async fn connect(client: TcpStream, target: SocketAddr, cable: Cable) {
    if cable.wait(THERE).await.is_none() {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let there = tokio::spawn(pass(from_client, to_server, cable.clone(), THERE));
    pass(from_server, to_client, cable, BACK).await;
    // One side is gone, so the other goes too.
    there.abort();
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cable: Cable, direction: usize) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            if cable.wait(direction).await.is_none() {
                return;
            }
            let count = if direction == THERE { cable.take(rest.len()) } else { rest.len() };
            let (now, later) = rest.split_at(count);
            if to.write_all(now).await.is_err() {
                return;
            }
            rest = later;
        }
    }
}

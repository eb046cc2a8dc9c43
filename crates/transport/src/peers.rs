//! All peers that a server sends messages to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc;

use crate::link::{Item, Link};
use crate::{Outgoing, PeerEvent};

/// How the connections to peers behave.
#[derive(Clone, Debug)]
pub struct PeersOptions {
    /// Most messages that wait for one peer; more are refused.
    pub queue: usize,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long a peer may leave what is written to it in the network's buffers. One that is stopped for longer counts as
    /// lost: what it would read later is out of date by then, and its connection would be kept for ever.
    pub write_timeout: Duration,
}

impl Default for PeersOptions {
    fn default() -> Self {
        Self {
            queue: 64 << 10,
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(60),
        }
    }
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The peer reads too slowly. Its connection is given up, with all that waited for it, and reported as lost.
    #[error("too many messages wait for {0}")]
    Full(SocketAddr),
}

/// One connection for each peer. Used by one thread; the connections live on a runtime.
#[derive(Debug)]
pub struct Peers<M> {
    own: SocketAddr,
    links: HashMap<SocketAddr, Handle<M>>,
    numbers: u64,
    events: mpsc::UnboundedSender<PeerEvent>,
    runtime: Runtime,
    options: PeersOptions,
}

/// What is kept of a link here.
#[derive(Debug)]
struct Handle<M> {
    number: u64,
    queue: mpsc::Sender<Item<M>>,
    task: tokio::task::JoinHandle<()>,
}

impl<M: Outgoing> Peers<M> {
    /// No connections yet. `own` is the address that peers shall answer to; what happens is reported to `events`.
    #[must_use]
    pub fn new(
        own: SocketAddr,
        options: PeersOptions,
        runtime: Runtime,
        events: mpsc::UnboundedSender<PeerEvent>,
    ) -> Self {
        Self { own, links: HashMap::new(), numbers: 0, events, runtime, options }
    }

    /// Queues a message. It goes out on the peer's connection, which is made if there is none, behind everything that
    /// was queued before.
    ///
    /// # Errors
    /// Fails when too many messages wait already; the loss of the peer is reported then.
    pub fn send(&mut self, peer: SocketAddr, message: M) -> Result<(), SendError> {
        let handle = self.links.entry(peer).or_insert_with(|| {
            self.numbers += 1;
            let number = self.numbers;
            let (sender, queue) = mpsc::channel(self.options.queue);
            let link = Link {
                peer,
                number,
                own: self.own,
                queue,
                events: self.events.clone(),
                options: self.options.clone(),
            };
            Handle { number, queue: sender, task: self.runtime.spawn(link.run()) }
        });
        match handle.queue.try_send(Item::Message(message)) {
            Ok(()) => Ok(()),
            Err(_) => {
                let (link, waiting) = (handle.number, handle.queue.max_capacity() as u64 + 1);
                self.close(peer);
                let reason = SendError::Full(peer).to_string();
                let _ = self.events.send(PeerEvent::Lost { peer, link, unanswered: waiting, reason });
                Err(SendError::Full(peer))
            }
        }
    }

    /// Closes the connection to a peer when what waits for it has been sent; later messages go over a new one, behind
    /// all that came before. For a peer that may have been started again: see [`Peers::is_current`].
    pub fn reconnect(&mut self, peer: SocketAddr) {
        let Some(handle) = self.links.get_mut(&peer) else { return };
        self.numbers += 1;
        handle.number = self.numbers;
        if handle.queue.try_send(Item::Reconnect(self.numbers)).is_err() {
            self.close(peer);
        }
    }

    /// Closes the connection to a peer when what waits for it has been sent, without a report. A message sent to it
    /// later makes a new connection, which does not wait for the end of this one: who sends it speaks to another process
    /// that has come to the peer's address. See [`Peers::reconnect`] for where the order matters.
    pub fn retire(&mut self, peer: SocketAddr) {
        self.links.remove(&peer);
    }

    /// Gives up the connection to a peer and what waits for it, without a report.
    pub fn close(&mut self, peer: SocketAddr) {
        if let Some(handle) = self.links.remove(&peer) {
            handle.task.abort();
        }
    }

    /// The end: what waits is still sent to all peers, as far as that takes no longer than `patience`.
    pub async fn finish(mut self, patience: Duration) {
        let tasks: Vec<_> = self.links.drain().map(|(_, handle)| handle.task).collect();
        let late: Vec<_> = tasks.iter().map(tokio::task::JoinHandle::abort_handle).collect();
        let sent = async {
            for task in tasks {
                // One that was given up has nothing to send.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(patience, sent).await.is_err() {
            late.iter().for_each(tokio::task::AbortHandle::abort);
        }
    }

    /// Whether `link` is the newest link to `peer`. The loss of an older one says nothing of a peer that has come back
    /// since.
    #[must_use]
    pub fn is_current(&self, peer: SocketAddr, link: u64) -> bool {
        self.links.get(&peer).is_none_or(|handle| handle.number == link)
    }

    /// How many peers there are connections or queues for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.links.is_empty()
    }
}

impl<M> Drop for Peers<M> {
    fn drop(&mut self) {
        for handle in self.links.values() {
            handle.task.abort();
        }
    }
}

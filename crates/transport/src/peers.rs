//! All peers that a server sends messages to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::link::Link;
use crate::{Outgoing, PeerEvent};

/// How the connections to peers behave.
#[derive(Clone, Debug)]
pub struct PeersOptions {
    /// Most messages that wait for one peer; more are refused.
    pub queue: usize,
    /// How long connecting may take.
    pub connect_timeout: Duration,
}

impl Default for PeersOptions {
    fn default() -> Self {
        Self { queue: 64 << 10, connect_timeout: Duration::from_secs(5) }
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
    links: HashMap<SocketAddr, (mpsc::Sender<M>, tokio::task::AbortHandle)>,
    events: mpsc::UnboundedSender<PeerEvent>,
    runtime: Handle,
    options: PeersOptions,
}

impl<M: Outgoing> Peers<M> {
    /// No connections yet. `own` is the address that peers shall answer to; what happens is reported to `events`.
    #[must_use]
    pub fn new(
        own: SocketAddr,
        options: PeersOptions,
        runtime: Handle,
        events: mpsc::UnboundedSender<PeerEvent>,
    ) -> Self {
        Self { own, links: HashMap::new(), events, runtime, options }
    }

    /// Queues a message. It goes out on the peer's connection, which is made if there is none, behind everything that
    /// was queued before.
    ///
    /// # Errors
    /// Fails when too many messages wait already; the loss of the peer is reported then.
    pub fn send(&mut self, peer: SocketAddr, message: M) -> Result<(), SendError> {
        let (queue, _) = self.links.entry(peer).or_insert_with(|| {
            let (sender, queue) = mpsc::channel(self.options.queue);
            let link = Link {
                peer,
                own: self.own,
                queue,
                events: self.events.clone(),
                options: self.options.clone(),
            };
            (sender, self.runtime.spawn(link.run()).abort_handle())
        });
        match queue.try_send(message) {
            Ok(()) => Ok(()),
            Err(_) => {
                let waiting = queue.max_capacity() as u64 + 1;
                self.close(peer);
                let reason = SendError::Full(peer).to_string();
                let _ = self.events.send(PeerEvent::Lost { peer, unanswered: waiting, reason });
                Err(SendError::Full(peer))
            }
        }
    }

    /// Closes the connection to a peer when what waits for it has been sent, without a report. A message sent to it
    /// later makes a new connection.
    pub fn retire(&mut self, peer: SocketAddr) {
        self.links.remove(&peer);
    }

    /// Gives up the connection to a peer and what waits for it, without a report.
    pub fn close(&mut self, peer: SocketAddr) {
        if let Some((_, task)) = self.links.remove(&peer) {
            task.abort();
        }
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
        for (_, task) in self.links.values() {
            task.abort();
        }
    }
}

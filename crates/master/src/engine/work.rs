//! What reaches the core's thread, and the handle through which it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{FrameworkId, Time};
use http_api::Receipt;
use master_core::{ConnectionId, FrameworkInfo, OfferConstraints, OperatorCall, OperatorError, StreamId};
use master_core::{Input, MasterCore, Snapshot};
use resources::Role;
use tokio::sync::{mpsc, oneshot};

use super::streams::EventSender;
use crate::watch::Watch;

/// One piece of work for the core's thread.
pub(crate) enum Work {
    /// Something for the core that needs no answer.
    Input(Input),
    /// The same, of which somebody wants to know when agents have all that it has to say to them.
    PassOn(Input, Receipt),
    /// A scheduler subscribes.
    Subscribe {
        /// Its stream.
        connection: ConnectionId,
        /// Where its events go.
        events: EventSender,
        /// The stream's id.
        stream: StreamId,
        /// Who it was before.
        framework_id: Option<FrameworkId>,
        /// What it says of itself.
        info: Arc<FrameworkInfo>,
        /// For which roles it wants no offers.
        suppressed_roles: Vec<Role>,
        /// Of which agents it wants offers, or what is wrong with that.
        offer_constraints: Result<Arc<OfferConstraints>, String>,
    },
    /// A call that waits for its answer.
    Operator(OperatorCall, oneshot::Sender<Result<(), OperatorError>>),
    /// Somebody wants to see everything, and every change from then on; `None` is answered when there are too many.
    Watch(oneshot::Sender<Option<(Snapshot, Watch)>>),
    /// Somebody wants to see everything.
    Snapshot(oneshot::Sender<Snapshot>),
    /// Somebody asks something that a snapshot does not show.
    Ask(Question),
    /// The end.
    Stop,
}

/// A question about the core, and what is done with its answer.
pub(crate) type Question = Box<dyn FnOnce(&MasterCore, Time) + Send>;

/// The server is on its way down.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Gone {
    /// It takes nothing any more.
    #[error("the master is shutting down")]
    Stopping,
    /// It has taken it. Whoever asks the next master for the same may find it done already.
    #[error("the master ended meanwhile: whether this was done shows at the next one")]
    Unfinished,
}

/// The way to the core's thread. Senders wait where its queue is full.
#[derive(Clone)]
pub(crate) struct CoreHandle {
    queue: mpsc::Sender<Work>,
    next_connection: Arc<AtomicU64>,
}

impl CoreHandle {
    pub(crate) fn new(queue: mpsc::Sender<Work>) -> Self {
        Self { queue, next_connection: Arc::new(AtomicU64::new(1)) }
    }

    /// A number for a new connection.
    pub(crate) fn new_connection(&self) -> ConnectionId {
        ConnectionId(self.next_connection.fetch_add(1, Ordering::Relaxed))
    }

    /// Queues a piece of work.
    pub(crate) async fn send(&self, work: Work) -> Result<(), Gone> {
        // Most of the time there is room, and then nobody needs to wait.
        match self.queue.try_send(work) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Gone::Stopping),
            Err(mpsc::error::TrySendError::Full(work)) => {
                self.queue.send(work).await.map_err(|_| Gone::Stopping)
            }
        }
    }

    /// Queues an input.
    pub(crate) async fn input(&self, input: Input) -> Result<(), Gone> {
        self.send(Work::Input(input)).await
    }

    /// Makes a call and waits for its answer.
    pub(crate) async fn operator(&self, call: OperatorCall) -> Result<Result<(), OperatorError>, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Operator(call, reply)).await?;
        answer.await.map_err(|_| Gone::Unfinished)
    }

    /// How much waits for the core's thread.
    pub(crate) fn queued(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// All that the master knows, and every change from then on; `None` when too many watch already.
    pub(crate) async fn watch(&self) -> Result<Option<(Snapshot, Watch)>, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Watch(reply)).await?;
        answer.await.map_err(|_| Gone::Stopping)
    }

    /// Asks the core something, on its thread: nothing else is done there until it is answered.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&MasterCore, Time) -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |core, now| {
            // Who asked may have gone away.
            let _ = reply.send(question(core, now));
        });
        self.send(Work::Ask(question)).await?;
        answer.await.map_err(|_| Gone::Stopping)
    }

    /// All that the master knows.
    pub(crate) async fn snapshot(&self) -> Result<Snapshot, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Snapshot(reply)).await?;
        answer.await.map_err(|_| Gone::Stopping)
    }
}

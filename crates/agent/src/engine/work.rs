//! What reaches the core's thread, and the handle through which it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agent_core::{ContainerEvent, ExecutorCall, ExecutorEvent, ExecutorRefusal, Input, Snapshot, StreamId};
use base::{ContainerId, ExecutorId, FrameworkId};
use tokio::sync::{mpsc, oneshot};

use super::containers::Pending;
use super::garbage::Abandoned;
use crate::metrics::Counters;

/// One piece of work for the core's thread.
pub(crate) enum Work {
    /// Something for the core that needs no answer.
    Input(Input),
    /// An executor calls.
    Executor {
        framework_id: FrameworkId,
        executor_id: ExecutorId,
        call: ExecutorCall,
        /// Where the events of a new stream go.
        events: Option<mpsc::Sender<ExecutorEvent>>,
        reply: oneshot::Sender<Result<(), ExecutorRefusal>>,
    },
    /// A container's sandbox is ready and everything fetched, or why not.
    Prepared { container_id: ContainerId, result: Result<(), ContainerEvent> },
    /// A sandbox is deleted, or why not.
    SandboxRemoved { abandoned: Abandoned, result: Result<(), String> },
    /// How full the disk of the work directory is, as a share of the whole.
    DiskUsage(std::io::Result<f64>),
    /// Somebody wants to see everything.
    View(oneshot::Sender<Arc<AgentView>>),
    /// The end: at once, with whatever runs.
    Stop,
    /// The same, but containers that can go on without the agent do.
    Leave,
}

/// The agent at one instant, for readers.
pub(crate) struct AgentView {
    pub(crate) snapshot: Snapshot,
    pub(crate) counters: Counters,
    /// What is being done to containers.
    pub(crate) pending: Vec<Pending>,
}

/// The server is on its way down and takes nothing any more.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the agent is shutting down")]
pub(crate) struct Gone;

/// The way to the core's thread. Senders wait where its queue is full.
#[derive(Clone, Debug)]
pub(crate) struct CoreHandle {
    queue: mpsc::Sender<Work>,
    next_stream: Arc<AtomicU64>,
}

impl CoreHandle {
    pub(crate) fn new(queue: mpsc::Sender<Work>) -> Self {
        Self { queue, next_stream: Arc::new(AtomicU64::new(1)) }
    }

    /// A number for a new stream.
    pub(crate) fn new_stream(&self) -> StreamId {
        StreamId(self.next_stream.fetch_add(1, Ordering::Relaxed))
    }

    /// Queues a piece of work.
    pub(crate) async fn send(&self, work: Work) -> Result<(), Gone> {
        self.queue.send(work).await.map_err(|_| Gone)
    }

    /// Queues an input.
    pub(crate) async fn input(&self, input: Input) -> Result<(), Gone> {
        self.send(Work::Input(input)).await
    }

    /// Makes an executor's call and waits for the answer.
    pub(crate) async fn executor(
        &self,
        framework_id: FrameworkId,
        executor_id: ExecutorId,
        call: ExecutorCall,
        events: Option<mpsc::Sender<ExecutorEvent>>,
    ) -> Result<Result<(), ExecutorRefusal>, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::Executor { framework_id, executor_id, call, events, reply }).await?;
        answer.await.map_err(|_| Gone)
    }

    /// All that the agent knows.
    pub(crate) async fn view(&self) -> Result<Arc<AgentView>, Gone> {
        let (reply, answer) = oneshot::channel();
        self.send(Work::View(reply)).await?;
        answer.await.map_err(|_| Gone)
    }
}

//! Many small calls down one connection: written in batches, answered in order, never waited for one by one.
//!
//! A call is encoded straight into the buffer of the next write. While one write is under way the calls that follow
//! collect, so that the number of system calls falls as the rate of calls rises. Both the bytes not yet written and the
//! calls not yet answered are bounded; whoever exceeds the bound waits.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::AbortHandle;

use super::exchange::connect;
use super::response::{self, Response};
use crate::address::Address;
use crate::backoff::Backoff;

/// Bytes that may wait for the next write; one call may go over it.
const MAX_UNSENT_BYTES: usize = 1 << 20;
/// Calls that may be under way.
const MAX_UNANSWERED: usize = 16 << 10;

/// How long the last answers may take when there will be no more calls.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// A connection that stood for so long was a good one.
const LASTED: Duration = Duration::from_secs(1);

/// Why a call did not take effect, or may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// There is no subscription to send it on; it was not sent.
    #[error("{call} was not sent: not subscribed")]
    NotSubscribed {
        /// The call's type.
        call: &'static str,
    },
    /// The connection broke before the answer came; it may have taken effect.
    #[error("{call} was not answered: {reason}")]
    Unanswered {
        /// The call's type.
        call: &'static str,
        /// What happened to the connection.
        reason: String,
    },
    /// The server refused it.
    #[error("{call} was refused with {status}: {message}")]
    Refused {
        /// The call's type.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// The server's own words.
        message: String,
    },
}

/// A call that failed and for whose answer nobody waited.
pub(crate) type CallFailure = CallError;

/// Who is told of a call's answer.
type Reply = oneshot::Sender<Result<(), CallError>>;

struct Ticket {
    call: &'static str,
    reply: Option<Reply>,
}

#[derive(Default)]
struct State {
    unsent: Vec<u8>,
    queued: VecDeque<Ticket>,
    sent: VecDeque<Ticket>,
    closed: bool,
}

struct Shared {
    peer: Address,
    /// All of a request that comes before the number of its `Content-Length`.
    head: Vec<u8>,
    state: Mutex<State>,
    /// Something is there to write.
    ready: Notify,
    /// A bound is no longer exceeded, or everything has been answered.
    progress: Notify,
    failures: mpsc::Sender<CallFailure>,
}

/// A connection for calls, reopened when it breaks. Closing or dropping it fails the calls that it still holds.
pub(crate) struct Pipe {
    shared: Arc<Shared>,
    task: AbortHandle,
}

/// What a request says besides its body.
pub(crate) struct PipeHead<'a> {
    pub(crate) path: &'a str,
    pub(crate) content_type: &'a str,
    /// Further headers, by name and value.
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

impl PipeHead<'_> {
    fn render(&self, peer: &Address) -> Vec<u8> {
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: {peer}\r\nContent-Type: {}\r\nAccept: {}\r\n",
            self.path, self.content_type, self.content_type
        );
        for (name, value) in self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("Content-Length: ");
        head.into_bytes()
    }
}

impl Pipe {
    /// Starts a pipe to `peer`. Failed calls without a reply go to `failures`, or to the log when that is full.
    pub(crate) fn start(peer: Address, head: &PipeHead<'_>, failures: mpsc::Sender<CallFailure>) -> Self {
        let shared = Arc::new(Shared {
            head: head.render(&peer),
            peer,
            state: Mutex::default(),
            ready: Notify::new(),
            progress: Notify::new(),
            failures,
        });
        let task = tokio::spawn(run(Arc::clone(&shared))).abort_handle();
        Self { shared, task }
    }

    /// Queues a call unless the queue is full; gives the reply back when it is, so that it can be tried again.
    pub(crate) fn try_push(
        &self,
        call: &'static str,
        body: &[u8],
        reply: Option<Reply>,
    ) -> Result<(), PushError> {
        let mut state = self.shared.lock();
        if state.closed {
            return Err(PushError::Closed(CallError::NotSubscribed { call }));
        }
        if state.unsent.len() > MAX_UNSENT_BYTES {
            return Err(PushError::Full(reply));
        }
        state.unsent.extend_from_slice(&self.shared.head);
        state.unsent.extend_from_slice(body.len().to_string().as_bytes());
        state.unsent.extend_from_slice(b"\r\n\r\n");
        state.unsent.extend_from_slice(body);
        state.queued.push_back(Ticket { call, reply });
        drop(state);
        self.shared.ready.notify_one();
        Ok(())
    }

    /// Queues a call, waiting for room.
    pub(crate) async fn push(
        &self,
        call: &'static str,
        body: &[u8],
        mut reply: Option<Reply>,
    ) -> Result<(), CallError> {
        loop {
            let progress = self.shared.progress.notified();
            match self.try_push(call, body, reply) {
                Ok(()) => return Ok(()),
                Err(PushError::Closed(error)) => return Err(error),
                Err(PushError::Full(back)) => reply = back,
            }
            progress.await;
        }
    }

    /// Waits until every call has been answered or has failed.
    pub(crate) async fn flush(&self) {
        loop {
            let progress = self.shared.progress.notified();
            {
                let state = self.shared.lock();
                if state.queued.is_empty() && state.sent.is_empty() {
                    return;
                }
            }
            progress.await;
        }
    }

    /// Takes no more calls and fails those that were not written; those that were may still be answered, for a server
    /// that ends a subscription because of a call answers the call, too.
    pub(crate) fn linger(self: Arc<Self>, reason: &'static str) {
        let queued = {
            let mut state = self.shared.lock();
            state.closed = true;
            state.unsent = Vec::new();
            std::mem::take(&mut state.queued)
        };
        self.shared.fail_unsent(queued);
        // Whoever drops a scheduler outside of its runtime waits for nothing.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return self.close(reason) };
        runtime.spawn(async move {
            // Whether or not all were answered in time, what is left fails now.
            let _ = tokio::time::timeout(LAST_ANSWERS, self.flush()).await;
            self.close(reason);
        });
    }

    /// Fails what is still held and takes no more.
    pub(crate) fn close(&self, reason: &str) {
        self.task.abort();
        let mut state = self.shared.lock();
        state.closed = true;
        let sent = std::mem::take(&mut state.sent);
        let queued = std::mem::take(&mut state.queued);
        state.unsent = Vec::new();
        drop(state);
        for ticket in sent {
            let error = CallError::Unanswered { call: ticket.call, reason: reason.to_owned() };
            self.shared.fail(ticket, error);
        }
        self.shared.fail_unsent(queued);
        self.shared.progress.notify_waiters();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.close("the client was dropped");
    }
}

/// Why a call was not queued.
pub(crate) enum PushError {
    /// No room now; holds the reply that was given.
    Full(Option<Reply>),
    /// No room ever again.
    Closed(CallError),
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock means that a push panicked between two appends, which cannot happen.
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn fail(&self, ticket: Ticket, error: CallError) {
        match ticket.reply {
            // Whoever asked for the reply may have gone; then nobody wants to know.
            Some(reply) => drop(reply.send(Err(error))),
            None => {
                if let Err(unsaid) = self.failures.try_send(error) {
                    tracing::warn!(error = %unsaid.into_inner(), "a call failed");
                }
            }
        }
    }

    fn fail_unsent(&self, tickets: VecDeque<Ticket>) {
        for ticket in tickets {
            let error = CallError::NotSubscribed { call: ticket.call };
            self.fail(ticket, error);
        }
        self.progress.notify_waiters();
    }

    fn settle(&self, ticket: Ticket, response: Response) {
        if (200..300).contains(&response.status) {
            if let Some(reply) = ticket.reply {
                drop(reply.send(Ok(())));
            }
        } else {
            let error =
                CallError::Refused { call: ticket.call, status: response.status, message: response.body };
            self.fail(ticket, error);
        }
    }

    fn fail_sent(&self, reason: &str) {
        let sent = std::mem::take(&mut self.lock().sent);
        for ticket in sent {
            let error = CallError::Unanswered { call: ticket.call, reason: reason.to_owned() };
            self.fail(ticket, error);
        }
        self.progress.notify_waiters();
    }
}

/// Keeps a connection open for as long as the pipe is.
async fn run(shared: Arc<Shared>) {
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
    loop {
        let reason = match connect(&shared.peer).await {
            Ok(stream) => {
                let opened = Instant::now();
                let (mut read, mut write) = stream.into_split();
                let reason = tokio::select! {
                    reason = write_calls(&shared, &mut write) => reason,
                    reason = read_answers(&shared, &mut read) => reason,
                };
                // One that is opened only to be closed again is no better than none.
                if opened.elapsed() >= LASTED {
                    backoff.reset();
                }
                reason
            }
            Err(error) => error.to_string(),
        };
        tracing::debug!(peer = %shared.peer, reason, "the connection for calls ended");
        shared.fail_sent(&reason);
        backoff.wait().await;
    }
}

async fn write_calls(shared: &Shared, write: &mut (impl AsyncWrite + Unpin)) -> String {
    let mut batch = Vec::new();
    loop {
        // Lets those who are about to call do so before the write.
        tokio::task::yield_now().await;
        let progress = shared.progress.notified();
        let may_send = {
            let mut state = shared.lock();
            let may_send = state.sent.len() < MAX_UNANSWERED;
            if may_send {
                std::mem::swap(&mut state.unsent, &mut batch);
                let state = &mut *state;
                state.sent.append(&mut state.queued);
            }
            may_send
        };
        if !may_send {
            progress.await;
            continue;
        }
        if batch.is_empty() {
            shared.ready.notified().await;
            continue;
        }
        shared.progress.notify_waiters();
        if let Err(error) = write.write_all(&batch).await {
            return error.to_string();
        }
        batch.clear();
    }
}

async fn read_answers(shared: &Shared, read: &mut (impl AsyncRead + Unpin)) -> String {
    let mut buffer = BytesMut::with_capacity(16 << 10);
    let mut answers = Vec::new();
    loop {
        match read.read_buf(&mut buffer).await {
            Ok(0) => return "the server closed the connection".to_owned(),
            Ok(_) => {}
            Err(error) => return error.to_string(),
        }
        loop {
            match response::take(&mut buffer) {
                Ok(Some(answer)) => answers.push(answer),
                Ok(None) => break,
                Err(error) => return error.to_string(),
            }
        }
        if answers.is_empty() {
            continue;
        }
        let last = answers.iter().any(|answer| answer.last);
        let tickets: Vec<_> = {
            let mut state = shared.lock();
            let known = answers.len().min(state.sent.len());
            state.sent.drain(..known).collect()
        };
        let unasked = answers.len() > tickets.len();
        for (ticket, answer) in tickets.into_iter().zip(answers.drain(..)) {
            shared.settle(ticket, answer);
        }
        shared.progress.notify_waiters();
        if unasked {
            return "the server answered what was not asked".to_owned();
        }
        if last {
            return "the server closes the connection".to_owned();
        }
    }
}

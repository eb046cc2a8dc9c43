//! Being a candidate.

use std::future::Future;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::{Fence, KvError, entry};

/// How a candidate stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Others are before it, or the store is out of reach.
    Waiting,
    /// It leads.
    Leading(Fence),
    /// It was a candidate or led, and does so no more. Final: a new candidacy is needed.
    Lost {
        /// Why.
        reason: String,
    },
    /// It cannot be a candidate. Final.
    Refused(KvError),
}

/// Why a candidate will not lead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CandidacyError {
    /// The candidacy is over.
    #[error("the candidacy was lost: {reason}")]
    Lost {
        /// Why.
        reason: String,
    },
    /// It never began.
    #[error("cannot be a candidate")]
    Refused(#[source] KvError),
}

/// A candidacy, held by its owner. Dropping it withdraws it as soon as the store can be told, or when its session ends.
#[derive(Debug)]
pub struct Candidacy {
    standing: watch::Receiver<Standing>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Candidacy {
    /// Starts what stands for election. It tells how it stands, and when its [`Stop`] resolves it withdraws and ends.
    pub(crate) fn start<F>(drive: impl FnOnce(watch::Sender<Standing>, Stop) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tell, standing) = watch::channel(Standing::Waiting);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(drive(tell, Stop(stopped)));
        Self { standing, stop, task }
    }

    /// How it stands at this moment.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until it leads.
    ///
    /// # Errors
    /// If it will not. A store out of reach is no reason: that can change.
    pub async fn elected(&mut self) -> Result<Fence, CandidacyError> {
        let standing = self.when(|standing| !matches!(standing, Standing::Waiting)).await;
        match standing {
            Standing::Leading(fence) => Ok(fence),
            Standing::Refused(error) => Err(CandidacyError::Refused(error)),
            Standing::Lost { reason } => Err(CandidacyError::Lost { reason }),
            Standing::Waiting => Err(CandidacyError::Lost { reason: "the store was closed".to_owned() }),
        }
    }

    /// Waits until it is over, and says why.
    pub async fn lost(&mut self) -> String {
        match self.when(|s| matches!(s, Standing::Lost { .. } | Standing::Refused(_))).await {
            Standing::Lost { reason } => reason,
            Standing::Refused(error) => error.to_string(),
            Standing::Waiting | Standing::Leading(_) => "the store was closed".to_owned(),
        }
    }

    /// Withdraws, and waits until nobody can take it for a candidate any more, or the store is out of reach.
    pub async fn resign(self) {
        drop(self.stop);
        // It panicked, or the runtime is going down: the session's end withdraws it.
        let _ = self.task.await;
    }

    async fn when(&mut self, wanted: impl FnMut(&Standing) -> bool) -> Standing {
        let came = self.standing.wait_for(wanted).await.map(|standing| standing.clone());
        came.unwrap_or_else(|_| self.standing())
    }
}

/// What a store does so that somebody is a candidate.
pub(crate) trait Candidate: Send + Sized {
    /// Stands, session after session until it has led; how that ended.
    fn run(&mut self, value: &[u8], tell: &watch::Sender<Standing>) -> impl Future<Output = Standing> + Send;

    /// Takes away what it stands with, or waits for the session's end, which does that too.
    fn withdraw(self) -> impl Future<Output = ()> + Send;
}

/// A candidacy from its beginning to its end.
pub(crate) async fn stand(
    mut candidate: impl Candidate,
    election: String,
    value: Vec<u8>,
    tell: watch::Sender<Standing>,
    mut stop: Stop,
) {
    if !entry::is_word(&election) {
        tell.send_replace(Standing::Refused(KvError::Key { key: election }));
        return;
    }
    tokio::select! {
        end = candidate.run(&value, &tell) => { tell.send_replace(end); }
        () = stop.stopped() => {}
    }
    candidate.withdraw().await;
}

/// Whether a candidate leads.
pub(crate) fn leads(tell: &watch::Sender<Standing>) -> bool {
    matches!(&*tell.borrow(), Standing::Leading(_))
}

/// The session of a candidate is over: the end for one that led. The others stand again.
pub(crate) fn after_session(election: &str, tell: &watch::Sender<Standing>) -> Option<Standing> {
    if leads(tell) {
        return Some(Standing::Lost { reason: "the session is over".to_owned() });
    }
    tracing::info!("a candidate for {election} lost its session while it waited, and stands again");
    None
}

/// Resolves when the owner of a candidacy has withdrawn it.
#[derive(Debug)]
pub(crate) struct Stop(oneshot::Receiver<()>);

impl Stop {
    pub(crate) async fn stopped(&mut self) {
        let _ = (&mut self.0).await;
    }
}

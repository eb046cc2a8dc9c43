//! Knowing who leads.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::watch::AbortOnDrop;

/// A leader, as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Tells leaders apart, also those with the same value.
    pub epoch: u64,
    /// What it said of itself when it became a candidate.
    pub value: Vec<u8>,
}

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Nothing yet: the store is being asked. Never for longer than a session lasts.
    Asking,
    /// Somebody leads.
    Leader(Leader),
    /// Nobody does.
    Nobody,
    /// The store has been out of reach for so long that whoever led may lead no more. Trying goes on.
    Unavailable {
        /// What was tried and failed.
        reason: String,
    },
}

impl Observed {
    /// Who leads, if somebody is known to.
    #[must_use]
    pub fn leader(&self) -> Option<&Leader> {
        if let Self::Leader(leader) = self { Some(leader) } else { None }
    }
}

/// Tells who leads until it is dropped.
#[derive(Debug)]
pub struct Observer {
    observed: watch::Receiver<Observed>,
    _task: AbortOnDrop,
}

impl Observer {
    pub(crate) fn new(observed: watch::Receiver<Observed>, task: JoinHandle<()>) -> Self {
        Self { observed, _task: AbortOnDrop(task) }
    }

    /// What is known at this moment.
    #[must_use]
    pub fn now(&self) -> Observed {
        self.observed.borrow().clone()
    }

    /// Waits for something new and gives it. The first time it gives what is known already, if anything is.
    pub async fn next(&mut self) -> Observed {
        loop {
            if self.observed.changed().await.is_err() {
                // The store was closed; whoever still waits learns nothing new.
                std::future::pending::<()>().await;
            }
            let observed = self.observed.borrow_and_update().clone();
            if observed != Observed::Asking {
                return observed;
            }
        }
    }

    /// Waits until something is true.
    pub async fn when(&mut self, mut wanted: impl FnMut(&Observed) -> bool) -> Observed {
        let came = self.observed.wait_for(|observed| wanted(observed)).await.map(|observed| observed.clone());
        match came {
            Ok(observed) => observed,
            Err(_) => std::future::pending().await,
        }
    }
}

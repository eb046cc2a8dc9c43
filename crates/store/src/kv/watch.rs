//! Changes of keys, as they come.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::Entry;

/// How many changes wait for their reader.
pub(crate) const BACKLOG: usize = 256;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// From here on changes are told; what was before must be listed. Comes first, and again after a gap: when contact
    /// to the store was lost for a while, or the reader was too slow.
    Resync,
    /// A key has a new value. Of several writes that follow each other quickly, some may not be told.
    Put(Entry),
    /// A key is gone.
    Removed(String),
}

/// Tells of changes until it is dropped.
#[derive(Debug)]
pub struct Watch {
    changes: mpsc::Receiver<Change>,
    _task: Option<AbortOnDrop>,
}

impl Watch {
    pub(crate) fn new(changes: mpsc::Receiver<Change>, task: Option<JoinHandle<()>>) -> Self {
        Self { changes, _task: task.map(AbortOnDrop) }
    }

    /// The next change; `None` when the store was closed.
    pub async fn next(&mut self) -> Option<Change> {
        self.changes.recv().await
    }
}

/// A task that ends with its owner.
#[derive(Debug)]
pub(crate) struct AbortOnDrop(pub(crate) JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

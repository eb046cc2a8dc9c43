//! What can go wrong with a store.

use std::io;
use std::path::PathBuf;

/// Why a store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system refused.
    #[error("cannot use '{path}'")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody else has it open.
    #[error("the store '{path}' is in use by another process")]
    InUse {
        /// Which file.
        path: PathBuf,
    },
    /// The database engine refused.
    #[error("the store failed")]
    Database(#[source] Box<redb::Error>),
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

//! Ways to fetch: what knows a scheme writes what a URI names into a [`Sink`], which sees to the bounds.

use std::error::Error;
use std::fs::File;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use super::cache::Filling;
use crate::user::User;

/// A fetch under way.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send + 'a>>;

/// Fetches what the URIs of a scheme name.
pub trait Scheme: Send + Sync {
    /// Writes all of what `uri` names into the sink, and gives up when nothing comes for [`Sink::stall`]. What else of
    /// this machine takes part in it has the rights of `user`, or our own without one.
    fn fetch<'a>(&'a self, uri: &'a str, user: Option<&'a User>, sink: &'a mut Sink<'_>) -> Fetching<'a>;
}

/// Why a sink takes nothing more.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It may not be larger.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// There is no room for it in the cache. It is fetched past it then.
    #[error("there is no room in the cache")]
    NoRoom,
    /// The file cannot be written.
    #[error("cannot write the file")]
    Write(#[source] io::Error),
}

/// Where what is fetched goes.
pub struct Sink<'a> {
    file: tokio::fs::File,
    written: u64,
    max_bytes: u64,
    stall: Duration,
    /// Where the file is in the cache.
    filling: Option<&'a Filling>,
}

impl<'a> Sink<'a> {
    pub(super) fn new(file: File, max_bytes: u64, stall: Duration, filling: Option<&'a Filling>) -> Self {
        Self { file: tokio::fs::File::from_std(file), written: 0, max_bytes, stall, filling }
    }

    /// How long to wait for something to come.
    #[must_use]
    pub fn stall(&self) -> Duration {
        self.stall
    }

    /// How many bytes were written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Says how many bytes there will be, where that is known before they come.
    ///
    /// # Errors
    /// If it is too much.
    pub fn announce(&mut self, length: u64) -> Result<(), SinkError> {
        if length > self.max_bytes {
            return Err(SinkError::TooLarge(self.max_bytes));
        }
        match self.filling {
            Some(filling) if !filling.reserve(length) => Err(SinkError::NoRoom),
            _ => Ok(()),
        }
    }

    /// Writes the next bytes.
    ///
    /// # Errors
    /// If they are too much, or the file cannot be written.
    pub async fn write(&mut self, data: &[u8]) -> Result<(), SinkError> {
        let written = self.written.saturating_add(data.len() as u64);
        if written > self.max_bytes {
            return Err(SinkError::TooLarge(self.max_bytes));
        }
        if let Some(filling) = self.filling
            && !filling.reserve_at_least(written)
        {
            return Err(SinkError::NoRoom);
        }
        let result = self.file.write_all(data).await;
        self.written = written;
        self.checked(result)
    }

    /// All is written; how much that is.
    pub(super) async fn finish(mut self) -> Result<u64, SinkError> {
        let result = self.file.flush().await;
        self.checked(result)?;
        Ok(self.written)
    }

    fn checked(&self, result: io::Result<()>) -> Result<(), SinkError> {
        result.map_err(|error| {
            // The disk of the cache may be full while that of the sandbox is not.
            if let Some(filling) = self.filling {
                filling.refuse();
            }
            SinkError::Write(error)
        })
    }
}

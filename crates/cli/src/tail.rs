//! Files of sandboxes read as they grow.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use sdk::Operator;
use sdk::operator::OperatorError;
use tokio::sync::watch;

/// How much is read at once.
const CHUNK: u64 = 256 << 10;
/// How long is waited for more: short after something came, longer and longer when nothing does.
const SHORT_WAIT: Duration = Duration::from_millis(20);
const LONG_WAIT: Duration = Duration::from_millis(250);
/// How long an agent may be away before its file is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// A place in a file of a sandbox.
pub(crate) struct Tail {
    agent: Operator,
    path: String,
    offset: u64,
}

impl Tail {
    /// The beginning of the file at `path` on an agent.
    pub(crate) fn new(agent: Operator, path: String) -> Self {
        Self { agent, path, offset: 0 }
    }

    /// Goes to where `count` bytes are left in the file, or to its beginning when it has fewer.
    pub(crate) async fn skip_to_last(&mut self, count: u64) -> Result<(), OperatorError> {
        let size = self.agent.read_file(&self.path, 0, 0).await?.size;
        self.offset = size.saturating_sub(count);
        Ok(())
    }

    /// What has come since the last read; empty when nothing has. A file that is not there yet is as good as empty.
    pub(crate) async fn read(&mut self) -> Result<Bytes, OperatorError> {
        match self.agent.read_file(&self.path, self.offset, CHUNK).await {
            Ok(chunk) => {
                self.offset += chunk.data.len() as u64;
                Ok(chunk.data)
            }
            Err(error) if error.status().is_some_and(|status| status.as_u16() == 404) => Ok(Bytes::new()),
            Err(error) => Err(error),
        }
    }

    /// Gives all that comes to `sink`, until `ended` is true and nothing is left.
    ///
    /// # Errors
    /// When the agent is away for too long, or `sink` fails.
    pub(crate) async fn follow(
        mut self,
        mut ended: watch::Receiver<bool>,
        mut sink: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut wait = SHORT_WAIT;
        let mut away = Duration::ZERO;
        loop {
            // Asked for before the read: what is written before the end is in the file at the end.
            let last = *ended.borrow_and_update();
            match self.read().await {
                Ok(data) if data.is_empty() && last => return Ok(()),
                Ok(data) if data.is_empty() => away = Duration::ZERO,
                Ok(data) => {
                    sink(&data)?;
                    wait = SHORT_WAIT;
                    away = Duration::ZERO;
                    continue;
                }
                Err(error) if away >= PATIENCE || error.status().is_some() => return Err(error.into()),
                Err(_) => away += wait,
            }
            // An agent that is away is asked again after a while, though the task has ended.
            let until_end = async {
                if last || ended.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONG_WAIT),
                () = until_end => wait = SHORT_WAIT,
            }
        }
    }
}

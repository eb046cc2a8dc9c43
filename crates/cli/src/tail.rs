//! Files of sandboxes read as they grow.

use std::time::Duration;

use anyhow::Result;
use bytes::Bytes;
use sdk::Operator;
use sdk::operator::{Chunk, OperatorError};
use tokio::sync::watch;

/// How much is read at once.
const CHUNK: u64 = 256 << 10;
/// How long is waited for more: short after something came, longer and longer when nothing does.
const SHORT_WAIT: Duration = Duration::from_millis(20);
const LONG_WAIT: Duration = Duration::from_millis(250);
/// How long an agent may be away before its file is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// A file that was put aside: it does not change any more, and is known by this whatever its number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Aside {
    modified: i64,
    size: u64,
}

/// A place in a file of a sandbox, and in those that it was before: an agent that rotates a full `stdout` calls it
/// `stdout.1`, and what was that before `stdout.2`.
pub(crate) struct Tail {
    agent: Operator,
    path: String,
    /// Once it was looked where to begin.
    place: Option<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// The number of the file; 0 is the one that is written to.
    number: usize,
    offset: u64,
    /// The next older file, if there was one: by it our own is found again.
    older: Option<Aside>,
}

impl Place {
    /// Which number the file has by now, among those that are aside.
    fn number_now(&self, aside: &[Aside]) -> usize {
        // Where the older one is gone, or never was, ours is the oldest.
        aside.iter().position(|file| Some(*file) == self.older).unwrap_or(aside.len())
    }
}

impl Tail {
    /// The beginning of what is there of the file at `path` on an agent.
    pub(crate) fn new(agent: Operator, path: String) -> Self {
        Self { agent, path, place: None }
    }

    /// Goes to where `count` bytes are left, or to the beginning when there are fewer.
    pub(crate) async fn skip_to_last(&mut self, count: u64) -> Result<(), OperatorError> {
        let aside = self.aside().await?;
        let newest = self.agent.read_file(&self.path, 0, 0).await?.size;
        let mut left = count;
        for (number, size) in std::iter::once(newest).chain(aside.iter().map(|file| file.size)).enumerate() {
            let older = aside.get(number).copied();
            self.place = Some(Place { number, offset: size.saturating_sub(left), older });
            left = left.saturating_sub(size);
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// What has come since the last read; empty when nothing has. A file that is not there yet is as good as empty.
    pub(crate) async fn read(&mut self) -> Result<Bytes, OperatorError> {
        let mut place = match self.place {
            Some(place) => place,
            None => Place { number: self.aside().await?.len(), offset: 0, older: None },
        };
        loop {
            let chunk = self.chunk(&place).await?;
            let nothing = chunk.data.is_empty();
            if nothing && place.number == 0 && chunk.size == place.offset {
                self.place = Some(place);
                return Ok(chunk.data);
            }
            let aside = self.aside().await?;
            let number = place.number_now(&aside);
            if number != place.number {
                // What was read may be of another file.
                place.number = number;
            } else if !nothing {
                place.offset += chunk.data.len() as u64;
                self.place = Some(place);
                return Ok(chunk.data);
            } else if let Some(newer) = number.checked_sub(1) {
                place = Place { number: newer, offset: 0, older: aside.get(newer).copied() };
            } else {
                // The task has cut it off, or it is gone.
                self.place = Some(Place { offset: 0, ..place });
                return Ok(chunk.data);
            }
        }
    }

    /// What is at a place.
    async fn chunk(&self, place: &Place) -> Result<Chunk, OperatorError> {
        let path = match place.number {
            0 => self.path.clone(),
            number => format!("{}.{number}", self.path),
        };
        match self.agent.read_file(&path, place.offset, CHUNK).await {
            Err(error) if is_missing(&error) => Ok(Chunk { data: Bytes::new(), size: place.offset }),
            other => other,
        }
    }

    /// What was put aside of the file, the newest first.
    async fn aside(&self) -> Result<Vec<Aside>, OperatorError> {
        let (directory, _) = self.path.rsplit_once('/').unwrap_or_default();
        let entries = match self.agent.list_files(directory).await {
            Err(error) if is_missing(&error) => return Ok(Vec::new()),
            other => other?,
        };
        let numbered = |number: usize| {
            let name = format!("{}.{number}", self.path);
            let entry = entries.iter().find(|entry| entry.path == name)?;
            let modified = entry.mtime.map_or(0, |time| time.nanoseconds);
            Some(Aside { modified, size: entry.size.unwrap_or(0) })
        };
        Ok((1..).map_while(numbered).collect())
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

fn is_missing(error: &OperatorError) -> bool {
    error.status().is_some_and(|status| status.as_u16() == 404)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_again_by_the_one_that_was_before_it() {
        let file = |modified| Aside { modified, size: 10 };
        let place = Place { number: 0, offset: 3, older: Some(file(5)) };
        assert_eq!(place.number_now(&[file(5), file(4)]), 0, "nothing has happened");
        assert_eq!(place.number_now(&[file(7), file(6), file(5), file(4)]), 2, "ours is the third now");
        assert_eq!(place.number_now(&[file(8), file(7)]), 2, "the older one is gone, ours is the next to go");
        let first = Place { older: None, ..place };
        assert_eq!((first.number_now(&[]), first.number_now(&[file(6)])), (0, 1));
    }
}

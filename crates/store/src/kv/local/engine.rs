//! The file, the lock on its directory, and all of it in memory.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;

use tokio::sync::mpsc;
use tracing::warn;

use super::tell;
use crate::kv::{Change, Entry, Expect, KvError, Op, Transaction, Version};
use crate::{Backend, Batch, Embedded, StoreError};

/// The database.
const FILE: &str = "store.redb";

/// Locked by the process that has the store.
const LOCK: &str = "lock";

/// How often anything was written; not a key of any user, because it names no table.
const REVISION: &str = "revision";

#[derive(Debug)]
pub(super) struct Engine {
    store: Embedded,
    values: BTreeMap<String, (Version, Vec<u8>)>,
    revision: u64,
    watchers: Vec<Watcher>,
    _lock: File,
}

#[derive(Debug)]
struct Watcher {
    prefix: String,
    sender: mpsc::Sender<Change>,
    behind: bool,
}

impl Engine {
    /// Locks the directory, opens the file and reads it. The error is a reason.
    pub(super) fn open(directory: &Path) -> Result<Self, String> {
        let lock = lock(directory)?;
        let opened = Embedded::open(&directory.join(FILE)).map_err(|error| reason(&error))?;
        for damage in &opened.damage {
            warn!("{damage}");
        }
        let mut values = BTreeMap::new();
        let mut revision = 0;
        for (key, record) in opened.records {
            let Some((number, value)) = record.split_first_chunk::<8>() else { continue };
            let version = u64::from_be_bytes(*number);
            // The highest version counts too: the record of the revision may have been damaged.
            revision = revision.max(version);
            if key != REVISION {
                values.insert(key, (Version(version), value.to_vec()));
            }
        }
        Ok(Self { store: opened.store, values, revision, watchers: Vec::new(), _lock: lock })
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry> {
        let (version, value) = self.values.get(key)?;
        Some(Entry { key: key.to_owned(), value: value.clone(), version: *version })
    }

    pub(super) fn list(&self, prefix: &str) -> Vec<Entry> {
        self.values
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .map(|(key, (version, value))| Entry {
                key: key.clone(),
                value: value.clone(),
                version: *version,
            })
            .collect()
    }

    pub(super) fn watch(&mut self, prefix: String, sender: mpsc::Sender<Change>) -> Result<(), KvError> {
        let mut behind = false;
        if tell(&sender, &mut behind, Change::Resync) {
            self.watchers.push(Watcher { prefix, sender, behind });
        }
        Ok(())
    }

    /// Does a transaction. The outer error is the caller's, the inner one the disk's.
    pub(super) fn commit(
        &mut self,
        transaction: &Transaction,
    ) -> Result<Result<Vec<Version>, StoreError>, KvError> {
        for op in transaction.ops() {
            let found = self.values.get(op.key()).map(|(version, _)| *version);
            let fits = match op.expect() {
                Expect::Anything => true,
                Expect::Absent => found.is_none(),
                Expect::Version(version) => found == Some(version),
            };
            if !fits {
                return Err(KvError::Conflict { key: op.key().to_owned() });
            }
        }
        Ok(self.write(transaction))
    }

    fn write(&mut self, transaction: &Transaction) -> Result<Vec<Version>, StoreError> {
        // Never used again, even if this write fails and yet reaches the disk.
        self.revision += 1;
        let number = self.revision.to_be_bytes();
        let mut batch = Batch::new();
        for op in transaction.ops() {
            match op {
                Op::Check { .. } => {}
                Op::Put { key, value, .. } => batch.put(key.as_str(), [&number, value.as_slice()].concat()),
                Op::Remove { key, .. } => batch.delete(key.as_str()),
            }
        }
        batch.put(REVISION, number.to_vec());
        self.store.commit(&batch)?;
        let version = Version(self.revision);
        let mut versions = Vec::new();
        for op in transaction.ops() {
            match op {
                Op::Check { .. } => {}
                Op::Put { key, value, .. } => {
                    self.values.insert(key.clone(), (version, value.clone()));
                    versions.push(version);
                    self.tell(key, || Change::Put(Entry { key: key.clone(), value: value.clone(), version }));
                }
                Op::Remove { key, .. } => {
                    if self.values.remove(key).is_some() {
                        self.tell(key, || Change::Removed(key.clone()));
                    }
                }
            }
        }
        Ok(versions)
    }

    fn tell(&mut self, key: &str, change: impl Fn() -> Change) {
        self.watchers.retain_mut(|watcher| {
            !key.starts_with(&watcher.prefix) || tell(&watcher.sender, &mut watcher.behind, change())
        });
    }
}

fn lock(directory: &Path) -> Result<File, String> {
    let path = directory.join(LOCK);
    let file = std::fs::create_dir_all(directory)
        .and_then(|()| File::options().create(true).truncate(false).write(true).open(&path))
        .map_err(|error| format!("cannot use '{}': {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err("another process has it".to_owned()),
        Err(TryLockError::Error(error)) => Err(format!("cannot lock '{}': {error}", path.display())),
    }
}

/// An error with what is behind it, in a line.
fn reason(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

//! The store in a file.

use std::fmt;
use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
};

use crate::record::{Record, seal, unseal};
use crate::salvage;
use crate::writer::Backend;
use crate::{Batch, StoreError};

/// Every record, sealed.
pub(crate) const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("records");

/// Records that made no sense, as they were found, for people to look at.
const DAMAGED: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("damaged");

/// Pages that are kept in memory. What is written is read only at the start.
const CACHE: usize = 4 << 20;

type Open = Box<dyn Fn() -> Result<Database, DatabaseError> + Send>;

/// Records under text keys in one file.
pub struct Embedded {
    open: Open,
    /// `None` after a failure: the engine wants to be opened anew then.
    database: Option<Database>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("open", &self.database.is_some()).finish()
    }
}

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Embedded,
    /// Every record, by key.
    pub records: Vec<Record>,
    /// What was wrong and has been set aside.
    pub damage: Vec<Damage>,
}

/// Something that was set aside, because it is not what was once written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The whole file. What could be saved of it is in the new one.
    File {
        /// Where it is now.
        kept_as: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// One record; it is kept in the store, out of the way.
    Record {
        /// Its key.
        key: String,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { kept_as, reason } => {
                write!(f, "the store is damaged ({reason}) and kept as '{}'", kept_as.display())
            }
            Self::Record { key } => write!(f, "the record '{key}' is damaged and set aside"),
        }
    }
}

impl Embedded {
    /// Opens a store, made if it is not there, and reads all of it.
    ///
    /// A file that is damaged is renamed, and what can be read of it is taken over into a new one.
    ///
    /// # Errors
    /// If the file cannot be used, or another process has it.
    pub fn open(path: &Path) -> Result<Opened, StoreError> {
        let failed = |source| StoreError::Io { path: path.to_owned(), source };
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).map_err(failed)?;
        }
        let (opened, mut damage) = match Self::try_open(path) {
            Ok(opened) => (opened, Vec::new()),
            Err(error) if !is_damage(&error) => return Err(describe(error, path)),
            Err(error) => {
                let reason = error.to_string();
                let (saved, kept_as) = salvage::set_aside(path).map_err(failed)?;
                let mut store = Self::try_open(path).map_err(|error| describe(error, path))?;
                store.adopt(&saved)?;
                (store, vec![Damage::File { kept_as, reason }])
            }
        };
        sync_directory(path).map_err(failed)?;
        let mut opened = opened;
        let records = opened.read(&mut damage)?;
        Ok(Opened { store: opened, records, damage })
    }

    fn try_open(path: &Path) -> Result<Self, DatabaseError> {
        let path = path.to_owned();
        // A check of everything: what is kept is small, and the engine trusts what it does not check.
        Self::opened_by(Box::new(move || {
            salvage::caught(|| {
                make_private(&path)?;
                builder().set_check_integrity_on_open(true).create(&path)
            })
        }))
    }

    pub(crate) fn opened_by(open: Open) -> Result<Self, DatabaseError> {
        let database = Some(open()?);
        Ok(Self { open, database })
    }

    /// Takes sealed records over.
    fn adopt(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let transaction = self.database()?.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for (key, sealed) in records {
                table.insert(key.as_str(), sealed.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    pub(crate) fn read(&mut self, damage: &mut Vec<Damage>) -> Result<Vec<Record>, StoreError> {
        let mut records = Vec::new();
        let mut damaged = Vec::new();
        {
            let transaction = self.database()?.begin_read()?;
            let table = match transaction.open_table(RECORDS) {
                Ok(table) => table,
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(records),
                Err(error) => return Err(error.into()),
            };
            for entry in table.iter()? {
                let (key, sealed) = entry?;
                let key = key.value().to_owned();
                match unseal(&key, sealed.value()) {
                    Some(value) => records.push((key, value.to_owned())),
                    None => damaged.push(key),
                }
            }
        }
        self.set_aside(&damaged)?;
        damage.extend(damaged.into_iter().map(|key| Damage::Record { key }));
        Ok(records)
    }

    /// Puts records out of the way that make no sense to their reader. They stay in the file, for people.
    ///
    /// # Errors
    /// If that cannot be written.
    pub fn set_aside(&mut self, keys: &[String]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let transaction = self.database()?.begin_write()?;
        {
            let mut records = transaction.open_table(RECORDS)?;
            let mut damaged = transaction.open_table(DAMAGED)?;
            for key in keys {
                if let Some(sealed) = records.remove(key.as_str())? {
                    damaged.insert(key.as_str(), sealed.value())?;
                }
            }
        }
        Ok(transaction.commit()?)
    }

    fn database(&mut self) -> Result<&Database, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.open)()?,
        };
        Ok(self.database.insert(database))
    }

    fn try_commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let transaction = self.database()?.begin_write()?;
        {
            let mut table = transaction.open_table(RECORDS)?;
            for (key, value) in batch.iter() {
                match value {
                    Some(value) => table.insert(key, seal(key, value).as_slice())?,
                    None => table.remove(key)?,
                };
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Backend for Embedded {
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let committed = self.try_commit(batch);
        if committed.is_err() {
            // After an error of the disk the engine refuses everything until it is opened anew.
            self.database = None;
        }
        committed
    }
}

pub(crate) fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_cache_size(CACHE);
    builder
}

/// Nobody else may read what is kept: there are secrets in what tasks are given. An earlier version let everybody, so that
/// a file that is there is closed, too; its damaged copies get what it has.
fn make_private(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => std::fs::set_permissions(path, Permissions::from_mode(0o600)),
    }
}

/// Whether the file is not what it should be, rather than out of reach.
fn is_damage(error: &DatabaseError) -> bool {
    match error {
        DatabaseError::Storage(StorageError::Corrupted(_))
        | DatabaseError::UpgradeRequired(_)
        | DatabaseError::RepairAborted => true,
        DatabaseError::Storage(StorageError::Io(error)) => {
            matches!(error.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
        }
        _ => false,
    }
}

fn describe(error: DatabaseError, path: &Path) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path.to_owned() },
        DatabaseError::Storage(StorageError::Io(source)) => StoreError::Io { path: path.to_owned(), source },
        error => error.into(),
    }
}

/// A new file is there after a crash only if its directory knows it.
fn sync_directory(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

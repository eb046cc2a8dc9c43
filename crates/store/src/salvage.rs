//! What is to be had from a damaged file.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{DatabaseError, ReadableDatabase, ReadableTable, StorageError};

use crate::embedded::{RECORDS, builder};
use crate::record::{Record, unseal};

/// The engine may panic over what it reads in a damaged file; that is one more way to say that it is damaged.
pub(crate) fn caught<T>(open: impl FnOnce() -> Result<T, DatabaseError>) -> Result<T, DatabaseError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| {
        Err(DatabaseError::Storage(StorageError::Corrupted("its pages make no sense".to_owned())))
    })
}

/// Renames the file, and gives its new name and every sealed record that can still be read and is whole.
pub(crate) fn set_aside(path: &Path) -> io::Result<(Vec<Record>, PathBuf)> {
    let kept_as = free_name(path);
    std::fs::rename(path, &kept_as)?;
    // The original is for people: the engine would repair it by throwing away.
    let copy = path.with_extension("salvage");
    std::fs::copy(&kept_as, &copy)?;
    let mut records = Vec::new();
    let whole = caught(|| {
        let database = builder().create(&copy)?;
        // An error is one more reason to be content with what was read before it.
        let _ = read(&database, &mut records);
        Ok(())
    });
    if let Err(error) = whole {
        tracing::warn!(store = %path.display(), %error, "not all of a damaged store can be read");
    }
    std::fs::remove_file(&copy)?;
    Ok((records, kept_as))
}

/// From both ends: what is damaged is in the middle of what is not.
fn read(database: &redb::Database, records: &mut Vec<Record>) -> Result<(), redb::Error> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(RECORDS)?;
    let mut take = |key: &str, sealed: &[u8]| {
        if unseal(key, sealed).is_some() {
            records.push((key.to_owned(), sealed.to_owned()));
        }
    };
    let forward = catch_unwind(AssertUnwindSafe(|| -> Result<(), redb::Error> {
        for entry in table.iter()? {
            let (key, sealed) = entry?;
            take(key.value(), sealed.value());
        }
        Ok(())
    }));
    if matches!(forward, Ok(Ok(()))) {
        return Ok(());
    }
    for entry in table.iter()?.rev() {
        let (key, sealed) = entry?;
        take(key.value(), sealed.value());
    }
    Ok(())
}

fn free_name(path: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let name = path.with_extension(format!("damaged-{number}"));
        if !name.exists() {
            return name;
        }
        number += 1;
    }
}

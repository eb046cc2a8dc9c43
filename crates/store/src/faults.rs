//! The store on a disk that fails and loses power at every single write.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use crate::embedded::builder;
use crate::salvage::caught;
use crate::writer::Backend as _;
use crate::{Batch, Embedded};

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write(at, data) => {
                image.resize(image.len().max(at + data.len()), 0);
                image[*at..at + data.len()].copy_from_slice(data);
            }
            Self::Length(length) => image.resize(*length, 0),
        }
    }
}

#[derive(Debug, Default)]
struct Platter {
    /// What a loss of power leaves.
    durable: Vec<u8>,
    /// What programs see.
    seen: Vec<u8>,
    /// Since the last sync.
    unsynced: Vec<Change>,
    /// Operations so far.
    operations: u64,
    /// Operations that fail.
    fails: Option<std::ops::Range<u64>>,
}

/// One disk, whoever opens it.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<Platter>>);

impl Disk {
    fn with(image: Vec<u8>) -> Self {
        let platter = Platter { durable: image.clone(), seen: image, ..Platter::default() };
        Self(Arc::new(Mutex::new(platter)))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operate(&self) -> io::Result<MutexGuard<'_, Platter>> {
        let mut platter = self.platter();
        let number = platter.operations;
        platter.operations += 1;
        if platter.fails.as_ref().is_some_and(|fails| fails.contains(&number)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(platter)
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut platter = self.operate()?;
        change.apply(&mut platter.seen);
        platter.unsynced.push(change);
        Ok(())
    }

    /// The power is gone: of what was not synced, anything may have arrived. `pick` decides.
    fn after_loss(&self, mut pick: impl FnMut() -> bool) -> Vec<u8> {
        let platter = self.platter();
        let mut image = platter.durable.clone();
        for change in platter.unsynced.iter().filter(|_| pick()) {
            change.apply(&mut image);
        }
        image
    }

    fn open(&self) -> Result<Embedded, redb::DatabaseError> {
        let disk = self.clone();
        Embedded::opened_by(Box::new(move || {
            let disk = disk.clone();
            caught(|| builder().set_check_integrity_on_open(true).create_with_backend(disk))
        }))
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.platter().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        let platter = self.platter();
        let data = platter.seen.get(start..start + out.len());
        out.copy_from_slice(data.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(usize::try_from(len).expect("small")))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.operate()?;
        let changes = std::mem::take(&mut platter.unsynced);
        for change in changes {
            change.apply(&mut platter.durable);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write(usize::try_from(offset).expect("small"), data.to_vec()))
    }
}

type Content = BTreeMap<String, Vec<u8>>;

fn content(store: &mut Embedded) -> Content {
    let mut damage = Vec::new();
    let records = store.read(&mut damage).expect("it is read");
    assert_eq!(damage, []);
    records.into_iter().collect()
}

/// Batches that put, overwrite and delete, and the content after each.
fn batches() -> (Vec<Batch>, Vec<Content>) {
    let mut contents = vec![Content::new()];
    let mut batches = Vec::new();
    for number in 0..6_u8 {
        let mut content = contents.last().cloned().unwrap_or_default();
        let mut batch = Batch::new();
        for key in 0..4_u8 {
            let (key, value) = (format!("k{}", (key * 3 + number) % 8), vec![number; 60 * usize::from(key)]);
            content.insert(key.clone(), value.clone());
            batch.put(key, value);
        }
        let gone = format!("k{}", number % 5);
        content.remove(&gone);
        batch.delete(gone);
        batches.push(batch);
        contents.push(content);
    }
    (batches, contents)
}

/// A number generator for what survives.
fn coin(seed: u64) -> impl FnMut() -> bool {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 63 == 1
    }
}

/// Power is lost before every operation of the disk, and of what was not synced anything may be there: each batch is there
/// whole or not at all, and what was confirmed is there.
#[test]
fn the_power_goes_at_every_write() {
    let (batches, contents) = batches();
    let mut cut = 0;
    loop {
        let disk = Disk::default();
        disk.platter().fails = Some(cut..u64::MAX);
        let mut confirmed = 0;
        if let Ok(mut store) = disk.open() {
            for batch in &batches {
                if store.commit(batch).is_err() {
                    break;
                }
                confirmed += 1;
            }
        }
        if confirmed == batches.len() {
            break;
        }
        for seed in 0..6 {
            let mut random = coin(cut * 31 + seed);
            // A process that is killed loses nothing that it has written.
            let image = disk.after_loss(|| seed == 0 || random());
            let found = match Disk::with(image).open() {
                Ok(mut store) => content(&mut store),
                // The file never came to be: it would be set aside.
                Err(error) => {
                    assert_eq!(confirmed, 0, "cut {cut}: {error}");
                    continue;
                }
            };
            let whole = found == contents[confirmed] || found == contents[confirmed + 1];
            assert!(whole, "cut {cut}, seed {seed}: {confirmed} were confirmed, {found:?} was found");
        }
        cut += 1;
    }
    assert!(cut > 20, "only {cut} operations of the disk were cut off");
}

/// The disk is full for a while, at every point: what is tried again succeeds, and nothing else is lost.
#[test]
fn a_disk_that_recovers_loses_nothing() {
    let (batches, contents) = batches();
    let mut total = 0;
    for at in 0.. {
        if at > 0 && at > total {
            break;
        }
        let disk = Disk::default();
        let Ok(mut store) = disk.open() else { panic!("nothing fails yet") };
        let opened = disk.platter().operations;
        disk.platter().fails = Some(opened + at..opened + at + 2);
        for batch in &batches {
            let committed = (0..5).any(|_| store.commit(batch).is_ok());
            assert!(committed, "fault at {at}: it never recovers");
        }
        assert_eq!(&content(&mut store), contents.last().expect("some"), "fault at {at}");
        if at == 0 {
            total = disk.platter().operations - opened;
        }
    }
}

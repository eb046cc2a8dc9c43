//! A store in a real file: opened again, damaged, in use.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use store::{Backend, Batch, Damage, Embedded, Opened, StoreError};

fn put(store: &mut Embedded, records: &[(&str, &[u8])]) {
    let mut batch = Batch::new();
    for (key, value) in records {
        batch.put(*key, value.to_vec());
    }
    store.commit(&batch).expect("written");
}

fn open(path: &Path) -> Opened {
    Embedded::open(path).expect("opened")
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("meta/agent.redb");
    (directory, path)
}

#[test]
fn what_was_written_is_there_again() {
    let (_directory, path) = file();
    let mut first = open(&path);
    assert!(first.records.is_empty() && first.damage.is_empty());
    put(&mut first.store, &[("a", b"1"), ("b", b""), ("c", b"3")]);
    let mut batch = Batch::new();
    batch.delete("c");
    batch.delete("never there");
    first.store.commit(&batch).expect("written");
    drop(first);
    let second = open(&path);
    assert_eq!(second.records, [("a".to_owned(), b"1".to_vec()), ("b".to_owned(), Vec::new())]);
    assert!(second.damage.is_empty());
}

#[test]
fn nobody_else_opens_it_meanwhile() {
    let (_directory, path) = file();
    let first = open(&path);
    assert!(matches!(Embedded::open(&path), Err(StoreError::InUse { .. })));
    drop(first);
    open(&path);
}

/// Also a file that an earlier version has let everybody read, and what is kept of a damaged one.
#[test]
fn nobody_else_can_read_what_is_kept() {
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    let (_directory, path) = file();
    drop(open(&path));
    assert_eq!(mode(&path), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("ours");
    drop(open(&path));
    assert_eq!(mode(&path), 0o600);
    std::fs::write(&path, vec![7; 8192]).expect("ours");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("ours");
    let opened = open(&path);
    let [Damage::File { kept_as, .. }] = &opened.damage[..] else { panic!("{:?}", opened.damage) };
    assert_eq!((mode(&path), mode(kept_as)), (0o600, 0o600));
}

#[test]
fn a_file_that_is_no_store_is_set_aside() {
    for garbage in [&b"not a store at all"[..], &[0; 8192]] {
        let (_directory, path) = file();
        std::fs::create_dir_all(path.parent().expect("meta")).expect("made");
        std::fs::write(&path, garbage).expect("ours");
        let mut opened = open(&path);
        assert!(opened.records.is_empty());
        let [Damage::File { kept_as, .. }] = &opened.damage[..] else { panic!("{:?}", opened.damage) };
        assert_eq!(std::fs::read(kept_as).expect("kept"), garbage);
        put(&mut opened.store, &[("a", b"1")]);
        drop(opened);
        assert_eq!(open(&path).records.len(), 1);
    }
}

/// Whatever byte rots, the store opens, says so if anything is missing, and gives nothing wrong.
#[test]
fn a_byte_that_rots_costs_little() {
    let (directory, path) = file();
    let mut first = open(&path);
    let value = |number: u8| vec![number; 700];
    let keys: Vec<String> = (0..60_u8).map(|number| format!("key-{number:02}")).collect();
    for tens in keys.chunks(10).zip((0..60).step_by(10)) {
        let values: Vec<Vec<u8>> = (tens.1..tens.1 + 10).map(value).collect();
        let records: Vec<(&str, &[u8])> =
            tens.0.iter().map(String::as_str).zip(values.iter().map(Vec::as_slice)).collect();
        put(&mut first.store, &records);
    }
    drop(first);
    let whole = std::fs::read(&path).expect("there");
    let step = (whole.len() / 41).max(1);
    let (mut damaged, mut saved) = (0, 0);
    for (round, at) in (0..whole.len()).step_by(step).enumerate() {
        let path = directory.path().join(format!("rotten-{round}.redb"));
        let mut rotten = whole.clone();
        rotten[at] ^= 0x55;
        std::fs::write(&path, rotten).expect("ours");
        let opened = open(&path);
        for (key, found) in &opened.records {
            let number = keys.iter().position(|known| known == key).expect("a key that was written");
            assert_eq!(*found, value(u8::try_from(number).expect("few")), "byte {at}");
        }
        if !opened.damage.is_empty() {
            damaged += 1;
            saved += opened.records.len();
        } else {
            assert_eq!(opened.records.len(), keys.len(), "byte {at} is missing and nobody says so");
        }
    }
    assert!(damaged > 0, "no byte mattered");
    assert!(saved > damaged * keys.len() / 2, "of {damaged} damaged files {saved} records were saved");
}

#[test]
fn a_record_that_makes_no_sense_is_put_out_of_the_way() {
    let (_directory, path) = file();
    let mut first = open(&path);
    put(&mut first.store, &[("a", b"1"), ("b", b"2")]);
    first.store.set_aside(&["b".to_owned(), "never there".to_owned()]).expect("set aside");
    drop(first);
    assert_eq!(open(&path).records, [("a".to_owned(), b"1".to_vec())]);
}

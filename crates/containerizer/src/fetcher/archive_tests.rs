//! Archives of every kind, and evil ones.

use std::io::Write;

use super::*;

fn tar_with(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        let mut header = tar::Header::new_gnu();
        // Written by hand: the library refuses to make the archives that we must refuse.
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        if let Some(target) = content.strip_prefix("->") {
            header.set_entry_type(tar::EntryType::Symlink);
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
            header.set_size(0);
            header.set_cksum();
            builder.append(&header, io::empty()).expect("memory");
        } else {
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).expect("memory");
        }
    }
    builder.into_inner().expect("memory")
}

fn unpack(name: &str, bytes: &[u8], limit: u64) -> (tempfile::TempDir, Result<(), ArchiveError>) {
    let root = tempfile::tempdir().expect("a directory");
    let sandbox = root.path().join("sandbox");
    std::fs::create_dir(&sandbox).expect("ours");
    let archive = sandbox.join(name);
    std::fs::write(&archive, bytes).expect("ours");
    let format = Format::of(Path::new(name)).expect("an archive's name");
    let file = File::open(&archive).expect("ours");
    let result = extract(format, file, Path::new(name), &sandbox, limit);
    (root, result)
}

#[test]
fn names_tell_archives() {
    assert_eq!(Format::of(Path::new("a.tar.gz")), Some(Format::TarGzip));
    assert_eq!(Format::of(Path::new("d/a.gz")), Some(Format::Gzip));
    assert_eq!(Format::of(Path::new("a.txz")), Some(Format::TarXz));
    for plain in ["a", "tar", "a.jar", "a.gz.txt", "a.7z"] {
        assert_eq!(Format::of(Path::new(plain)), None, "{plain}");
    }
}

#[test]
fn every_kind_is_unpacked() {
    let tar = tar_with(&[("d/f", "content")]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&tar).expect("memory");
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(&tar).expect("memory");
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut xz = lzma_rust2::XzWriter::new(Vec::new(), options).expect("memory");
    xz.write_all(&tar).expect("memory");
    let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("d/f", options).expect("memory");
    zip.write_all(b"content").expect("memory");
    let zip = zip.finish().expect("memory").into_inner();
    let zstd = ruzstd::encoding::compress_to_vec(&tar[..], ruzstd::encoding::CompressionLevel::Fastest);
    let kinds = [
        ("a.tar.zst", zstd),
        ("a.tar", tar),
        ("a.tar.gz", gzip.finish().expect("memory")),
        ("a.tbz2", bzip2.finish().expect("memory")),
        ("a.tar.xz", xz.finish().expect("memory")),
        ("a.zip", zip),
    ];
    for (name, bytes) in kinds {
        let (root, result) = unpack(name, &bytes, 1 << 20);
        result.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let content = std::fs::read_to_string(root.path().join("sandbox/d/f")).expect("unpacked");
        assert_eq!(content, "content", "{name}");
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"plain").expect("memory");
    let (root, result) = unpack("f.txt.gz", &gzip.finish().expect("memory"), 1 << 20);
    result.expect("unpacked");
    assert_eq!(std::fs::read_to_string(root.path().join("sandbox/f.txt")).expect("there"), "plain");
}

#[test]
fn nothing_gets_out() {
    let evil: [&[(&str, &str)]; 4] = [
        &[("../evil", "x")],
        &[("a/../../evil", "x")],
        &[("link", "->.."), ("link/evil", "x")],
        &[("link", "->../evil"), ("link", "x"), ("d", "->.."), ("d/evil", "x")],
    ];
    for entries in evil {
        let (root, result) = unpack("a.tar", &tar_with(entries), 1 << 20);
        assert!(result.is_err(), "{entries:?}");
        assert!(!root.path().join("evil").exists(), "{entries:?}");
    }
    // An absolute name is taken as one below the sandbox, as tar does.
    let (root, result) = unpack("a.tar", &tar_with(&[("/evil-of-a-test", "x")]), 1 << 20);
    result.expect("unpacked inside");
    assert!(root.path().join("sandbox/evil-of-a-test").exists());
    assert!(!Path::new("/evil-of-a-test").exists());
}

#[test]
fn hard_links_do_not_get_out() {
    let link = |target: &str| {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Link);
        header.set_size(0);
        let field = &mut header.as_old_mut().name;
        field[..4].copy_from_slice(b"link");
        header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_cksum();
        builder.append(&header, io::empty()).expect("memory");
        builder.into_inner().expect("memory")
    };
    for target in ["/etc/passwd", "../secret", "d/../../secret"] {
        let root = tempfile::tempdir().expect("a directory");
        let sandbox = root.path().join("sandbox");
        std::fs::create_dir_all(sandbox.join("d")).expect("ours");
        std::fs::write(root.path().join("secret"), "x").expect("ours");
        let result = untar(&link(target)[..], &sandbox, 1 << 20);
        assert!(matches!(result, Err(ArchiveError::Escape(_))), "{target}: {result:?}");
        assert!(!sandbox.join("link").exists(), "{target}");
    }
}

#[test]
fn what_describes_an_entry_is_bounded() {
    let described = |kind: tar::EntryType, name: &str, told: u64, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_path(name).expect("a name");
        header.set_entry_type(kind);
        header.set_size(told);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    };
    let long = vec![b'n'; 3 << 20];
    let mut many = Vec::new();
    for number in 0..3000 {
        many.extend_from_slice(format!("{:05} comment={number:04}{}\n", 1016, "x".repeat(997)).as_bytes());
    }
    for (kind, name, content) in [
        (tar::EntryType::GNULongName, "././@LongLink", &long),
        (tar::EntryType::GNULongLink, "././@LongLink", &long),
        (tar::EntryType::XHeader, "PaxHeader", &many),
    ] {
        let (_root, result) = unpack("a.tar", &described(kind, name, content.len() as u64, content), 1 << 40);
        let refused =
            matches!(&result, Err(ArchiveError::Damaged(why)) if why.contains("names and attributes"));
        assert!(refused, "{kind:?}: {result:?}");
    }
    // A directory with content does not count as a description of what follows it.
    let mut archive = described(tar::EntryType::Directory, "d/", long.len() as u64, &long);
    archive.extend(tar_with(&[("d/f", "x")]));
    let (root, result) = unpack("a.tar", &archive, 1 << 40);
    result.expect("unpacked");
    assert!(root.path().join("sandbox/d/f").exists());
    // Names longer than a header takes, and not of ASCII, go through.
    let name = format!("{}/ünïcode", "d".repeat(200));
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    header.set_mode(0o644);
    builder.append_data(&mut header, &name, &b"x"[..]).expect("memory");
    let (root, result) = unpack("a.tar", &builder.into_inner().expect("memory"), 1 << 20);
    result.expect("unpacked");
    assert!(root.path().join("sandbox").join(name).exists());
}

#[test]
fn holes_count_as_what_they_become() {
    let mut header = tar::Header::new_gnu();
    header.set_path("sparse").expect("a name");
    header.set_entry_type(tar::EntryType::GNUSparse);
    header.set_size(0);
    let gnu = header.as_gnu_mut().expect("made so");
    gnu.realsize.copy_from_slice(b"01000000000\0");
    gnu.sparse[0].offset.copy_from_slice(b"01000000000\0");
    gnu.sparse[0].numbytes.copy_from_slice(b"00000000000\0");
    header.set_cksum();
    let (root, result) = unpack("a.tar", header.as_bytes(), 1 << 20);
    assert!(matches!(result, Err(ArchiveError::TooLarge(_))), "{result:?}");
    assert!(!root.path().join("sandbox/sparse").exists());
}

#[test]
fn zips_do_not_get_out_either() {
    let build = |names: &[(&str, Option<&str>)]| {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        for (name, link) in names {
            match link {
                Some(target) => zip.add_symlink(*name, *target, options).expect("memory"),
                None => {
                    zip.start_file(*name, options).expect("memory");
                    zip.write_all(b"x").expect("memory");
                }
            }
        }
        zip.finish().expect("memory").into_inner()
    };
    let long = "x".repeat(5000);
    let (_root, result) = unpack("a.zip", &build(&[("link", Some(&long))]), 1 << 20);
    assert!(matches!(result, Err(ArchiveError::Damaged(_))), "{result:?}");
    for names in [&[("../evil", None)][..], &[("link", Some("..")), ("link/evil", None)][..]] {
        let (root, result) = unpack("a.zip", &build(names), 1 << 20);
        assert!(matches!(result, Err(ArchiveError::Escape(_))), "{names:?}: {result:?}");
        assert!(!root.path().join("evil").exists());
    }
}

#[test]
fn bombs_and_rubbish_are_refused() {
    let big = "x".repeat(5000);
    let (_root, result) = unpack("a.tar", &tar_with(&[("f", &big)]), 4000);
    assert!(matches!(result, Err(ArchiveError::TooLarge(4000))), "{result:?}");
    for name in ["a.tar.gz", "a.tbz2", "a.txz", "a.tar.zst", "a.zip", "a.gz", "a.tar"] {
        let (_root, result) = unpack(name, &[7; 1024], 1 << 20);
        assert!(result.is_err(), "{name}");
    }
}

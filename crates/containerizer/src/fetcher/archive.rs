//! Unpacking archives. Runs with the rights of the container's user.
//!
//! Nothing is written outside the directory: names that lead out of it, and ways through links, are errors.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

/// What the decoder may take, in KiB: four times what `xz -9` asks for. An archive may ask for 4 GiB.
const XZ_MEMORY_KB: u32 = 256 << 10;

/// No path is longer (`PATH_MAX`), so what a link leads to is not either. It is read into memory.
const LONGEST_LINK: u64 = 4096;

/// Why an archive cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read, or its content cannot be written.
    #[error("cannot read the archive or write what is in it")]
    Io(#[from] io::Error),
    /// It is not what its name says.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It would write outside the sandbox.
    #[error("its entry '{0}' leads out of the sandbox")]
    Escape(PathBuf),
    /// Too much is in it.
    #[error("its content is larger than {0} bytes")]
    TooLarge(u64),
}

/// The archives that are known, by the ends of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Tar,
    TarGzip,
    TarBzip2,
    TarXz,
    Zip,
    Gzip,
}

impl Format {
    pub(super) fn of(name: &Path) -> Option<Self> {
        let name = name.as_os_str().as_bytes();
        let suffixes: [(&[u8], Self); 9] = [
            (b".tar", Self::Tar),
            (b".tar.gz", Self::TarGzip),
            (b".tgz", Self::TarGzip),
            (b".tar.bz2", Self::TarBzip2),
            (b".tbz2", Self::TarBzip2),
            (b".tar.xz", Self::TarXz),
            (b".txz", Self::TarXz),
            (b".zip", Self::Zip),
            (b".gz", Self::Gzip),
        ];
        suffixes.into_iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, format)| format)
    }
}

/// Unpacks `archive` into the directory `into`, at most `limit` bytes.
pub(super) fn extract(format: Format, archive: &Path, into: &Path, limit: u64) -> Result<(), ArchiveError> {
    let file = File::open(archive)?;
    match format {
        Format::Tar => untar(BufReader::new(file), into, limit),
        Format::TarGzip => untar(MultiGzDecoder::new(BufReader::new(file)), into, limit),
        Format::TarBzip2 => untar(MultiBzDecoder::new(BufReader::new(file)), into, limit),
        Format::TarXz => {
            untar(XzReader::new_mem_limit(BufReader::new(file), true, XZ_MEMORY_KB), into, limit)
        }
        Format::Zip => unzip(file, into, limit),
        Format::Gzip => gunzip(file, archive, limit),
    }
}

/// Fails when more than the limit is read.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "the content is too large"))?;
        Ok(count)
    }
}

/// Our own limit is told apart from what the system says.
fn bounded(limit: u64) -> impl Fn(io::Error) -> ArchiveError {
    move |error| match error.kind() {
        io::ErrorKind::FileTooLarge => ArchiveError::TooLarge(limit),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            ArchiveError::Damaged(error.to_string())
        }
        _ => ArchiveError::Io(error),
    }
}

fn untar(reader: impl Read, into: &Path, limit: u64) -> Result<(), ArchiveError> {
    let failed = bounded(limit);
    let mut archive = tar::Archive::new(Bounded { reader, left: limit });
    archive.set_preserve_mtime(true);
    let mut entries = 0_u64;
    for entry in archive.entries().map_err(&failed)? {
        // What is not an archive at all shows in its first entry.
        let damaged = |error: io::Error| match error.kind() {
            io::ErrorKind::Other => ArchiveError::Damaged(error.to_string()),
            _ => failed(error),
        };
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(&failed)?.into_owned();
        // Refuses names with `..`, and to write through links that lead out.
        let inside = entry.unpack_in(into).map_err(|error| {
            let escapes = path.parent().is_some_and(|parent| leads_out(into, parent));
            if escapes { ArchiveError::Escape(path.clone()) } else { failed(error) }
        })?;
        if !inside {
            return Err(ArchiveError::Escape(path));
        }
        entries += 1;
    }
    if entries == 0 {
        tracing::debug!(directory = %into.display(), "an archive without entries");
    }
    Ok(())
}

/// Whether the directory of an entry is, through links, not below `into`.
fn leads_out(into: &Path, parent: &Path) -> bool {
    let relative: PathBuf = parent.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    match (into.canonicalize(), into.join(relative).canonicalize()) {
        (Ok(root), Ok(target)) => !target.starts_with(root),
        _ => false,
    }
}

fn gunzip(file: File, archive: &Path, limit: u64) -> Result<(), ArchiveError> {
    let target = archive.with_extension("");
    let mut content = Bounded { reader: MultiGzDecoder::new(BufReader::new(file)), left: limit };
    let mut file = create(&target, 0o644)?;
    io::copy(&mut content, &mut file).map_err(bounded(limit))?;
    Ok(())
}

fn unzip(file: File, into: &Path, limit: u64) -> Result<(), ArchiveError> {
    let damaged = |error: zip::result::ZipError| ArchiveError::Damaged(error.to_string());
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    let mut left = limit;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(damaged)?;
        let name = PathBuf::from(entry.name());
        let relative = entry.enclosed_name().ok_or_else(|| ArchiveError::Escape(name.clone()))?;
        if entry.is_dir() {
            directories(into, &relative)?;
            continue;
        }
        directories(into, relative.parent().unwrap_or(Path::new("")))?;
        let target = into.join(&relative);
        let mut content = Bounded { reader: &mut entry, left };
        if content.reader.is_symlink() {
            let mut link = Vec::new();
            content.by_ref().take(LONGEST_LINK + 1).read_to_end(&mut link).map_err(bounded(limit))?;
            if link.len() as u64 > LONGEST_LINK {
                return Err(ArchiveError::Damaged(format!("the link '{}' is too long", name.display())));
            }
            remove(&target)?;
            symlink(OsStr::from_bytes(&link), &target)?;
        } else {
            let mode = content.reader.unix_mode().unwrap_or(0o644) & 0o777;
            let mut file = create(&target, mode)?;
            io::copy(&mut content, &mut file).map_err(bounded(limit))?;
        }
        left = content.left;
    }
    Ok(())
}

/// Makes the directories of an entry; a link on the way is an error, wherever it leads.
fn directories(into: &Path, relative: &Path) -> Result<(), ArchiveError> {
    let mut directory = into.to_owned();
    for part in relative.components() {
        directory.push(part);
        match std::fs::symlink_metadata(&directory) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(ArchiveError::Escape(relative.to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => std::fs::create_dir(&directory)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A new file in place of whatever has its name.
fn create(target: &Path, mode: u32) -> io::Result<File> {
    remove(target)?;
    let file = File::options().write(true).create_new(true).mode(mode).open(target)?;
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    Ok(file)
}

fn remove(target: &Path) -> io::Result<()> {
    match std::fs::remove_file(target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
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
        let result = extract(format, &archive, &sandbox, limit);
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
        let kinds = [
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
        for name in ["a.tar.gz", "a.tbz2", "a.txz", "a.zip", "a.gz", "a.tar"] {
            let (_root, result) = unpack(name, &[7; 1024], 1 << 20);
            assert!(result.is_err(), "{name}");
        }
    }
}

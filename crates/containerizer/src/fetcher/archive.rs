//! Unpacking archives. Runs with the rights of the container's user.
//!
//! Nothing is written outside the directory: names that lead out of it, and ways through links, are errors.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;

use super::untar::untar;
use super::zstd::ZstdReader;

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
    TarZstd,
    Zip,
    Gzip,
}

impl Format {
    pub(super) fn of(name: &Path) -> Option<Self> {
        let name = name.as_os_str().as_bytes();
        let suffixes: [(&[u8], Self); 11] = [
            (b".tar", Self::Tar),
            (b".tar.gz", Self::TarGzip),
            (b".tgz", Self::TarGzip),
            (b".tar.bz2", Self::TarBzip2),
            (b".tbz2", Self::TarBzip2),
            (b".tar.xz", Self::TarXz),
            (b".txz", Self::TarXz),
            (b".tar.zst", Self::TarZstd),
            (b".tzst", Self::TarZstd),
            (b".zip", Self::Zip),
            (b".gz", Self::Gzip),
        ];
        suffixes.into_iter().find(|(suffix, _)| name.ends_with(suffix)).map(|(_, format)| format)
    }
}

/// Unpacks `file` into the directory `into`, at most `limit` bytes. `name` is what the archive is called there.
pub(super) fn extract(
    format: Format,
    file: File,
    name: &Path,
    into: &Path,
    limit: u64,
) -> Result<(), ArchiveError> {
    match format {
        Format::Tar => untar(BufReader::new(file), into, limit),
        Format::TarGzip => untar(MultiGzDecoder::new(BufReader::new(file)), into, limit),
        Format::TarBzip2 => untar(MultiBzDecoder::new(BufReader::new(file)), into, limit),
        Format::TarXz => {
            untar(XzReader::new_mem_limit(BufReader::new(file), true, XZ_MEMORY_KB), into, limit)
        }
        Format::TarZstd => untar(ZstdReader::new(BufReader::new(file)), into, limit),
        Format::Zip => unzip(file, into, limit),
        Format::Gzip => gunzip(file, &into.join(name), limit),
    }
}

/// Fails when more than the limit is read.
pub(super) struct Bounded<R> {
    pub(super) reader: R,
    pub(super) left: u64,
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
pub(super) fn bounded(limit: u64) -> impl Fn(io::Error) -> ArchiveError {
    move |error| match error.kind() {
        io::ErrorKind::FileTooLarge => ArchiveError::TooLarge(limit),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            ArchiveError::Damaged(error.to_string())
        }
        _ => ArchiveError::Io(error),
    }
}

fn gunzip(file: File, archive: &Path, limit: u64) -> Result<(), ArchiveError> {
    let target = archive.with_extension("");
    if let Some(directory) = target.parent() {
        std::fs::create_dir_all(directory)?;
    }
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
#[path = "archive_tests.rs"]
mod tests;

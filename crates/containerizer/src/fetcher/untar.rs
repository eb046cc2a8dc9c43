//! Unpacking tar archives, of which every number may be a lie. Runs with the rights of the container's user.

use std::cell::Cell;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use super::archive::{ArchiveError, Bounded, bounded};

/// What the long names, attributes and maps of holes of one entry may take. They are read into memory, whatever length
/// they claim; the longest path and link that a file system takes have 8 KiB together.
const METADATA: u64 = 1 << 20;

/// Fails when the reader of the archive takes more between two entries than the description of one.
struct Metered<'a, R> {
    reader: R,
    /// What is left for the description; `None` while an entry's content is read.
    left: &'a Cell<Option<u64>>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some(left) = self.left.get() {
            let left = left.checked_sub(count as u64).ok_or_else(|| {
                let text = format!("the names and attributes of an entry are larger than {METADATA} bytes");
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            self.left.set(Some(left));
        }
        Ok(count)
    }
}

/// Unpacks into the directory `into`, at most `limit` bytes.
pub(super) fn untar(reader: impl Read, into: &Path, limit: u64) -> Result<(), ArchiveError> {
    let failed = bounded(limit);
    let metadata = Cell::new(Some(METADATA));
    let reader = Metered { reader: Bounded { reader, left: limit }, left: &metadata };
    let mut archive = tar::Archive::new(reader);
    archive.set_preserve_mtime(true);
    let mut entries = archive.entries().map_err(&failed)?;
    // What is to be written. It can be more than what is read: holes of sparse files are written as zeros.
    let mut total = 0_u64;
    let mut count = 0_u64;
    loop {
        metadata.set(Some(METADATA));
        let Some(entry) = entries.next() else { break };
        metadata.set(None);
        // What is not an archive at all shows in its first entry.
        let damaged = |error: io::Error| match error.kind() {
            io::ErrorKind::Other => ArchiveError::Damaged(error.to_string()),
            _ => failed(error),
        };
        let mut entry = entry.map_err(damaged)?;
        total = total.saturating_add(entry.size());
        if total > limit {
            return Err(ArchiveError::TooLarge(limit));
        }
        let path = entry.path().map_err(&failed)?.into_owned();
        // Refuses names with `..`, and to write or to link through links that lead out.
        let inside = entry.unpack_in(into).map_err(|error| {
            let link =
                entry.link_name().ok().flatten().filter(|_| entry.header().entry_type().is_hard_link());
            let escapes = path.parent().is_some_and(|parent| leads_out(into, parent))
                || link.is_some_and(|link| link.is_absolute() || leads_out(into, &link));
            if escapes { ArchiveError::Escape(path.clone()) } else { failed(error) }
        })?;
        if !inside {
            return Err(ArchiveError::Escape(path));
        }
        // What belongs to a directory or a link is not read by unpacking it, and is no part of the next description.
        io::copy(&mut entry, &mut io::sink()).map_err(&failed)?;
        count += 1;
    }
    if count == 0 {
        tracing::debug!(directory = %into.display(), "an archive without entries");
    }
    Ok(())
}

/// Whether a path of an entry, its directory or what it links to, is not below `into`. A name that begins with `/` is
/// taken as one below it, as tar does.
fn leads_out(into: &Path, path: &Path) -> bool {
    if path.components().any(|part| part == Component::ParentDir) {
        return true;
    }
    let relative: PathBuf = path.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    match (into.canonicalize(), into.join(relative).canonicalize()) {
        (Ok(root), Ok(target)) => !target.starts_with(root),
        _ => false,
    }
}

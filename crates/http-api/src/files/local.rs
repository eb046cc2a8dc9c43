//! Virtual paths, and what is to be seen of the files that they stand for: nothing outside of them.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, ResolveFlags};

/// The most that is read at once: sixteen pages, as Mesos has it.
pub(super) const MAX_READ: u64 = 16 * 4096;

/// Why a file cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    /// There is nothing of that name, or it is nobody's business.
    #[error("not found")]
    NotFound,
    /// The path leads out of what is shown.
    #[error("'{}' is inaccessible.\n", .0.display())]
    Inaccessible(PathBuf),
    /// A directory has no content.
    #[error("Cannot read a directory.\n")]
    Directory,
    /// The system's own reason.
    #[error("Failed to open file: {0}.\n")]
    Io(#[from] io::Error),
}

/// Which file or directory each virtual path stands for.
pub type Attached = BTreeMap<String, PathBuf>;

/// The real path of a virtual one. Neither `..` nor links lead out of what is attached, be it a file or a directory.
pub(super) fn resolve(attached: &Attached, path: &str) -> Result<PathBuf, FileError> {
    // Without what says nothing: doubled slashes, and those at the end.
    let path: PathBuf = Path::new(path).components().collect();
    // The longest attached path that it begins with.
    for prefix in path.ancestors() {
        let Some(root) = prefix.to_str().and_then(|prefix| attached.get(prefix)) else { continue };
        let rest = path.strip_prefix(prefix).map_err(|_| FileError::NotFound)?;
        // A file's path must not end with a slash.
        let wanted = if rest.as_os_str().is_empty() { root.clone() } else { root.join(rest) };
        // Nothing is looked for outside: what is answered would tell whether it is there.
        if leads_out(rest) {
            return Err(FileError::Inaccessible(wanted));
        }
        return match (root.canonicalize(), wanted.canonicalize()) {
            (Ok(root), Ok(real)) if real.starts_with(&root) => Ok(real),
            (Ok(_), Ok(_)) => Err(FileError::Inaccessible(wanted)),
            _ => Err(FileError::NotFound),
        };
    }
    Err(FileError::NotFound)
}

/// Whether there are more `..` in a relative path than directories before them.
fn leads_out(path: &Path) -> bool {
    let mut depth = 0_usize;
    path.components().any(|part| match part {
        Component::ParentDir if depth == 0 => true,
        Component::ParentDir => {
            depth -= 1;
            false
        }
        Component::Normal(_) => {
            depth += 1;
            false
        }
        _ => false,
    })
}

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The size of the whole file.
    pub(super) size: u64,
    /// What was asked for, as far as it is there.
    pub(super) data: Vec<u8>,
}

/// Opens a regular file; what else there may be in a sandbox, pipes above all, would make a reader wait.
///
/// The path is one that [`resolve`] found. If a link to elsewhere has been put into it since, nothing is opened.
pub(super) fn open(path: &Path) -> Result<(File, Metadata), FileError> {
    let file = open_as(path, OFlags::NONBLOCK)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(FileError::Directory);
    }
    if !metadata.is_file() {
        return Err(FileError::NotFound);
    }
    Ok((file, metadata))
}

/// Opens whatever is there, if the path still leads where it led.
fn open_as(path: &Path, flags: OFlags) -> Result<File, FileError> {
    let flags = i32::try_from(flags.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound { FileError::NotFound } else { error.into() }
    })?;
    if fs::read_link(place_of(&file))? != path {
        return Err(FileError::NotFound);
    }
    Ok(file)
}

/// Leads to what is open, whatever becomes of its path.
fn place_of(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Reads at most `length` bytes from `offset`, and at most [`MAX_READ`]. Without an offset only the size is told.
pub(super) fn read(path: &Path, offset: Option<u64>, length: Option<u64>) -> Result<Chunk, FileError> {
    let (mut file, metadata) = open(path)?;
    let mut chunk = Chunk { size: metadata.len(), data: Vec::new() };
    if let Some(offset) = offset.filter(|offset| *offset < chunk.size) {
        file.seek(SeekFrom::Start(offset))?;
        file.take(length.unwrap_or(u64::MAX).min(MAX_READ)).read_to_end(&mut chunk.data)?;
    }
    Ok(chunk)
}

/// A directory's entry.
#[derive(Debug)]
pub(super) struct Entry {
    /// The virtual path.
    pub(super) path: String,
    pub(super) metadata: Metadata,
    /// The names of its owner and its group, or their numbers.
    pub(super) user: Arc<str>,
    pub(super) group: Arc<str>,
}

impl Entry {
    /// As `ls -l` writes it.
    pub(super) fn mode_text(&self) -> String {
        let mode = self.metadata.mode();
        let kind = match mode & 0o170_000 {
            0o040_000 => 'd',
            0o120_000 => 'l',
            0o010_000 => 'p',
            0o140_000 => 's',
            0o060_000 => 'b',
            0o020_000 => 'c',
            _ => '-',
        };
        let bits = "rwxrwxrwx"
            .chars()
            .enumerate()
            .map(|(i, letter)| if mode & (0o400 >> i) == 0 { '-' } else { letter });
        std::iter::once(kind).chain(bits).collect()
    }
}

/// Names of users or of groups, which have the same place in both files; who is not there goes by number.
struct Names {
    database: &'static str,
    /// Looked up already: many files have few owners.
    known: BTreeMap<u32, Arc<str>>,
}

impl Names {
    fn of(database: &'static str) -> Self {
        Self { database, known: BTreeMap::new() }
    }

    fn get(&mut self, id: u32) -> Arc<str> {
        self.known.entry(id).or_insert_with(|| name_of(self.database, id).into()).clone()
    }
}

fn name_of(database: &str, id: u32) -> String {
    let number = id.to_string();
    let text = fs::read_to_string(database).unwrap_or_default();
    let name = text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, found) = (fields.next()?, fields.nth(1)?);
        (found == number).then(|| name.to_owned())
    });
    name.unwrap_or(number)
}

/// What is in a directory, by name; in a file there is nothing. The path is as for [`open`].
pub(super) fn list(path: &Path, virtual_path: &str) -> Result<Vec<Entry>, FileError> {
    let opened = open_as(path, OFlags::PATH).map_err(|_| FileError::NotFound)?;
    if !opened.metadata()?.is_dir() {
        return Ok(Vec::new());
    }
    let (mut users, mut groups) = (Names::of("/etc/passwd"), Names::of("/etc/group"));
    let mut entries = Vec::new();
    for entry in fs::read_dir(place_of(&opened))?.flatten() {
        // One that was deleted meanwhile is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        let name = entry.file_name();
        let leads_to = metadata.is_symlink().then(|| behind(&opened, Path::new(&name))).flatten();
        let path = format!("{}/{}", virtual_path.trim_end_matches('/'), name.to_string_lossy());
        let metadata = leads_to.unwrap_or(metadata);
        let (user, group) = (users.get(metadata.uid()), groups.get(metadata.gid()));
        entries.push(Entry { path, metadata, user, group });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

/// What a link leads to, if that is in the link's directory or below: how large anything else is, and whether it is there at all,
/// is nobody's business. The kernel looks: the link may be changed at any time.
fn behind(directory: &File, link: &Path) -> Option<Metadata> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let found: OwnedFd =
        rustix::fs::openat2(directory, link, flags, Mode::empty(), ResolveFlags::BENEATH).ok()?;
    File::from(found).metadata().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture() -> (tempfile::TempDir, Attached) {
        let root = tempfile::tempdir().expect("a directory");
        let sandbox = root.path().join("runs/c");
        fs::create_dir_all(sandbox.join("d")).expect("ours");
        fs::write(sandbox.join("stdout"), "0123456789").expect("ours");
        fs::write(root.path().join("secret"), "x").expect("ours");
        std::os::unix::fs::symlink(root.path().join("secret"), sandbox.join("out")).expect("ours");
        std::os::unix::fs::symlink("stdout", sandbox.join("in")).expect("ours");
        let attached = BTreeMap::from([("/virtual/latest".to_owned(), sandbox)]);
        (root, attached)
    }

    #[test]
    fn only_what_is_attached_is_found() {
        let (root, attached) = fixture();
        assert!(resolve(&attached, "/virtual/latest/stdout").is_ok());
        assert!(resolve(&attached, "/virtual/latest/in").is_ok());
        assert!(resolve(&attached, "/virtual/latest").is_ok());
        assert!(resolve(&attached, "/virtual//latest//").is_ok());
        assert!(resolve(&attached, "/virtual/latest/d/../stdout").is_ok());
        let secret = root.path().join("secret").display().to_string();
        for path in [
            "/virtual",
            "/",
            "",
            "/virtual/latestx/stdout",
            "/virtual/latest/nosuch",
            "/virtual/../x",
            &secret,
        ] {
            assert!(matches!(resolve(&attached, path), Err(FileError::NotFound)), "{path}");
        }
        // Whether what is outside is there is not told.
        for path in ["out", "../../secret", "../../nosuch", "d/../../c", "nosuch/../../c"] {
            let path = format!("/virtual/latest/{path}");
            assert!(matches!(resolve(&attached, &path), Err(FileError::Inaccessible(_))), "{path}");
        }
        let wrong = resolve(&attached, "/virtual/latest/..").expect_err("it leads out").to_string();
        assert_eq!(wrong, format!("'{}/runs/c/..' is inaccessible.\n", root.path().display()));
    }

    #[test]
    fn the_longest_attached_path_counts() {
        let (root, mut attached) = fixture();
        attached.insert("/virtual/latest/d".to_owned(), root.path().to_owned());
        assert!(resolve(&attached, "/virtual/latest/d/secret").is_ok());
        assert!(resolve(&attached, "/virtual/latest/d/").is_ok_and(|path| path.join("secret").exists()));
        assert!(resolve(&attached, "/virtual/latest/stdout").is_ok());
        assert!(matches!(resolve(&attached, "/virtual/latest/d/stdout"), Err(FileError::NotFound)));
    }

    #[test]
    fn a_file_may_be_attached() {
        let (root, mut attached) = fixture();
        attached.insert("/master/log".to_owned(), root.path().join("secret"));
        assert!(resolve(&attached, "/master/log").is_ok());
        assert!(resolve(&attached, "/master/log/").is_ok());
        assert!(matches!(resolve(&attached, "/master/log/x"), Err(FileError::NotFound)));
        assert!(matches!(resolve(&attached, "/master/log/.."), Err(FileError::Inaccessible(_))));
        let file = resolve(&attached, "/master/log").expect("there");
        assert!(list(&file, "/master/log").expect("no error, as in Mesos").is_empty());
        fs::remove_file(&file).expect("ours");
        assert!(matches!(resolve(&attached, "/master/log"), Err(FileError::NotFound)));
    }

    #[test]
    fn links_are_shown_as_what_they_lead_to_unless_it_is_elsewhere() {
        let (root, attached) = fixture();
        let sandbox = root.path().join("runs/c");
        std::os::unix::fs::symlink("nosuch", sandbox.join("nowhere")).expect("ours");
        std::os::unix::fs::symlink("../stdout", sandbox.join("d/up")).expect("ours");
        let shown = |path: &str| {
            let real = resolve(&attached, path).expect("there");
            let entries = list(&real, path).expect("a directory");
            let shown = entries.iter().map(|e| (e.path.clone(), e.metadata.is_symlink(), e.metadata.len()));
            shown.collect::<Vec<_>>()
        };
        let of = |name: &str| format!("/virtual/latest/{name}");
        let entries = shown("/virtual/latest");
        assert!(entries.contains(&(of("in"), false, 10)), "{entries:?}");
        for elsewhere in ["out", "nowhere"] {
            assert!(entries.iter().any(|(path, link, _)| *path == of(elsewhere) && *link), "{entries:?}");
        }
        assert_eq!(shown("/virtual/latest/d"), [(of("d/up"), true, 9)]);
    }

    #[test]
    fn parts_of_files() {
        let (_root, attached) = fixture();
        let path = resolve(&attached, "/virtual/latest/stdout").expect("there");
        let part = |offset, length| {
            read(&path, offset, length).map(|chunk| (chunk.size, chunk.data)).expect("a file")
        };
        assert_eq!(part(None, None), (10, Vec::new()));
        assert_eq!(part(Some(3), Some(2)), (10, b"34".to_vec()));
        assert_eq!(part(Some(8), Some(100)), (10, b"89".to_vec()));
        assert_eq!(part(Some(100), None), (10, Vec::new()));
        let directory = resolve(&attached, "/virtual/latest/d").expect("there");
        assert!(matches!(read(&directory, Some(0), None), Err(FileError::Directory)));
    }

    #[test]
    fn a_link_that_was_put_there_meanwhile_leads_nowhere() {
        let (root, attached) = fixture();
        let path = resolve(&attached, "/virtual/latest/stdout").expect("there");
        fs::remove_file(&path).expect("ours");
        std::os::unix::fs::symlink(root.path().join("secret"), &path).expect("ours");
        assert!(matches!(read(&path, Some(0), None), Err(FileError::NotFound)));
        let path = resolve(&attached, "/virtual/latest/d").expect("there");
        assert!(list(&path, "/virtual/latest/d").expect("a directory").is_empty());
        fs::remove_dir(&path).expect("ours");
        std::os::unix::fs::symlink(root.path(), &path).expect("ours");
        assert!(matches!(list(&path, "/virtual/latest/d"), Err(FileError::NotFound)));
    }

    #[test]
    fn listings_are_sorted_and_complete() {
        let (_root, attached) = fixture();
        let path = resolve(&attached, "/virtual/latest").expect("there");
        let entries = list(&path, "/virtual/latest/").expect("a directory");
        let names: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        let expected =
            ["/virtual/latest/d", "/virtual/latest/in", "/virtual/latest/out", "/virtual/latest/stdout"];
        assert_eq!(names, expected);
        assert!(entries[0].mode_text().starts_with("drwx"));
        let own = fs::metadata("/proc/self").expect("there");
        for entry in &entries {
            assert_eq!(&*entry.user, name_of("/etc/passwd", own.uid()));
            assert_eq!(&*entry.group, name_of("/etc/group", own.gid()));
        }
        assert_eq!(
            (name_of("/etc/passwd", 0), name_of("/etc/group", 4_000_000_000)),
            ("root".to_owned(), "4000000000".to_owned())
        );
        let file = resolve(&attached, "/virtual/latest/stdout").expect("there");
        assert!(list(&file, "/virtual/latest/stdout").expect("no error, as in Mesos").is_empty());
    }
}

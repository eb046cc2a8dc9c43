//! What a task writes, kept in files that do not grow for ever.
//!
//! A task writes into a pipe and never knows of files, so that one which never opens its output anew has it rotated like
//! any other. Who has the pipe's other end (an init, or an agent without one) moves what comes into `stdout`; when that
//! is full it becomes `stdout.1`, what was `stdout.1` becomes `stdout.2`, and so on; the oldest goes.
//!
//! The bytes are spliced: they do not pass through this process' memory. A task never waits for a disk that takes
//! nothing: what cannot be written is dropped, and the file says how much was, as soon as it can.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::SystemTime;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

/// The smallest size that a file can be limited to, in bytes.
pub const MIN_SIZE: u64 = 4096;

/// How much is moved before the other stream has its turn.
const TURN: u64 = 1 << 20;

/// How much is dropped at a time, and moved where a file system does not splice. Small, because it is on the stack of an
/// init.
const BUFFER: usize = 4096;

/// How much of an output is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// How large a file becomes, in bytes.
    pub max_size: u64,
    /// How many full ones are kept beside the one that is written to.
    pub keep: u32,
}

impl Default for Rotation {
    /// 10 MB, as Mesos has it, and four of them beside the one that is written to.
    fn default() -> Self {
        Self { max_size: 10 << 20, keep: 4 }
    }
}

/// Whether more is to be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// That was all for now.
    All,
    /// There is more already; others should have their turn first.
    NotAll,
    /// Nobody can write any more.
    End,
}

/// One output, and the files it is in.
#[derive(Debug)]
pub struct Log {
    name: &'static str,
    file: File,
    rotation: Rotation,
    /// Whether the file system refuses to splice.
    copies: bool,
    /// What could not be written since the last time that something could.
    lost: u64,
}

impl Log {
    /// An output that goes to `file`, which is called `name` in its directory.
    ///
    /// # Errors
    /// If the file cannot be written to anywhere but at its end.
    pub fn new(name: &'static str, file: File, rotation: Rotation) -> io::Result<Self> {
        // What appends cannot be spliced to.
        let flags = rustix::fs::fcntl_getfl(&file)? - OFlags::APPEND;
        rustix::fs::fcntl_setfl(&file, flags)?;
        Ok(Self { name, file, rotation, copies: false, lost: 0 })
    }

    /// Moves what is in the pipe into the file, or into the next ones in `directory`. Never waits for more: the pipe's
    /// reading end does not block.
    pub fn take(&mut self, pipe: BorrowedFd<'_>, directory: BorrowedFd<'_>) -> Taken {
        let mut moved = 0;
        while moved < TURN {
            // A full file stays the newest one until there is something for the next.
            if rustix::io::ioctl_fionread(pipe) == Ok(0) {
                return if is_over(pipe) { Taken::End } else { Taken::All };
            }
            moved += match self.room(directory).and_then(|room| self.fill(pipe, room)) {
                Ok(0) => return Taken::End,
                Ok(count) => count,
                Err(Errno::AGAIN) => return Taken::All,
                Err(Errno::INTR) => 0,
                Err(_) => match self.drop_some(pipe) {
                    Ok(0) => return Taken::End,
                    Ok(count) => count,
                    Err(_) => return Taken::All,
                },
            };
        }
        Taken::NotAll
    }

    /// How much fits into the file, which is another one if it was full.
    fn room(&mut self, directory: BorrowedFd<'_>) -> Result<u64, Errno> {
        // A task may write to the file itself, or cut it off: its end is where it is now.
        let mut size = self.end()?;
        if size >= self.rotation.max_size {
            self.rotate(directory)?;
            size = self.end()?;
        }
        if self.lost > 0 {
            let note = format!("\n[{} bytes of output are lost: they could not be written]\n", self.lost);
            self.file.write_all(note.as_bytes()).map_err(|error| errno(&error))?;
            self.lost = 0;
            size = self.end()?;
        }
        Ok(self.rotation.max_size.saturating_sub(size).clamp(1, TURN))
    }

    fn end(&mut self) -> Result<u64, Errno> {
        self.file.seek(SeekFrom::End(0)).map_err(|error| errno(&error))
    }

    fn fill(&mut self, pipe: BorrowedFd<'_>, room: u64) -> Result<u64, Errno> {
        let count = usize::try_from(room).unwrap_or(usize::MAX);
        if !self.copies {
            match splice(pipe, None, &self.file, None, count, SpliceFlags::NONBLOCK) {
                Ok(count) => return Ok(count as u64),
                Err(Errno::INVAL) => self.copies = true,
                Err(error) => return Err(error),
            }
        }
        let mut buffer = [0; BUFFER];
        let (some, _) = buffer.split_at_mut(count.min(BUFFER));
        let count = rustix::io::read(pipe, &mut *some)?;
        if self.file.write_all(&some[..count]).is_err() {
            self.lost += count as u64;
        }
        Ok(count as u64)
    }

    /// Takes something out of the pipe that cannot be written.
    fn drop_some(&mut self, pipe: BorrowedFd<'_>) -> Result<u64, Errno> {
        let mut buffer = [0; BUFFER];
        let count = rustix::io::read(pipe, &mut buffer[..])? as u64;
        self.lost += count;
        Ok(count)
    }

    /// Puts the full file aside and begins the next.
    fn rotate(&mut self, directory: BorrowedFd<'_>) -> Result<(), Errno> {
        match self.replace(directory) {
            Ok(file) => {
                self.file = file;
                Ok(())
            }
            // A task has put something in the way, or the directory is gone: what is bounded stays bounded.
            Err(_) => self.file.set_len(0).map_err(|error| errno(&error)),
        }
    }

    fn replace(&self, directory: BorrowedFd<'_>) -> Result<File, Errno> {
        let path = |number: u32| match number {
            0 => self.name.to_owned(),
            number => format!("{}.{number}", self.name),
        };
        let keep = self.rotation.keep;
        // Up to the first number that is free; beyond the last one there is nothing to look for.
        let exists =
            |number: u32| rustix::fs::statat(directory, path(number), AtFlags::SYMLINK_NOFOLLOW).is_ok();
        let last = (1..=keep).find(|number| !exists(*number)).unwrap_or(keep);
        for number in (1..=last).rev() {
            match renameat(directory, path(number - 1), directory, path(number)) {
                Err(Errno::NOENT) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        if keep == 0 {
            match unlinkat(directory, path(0), AtFlags::empty()) {
                Err(Errno::NOENT) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        // Readers that follow tell files that were put aside by their times, which the kernel does not keep so exactly. It
        // costs them nothing else if that fails.
        let _ = self.file.set_modified(SystemTime::now());
        // The sandbox belongs to the task's user, who may put a link there: it is not followed.
        let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(directory, path(0), new, Mode::RUSR | Mode::WUSR)?;
        let before = fstat(&self.file)?;
        fchown(&file, Some(Uid::from_raw(before.st_uid)), Some(Gid::from_raw(before.st_gid)))?;
        fchmod(&file, Mode::from_raw_mode(before.st_mode))?;
        Ok(File::from(file))
    }
}

/// The pipe that takes the place of a file as a task's output: what is read from, which does not block, and what is
/// written to. It belongs to `owner`, who can open it once more by its name in `/proc`.
///
/// # Errors
/// If there are no descriptors left.
pub fn pipe(owner: Option<(u32, u32)>) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    if let Some((uid, gid)) = owner {
        fchown(writer.as_fd(), Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok((reader, writer))
}

/// Whether nobody can write into a pipe any more.
fn is_over(pipe: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::from_borrowed_fd(pipe, PollFlags::empty())];
    poll(&mut asked, Some(&Timespec::default())).is_ok() && asked[0].revents().contains(PollFlags::HUP)
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, read_to_string};
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Scene {
        root: tempfile::TempDir,
        directory: File,
        log: Log,
        reader: OwnedFd,
        writer: File,
    }

    fn scene(max_size: u64, keep: u32) -> Scene {
        let root = tempfile::tempdir().expect("a directory");
        let directory = File::open(root.path()).expect("there");
        let file = File::options().append(true).create(true).open(root.path().join("stdout")).expect("ours");
        let log = Log::new("stdout", file, Rotation { max_size, keep }).expect("a log");
        let (reader, writer) = pipe(None).expect("a pipe");
        Scene { root, directory, log, reader, writer: File::from(writer) }
    }

    impl Scene {
        fn write(&mut self, text: &str) -> Taken {
            self.writer.write_all(text.as_bytes()).expect("room in the pipe");
            self.log.take(self.reader.as_fd(), self.directory.as_fd())
        }

        fn content(&self, name: &str) -> String {
            read_to_string(self.root.path().join(name)).unwrap_or_else(|error| error.kind().to_string())
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.root.path()).expect("readable").flatten();
            let mut names: Vec<String> =
                entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_full_file_is_put_aside_and_the_oldest_goes() {
        let mut scene = scene(4, 2);
        assert_eq!(scene.write("aaaabbbb"), Taken::All);
        assert_eq!((scene.content("stdout"), scene.content("stdout.1")), ("bbbb".into(), "aaaa".into()));
        scene.write("ccccdd");
        scene.write("dde");
        assert_eq!(scene.names(), ["stdout", "stdout.1", "stdout.2"]);
        assert_eq!(
            scene.content("stdout") + &scene.content("stdout.1") + &scene.content("stdout.2"),
            "eddddcccc"
        );
        let Scene { mut log, reader, writer, directory, .. } = scene;
        drop(writer);
        assert_eq!(log.take(reader.as_fd(), directory.as_fd()), Taken::End);
    }

    #[test]
    fn where_none_is_to_be_kept_none_is() {
        let mut scene = scene(4, 0);
        scene.write("aaaabbbbcc");
        assert_eq!((scene.names(), scene.content("stdout")), (vec!["stdout".to_owned()], "cc".to_owned()));
    }

    #[test]
    fn what_was_there_and_what_others_write_or_cut_off_stays_in_order() {
        let mut scene = scene(100, 1);
        let path = scene.root.path().join("stdout");
        fs::write(&path, "fetched ").expect("ours");
        scene.write("began ");
        File::options().append(true).open(&path).expect("there").write_all(b"other ").expect("ours");
        scene.write("went on");
        assert_eq!(scene.content("stdout"), "fetched began other went on");
        fs::write(&path, "").expect("ours");
        scene.write("anew");
        assert_eq!(scene.content("stdout"), "anew");
    }

    #[test]
    fn a_new_file_belongs_to_whom_the_old_one_did_and_no_link_is_followed() {
        let mut scene = scene(4, 2);
        let outside = tempfile::tempdir().expect("a directory");
        let victim = outside.path().join("victim");
        fs::write(&victim, "untouched").expect("ours");
        symlink(&victim, scene.root.path().join("stdout.1")).expect("as a task may do");
        fs::set_permissions(scene.root.path().join("stdout"), PermissionsExt::from_mode(0o640))
            .expect("ours");
        scene.write("aaaabbbb");
        assert_eq!(read_to_string(&victim).expect("there"), "untouched");
        assert_eq!(scene.content("stdout.1"), "aaaa");
        let mode = fs::metadata(scene.root.path().join("stdout")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }

    #[test]
    fn what_stands_in_the_way_costs_old_output_and_not_the_bound() {
        let mut scene = scene(4, 1);
        let in_the_way = scene.root.path().join("stdout.1/full");
        fs::create_dir_all(in_the_way).expect("as a task may do");
        scene.write("aaaabbbbc");
        assert_eq!(scene.content("stdout"), "c");
    }

    #[test]
    fn a_disk_that_takes_nothing_holds_up_nobody_and_the_loss_is_told() {
        let mut scene = scene(100, 1);
        let full = File::options().write(true).open("/dev/full").expect("every Linux has it");
        let good = std::mem::replace(&mut scene.log.file, full);
        assert_eq!(scene.write("lost"), Taken::All);
        assert_eq!(scene.write("lost"), Taken::All);
        scene.log.file = good;
        scene.write("back");
        let note = "\n[8 bytes of output are lost: they could not be written]\nback";
        assert_eq!(scene.content("stdout"), note);
    }

    #[test]
    fn a_file_system_that_does_not_splice_is_copied_to() {
        let mut scene = scene(6000, 1);
        scene.log.copies = true;
        scene.write(&"x".repeat(10_000));
        assert_eq!((scene.content("stdout").len(), scene.content("stdout.1").len()), (4000, 6000));
    }
}

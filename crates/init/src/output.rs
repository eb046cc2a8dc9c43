//! The task's standard output and error on their way into files.

use std::fs::File;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use crate::log::{Log, Rotation, Taken, pipe};
use crate::run::FD_SANDBOX;
use crate::spec::Spec;

/// How often it is looked once more after the task's end for what others still write: a full pipe, and no more.
const LAST_TURNS: usize = 2;

struct Stream {
    log: Log,
    /// Gone when nobody can write any more.
    pipe: Option<OwnedFd>,
}

/// What comes out of a task; nothing if it writes to its files itself.
#[derive(Default)]
pub(crate) struct Streams {
    open: Vec<Stream>,
    directory: Option<OwnedFd>,
}

/// Puts pipes in the place of standard output and error, if the task's output is to be rotated. The files that were there
/// are what comes from the pipes goes to.
#[expect(unsafe_code, reason = "the descriptors come by number from whoever executed us")]
pub(crate) fn divert(spec: &Spec) -> io::Result<Streams> {
    let Some(outputs) = spec.outputs else { return Ok(Streams::default()) };
    // SAFETY: we were executed with this descriptor, and nobody else in this process knows of it.
    let directory = unsafe { OwnedFd::from_raw_fd(FD_SANDBOX) };
    fcntl_setfd(&directory, FdFlags::CLOEXEC)?;
    let owner = spec.task.user.as_ref().map(|user| (user.uid, user.gid));
    let open = vec![stream(1, "stdout", outputs.stdout, owner)?, stream(2, "stderr", outputs.stderr, owner)?];
    Ok(Streams { open, directory: Some(directory) })
}

#[expect(unsafe_code, reason = "standard streams are known by number")]
fn stream(
    number: i32,
    name: &'static str,
    rotation: Rotation,
    owner: Option<(u32, u32)>,
) -> io::Result<Stream> {
    // SAFETY: the descriptor stays open; only what it refers to changes, and no memory is touched. It is not closed here.
    let mut own = ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
    let file = File::from(fcntl_dupfd_cloexec(own.as_fd(), FD_SANDBOX)?);
    let (reader, writer) = pipe(owner)?;
    rustix::io::dup2(&writer, &mut own)?;
    Ok(Stream { log: Log::new(name, file, rotation)?, pipe: Some(reader) })
}

impl Streams {
    /// Moves what comes, until there is something to read from `signals` (which may be at once, or has been).
    pub(crate) fn move_until(&mut self, signals: impl AsFd) -> io::Result<()> {
        loop {
            let mut waited: Vec<PollFd<'_>> = Vec::with_capacity(3);
            waited.push(PollFd::new(&signals, PollFlags::IN));
            let pipes = self.open.iter().filter_map(|stream| stream.pipe.as_ref());
            waited.extend(pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)));
            match poll(&mut waited, None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let told = !waited[0].revents().is_empty();
            drop(waited);
            self.turn();
            if told {
                return Ok(());
            }
        }
    }

    /// Moves what the task has written and what is still on its way. What others go on writing is nobody's affair: they
    /// are about to be killed.
    pub(crate) fn finish(&mut self) {
        for _ in 0..LAST_TURNS {
            if !self.turn() {
                return;
            }
        }
    }

    /// Returns whether there is more already.
    fn turn(&mut self) -> bool {
        let Some(directory) = &self.directory else { return false };
        let directory: BorrowedFd<'_> = directory.as_fd();
        let mut more = false;
        for Stream { log, pipe } in &mut self.open {
            match pipe.as_ref().map(|pipe| log.take(pipe.as_fd(), directory)) {
                Some(Taken::End) => *pipe = None,
                Some(Taken::NotAll) => more = true,
                Some(Taken::All) | None => {}
            }
        }
        more
    }
}

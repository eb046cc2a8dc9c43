//! The program: read the spec, take the steps, start the task, wait, record.

use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::FdFlags;
use rustix::process::{Signal, set_child_subreaper, set_parent_process_death_signal};

use crate::proc::Proc;
use crate::spec::Spec;
use crate::{enter, output, record, steps, task, wait};

/// The descriptor from which the encoded [`Spec`] is read, to its end. Afterwards it is the task's empty input.
pub const FD_SPEC: i32 = 0;

/// The descriptor of a pipe that tells whether the task runs: if it closes without a word it does, otherwise what comes
/// is one line that says why not.
pub const FD_READY: i32 = 3;

/// The descriptor of the directory that standard output and error lie in, as the files `stdout` and `stderr`, if they are
/// to be [rotated](crate::Outputs).
pub const FD_SANDBOX: i32 = 4;

/// The descriptor of the first process of a container that is to be entered (pidfd); only there for who is to.
pub const FD_CONTAINER: i32 = 5;

/// Why there will be no task: what was tried, and what the system said.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(attempt: impl Display, reason: impl Display) -> Self {
        Self(format!("{attempt}: {reason}"))
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// For errors: says what was tried.
pub(crate) trait Trying<T> {
    fn trying<D: Display>(self, attempt: impl FnOnce() -> D) -> Result<T, Failure>;
}

impl<T, E: Display> Trying<T> for Result<T, E> {
    fn trying<D: Display>(self, attempt: impl FnOnce() -> D) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(attempt(), error))
    }
}

/// All of `meseta-init`. Standard output and standard error are the task's; see [`FD_SPEC`] and [`FD_READY`].
#[must_use]
#[expect(unsafe_code, reason = "the descriptors come by number from whoever executed us")]
pub fn run() -> ExitCode {
    // SAFETY: we were just executed with this descriptor, and nobody else in this process knows of it.
    let ready = unsafe { OwnedFd::from_raw_fd(FD_READY) };
    let mut ready = File::from(ready);
    match contain(&mut ready) {
        Ok(code) => code,
        Err(failure) => {
            // Nobody listens any more only if our parent is gone, and then nobody needs to know.
            let _ = writeln!(ready, "{failure}");
            ExitCode::FAILURE
        }
    }
}

#[expect(unsafe_code, reason = "the descriptors come by number from whoever executed us")]
fn contain(ready: &mut File) -> Result<ExitCode, Failure> {
    // SAFETY: as above; standard input is used by nothing else here.
    let mut source = File::from(unsafe { OwnedFd::from_raw_fd(FD_SPEC) });
    let mut bytes = Vec::new();
    source.read_to_end(&mut bytes).trying(|| "cannot read the container's spec")?;
    // The next file to be opened gets the lowest free number: the task's standard input.
    drop(source);
    let input = File::open("/dev/null").trying(|| "cannot open /dev/null")?;
    // The input goes on to the task, the pipe does not: that it closes says that the task runs.
    let passed_on = rustix::io::fcntl_setfd(&input, FdFlags::empty());
    passed_on
        .and(rustix::io::fcntl_setfd(&*ready, FdFlags::CLOEXEC))
        .trying(|| "cannot prepare descriptors")?;
    let spec = Spec::decode(&bytes).trying(|| "cannot start a container")?;
    drop(bytes);
    rustix::thread::set_name(c"meseta-init").trying(|| "cannot take a name")?;
    let record = spec
        .record
        .as_ref()
        .map(|directory| record::open(directory).trying(|| format!("cannot write in {directory:?}")));
    let record = record.transpose()?;
    if spec.dies_with_parent {
        die_with_parent(ready.as_fd())?;
    }
    if !spec.owns_pids {
        // Whom the task's children lose as their parent, they get us for.
        set_child_subreaper(Some(rustix::process::getpid())).trying(|| "cannot adopt orphans")?;
    }
    // Of before anything is mounted: a volume may be put in its place.
    let proc = Proc::open().trying(|| "cannot open /proc")?;
    for step in &spec.steps {
        steps::take(step, &proc)?;
    }
    if spec.holds {
        drop((spec, input, proc));
        close_own(ready.as_fd());
        wait::for_ever();
    }
    let owns_pids = spec.owns_pids;
    let mut streams = output::divert(&spec).trying(|| "cannot take the task's output")?;
    let task = task::start(&spec.task, &proc, ready)?;
    drop((spec, input, proc));
    // From here on nothing is ours to say: the task's child alone holds its files and tells that it runs.
    close_own(ready.as_fd());
    let status = wait::Waiting { task, owns_pids }.until_ended(&mut streams)?;
    // Where it cannot be recorded, our parent at least learns the code.
    let Some(record) = record else {
        streams.finish();
        return Ok(enter::end_like(status));
    };
    let code = match record::write(&record, status) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(status.to_ne_bytes()[usize::from(cfg!(target_endian = "little"))]),
    };
    streams.finish();
    Ok(code)
}

/// Has the kernel kill us when the thread that started us ends.
fn die_with_parent(ready: BorrowedFd<'_>) -> Result<(), Failure> {
    set_parent_process_death_signal(Some(Signal::KILL)).trying(|| "cannot be bound to the agent's life")?;
    // Had it ended before, nobody would tell us; but then nobody reads what we would have to say either.
    let mut descriptors = [PollFd::from_borrowed_fd(ready, PollFlags::empty())];
    let gone = poll(&mut descriptors, Some(&Timespec::default())).is_ok()
        && descriptors[0].revents().contains(PollFlags::ERR);
    if gone { Err(Failure::new("not started", "the agent is gone")) } else { Ok(()) }
}

/// Lets go of what only the task needs. The numbers stay taken, so that nothing opened later is mistaken for them.
fn close_own(ready: BorrowedFd<'_>) {
    let Ok(null) = File::options().read(true).write(true).open("/dev/null") else { return };
    for number in [1, 2] {
        replace(number, null.as_fd());
    }
    replace(std::os::fd::AsRawFd::as_raw_fd(&ready), null.as_fd());
}

#[expect(unsafe_code, reason = "standard streams are known by number")]
fn replace(number: i32, by: BorrowedFd<'_>) {
    // SAFETY: the descriptor stays open; only what it refers to changes, and no memory is touched. It is forgotten so
    // that it is not closed here.
    let mut descriptor = std::mem::ManuallyDrop::new(unsafe { OwnedFd::from_raw_fd(number) });
    // It keeps what it was if the system refuses, which costs memory and nothing else.
    let _ = rustix::io::dup2(by, &mut descriptor);
}

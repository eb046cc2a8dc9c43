//! What is known of a container on disk, so that a launcher started later finds it again.
//!
//! ```text
//! <runtime_dir>/containers/<container id>/
//!   process     one line: boot id, pid, start time, whether the pid namespace is its own; written before the init
//!               is told anything, so that without it nothing has run
//!   status      how the task ended; the init writes it (see `init::record`)
//!   unfinished  there while a group is being made; nothing has run in one that was left like that
//!   holder      as `process`, of the first process of the pid namespace that those in a group share
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base::ContainerId;

use super::options::RecordMoment;
use super::shared;
use crate::launcher::LaunchError;
use crate::procs;

const PROCESS: &str = "process";
const HOLDER: &str = "holder";
const UNFINISHED: &str = "unfinished";

/// All records.
#[derive(Debug)]
pub(super) struct Records {
    directory: PathBuf,
    boot: String,
    watch: Option<fn(RecordMoment)>,
}

/// A container's first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    pub(super) pid: i32,
    /// In clock ticks after boot.
    pub(super) started: u64,
    pub(super) owns_pids: bool,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none, or nothing has run.
    Nothing,
    /// It runs.
    Running(First),
    /// It has ended: with this status, if it could still say so.
    Ended(Option<i32>),
}

impl Records {
    pub(super) fn open(runtime_dir: &Path, watch: Option<fn(RecordMoment)>) -> io::Result<Self> {
        let directory = runtime_dir.join("containers");
        fs::create_dir_all(&directory)?;
        rustix::fs::chmod(&directory, rustix::fs::Mode::RWXU)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        Ok(Self { directory: directory.canonicalize()?, boot, watch })
    }

    /// Makes a change.
    fn change<T>(&self, change: impl FnOnce() -> T) -> T {
        let tell = |moment| {
            if let Some(watch) = self.watch {
                watch(moment);
            }
        };
        tell(RecordMoment::Before);
        let made = change();
        tell(RecordMoment::After);
        made
    }

    pub(super) fn of(&self, container_id: &ContainerId) -> PathBuf {
        self.directory.join(container_id.as_str())
    }

    pub(super) fn create(&self, container_id: &ContainerId) -> Result<PathBuf, LaunchError> {
        let path = self.of(container_id);
        match self.change(|| fs::create_dir(&path)) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(LaunchError::Record { path, source })
            }
            _ => Ok(path),
        }
    }

    pub(super) fn write(&self, container_id: &ContainerId, first: &First) -> Result<(), LaunchError> {
        self.note(container_id, PROCESS, first)
    }

    /// Notes that a group is being made: its limits come after its directories.
    pub(super) fn begin_group(&self, group: &ContainerId) -> Result<(), LaunchError> {
        let path = self.of(group).join(UNFINISHED);
        self.change(|| fs::write(&path, "")).map_err(|source| LaunchError::Record { path, source })
    }

    /// Notes that a group is all that it is to be.
    pub(super) fn finish_group(&self, group: &ContainerId) -> Result<(), LaunchError> {
        let path = self.of(group).join(UNFINISHED);
        self.change(|| fs::remove_file(&path)).map_err(|source| LaunchError::Record { path, source })
    }

    /// Whether a group was not left unfinished.
    pub(super) fn is_whole(&self, group: &ContainerId) -> bool {
        !self.of(group).join(UNFINISHED).exists()
    }

    /// Writes down who keeps the pid namespace of a group.
    pub(super) fn write_holder(&self, group: &ContainerId, first: &First) -> Result<(), LaunchError> {
        self.note(group, HOLDER, first)
    }

    /// Who keeps the pid namespace of a group, if there is one.
    pub(super) fn holder(&self, group: &ContainerId) -> Option<First> {
        let line = fs::read_to_string(self.of(group).join(HOLDER)).ok()?;
        parse(&line).filter(|(boot, _)| *boot == self.boot).map(|(_, first)| first)
    }

    fn note(&self, container_id: &ContainerId, name: &str, first: &First) -> Result<(), LaunchError> {
        let path = self.of(container_id).join(name);
        let line = format!("{} {} {} {}\n", self.boot, first.pid, first.started, u8::from(first.owns_pids));
        self.change(|| fs::write(&path, line)).map_err(|source| LaunchError::Record { path, source })
    }

    pub(super) fn read(&self, container_id: &ContainerId) -> Found {
        let directory = self.of(container_id);
        let line = fs::read_to_string(directory.join(PROCESS)).unwrap_or_default();
        let Some((boot, first)) = parse(&line) else { return Found::Nothing };
        let runs = boot == self.boot
            && procs::read(first.pid)
                .is_some_and(|process| process.started == first.started && !process.zombie);
        if runs {
            return Found::Running(first);
        }
        match init::record::read(&directory) {
            // It ended with the machine, and nobody could say so.
            Ok(None) if boot != self.boot => Found::Nothing,
            Ok(status) => Found::Ended(status),
            Err(error) => {
                tracing::warn!(%container_id, %error, "the record of how a container ended cannot be read");
                Found::Ended(None)
            }
        }
    }

    /// How a container ended whose init is gone; `None` if the init could not say so.
    pub(super) fn status(&self, container_id: &ContainerId) -> Option<i32> {
        init::record::read(&self.of(container_id)).ok().flatten()
    }

    pub(super) fn remove(&self, container_id: &ContainerId) {
        let path = self.of(container_id);
        shared::release(&path);
        match self.change(|| fs::remove_dir_all(&path)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(path = %path.display(), %error, "the record of a container cannot be removed");
            }
            _ => {}
        }
    }

    /// Every container that has a record.
    pub(super) fn all(&self) -> io::Result<Vec<ContainerId>> {
        fs::read_dir(&self.directory)?
            .map(|entry| Ok(ContainerId::from(entry?.file_name().to_string_lossy().as_ref())))
            .collect()
    }
}

fn parse(line: &str) -> Option<(&str, First)> {
    let mut words = line.strip_suffix('\n')?.split(' ');
    let boot = words.next()?;
    let (pid, started) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let owns_pids = words.next()? == "1";
    words.next().is_none().then_some((boot, First { pid, started, owns_pids }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> ContainerId {
        ContainerId::from("c")
    }

    #[test]
    fn a_process_is_told_from_a_later_one_with_its_number() {
        let directory = tempfile::tempdir().expect("a directory");
        let records = Records::open(directory.path(), None).expect("writable");
        assert_eq!(records.read(&id()), Found::Nothing);
        records.create(&id()).expect("writable");
        assert_eq!(records.read(&id()), Found::Nothing, "prepared, not started");
        let pid = i32::try_from(std::process::id()).expect("small");
        let started = procs::read(pid).expect("we run").started;
        let own = First { pid, started, owns_pids: true };
        records.write(&id(), &own).expect("writable");
        assert_eq!(records.read(&id()), Found::Running(own));
        records.write(&id(), &First { started: started + 1, ..own }).expect("writable");
        assert_eq!(records.read(&id()), Found::Ended(None));
        fs::write(records.of(&id()).join(init::record::FILE), "256\n").expect("writable");
        assert_eq!(records.read(&id()), Found::Ended(Some(256)));
        assert_eq!(records.all().expect("readable"), [id()]);
        records.remove(&id());
        assert_eq!(records.read(&id()), Found::Nothing);
    }

    #[test]
    fn after_a_reboot_nothing_runs() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut records = Records::open(directory.path(), None).expect("writable");
        records.create(&id()).expect("writable");
        let pid = i32::try_from(std::process::id()).expect("small");
        let started = procs::read(pid).expect("we run").started;
        records.write(&id(), &First { pid, started, owns_pids: true }).expect("writable");
        records.boot = "another".to_owned();
        assert_eq!(records.read(&id()), Found::Nothing);
        fs::write(records.of(&id()).join(init::record::FILE), "256\n").expect("writable");
        assert_eq!(records.read(&id()), Found::Ended(Some(256)), "it ended before");
    }

    #[test]
    fn a_torn_line_says_that_nothing_has_run() {
        for line in ["", "b", "b 1 2 1", "b 1 2 1 3\n", "b x 2 1\n"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
        assert_eq!(parse("b 1 2 0\n"), Some(("b", First { pid: 1, started: 2, owns_pids: false })));
    }
}

//! What the kernel writes when it kills a process for memory: the only place that names it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

/// How many killings are remembered until somebody asks.
const REMEMBERED: usize = 64;
/// The longest record there is.
const RECORD: usize = 8192;

/// A process that was killed for memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Victim {
    pub(super) pid: i32,
    pub(super) name: String,
    /// Bytes that it held.
    pub(super) resident: u64,
}

/// The kernel's log, read from when this was opened.
#[derive(Debug)]
pub(super) struct KernelLog {
    /// `None` where reading it is not allowed.
    file: Option<File>,
    /// The group and number of who is to be killed: the line before.
    chosen: Option<(String, i32)>,
    victims: VecDeque<(String, Victim)>,
}

impl KernelLog {
    pub(super) fn open() -> Self {
        let mut options = File::options();
        let open = options.read(true).custom_flags(nix::libc::O_NONBLOCK).open("/dev/kmsg");
        let file = open.ok().and_then(|mut file| file.seek(SeekFrom::End(0)).ok().map(|_| file));
        Self { file, chosen: None, victims: VecDeque::new() }
    }

    /// Whether there is something to wait for.
    pub(super) fn readable(&self) -> bool {
        self.file.is_some()
    }

    /// The last process that was killed for memory in a group, told once.
    pub(super) fn victim(&mut self, group: &str) -> Option<Victim> {
        self.read();
        let index = self.victims.iter().rposition(|(of, _)| of == group)?;
        self.victims.remove(index).map(|(_, victim)| victim)
    }

    fn read(&mut self) {
        let mut record = [0_u8; RECORD];
        loop {
            let Some(file) = &mut self.file else { return };
            match file.read(&mut record) {
                Ok(0) => return,
                Ok(count) => {
                    let text = String::from_utf8_lossy(&record[..count]).into_owned();
                    self.take(&text);
                }
                // It wrote so much that some is lost, or a signal came.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, record: &str) {
        if let Some((_, fields)) = record.split_once("oom-kill:constraint=") {
            let field = |name: &str| {
                fields
                    .lines()
                    .next()?
                    .split(',')
                    .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
            };
            self.chosen = field("task_memcg")
                .zip(field("pid").and_then(|pid| pid.parse().ok()))
                .map(|(group, pid)| (group.to_owned(), pid));
        } else if let Some(victim) = killed(record)
            && let Some((group, pid)) = &self.chosen
            && *pid == victim.pid
        {
            if self.victims.len() == REMEMBERED {
                self.victims.pop_front();
            }
            self.victims.push_back((group.clone(), victim));
        }
    }
}

fn killed(record: &str) -> Option<Victim> {
    let (_, rest) = record.split_once("Killed process ")?;
    let (pid, rest) = rest.split_once(" (")?;
    let (name, rest) = rest.split_once(") ")?;
    let kilobytes = |name: &str| {
        let (_, rest) = rest.split_once(name)?;
        rest.split_once("kB")?.0.parse::<u64>().ok()
    };
    let parts = [kilobytes("anon-rss:"), kilobytes("file-rss:"), kilobytes("shmem-rss:")];
    let resident = parts.into_iter().flatten().sum::<u64>() << 10;
    Some(Victim { pid: pid.parse().ok()?, name: name.to_owned(), resident })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_victim_is_named_with_its_group() {
        let mut log = KernelLog { file: None, chosen: None, victims: VecDeque::new() };
        log.take(
            "6,700,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/mesos/a,\
             task_memcg=/mesos/a,task=python3,pid=42,uid=0\n",
        );
        log.take(
            "3,701,1,-;Memory cgroup out of memory: Killed process 42 (py (3)) total-vm:9kB, anon-rss:1024kB, \
             file-rss:512kB, shmem-rss:0kB, UID:0 pgtables:1kB oom_score_adj:0\n",
        );
        log.take(
            "3,702,1,-;Memory cgroup out of memory: Killed process 43 (other) total-vm:9kB, anon-rss:1kB\n",
        );
        assert_eq!(log.victim("/mesos/b"), None);
        let victim = log.victim("/mesos/a").expect("it was killed");
        assert_eq!((victim.pid, victim.resident), (42, 1536 << 10));
        assert_eq!(log.victim("/mesos/a"), None, "told once");
    }
}

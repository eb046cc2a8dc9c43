//! The processes of this machine, as `/proc` shows them.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal};

/// One process, from `/proc/<pid>/stat` (proc_pid_stat(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// Ended, but not waited for yet.
    pub(crate) zombie: bool,
    /// User and system time with that of the children it waited for, in clock ticks.
    pub(crate) user_ticks: u64,
    pub(crate) system_ticks: u64,
    pub(crate) threads: u32,
    /// In clock ticks after boot. With the pid it names one process for ever.
    pub(crate) started: u64,
    pub(crate) rss_pages: u64,
}

/// Every process there is. One that ends meanwhile may be missing.
pub(crate) fn scan() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::with_capacity(256);
    for entry in entries.flatten() {
        let name = entry.file_name();
        if let Some(pid) = name.to_str().and_then(|name| name.parse().ok())
            && let Some(process) = read(pid)
        {
            found.push(process);
        }
    }
    found
}

/// One process; `None` if there is none of that number.
pub(crate) fn read(pid: i32) -> Option<Process> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(stat: &[u8]) -> Option<Process> {
    // The name is in parentheses and may hold anything, parentheses and bytes that are not UTF-8 too.
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let close = stat.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(&stat[..open]).ok()?.trim().parse().ok()?;
    let rest: Vec<&str> =
        std::str::from_utf8(stat.get(close + 1..)?).ok()?.split_ascii_whitespace().collect();
    let number = |index: usize| rest.get(index)?.parse::<u64>().ok();
    let id = |index: usize| rest.get(index)?.parse::<i32>().ok();
    Some(Process {
        pid,
        parent: id(1)?,
        group: id(2)?,
        session: id(3)?,
        zombie: matches!(*rest.first()?, "Z" | "X"),
        user_ticks: number(11)? + number(13).unwrap_or(0),
        system_ticks: number(12)? + number(14).unwrap_or(0),
        threads: u32::try_from(number(17)?).ok()?,
        started: number(19)?,
        rss_pages: number(21)?,
    })
}

/// The value of a variable in the environment that a process was started with. `None` also if we may not look.
pub(crate) fn environment_variable(pid: i32, name: &str) -> Option<Vec<u8>> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment
        .split(|byte| *byte == 0)
        .find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec))
}

/// Clock ticks as time.
pub(crate) fn ticks(used: u64) -> Duration {
    let ticks = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_secs(used / ticks) + Duration::from_nanos(used % ticks * 1_000_000_000 / ticks)
}

/// Signals exactly this process, never another one that got its number meanwhile. Returns whether it was there.
pub(crate) fn signal(process: &Process, signal: Signal) -> bool {
    let Some(pid) = Pid::from_raw(process.pid) else { return false };
    let Ok(descriptor) = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) else {
        return false;
    };
    // The descriptor names one process for good; if it is the one we mean now, it stays the one.
    read(process.pid).is_some_and(|now| now.started == process.started)
        && rustix::process::pidfd_send_signal(&descriptor, signal).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let line = b"42 (a) R (\xff) S 1 42 43 0 -1 4194560 1 0 0 0 7 8 2 1 20 0 3 0 99 1000 25 18446744073709551615";
        let process = parse(line).expect("a line as the kernel writes it");
        assert_eq!((process.pid, process.parent, process.group, process.session), (42, 1, 42, 43));
        assert_eq!((process.user_ticks, process.system_ticks, process.threads), (9, 9, 3));
        assert_eq!((process.started, process.rss_pages, process.zombie), (99, 25, false));
        assert_eq!(parse(b"42 (x"), None);
    }

    #[test]
    fn this_process_is_there() {
        let own = i32::try_from(std::process::id()).expect("pids are small");
        let found = scan().into_iter().find(|process| process.pid == own).expect("we run");
        assert_eq!(found.started, read(own).expect("we still run").started);
        assert!(environment_variable(own, "PATH").is_some());
        assert_eq!(environment_variable(own, "NO_SUCH_VARIABLE"), None);
    }
}

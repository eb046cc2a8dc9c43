//! The log of a real process: operators read it, and make it say more for a while.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use conformance::cluster::{Cluster, Server};
use conformance::http::{self, Request, Response};
use conformance::operator;
use conformance::scheduler::{Framework, Log, Scheduler};
use serde_json::{Value, json};

fn cluster(flags: &[&str], agent_flags: &[&str]) -> Cluster {
    Cluster::with_flags(1, flags, agent_flags).unwrap()
}

fn get(server: &Server, path: &str) -> Response {
    http::send(&server.address, &Request::get(path), Duration::from_secs(20)).unwrap()
}

/// The whole of a log, by the operator API.
fn read(server: &Server, path: &str) -> String {
    let size = json!({ "path": path, "offset": 0, "length": 0 });
    let answer = operator::call(&server.address, "READ_FILE", &size).unwrap();
    assert_eq!(answer.head.status, 200, "{path}: {}", answer.text());
    let answer: Value = serde_json::from_str(&answer.text()).unwrap();
    assert!(answer["read_file"]["size"].as_u64() > Some(0), "{answer}");
    let downloaded = get(server, &format!("/files/download?path={path}"));
    assert_eq!(downloaded.head.status, 200, "{path}: {}", downloaded.text());
    downloaded.text()
}

#[test]
fn a_log_in_a_file_is_read_by_operators() {
    let logs = tempfile::tempdir().unwrap();
    // It is made, with what is around it.
    let log_dir = logs.path().join("of/servers");
    let flag = format!("--log_dir={}", log_dir.display());
    let cluster = cluster(&[&flag], &[&flag]);
    for (server, path, name) in [
        (&cluster.master, "/master/log", "meseta-master.log"),
        (&cluster.agents[0], "/slave/log", "meseta-agent.log"),
    ] {
        let written = fs::read_to_string(log_dir.join(name)).unwrap();
        assert!(written.contains("register") && !written.contains('\u{1b}'), "{name}: {written}");
        assert!(read(server, path).starts_with(&written), "{name}");
        let last = written.lines().last().unwrap();
        assert!(server.log().contains(last), "standard error has it as well: {last}");
        let entries = get(server, &format!("/files/browse?path={path}"));
        assert_eq!((entries.head.status, entries.text().as_str()), (200, "[]"));
    }
}

/// A small file system of its own, in a directory of its own.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "meseta-test"])
            .arg(directory.path())
            .status()
            .unwrap();
        assert!(mounted.success(), "{mounted}");
        Self(directory)
    }

    fn filler(&self) -> PathBuf {
        self.0.path().join("filler")
    }

    /// Leaves no room on it.
    fn fill(&self) {
        let mut filler = File::create(self.filler()).unwrap();
        while filler.write_all(&[0]).is_ok() {}
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a server of a test that failed may still use it.
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_costs_lines_of_the_file_and_nothing_else() {
    const WHY: &str = "cannot write the log to ";
    let disk = SmallDisk::new();
    let mut cluster = cluster(&[&format!("--log_dir={}", disk.0.path().display())], &[]);
    let file = disk.0.path().join("meseta-master.log");
    let subscribe = |master: &Server, name: &str| {
        let framework = Framework::in_role("*").with("name", name.into());
        Scheduler::subscribe(&master.address, &framework, &Log::default()).unwrap()
    };
    disk.fill();
    // A part of its last page may be free.
    let mut schedulers = Vec::new();
    let fills_up = |master: &Server| {
        schedulers.push(subscribe(master, "fills-up"));
        master.log().contains(WHY)
    };
    cluster.master.wait_until("saying that its file takes nothing", fills_up).unwrap();
    let _lost = [subscribe(&cluster.master, "lost-1"), subscribe(&cluster.master, "lost-2")];
    let says_both = |master: &Server| ["(lost-1)", "(lost-2)"].iter().all(|name| master.log().contains(name));
    cluster.master.wait_until("telling of both on standard error", says_both).unwrap();
    assert_eq!(cluster.master.log().matches(WHY).count(), 1, "{}", cluster.master.log());
    assert!(!fs::read_to_string(&file).unwrap().contains("(lost-2)"));
    fs::remove_file(disk.filler()).unwrap();
    let _kept = subscribe(&cluster.master, "kept");
    let is_back = |_: &Server| fs::read_to_string(&file).unwrap().contains("(kept)");
    cluster.master.wait_until("writing its file again", is_back).unwrap();
    let written = fs::read_to_string(&file).unwrap();
    assert_eq!(written.matches("lines are missing here").count(), 1, "{written}");
}

#[test]
fn what_somebody_else_writes_comes_before_the_own_file() {
    let logs = tempfile::tempdir().unwrap();
    let external = logs.path().join("journal");
    fs::write(&external, "what a supervisor has written\n").unwrap();
    let flags = [
        format!("--log_dir={}", logs.path().display()),
        format!("--external_log_file={}", external.display()),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let cluster = cluster(&flags, &[]);
    assert_eq!(read(&cluster.master, "/master/log"), "what a supervisor has written\n");
    assert!(logs.path().join("meseta-master.log").exists(), "it is written nevertheless");
    let refused = get(&cluster.agents[0], "/files/read?path=/slave/log");
    assert_eq!(refused.head.status, 404, "the agent was given no file");
}

/// Sends a process a message that nobody knows: that it is ignored is a detail.
fn poke(server: &Server, process: &str) {
    let path = format!("/{process}/mesos.internal.NoSuchMessage");
    let request = Request { method: "POST".into(), path, ..Request::default() };
    let request = request.header("Libprocess-From", "nobody@127.0.0.1:1");
    http::send(&server.address, &request, Duration::from_secs(20)).unwrap();
}

/// By the operator API and by the older endpoint.
#[test]
fn the_log_says_more_while_its_level_is_raised() {
    let mut cluster = cluster(&[], &[]);
    let is_detailed = |server: &Server| server.log().contains("NoSuchMessage");
    let level = json!({ "level": 2, "duration": { "nanoseconds": 600_000_000_000_u64 } });
    poke(&cluster.master, "master");
    let set = operator::call(&cluster.master.address, "SET_LOGGING_LEVEL", &level).unwrap();
    assert_eq!(set.head.status, 200, "{}", set.text());
    poke(&cluster.agents[0], "slave(1)");
    assert!(!is_detailed(&cluster.agents[0]), "its level is not raised yet");
    let toggled = get(&cluster.agents[0], "/logging/toggle?level=2&duration=10mins");
    assert_eq!(toggled.head.status, 200, "{}", toggled.text());
    let servers = [(&mut cluster.master, "master"), (&mut cluster.agents[0], "slave(1)")];
    for (server, process) in servers {
        assert_eq!(get(server, "/logging/toggle").text().trim(), "2");
        let saying_more = |server: &Server| {
            poke(server, process);
            is_detailed(server)
        };
        server.wait_until("saying more", saying_more).unwrap();
        // The next change ends it.
        let short = get(server, "/logging/toggle?level=1&duration=1ms");
        assert_eq!(short.head.status, 200, "{}", short.text());
        let is_back = |server: &Server| get(server, "/logging/toggle").text().trim() == "0";
        server.wait_until("back at its level", is_back).unwrap();
    }
}

#[test]
fn an_agent_says_whether_it_isolates_containers() {
    const PLAIN: &str =
        "containers run as plain processes: their files, processes, memory and processors are not isolated";
    for (launcher, is_plain) in [("posix", true), ("linux", false)] {
        let launcher = format!("--launcher={launcher}");
        let cluster = cluster(&[], &[&launcher, "--isolation=posix/cpu,posix/mem"]);
        let log = cluster.agents[0].log();
        assert_eq!(log.matches(PLAIN).count(), usize::from(is_plain), "{launcher}: {log}");
        assert_eq!(
            log.contains("containers run in control groups of version"),
            !is_plain,
            "{launcher}: {log}"
        );
    }
}

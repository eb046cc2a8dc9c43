//! The POSIX launcher against real processes: exit statuses, and that nothing survives a container.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base::ContainerId;
use containerizer::{
    Command, ContainerEvent, LaunchSpec, Launcher, Limits, Outputs, PosixLauncher, PosixOptions, Rotation,
    Signal, Visit, VisitEnd, Wishes, create_sandbox,
};

/// Long enough for a loaded machine; nothing waits so long where things are right.
const PATIENCE: Duration = Duration::from_secs(60);

struct Fixture {
    launcher: PosixLauncher,
    events: Receiver<ContainerEvent>,
    outputs: Option<Outputs>,
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self::with(PosixOptions::default(), Some(Outputs::default()))
    }

    fn with(options: PosixOptions, outputs: Option<Outputs>) -> Self {
        let (sender, events) = channel();
        let sink = Arc::new(move |event| drop(sender.send(event)));
        let launcher = PosixLauncher::new(options, sink).expect("threads");
        Self { launcher, events, outputs, root: tempfile::tempdir().expect("a directory") }
    }

    fn sandbox(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn launch(&self, name: &str, command: Command) -> ContainerId {
        self.launch_as(name, command, None)
    }

    fn launch_as(&self, name: &str, command: Command, user: Option<&str>) -> ContainerId {
        let sandbox = self.sandbox(name);
        create_sandbox(&sandbox, user).expect("a sandbox");
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
        let environment =
            BTreeMap::from([("PATH".to_owned(), path), ("GREETING".to_owned(), "hello".to_owned())]);
        let container_id = ContainerId::from(name);
        self.launcher.launch(LaunchSpec {
            container_id: container_id.clone(),
            command,
            sandbox,
            environment,
            user: user.map(str::to_owned),
            limits: Limits::default(),
            wishes: Wishes::default(),
            outputs: self.outputs,
            survives: false,
        });
        container_id
    }

    fn next(&self) -> ContainerEvent {
        self.events.recv_timeout(PATIENCE).expect("an event in time")
    }

    fn launched(&self) -> u32 {
        match self.next() {
            ContainerEvent::Launched { pid, .. } => pid,
            other => panic!("not launched: {other:?}"),
        }
    }

    fn exited(&self) -> i32 {
        match self.next() {
            ContainerEvent::Exited { status, .. } => status,
            other => panic!("not exited: {other:?}"),
        }
    }

    fn destroyed(&self) {
        match self.next() {
            ContainerEvent::Destroyed { .. } => {}
            other => panic!("not destroyed: {other:?}"),
        }
    }

    /// Runs a command to its end and returns its wait status.
    fn status_of(&self, name: &str, command: Command) -> i32 {
        let container_id = self.launch(name, command);
        self.launched();
        let status = self.exited();
        self.launcher.destroy(&container_id);
        self.destroyed();
        status
    }

    fn read(&self, name: &str, file: &str) -> String {
        std::fs::read_to_string(self.sandbox(name).join(file)).expect("a file of the sandbox")
    }

    /// Waits until a file of the sandbox has so many lines, and returns them.
    fn lines(&self, name: &str, file: &str, count: usize) -> Vec<String> {
        let path = self.sandbox(name).join(file);
        let mut found = Vec::new();
        wait_for(|| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            found = text.lines().map(str::to_owned).collect();
            found.len() >= count && text.ends_with('\n')
        });
        found
    }
}

fn wait_for(mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "it did not come to that in time");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn shell(line: &str) -> Command {
    Command::Shell(line.to_owned())
}

fn is_alive(pid: &str) -> bool {
    // A zombie has no memory map any more, and nobody but init may reap what is left of a daemon.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn processes_in(directory: &Path) -> Vec<String> {
    let own = format!("MESOS_SANDBOX={}", directory.display());
    std::fs::read_dir("/proc")
        .expect("proc")
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
                environment.split(|byte| *byte == 0).any(|variable| variable == own.as_bytes())
            })
        })
        .filter(|pid| is_alive(pid))
        .collect()
}

#[test]
fn exit_statuses_are_those_of_wait() {
    let fixture = Fixture::new();
    assert_eq!(fixture.status_of("true", shell("true")), 0);
    assert_eq!(fixture.status_of("three", shell("exit 3")), 3 << 8);
    assert_eq!(fixture.status_of("killed", shell("kill -9 $$")), 9);
    let argv = vec!["sh".to_owned(), "-c".to_owned(), "exit $#".to_owned(), "0".to_owned(), "1".to_owned()];
    assert_eq!(fixture.status_of("argv", Command::Exec { path: "sh".to_owned(), argv }), 1 << 8);
}

#[test]
fn a_command_that_does_not_exist_is_a_container_that_fails() {
    let fixture = Fixture::new();
    let missing = Command::Exec { path: "/nosuch/binary".to_owned(), argv: vec!["x".to_owned()] };
    assert_eq!(fixture.status_of("exec", missing), 1 << 8);
    assert!(fixture.read("exec", "stderr").contains("Failed to execute '/nosuch/binary'"));
    assert_eq!(fixture.status_of("shell", shell("nosuchcommand")), 127 << 8);
    assert!(fixture.read("shell", "stderr").contains("nosuchcommand"));
    let directory = Command::Exec { path: "/".to_owned(), argv: Vec::new() };
    assert_eq!(fixture.status_of("directory", directory), 1 << 8);
}

#[test]
fn the_surroundings_are_exactly_those_given() {
    let fixture = Fixture::new();
    fixture.status_of(
        "env",
        shell("pwd; env | sort; cat; echo wrong >&2; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l"),
    );
    let sandbox = fixture.sandbox("env").display().to_string();
    let out = fixture.read("env", "stdout");
    let expected = [
        sandbox.as_str(),
        "GREETING=hello",
        &format!("MESOS_SANDBOX={sandbox}"),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        &format!("PWD={sandbox}"),
        "/dev/null",
        // Three, and the one that `ls` has opened itself.
        "4",
    ];
    assert_eq!(out.lines().collect::<Vec<_>>(), expected);
    assert_eq!(fixture.read("env", "stderr"), "wrong\n");
}

#[test]
fn it_leads_a_session_of_its_own() {
    let fixture = Fixture::new();
    let container_id = fixture.launch("session", shell("echo up; exec sleep 1000"));
    let pid = fixture.launched();
    fixture.lines("session", "stdout", 1);
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields: Vec<&str> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    assert_eq!((fields[2], fields[3]), (pid.to_string().as_str(), pid.to_string().as_str()));
    fixture.launcher.signal(&container_id, Signal::TERM);
    assert_eq!(fixture.exited(), 15);
}

#[test]
fn a_signal_reaches_the_whole_tree() {
    let fixture = Fixture::new();
    let script = "setsid sh -c 'echo $$; exec sleep 1000' & sh -c 'echo $$; exec sleep 1000' & wait; wait";
    let container_id = fixture.launch("tree", shell(script));
    fixture.launched();
    let children = fixture.lines("tree", "stdout", 2);
    fixture.launcher.signal(&container_id, Signal::TERM);
    assert_eq!(fixture.exited(), 15);
    wait_for(|| !children.iter().any(|pid| is_alive(pid)));
}

#[test]
fn nothing_survives_its_destruction() {
    let fixture = Fixture::new();
    // Deaf to polite signals; a child in a session of its own; a daemon that forked twice and left session and parents.
    let script = r#"trap '' TERM HUP INT
        echo $$
        setsid sh -c 'trap "" TERM; echo $$; while true; do sleep 1; done' &
        (setsid sh -c '(trap "" TERM; sh -c "echo \$PPID"; while true; do sleep 1; done) & exit' &)
        while true; do sleep 1; done"#;
    let container_id = fixture.launch("daemon", shell(script));
    fixture.launched();
    let pids = fixture.lines("daemon", "stdout", 3);
    assert!(pids.iter().all(|pid| is_alive(pid)), "{pids:?}");
    fixture.launcher.signal(&container_id, Signal::TERM);
    fixture.launcher.destroy(&container_id);
    assert_eq!(fixture.exited(), 9);
    fixture.destroyed();
    assert!(!pids.iter().any(|pid| is_alive(pid)), "{pids:?}");
    assert_eq!(processes_in(&fixture.sandbox("daemon")), Vec::<String>::new());
}

#[test]
fn what_a_finished_command_left_running_is_killed() {
    let fixture = Fixture::new();
    let script = "(setsid sh -c 'echo $$; exec sleep 1000' &) ; (sh -c 'echo $$; exec sleep 1000' &)";
    let container_id = fixture.launch("left", shell(script));
    fixture.launched();
    assert_eq!(fixture.exited(), 0);
    let pids = fixture.lines("left", "stdout", 2);
    fixture.launcher.destroy(&container_id);
    fixture.destroyed();
    assert!(!pids.iter().any(|pid| is_alive(pid)), "{pids:?}");
}

#[test]
fn a_container_can_be_destroyed_before_it_runs() {
    let fixture = Fixture::new();
    let container_id = fixture.launch("early", shell("sleep 1000"));
    fixture.launcher.destroy(&container_id);
    fixture.launched();
    assert_eq!(fixture.exited(), 9);
    fixture.destroyed();
    // And one that is not there is as good as destroyed.
    fixture.launcher.destroy(&container_id);
    fixture.destroyed();
}

#[test]
fn other_containers_are_left_alone() {
    let fixture = Fixture::new();
    let one = fixture.launch("one", shell("exec sleep 1000"));
    fixture.launched();
    let other = fixture.launch("other", shell("exec sleep 1000"));
    let other_pid = fixture.launched();
    fixture.launcher.destroy(&one);
    assert_eq!(fixture.exited(), 9);
    fixture.destroyed();
    assert!(is_alive(&other_pid.to_string()));
    // While a process executes another program it has no memory for a moment.
    wait_for(|| fixture.launcher.usage()[&other].memory_rss > 0);
    let usage = fixture.launcher.usage();
    assert_eq!(usage.keys().collect::<Vec<_>>(), [&other]);
    assert_eq!((usage[&other].processes, usage[&other].threads), (1, 1));
}

#[test]
fn a_group_uses_what_those_in_it_use() {
    let fixture = Fixture::new();
    for name in ["g.one", "g.two"] {
        fixture.launch(name, shell("exec sleep 1000"));
        fixture.launched();
    }
    let usage = fixture.launcher.usage();
    let names: Vec<&str> = usage.keys().map(ContainerId::as_str).collect();
    assert_eq!(names, ["g", "g.one", "g.two"]);
    assert_eq!(usage[&ContainerId::from("g")].processes, 2);
}

#[test]
fn shutting_down_ends_all() {
    let fixture = Fixture::new();
    let pids: Vec<String> = (0..20)
        .map(|number| {
            fixture.launch(&format!("c{number}"), shell("trap '' TERM; sleep 1000 & wait; wait"));
            fixture.launched().to_string()
        })
        .collect();
    fixture.launcher.shutdown();
    assert!(!pids.iter().any(|pid| is_alive(pid)));
    fixture.launch("late", shell("true"));
    let late = fixture.events.iter().find(|event| matches!(event, ContainerEvent::LaunchFailed { .. }));
    assert!(late.is_some());
}

#[test]
fn leftovers_of_an_earlier_launcher_are_found_and_killed() {
    let root = tempfile::tempdir().expect("a directory");
    let sandbox = root.path().join("slaves/S0/c");
    let mut leftover = std::process::Command::new("sleep")
        .arg("1000")
        .env("MESOS_SANDBOX", &sandbox)
        .spawn()
        .expect("sleep is everywhere");
    // A process is there a moment before its environment can be read.
    let environment = format!("/proc/{}/environ", leftover.id());
    while std::fs::read(&environment).expect("it sleeps").is_empty() {
        std::thread::yield_now();
    }
    let found = PosixLauncher::kill_leftovers(root.path());
    assert_eq!(found, [sandbox.display().to_string()]);
    assert!(!leftover.wait().expect("ours").success());
    assert!(PosixLauncher::kill_leftovers(root.path()).is_empty());
}

#[test]
fn it_runs_as_the_user_it_is_told() {
    let fixture = Fixture::new();
    if std::fs::metadata("/proc/self").expect("proc").uid() != 0 {
        return; // Only root can be somebody else.
    }
    // The way to the sandbox is open to all, as an agent's work directory is.
    std::fs::set_permissions(fixture.root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .expect("ours");
    let container_id = fixture.launch_as("user", shell("id -un; id -G; touch mine"), Some("nobody"));
    fixture.launched();
    assert_eq!(fixture.exited(), 0);
    fixture.launcher.destroy(&container_id);
    fixture.destroyed();
    let out = fixture.read("user", "stdout");
    assert_eq!(out.lines().next(), Some("nobody"));
    assert!(!out.lines().nth(1).expect("groups").split(' ').any(|group| group == "0"), "{out}");
    fixture.launcher.launch(LaunchSpec {
        container_id: ContainerId::from("unknown"),
        command: shell("true"),
        sandbox: fixture.sandbox("user"),
        environment: BTreeMap::new(),
        user: Some("no-such-user".to_owned()),
        limits: Limits::default(),
        wishes: Wishes::default(),
        outputs: None,
        survives: false,
    });
    assert!(matches!(fixture.next(), ContainerEvent::LaunchFailed { .. }));
}

#[test]
fn containers_die_with_a_launcher_that_is_killed() {
    const CHILD: &str = "CONTAINERIZER_TEST_IS_KILLED";
    if let Some(root) = std::env::var_os(CHILD) {
        let mut fixture = Fixture::new();
        fixture.root = tempfile::tempdir_in(root).expect("a directory");
        fixture.launch("c", shell("echo $$ > ../../pid.new; mv ../../pid.new ../../pid; exec sleep 1000"));
        loop {
            std::thread::park();
        }
    }
    let root = tempfile::tempdir().expect("a directory");
    let test = std::env::current_exe().expect("this test");
    let name = "containers_die_with_a_launcher_that_is_killed";
    let mut launcher = std::process::Command::new(test)
        .args([name, "--exact"])
        .env(CHILD, root.path())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    let mut pid = String::new();
    wait_for(|| {
        pid = std::fs::read_to_string(root.path().join("pid")).unwrap_or_default().trim().to_owned();
        !pid.is_empty()
    });
    assert!(is_alive(&pid));
    launcher.kill().expect("ours");
    launcher.wait().expect("ours");
    wait_for(|| !is_alive(&pid));
}

#[test]
fn adopted_orphans_are_waited_for_and_no_status_is_lost() {
    // In a process of its own, because it adopts the orphans of the whole process.
    const CHILD: &str = "CONTAINERIZER_TEST_ADOPTS";
    if std::env::var_os(CHILD).is_none() {
        let name = "adopted_orphans_are_waited_for_and_no_status_is_lost";
        let test = std::env::current_exe().expect("this test");
        let status = std::process::Command::new(test).args([name, "--exact"]).env(CHILD, "1").status();
        assert!(status.expect("it runs").success());
        return;
    }
    let fixture = Fixture::with(PosixOptions { adopt_orphans: true, ..PosixOptions::default() }, None);
    let own = std::process::id().to_string();
    // Many short ones, swept all the time, beside one whose orphan ends while it lives.
    let keeper = fixture.launch("keeper", shell("(setsid sleep 0.1 &); echo up; exec sleep 1000"));
    fixture.launched();
    fixture.lines("keeper", "stdout", 1);
    let count = 200;
    for number in 0..count {
        fixture.launch(&format!("c{number}"), shell(&format!("exit {}", number % 100)));
    }
    let mut destroyed = 0;
    while destroyed < count {
        match fixture.next() {
            ContainerEvent::Launched { .. } => {}
            ContainerEvent::Exited { container_id, status } => {
                let number: i32 = container_id.as_str()[1..].parse().expect("a number");
                assert_eq!(status, (number % 100) << 8, "{container_id}");
                fixture.launcher.destroy(&container_id);
            }
            ContainerEvent::Destroyed { .. } => destroyed += 1,
            other => panic!("{other:?}"),
        }
    }
    wait_for(|| {
        let stats = std::fs::read_dir("/proc").expect("proc").flatten();
        let zombies = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
        !zombies.into_iter().any(|stat| stat.contains(&format!(") Z {own} ")))
    });
    fixture.launcher.destroy(&keeper);
    assert_eq!(fixture.exited(), 9);
    fixture.destroyed();
}

#[test]
fn what_a_container_writes_is_rotated_and_there_when_it_is_destroyed() {
    let rotation = Rotation { max_size: 64 << 10, keep: 2 };
    let fixture =
        Fixture::with(PosixOptions::default(), Some(Outputs { stdout: rotation, stderr: rotation }));
    // 2 MB, and nothing waits for it but the order to destroy.
    let container_id = fixture.launch("c", shell("seq 1 300000; echo words >&2; exit 2"));
    fixture.launched();
    assert_eq!(fixture.exited(), 2 << 8);
    fixture.launcher.destroy(&container_id);
    fixture.destroyed();
    let text: String =
        ["stdout.2", "stdout.1", "stdout"].iter().map(|file| fixture.read("c", file)).collect();
    let numbers: Vec<u64> = text.lines().skip(1).map(|line| line.parse().expect("a whole line")).collect();
    assert_eq!(numbers.last(), Some(&300_000));
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]));
    assert!(
        fixture.read("c", "stdout.1").len() == 64 << 10 && !fixture.sandbox("c").join("stdout.3").exists()
    );
    assert_eq!(fixture.read("c", "stderr"), "words\n");
}

/// The processes of this machine whose command line contains `marker`.
fn processes_with(marker: &str) -> usize {
    let processes = std::fs::read_dir("/proc").expect("readable").flatten();
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(marker)).count()
}

/// Enters a container; how that ended.
fn visit(fixture: &Fixture, number: u64, line: &str, timeout: Option<u64>) -> Receiver<VisitEnd> {
    let (sender, end) = channel();
    let sandbox = fixture.sandbox("c");
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned();
    let spec = LaunchSpec {
        container_id: "c".into(),
        command: Command::Shell(line.to_owned()),
        sandbox: sandbox.clone(),
        environment: BTreeMap::from([("PATH".to_owned(), path)]),
        user: None,
        limits: Limits::default(),
        wishes: Wishes::default(),
        outputs: None,
        survives: false,
    };
    let visit = Visit { number, spec, output: sandbox, timeout: timeout.map(Duration::from_millis) };
    fixture.launcher.enter(visit, Box::new(move |end| drop(sender.send(end))));
    end
}

#[test]
fn a_command_visits_a_container_and_its_end_is_told() {
    for adopt_orphans in [false, true] {
        let fixture = Fixture::with(PosixOptions { adopt_orphans, ..PosixOptions::default() }, None);
        fixture.launch("c", shell("sleep 600"));
        fixture.launched();
        for (number, (line, status)) in
            (1..).zip([("pwd >&2", 0), ("exit 7", 7 << 8), ("kill -KILL $$", 9), ("sleep 77761 & exit 0", 0)])
        {
            let end = visit(&fixture, number, line, None).recv_timeout(PATIENCE);
            assert_eq!(end, Ok(VisitEnd::Ended(status)), "{line}");
        }
        let said = std::fs::read_to_string(fixture.sandbox("c").join("stderr")).expect("it was said");
        assert_eq!(said.trim_end(), fixture.sandbox("c").display().to_string());
        wait_for(|| processes_with("77761") == 0);
        let end =
            visit(&fixture, 9, "(sleep 77762; sleep 1) & sleep 77762", Some(300)).recv_timeout(PATIENCE);
        assert_eq!(end, Ok(VisitEnd::TimedOut));
        wait_for(|| processes_with("77762") == 0);
    }
}

#[test]
fn who_visits_a_container_goes_with_it() {
    let fixture = Fixture::new();
    let container_id = fixture.launch("c", shell("sleep 600"));
    fixture.launched();
    let end = visit(&fixture, 1, "setsid sleep 77763 & sleep 77763", None);
    wait_for(|| processes_with("77763") >= 2);
    fixture.launcher.destroy(&container_id);
    wait_for(|| processes_with("77763") == 0);
    assert_eq!(end.recv_timeout(PATIENCE), Ok(VisitEnd::Gone));
    let expelled = visit(&fixture, 2, "exit 0", None);
    assert_eq!(expelled.recv_timeout(PATIENCE), Ok(VisitEnd::Gone));
}

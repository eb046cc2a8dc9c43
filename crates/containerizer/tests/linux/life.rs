//! Starting, ending, saying how; users, arguments, signals.

use containerizer::{Command, LaunchError, Launcher, Signal};

use crate::support::{FULL, Fixture, shell};

#[test]
fn exit_statuses_are_exact() {
    let fixture = Fixture::new(FULL);
    for (line, status) in [("exit 0", 0), ("exit 7", 7 << 8), ("kill -TERM $$", 15), ("kill -KILL $$", 9)] {
        let name = format!("c{status}");
        assert_eq!(fixture.run(&name, shell(line)).status, status, "{line}");
    }
    // A real-time signal, of which no library has a name.
    assert_eq!(fixture.run("rt", shell("kill -40 $$")).status, 40);
}

#[test]
fn it_works_without_any_isolator_too() {
    let fixture = Fixture::new("posix/cpu,posix/mem");
    assert_eq!(fixture.run("plain", shell("exit 3")).status, 3 << 8);
    // What it leaves behind in the background ends with it.
    let ended = fixture.run("daemon", shell("setsid sleep 77771 & exit 0"));
    assert_eq!(ended.status, 0);
    assert!(crate::support::processes_with("77771").is_empty());
}

#[test]
fn a_task_finds_its_sandbox_its_output_and_no_input() {
    let fixture = Fixture::new(FULL);
    let output = fixture.output_of("c", shell("pwd; echo \"$MESOS_SANDBOX\"; cat; echo err >&2"));
    let sandbox = fixture.sandbox("c").display().to_string();
    assert_eq!(output, format!("{sandbox}\n{sandbox}\n"));
    assert_eq!(fixture.read("c", "stderr"), "err\n");
}

#[test]
fn arguments_are_passed_as_they_are() {
    let fixture = Fixture::new(FULL);
    let argv = ["printf", "%s|", "a b", "", "$HOME"].map(str::to_owned).to_vec();
    let asked =
        crate::support::Asked { command: Command::Exec { path: "printf".to_owned(), argv }, ..shell("") };
    assert_eq!(fixture.output_of("c", asked), "a b||$HOME|");
}

#[test]
fn a_command_that_cannot_be_executed_fails_and_says_why() {
    let fixture = Fixture::new(FULL);
    let command = Command::Exec { path: "/no/such/program".to_owned(), argv: vec!["x".to_owned()] };
    let ended = fixture.run("c", crate::support::Asked { command, ..shell("") });
    assert_eq!(ended.status, 1 << 8);
    let errors = fixture.read("c", "stderr");
    assert!(errors.starts_with("Failed to execute '/no/such/program': No such file"), "{errors}");
}

#[test]
fn a_task_runs_as_its_user_with_its_groups() {
    let fixture = Fixture::new(FULL);
    let asked =
        crate::support::Asked { user: Some("nobody".to_owned()), ..shell("id -un; id -g; touch made") };
    let nobody = containerizer::User::lookup("nobody").expect("every Debian has one");
    assert_eq!(fixture.output_of("c", asked), format!("nobody\n{}\n", nobody.gid()));
    let made = std::fs::metadata(fixture.sandbox("c").join("made")).expect("it was made");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), nobody.uid());
}

#[test]
fn an_unknown_user_is_refused_and_nothing_is_left() {
    let fixture = Fixture::new(FULL);
    let sandbox = fixture.sandbox("c");
    containerizer::create_sandbox(&sandbox, None).expect("a sandbox");
    fixture.launcher().launch(containerizer::LaunchSpec {
        container_id: base::ContainerId::from("c"),
        command: Command::Shell("true".to_owned()),
        sandbox,
        environment: std::collections::BTreeMap::new(),
        user: Some("no-such-user".to_owned()),
        limits: containerizer::Limits::default(),
        wishes: containerizer::Wishes::default(),
        outputs: None,
        survives: false,
    });
    assert!(matches!(fixture.failed(), LaunchError::User(_)));
    assert!(fixture.groups().is_empty());
    let records = fixture.root.path().join("run/containers");
    assert_eq!(std::fs::read_dir(records).expect("readable").count(), 0);
}

#[test]
fn what_cannot_be_prepared_says_where_it_failed() {
    let fixture = Fixture::new(FULL);
    let mut asked = shell("true");
    asked.wishes.rlimits = vec![containerizer::Rlimit { resource: 99, soft: Some(1), hard: Some(1) }];
    fixture.launch("c", asked);
    let error = fixture.failed();
    assert!(matches!(&error, LaunchError::Prepare(text) if text.contains("resource limit 99")), "{error:?}");
    assert!(fixture.groups().is_empty());
}

#[test]
fn signals_reach_every_process_of_a_container() {
    for isolation in [FULL, "posix/cpu,posix/mem"] {
        let fixture = Fixture::new(isolation);
        let line = "(trap 'echo child >> said; exit' USR1; echo >> up; while :; do sleep 0.01; done) & \
                    trap 'echo task >> said' USR1; echo >> up; wait; wait";
        let container_id = fixture.launch("c", shell(line));
        fixture.launched();
        crate::support::wait_for(|| fixture.read("c", "up").len() == 2);
        fixture.launcher().signal(&container_id, Signal::USR1);
        crate::support::wait_for(|| fixture.read("c", "said").lines().count() >= 2);
        fixture.launcher().destroy(&container_id);
        fixture.ended();
        fixture.destroyed();
    }
}

#[test]
fn a_container_that_is_not_to_survive_ends_with_who_started_it() {
    // The launcher's threads are what it is bound to: they end with it.
    let mut fixture = Fixture::new(FULL);
    fixture.launch("c", shell("sleep 77772"));
    fixture.launched();
    fixture.launcher.take().expect("it runs").leave();
    crate::support::wait_for(|| crate::support::processes_with("77772").is_empty());
    let root = fixture.options.cgroups_root.clone();
    // Its groups are left for the next one to remove.
    fixture.options.cgroups_root = root;
    assert!(!fixture.groups().is_empty());
    let (sender, _events) = std::sync::mpsc::channel();
    let sink = std::sync::Arc::new(move |event| drop(sender.send(event)));
    let next = containerizer::LinuxLauncher::new(fixture.options.clone(), sink).expect("a launcher");
    let recovered = next.recover(Vec::new());
    assert_eq!(recovered.removed, ["c"]);
}

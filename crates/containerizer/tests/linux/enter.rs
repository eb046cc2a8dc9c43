//! Commands that are run in a container that runs: where they are, how they end, and what is left of them.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use base::ContainerId;
use containerizer::{Known, Launcher, Limits, Visit, VisitEnd, Wishes};

use crate::support::{Asked, FULL, Fixture, PATIENCE, processes_with, shell, wait_for};

/// Enters a container; who asked is told there.
fn enter(
    fixture: &Fixture,
    name: &str,
    number: u64,
    asked: Asked,
    timeout: Option<u64>,
) -> Receiver<VisitEnd> {
    let (sender, end) = channel();
    let visit = Visit {
        number,
        spec: fixture.spec(name, asked),
        output: fixture.sandbox(name),
        timeout: timeout.map(Duration::from_millis),
    };
    fixture.launcher().enter(visit, Box::new(move |end| drop(sender.send(end))));
    end
}

fn visit(fixture: &Fixture, name: &str, number: u64, line: &str, timeout: Option<u64>) -> VisitEnd {
    enter(fixture, name, number, shell(line), timeout).recv_timeout(PATIENCE).expect("an end in time")
}

/// A container that sleeps.
fn sleeper(fixture: &Fixture) -> (ContainerId, u32) {
    let container_id = fixture.launch("c", shell("sleep 600"));
    let pid = fixture.launched();
    (container_id, pid)
}

fn visitors_groups(fixture: &Fixture) -> Vec<PathBuf> {
    fixture.groups().into_iter().filter(|path| path.to_string_lossy().contains("/visit-")).collect()
}

#[test]
fn it_is_where_the_task_is_and_as_whom() {
    let fixture = Fixture::new(FULL);
    let asked = Asked {
        user: Some("nobody".to_owned()),
        ..shell("echo $$ > pid; readlink /proc/self/ns/* > ns; sleep 600")
    };
    fixture.launch("c", asked);
    fixture.launched();
    fixture.line("c", "ns");
    let line = "{ readlink /proc/self/ns/*; id -un; pwd; echo $MESOS_SANDBOX; cat /proc/$(cat pid)/comm; } > seen; \
                grep memory /proc/self/cgroup || cat /proc/self/cgroup; cat";
    let asked = Asked { user: Some("nobody".to_owned()), ..shell(line) };
    let end = enter(&fixture, "c", 1, asked, None).recv_timeout(PATIENCE);
    assert_eq!(end, Ok(VisitEnd::Ended(0)));
    let sandbox = fixture.sandbox("c").display().to_string();
    let seen = fixture.read("c", "seen");
    let (namespaces, rest) = seen.split_at(fixture.read("c", "ns").len());
    assert_eq!(namespaces, fixture.read("c", "ns"));
    assert_eq!(rest, format!("nobody\n{sandbox}\n{sandbox}\nsh\n"));
    // Its output goes where it is told, and it counts to the container.
    let said = fixture.read("c", "stderr");
    assert!(said.contains(&format!("{}/c", fixture.options.cgroups_root)), "{said}");
    assert_eq!(fixture.read("c", "stdout"), "");
}

#[test]
fn its_end_is_told_as_it_was() {
    let fixture = Fixture::new(FULL);
    sleeper(&fixture);
    for (number, (line, status)) in
        (1..).zip([("exit 0", 0), ("exit 7", 7 << 8), ("kill -TERM $$", 15), ("kill -KILL $$", 9)])
    {
        assert_eq!(visit(&fixture, "c", number, line, None), VisitEnd::Ended(status), "{line}");
    }
    wait_for(|| visitors_groups(&fixture).is_empty());
}

#[test]
fn it_works_without_namespaces_too() {
    let fixture = Fixture::new("posix/cpu,posix/mem");
    sleeper(&fixture);
    assert_eq!(visit(&fixture, "c", 1, "setsid sleep 77751 & exit 3", None), VisitEnd::Ended(3 << 8));
    wait_for(|| processes_with("77751").is_empty());
}

#[test]
fn who_takes_too_long_is_killed_with_everything_it_started() {
    let fixture = Fixture::new(FULL);
    sleeper(&fixture);
    let line = "(setsid sleep 77752 &) ; (setsid sh -c 'trap \"\" TERM; sleep 77752' &) ; sleep 77752";
    assert_eq!(visit(&fixture, "c", 1, line, Some(300)), VisitEnd::TimedOut);
    wait_for(|| processes_with("77752").is_empty() && visitors_groups(&fixture).is_empty());
    // The container has lost nothing.
    assert_eq!(visit(&fixture, "c", 2, "exit 0", Some(10_000)), VisitEnd::Ended(0));
}

#[test]
fn what_it_leaves_in_the_background_ends_with_it() {
    let fixture = Fixture::new(FULL);
    sleeper(&fixture);
    assert_eq!(visit(&fixture, "c", 1, "setsid sleep 77753 & exit 0", None), VisitEnd::Ended(0));
    wait_for(|| processes_with("77753").is_empty() && visitors_groups(&fixture).is_empty());
}

#[test]
fn who_is_expelled_is_gone_and_nobody_is_told() {
    let fixture = Fixture::new(FULL);
    sleeper(&fixture);
    let end = enter(&fixture, "c", 1, shell("(setsid sleep 77754 &); sleep 77754"), None);
    wait_for(|| processes_with("77754").len() >= 2);
    fixture.launcher().expel(1);
    wait_for(|| processes_with("77754").is_empty() && visitors_groups(&fixture).is_empty());
    assert!(end.recv_timeout(PATIENCE).is_err(), "the one who would tell is gone, and has not");
    fixture.launcher().expel(1);
    fixture.launcher().expel(99);
}

#[test]
fn who_is_inside_when_the_container_ends_goes_with_it() {
    for isolation in [FULL, "posix/cpu,posix/mem"] {
        let fixture = Fixture::new(isolation);
        let (container_id, _) = sleeper(&fixture);
        let end = enter(&fixture, "c", 1, shell("setsid sleep 77755 & sleep 77755"), None);
        wait_for(|| !processes_with("77755").is_empty());
        fixture.launcher().destroy(&container_id);
        fixture.ended();
        fixture.destroyed();
        assert_eq!(end.recv_timeout(PATIENCE), Ok(VisitEnd::Gone));
        assert!(processes_with("77755").is_empty());
    }
}

#[test]
fn where_nothing_runs_nobody_enters() {
    let fixture = Fixture::new(FULL);
    assert_eq!(visit(&fixture, "nobody-knows", 1, "exit 0", None), VisitEnd::Gone);
    let container_id = fixture.launch("c", shell("exit 0"));
    fixture.launched();
    fixture.ended();
    assert_eq!(visit(&fixture, "c", 2, "exit 0", None), VisitEnd::Gone);
    fixture.launcher().destroy(&container_id);
    fixture.destroyed();
}

#[test]
fn it_gets_no_more_rights_than_the_task() {
    let fixture = Fixture::new(&format!("{FULL},linux/capabilities,linux/nnp"));
    sleeper(&fixture);
    let kill = containerizer::capability("KILL").expect("there is one");
    let wishes = Wishes { effective_capabilities: Some(kill), ..Wishes::default() };
    let line = "grep -E 'CapEff|NoNewPrivs' /proc/self/status > seen";
    let end = enter(&fixture, "c", 1, Asked { wishes, ..shell(line) }, None).recv_timeout(PATIENCE);
    assert_eq!(end, Ok(VisitEnd::Ended(0)));
    assert_eq!(fixture.read("c", "seen"), "CapEff:\t0000000000000020\nNoNewPrivs:\t1\n");
}

#[test]
fn what_cannot_be_begun_says_why() {
    let fixture = Fixture::new(FULL);
    sleeper(&fixture);
    let asked = Asked { user: Some("nobody-of-that-name".to_owned()), ..shell("exit 0") };
    let end = enter(&fixture, "c", 1, asked, None).recv_timeout(PATIENCE).expect("an end");
    assert!(matches!(&end, VisitEnd::Unable(why) if why.contains("nobody-of-that-name")), "{end:?}");
    let mut spec = fixture.spec("c", shell("exit 0"));
    spec.sandbox = fixture.sandbox("elsewhere");
    let (sender, told) = channel();
    let visit = Visit { number: 2, spec, output: fixture.sandbox("c"), timeout: None };
    fixture.launcher().enter(visit, Box::new(move |end| drop(sender.send(end))));
    let end = told.recv_timeout(PATIENCE).expect("an end");
    assert!(matches!(&end, VisitEnd::Failed(why) if why.contains("elsewhere")), "{end:?}");
    wait_for(|| visitors_groups(&fixture).is_empty());
}

#[test]
fn a_launcher_that_leaves_leaves_nobody_in_containers() {
    let mut fixture = Fixture::new(FULL);
    let asked = Asked { survives: true, ..shell("sleep 600") };
    let container_id = fixture.launch("c", asked);
    fixture.launched();
    let end = enter(&fixture, "c", 1, shell("sleep 77756"), None);
    wait_for(|| !processes_with("77756").is_empty());
    fixture.restart();
    assert_eq!(end.recv_timeout(PATIENCE), Ok(VisitEnd::Gone));
    assert!(processes_with("77756").is_empty());
    recover(&fixture, &container_id);
    assert_eq!(visit(&fixture, "c", 1, "exit 4", None), VisitEnd::Ended(4 << 8));
}

/// What an agent that was killed could not end: its next life does.
#[test]
fn what_an_earlier_launcher_left_in_a_container_is_ended() {
    let mut fixture = Fixture::new(FULL);
    let container_id = fixture.launch("c", Asked { survives: true, ..shell("sleep 600") });
    fixture.launched();
    let group = fixture.launcher().status(&container_id).cgroup.expect("it has a group");
    let left = group.join("visit-77");
    fs::create_dir(&left).expect("a group");
    let mut process = std::process::Command::new("sleep").arg("77757").spawn().expect("sleep");
    fs::write(left.join("cgroup.procs"), process.id().to_string()).expect("it joins");
    fixture.restart();
    recover(&fixture, &container_id);
    assert!(!left.exists());
    assert!(!process.wait().expect("it ends").success());
}

fn recover(fixture: &Fixture, container_id: &ContainerId) {
    let known = Known {
        container_id: container_id.clone(),
        sandbox: fixture.sandbox("c"),
        limits: Limits::default(),
        group: false,
    };
    let recovered = fixture.launcher().recover(vec![known]);
    assert_eq!(recovered.running.len(), 1, "{recovered:?}");
}

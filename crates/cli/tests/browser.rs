//! The web pages in Chromium, driven by Playwright: no errors, no violations of accessibility, in light, in dark and on a
//! phone. Screenshots stay in `target/browser/screenshots`.

#[path = "support/masters.rs"]
mod masters;
#[path = "../../store/tests/services/mod.rs"]
mod services;
mod support;

use conformance::browser;
use masters::Masters;
use support::{Cluster, Process};

/// Checks a cluster that has a task which writes, and one that failed, both with names that would do harm.
fn check(what: &str, part: &str, pages: usize) {
    let cluster = Cluster::start(&["--agents", "2"]);
    let name = "<script>window.pwned = 1</script>";
    assert_eq!(cluster.meseta(&["run", "--name", name, "exit 3"]).status.code(), Some(3));
    let counting =
        "i=0; while :; do i=$((i+1)); echo \"line $i <script>window.pwned = 1</script>\"; sleep 0.2; done";
    let mut run = Process::start(&mut cluster.command(&["run", "--name", name, counting]));
    assert!(run.line().starts_with("line 1 "));
    let report = browser::check(&cluster.master(), what, part).unwrap();
    assert_eq!((report.pages.len(), &report.faults), (pages, &Vec::new()), "{report:?}");
}

#[test]
fn lists_in_light() {
    check("light", "lists", 10);
}

#[test]
fn entities_in_light() {
    check("light", "entities", 7);
}

#[test]
fn lists_in_dark() {
    check("dark", "lists", 10);
}

#[test]
fn entities_in_dark() {
    check("dark", "entities", 7);
}

#[test]
fn lists_on_a_phone() {
    check("phone", "lists", 10);
}

#[test]
fn entities_on_a_phone() {
    check("phone", "entities", 7);
}

#[test]
fn pages_are_used() {
    check("use", "all", 17);
}

/// Whoever asks a master that stands by is led to the same page of the leader.
#[test]
fn a_standby_leads_to_the_leader() {
    let masters = Masters::start();
    let report = browser::check(&masters.standby, "standby", &masters.leader).unwrap();
    assert_eq!((report.pages.len(), &report.faults), (7, &Vec::new()), "{report:?}");
}

//! The web pages in Chromium, driven by Playwright: no errors, no violations of accessibility, in light, in dark and on a
//! phone. Screenshots stay in `target/browser/screenshots`.

#[path = "support/masters.rs"]
mod masters;
#[path = "support/scene/mod.rs"]
mod scene;
#[path = "../../store/tests/services/mod.rs"]
mod services;
mod support;

use conformance::browser;
use masters::Masters;
use scene::Scene;

/// Looks at the pages of a cluster in which there is something of everything, also names that would do harm.
fn check(what: &str, part: &str, pages: usize) {
    let scene = Scene::start();
    let report = browser::check(&scene.master, what, part).unwrap();
    assert_eq!((report.pages.len(), &report.faults), (pages, &Vec::new()), "{report:?}");
}

#[test]
fn lists_in_light() {
    check("light", "lists", 11);
}

#[test]
fn entities_in_light() {
    check("light", "entities", 16);
}

#[test]
fn lists_in_dark() {
    check("dark", "lists", 11);
}

#[test]
fn entities_in_dark() {
    check("dark", "entities", 16);
}

#[test]
fn lists_on_a_phone() {
    check("phone", "lists", 11);
}

#[test]
fn entities_on_a_phone() {
    check("phone", "entities", 16);
}

#[test]
fn pages_are_used() {
    check("use", "all", 27);
}

/// Whoever asks a master that stands by is led to the same page of the leader.
#[test]
fn a_standby_leads_to_the_leader() {
    let masters = Masters::start();
    let report = browser::check(&masters.standby, "standby", &masters.leader).unwrap();
    assert_eq!((report.pages.len(), &report.faults), (7, &Vec::new()), "{report:?}");
}

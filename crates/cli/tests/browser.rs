//! The web pages in Chromium, driven by Playwright: no errors, no violations of accessibility, in light, in dark and on a
//! phone. Screenshots stay in `target/browser/screenshots`.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use support::{Cluster, Process, text};

fn target() -> PathBuf {
    let this = std::env::current_exe().unwrap();
    this.ancestors().find(|d| d.join("CACHEDIR.TAG").is_file()).expect("a target directory").to_owned()
}

/// Checks a cluster that has a task which writes, and one that failed, both with names that would do harm.
fn check(what: &str, part: &str, pages: usize) {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser");
    let directory = target().join("browser");
    let setup = Command::new("sh").arg(scripts.join("setup.sh")).arg(&directory).output().unwrap();
    assert!(setup.status.success(), "{}", text(&setup.stderr));
    let cluster = Cluster::start(&["--agents", "2"]);
    let name = "<script>window.pwned = 1</script>";
    assert_eq!(cluster.meseta(&["run", "--name", name, "exit 3"]).status.code(), Some(3));
    let counting =
        "i=0; while :; do i=$((i+1)); echo \"line $i <script>window.pwned = 1</script>\"; sleep 0.2; done";
    let mut run = Process::start(&mut cluster.command(&["run", "--name", name, counting]));
    assert!(run.line().starts_with("line 1 "));
    let check = Command::new(text(&setup.stdout).trim())
        .arg(scripts.join("check.py"))
        .args([cluster.master().as_str(), directory.join("screenshots").to_str().unwrap(), what, part])
        .output()
        .unwrap();
    assert!(check.status.success(), "{}{}", text(&check.stdout), text(&check.stderr));
    let report: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(report["pages"].as_array().unwrap().len(), pages, "{report}");
    assert_eq!(report["faults"], Value::Array(Vec::new()), "{report:#}");
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

//! The commands of operators, each on a real local cluster: what they show and change, as text and as JSON, what they say
//! of mistakes, and their exit codes.

mod completions;
mod entities;
mod failures;
mod looking;
mod machines;
mod removals;
#[path = "../support/mod.rs"]
mod support;

use serde_json::Value;
use support::{Cluster, Process, text};

/// Runs a command that must do what it is for; what it says on standard error.
fn done(cluster: &Cluster, words: &[&str]) -> String {
    let output = cluster.meseta(words);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {err}");
    err
}

/// Runs a command that must fail with this exit code, and say this.
fn refused(cluster: &Cluster, words: &[&str], code: i32, part: &str) {
    let output = cluster.meseta(words);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {err}");
    assert!(err.contains(part), "{words:?}: {err}");
    assert_eq!(text(&output.stdout), "", "{words:?}");
}

/// What a command shows.
fn shown(cluster: &Cluster, words: &[&str]) -> String {
    let output = cluster.meseta(words);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn start(cluster: &Cluster, name: &str, command: &str) -> Process {
    let mut run = Process::start(&mut cluster.command(&["run", "--name", name, command]));
    assert_eq!(run.line(), "ready");
    run
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn only(list: &Value) -> &Value {
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), 1, "{list:?}");
    &list[0]
}

//! What an agent writes down, by the first part of the keys, and which walk through the writes comes to it.

use std::collections::BTreeSet;

/// In the life of tasks.
pub const OF_TASKS: [&str; 5] = ["frameworks", "executors", "tasks", "progress", "past"];

/// At a first start.
pub const OF_STARTS: [&str; 5] = ["format", "agent", "boot_id", "resources", "resource_version"];

/// When resources are changed.
pub const OF_OPERATIONS: [&str; 3] = ["operations", "resources", "resource_version"];

/// When the agent is drained.
pub const OF_DRAINS: [&str; 1] = ["drain"];

/// Those of the sources: each constant there is a key or what keys begin with.
fn all() -> BTreeSet<&'static str> {
    let source = include_str!("../../src/checkpoint/mod.rs");
    let constants = source.lines().filter(|line| line.contains("const ") && !line.contains("FORMAT: "));
    constants.filter_map(|line| line.split('"').nth(1)).map(|key| key.trim_end_matches('/')).collect()
}

/// Whoever adds a kind of record has to add it to a walk.
#[test]
fn no_kind_of_record_is_left_out() {
    let walked = [&OF_TASKS[..], &OF_STARTS, &OF_OPERATIONS, &OF_DRAINS].concat();
    assert_eq!(walked.into_iter().collect::<BTreeSet<_>>(), all());
}

/// Checks that agents died at all of these.
pub fn assert_all(wanted: &[&str], met: &BTreeSet<String>) {
    let missing: Vec<&&str> = wanted.iter().filter(|kind| !met.contains(**kind)).collect();
    assert!(missing.is_empty(), "no agent was killed at a write of {missing:?}, only at {met:?}");
}

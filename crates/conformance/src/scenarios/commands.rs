//! One command task that ends by itself.

use anyhow::Result;
use serde_json::{Value, json};

use super::Target;
use crate::scheduler::{Framework, Log, Scheduler};
use crate::tasks::{launch, task};

/// Launches one task, changed by `change`, and waits for its end.
pub(super) fn one_task(
    target: &Target,
    log: &Log,
    command: &str,
    change: impl FnOnce(&mut Value),
) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    let mut task = task(&offer, "t", command);
    change(&mut task);
    scheduler.accept(&offer["id"], &[launch(&[task])])?;
    scheduler.terminal();
    scheduler.end()
}

pub(super) fn finish(target: &Target, log: &Log) -> Result<()> {
    one_task(target, log, "true", |_| {})
}

pub(super) fn fail(target: &Target, log: &Log) -> Result<()> {
    one_task(target, log, "exit 3", |_| {})
}

pub(super) fn signal(target: &Target, log: &Log) -> Result<()> {
    one_task(target, log, "kill -9 $$", |_| {})
}

pub(super) fn not_found_shell(target: &Target, log: &Log) -> Result<()> {
    one_task(target, log, "nosuchcommand", |_| {})
}

pub(super) fn not_found_exec(target: &Target, log: &Log) -> Result<()> {
    one_task(target, log, "", |task| {
        task["command"] = json!({"value": "/nosuch/binary", "shell": false, "arguments": ["x"]});
    })
}

pub(super) fn oom(target: &Target, log: &Log) -> Result<()> {
    // As much as it gets, and more.
    one_task(target, log, "head -c 300m /dev/zero | tail", |_| {})
}

pub(super) fn fetch_failure(target: &Target, log: &Log) -> Result<()> {
    one_task(target, log, "true", |task| task["command"]["uris"] = json!([{"value": "file:///nosuch/file"}]))
}

pub(super) fn max_completion(target: &Target, log: &Log) -> Result<()> {
    one_task(target, log, "sleep 60", |task| {
        task["max_completion_time"] = json!({"nanoseconds": 1_000_000_000_u64})
    })
}

pub(super) fn no_resources(target: &Target, log: &Log) -> Result<()> {
    // The recorder gave the task resources all the same; a task that really has none is refused.
    one_task(target, log, "true", |_| {})
}

//! Tasks that are checked.

use anyhow::Result;
use serde_json::{Value, json};

use super::Target;
use super::commands::one_task;
use crate::scheduler::Log;

pub(super) fn health_failing(target: &Target, log: &Log) -> Result<()> {
    one_task(target, log, "sleep 60", |task| {
        task["health_check"] = json!({
            "type": "COMMAND",
            "command": {"value": "false", "shell": true},
            "delay_seconds": 0,
            "interval_seconds": 0.1,
            "timeout_seconds": 5,
            "consecutive_failures": 2,
            "grace_period_seconds": 0,
        });
    })
}

pub(super) fn health_passing(target: &Target, log: &Log) -> Result<()> {
    let health_check = json!({
        "type": "COMMAND",
        "command": {"value": "touch checked", "shell": true},
        "delay_seconds": 0,
        "interval_seconds": 0.1,
    });
    until_checked(target, log, |task| task["health_check"] = health_check)
}

pub(super) fn check_command(target: &Target, log: &Log) -> Result<()> {
    let check = json!({
        "type": "COMMAND",
        "command": {"command": {"value": "touch checked; exit 2", "shell": true}},
        "delay_seconds": 0,
        "interval_seconds": 0.1,
    });
    until_checked(target, log, |task| task["check"] = check)
}

/// A task that ends when it has been checked twice, so that nothing hangs on how fast the machine is. The recorded one
/// slept for four seconds.
fn until_checked(target: &Target, log: &Log, change: impl FnOnce(&mut Value)) -> Result<()> {
    let wait = "while ! [ -e checked ]; do sleep 0.05; done; rm checked";
    one_task(target, log, &format!("{wait}; {wait}; sleep 0.2"), change)
}

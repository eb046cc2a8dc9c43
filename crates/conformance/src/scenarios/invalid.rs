//! Launches that the master refuses.

use anyhow::Result;
use serde_json::{Value, json};

use super::Target;
use crate::scheduler::{Framework, Log, Scheduler};
use crate::tasks::{bare_task, launch, scalar, task};

/// Subscribes, gets an offer, lets `make` make tasks of it, launches them and waits for an end.
fn refused(target: &Target, log: &Log, make: impl FnOnce(&Value) -> Vec<Value>) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    scheduler.accept(&offer["id"], &[launch(&make(&offer))])?;
    scheduler.terminal();
    scheduler.end()
}

pub(super) fn too_big(target: &Target, log: &Log) -> Result<()> {
    refused(target, log, |offer| {
        let mut task = task(offer, "t", "true");
        task["resources"] = json!([scalar("cpus", 100_000.0), scalar("mem", 32.0)]);
        vec![task]
    })
}

pub(super) fn negative(target: &Target, log: &Log) -> Result<()> {
    refused(target, log, |offer| {
        let mut task = task(offer, "t", "true");
        task["resources"] = json!([scalar("cpus", -1.0), scalar("mem", 32.0)]);
        vec![task]
    })
}

pub(super) fn no_command(target: &Target, log: &Log) -> Result<()> {
    refused(target, log, |offer| vec![bare_task(offer, "t")])
}

pub(super) fn bad_task_id(target: &Target, log: &Log) -> Result<()> {
    refused(target, log, |offer| vec![task(offer, "a/b", "true")])
}

pub(super) fn wrong_agent(target: &Target, log: &Log) -> Result<()> {
    refused(target, log, |offer| {
        let mut task = task(offer, "t", "true");
        task["agent_id"] = json!({"value": "nope"});
        vec![task]
    })
}

pub(super) fn duplicate_task(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    let twice = [task(&offer, "t", "sleep 1"), task(&offer, "t", "sleep 1")];
    scheduler.accept(&offer["id"], &[launch(&twice)])?;
    scheduler.terminal();
    scheduler.update(&["TASK_FINISHED"], 40);
    scheduler.end()
}

pub(super) fn bad_offer(target: &Target, log: &Log) -> Result<()> {
    unknown_offer(target, log, &Framework::default())
}

pub(super) fn bad_offer_partition_aware(target: &Target, log: &Log) -> Result<()> {
    unknown_offer(target, log, &Framework::default().capable_of("PARTITION_AWARE"))
}

fn unknown_offer(target: &Target, log: &Log, framework: &Framework) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, framework, log)?;
    let offer = scheduler.offer()?;
    scheduler.accept(&json!({"value": "nope"}), &[launch(&[task(&offer, "t", "true")])])?;
    scheduler.terminal();
    scheduler.end()
}

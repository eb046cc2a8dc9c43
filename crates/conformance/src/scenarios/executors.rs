//! Executors that end: by themselves, and because their framework says so.

use anyhow::Result;
use serde_json::json;

use super::Target;
use crate::scheduler::{Framework, Log, Scheduler};
use crate::tasks::{custom_task, launch, launch_group, shell, task};

pub(super) fn executor_exits(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    let task = custom_task(&offer, &scheduler.framework_id, "t", "e", &shell("exit 1"));
    scheduler.accept(&offer["id"], &[launch(&[task])])?;
    scheduler.terminal();
    // It came before the update, so that no second one comes now.
    scheduler.wait("FAILURE", 2);
    scheduler.end()
}

pub(super) fn executor_shutdown(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    let group = launch_group(&scheduler.framework_id, &[task(&offer, "a", "sleep 60")]);
    scheduler.accept(&offer["id"], &[group])?;
    scheduler.running();
    let shutdown = json!({"executor_id": {"value": "pod"}, "agent_id": offer["agent_id"]});
    scheduler.call("SHUTDOWN", json!({"shutdown": shutdown}))?;
    scheduler.terminal();
    scheduler.wait("FAILURE", 40);
    scheduler.end()
}

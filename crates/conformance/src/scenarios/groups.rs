//! Groups of tasks under the default executor.

use anyhow::Result;

use super::Target;
use crate::scheduler::{Framework, Log, Scheduler};
use crate::tasks::{launch_group, task};

/// Launches a group of two tasks, `a` and `b`.
fn two(target: &Target, log: &Log, a: &str, b: &str) -> Result<Scheduler> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    let tasks = [task(&offer, "a", a), task(&offer, "b", b)];
    scheduler.accept(&offer["id"], &[launch_group(&scheduler.framework_id, &tasks)])?;
    Ok(scheduler)
}

pub(super) fn pod_finish(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = two(target, log, "true", "sleep 1")?;
    scheduler.update(&["TASK_FINISHED"], 40);
    scheduler.update(&["TASK_FINISHED"], 40);
    scheduler.wait("FAILURE", 40);
    scheduler.end()
}

pub(super) fn pod_one_fails(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = two(target, log, "sleep 1; exit 1", "sleep 60")?;
    scheduler.terminal();
    scheduler.terminal();
    scheduler.wait("FAILURE", 40);
    scheduler.end()
}

pub(super) fn pod_kill_one(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = two(target, log, "sleep 60", "sleep 60")?;
    scheduler.running();
    scheduler.running();
    scheduler.kill("a")?;
    scheduler.terminal();
    scheduler.terminal();
    scheduler.end()
}

//! Tasks that are killed.

use anyhow::Result;
use serde_json::json;

use super::Target;
use crate::scheduler::{Framework, Log, Scheduler};
use crate::tasks::{launch, task};

pub(super) fn kill(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    scheduler.accept(&offer["id"], &[launch(&[task(&offer, "t", "sleep 60")])])?;
    scheduler.running();
    scheduler.kill("t")?;
    scheduler.terminal();
    scheduler.end()
}

pub(super) fn kill_policy(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    let mut stubborn = task(&offer, "t", r#"trap "" TERM; while true; do sleep 1; done"#);
    stubborn["kill_policy"] = json!({"grace_period": {"nanoseconds": 1_000_000_000_u64}});
    scheduler.accept(&offer["id"], &[launch(&[stubborn])])?;
    scheduler.running();
    scheduler.kill("t")?;
    scheduler.terminal();
    scheduler.end()
}

pub(super) fn kill_unknown(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    scheduler.kill("nope")?;
    scheduler.terminal();
    scheduler.end()
}

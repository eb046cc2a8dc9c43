//! Schedulers that ask what has become of tasks.

use anyhow::Result;
use serde_json::{Value, json};

use super::Target;
use crate::scheduler::{Framework, Log, Scheduler};
use crate::tasks::{launch, task};

/// Asks about `tasks` and waits for one answer.
fn ask(scheduler: &mut Scheduler, tasks: &Value) -> Result<()> {
    scheduler.call("RECONCILE", json!({"reconcile": {"tasks": tasks}}))?;
    scheduler.wait("UPDATE", 40);
    Ok(())
}

pub(super) fn reconcile(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    scheduler.accept(&offer["id"], &[launch(&[task(&offer, "t", "sleep 2")])])?;
    scheduler.running();
    ask(&mut scheduler, &json!([]))?;
    ask(&mut scheduler, &json!([{"task_id": {"value": "t"}}]))?;
    ask(&mut scheduler, &json!([{"task_id": {"value": "unknown"}}]))?;
    ask(&mut scheduler, &json!([{"task_id": {"value": "u2"}, "agent_id": offer["agent_id"]}]))?;
    scheduler.terminal();
    scheduler.end()
}

pub(super) fn reconcile_partition_aware(target: &Target, log: &Log) -> Result<()> {
    let framework = Framework::default().capable_of("PARTITION_AWARE");
    let mut scheduler = Scheduler::subscribe(&target.master, &framework, log)?;
    let offer = scheduler.offer()?;
    ask(&mut scheduler, &json!([{"task_id": {"value": "unknown"}}]))?;
    ask(&mut scheduler, &json!([{"task_id": {"value": "u2"}, "agent_id": offer["agent_id"]}]))?;
    ask(&mut scheduler, &json!([{"task_id": {"value": "u3"}, "agent_id": {"value": "nope"}}]))?;
    scheduler.end()
}

//! Reservations and persistent volumes: operations in ACCEPT, and what a scheduler hears of them.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::Target;
use crate::offers;
use crate::scheduler::{Framework, Log, Scheduler};
use crate::tasks::{
    create, destroy, launch, reserve, reserved_disk, small, task, unreserve, volume, with_id,
};

const ROLE: &str = "scen";

/// Resources as a framework of [`ROLE`] was offered them.
fn allocated(mut resource: Value) -> Value {
    resource["allocation_info"] = json!({"role": ROLE});
    resource
}

pub(super) fn reserve_create_launch(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::in_role(ROLE), log)?;
    let offer = scheduler.offer()?;
    let space = reserved_disk(ROLE, 64.0);
    let volume = volume(&space, "v1", "data");
    let mut task = task(&offer, "t", "echo x > data/f && cat data/f");
    task["resources"] = small();
    if let Some(resources) = task["resources"].as_array_mut() {
        resources.push(volume.clone());
    }
    let (space, volume) = (allocated(space), allocated(volume));
    let (space, volume) = ([space], [volume]);
    let operations = [reserve(&space), create(&volume), launch(&[task])];
    scheduler.accept_refusing(&offer["id"], &operations, 0.0)?;
    scheduler.terminal();
    let offer = scheduler.offer_where(|offer| offers::volume(offer, "v1").is_some())?;
    scheduler.accept(&offer["id"], &[destroy(&volume), unreserve(&space)])?;
    scheduler.end()
}

pub(super) fn operation_feedback(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::in_role(ROLE), log)?;
    let offer = scheduler.offer()?;
    let space = [allocated(reserved_disk(ROLE, 32.0))];
    scheduler.accept_refusing(&offer["id"], &[with_id(reserve(&space), "op1")], 0.0)?;
    let status = scheduler.operation_status(10).context("no status of the reservation")?;
    scheduler.acknowledge_operation(&status)?;
    let offer = scheduler.offer_where(offers::has_reservation)?;
    scheduler.accept(&offer["id"], &[with_id(unreserve(&space), "op2")])?;
    scheduler.operation_status(10).context("no status of taking the reservation back")?;
    let unknown = json!({"operations": [{"operation_id": {"value": "nope"}}]});
    scheduler.call("RECONCILE_OPERATIONS", json!({"reconcile_operations": unknown}))?;
    scheduler.operation_status(5);
    scheduler.end()
}

pub(super) fn bad_reserve(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::in_role(ROLE), log)?;
    let offer = scheduler.offer()?;
    let space = [allocated(reserved_disk(ROLE, 1e9))];
    scheduler.accept(&offer["id"], &[with_id(reserve(&space), "op1")])?;
    let status = scheduler.operation_status(8).context("no status of the operation")?;
    ensure!(status.get("uuid").is_none(), "what the master refuses is not acknowledged");
    scheduler.end()
}

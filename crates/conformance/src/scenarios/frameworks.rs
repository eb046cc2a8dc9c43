//! The life of a framework: subscribing, declining, failing over, ending.

use anyhow::{Result, ensure};
use serde_json::json;

use super::Target;
use crate::scheduler::{Framework, Log, Scheduler};
use crate::tasks::{launch, task};

pub(super) fn bad_roles(target: &Target, log: &Log) -> Result<()> {
    for role in ["a b", "-x", ".", "a//b", "..", "a/../b", ""] {
        let refused = Scheduler::subscribe(&target.master, &Framework::in_role(role), log).is_err();
        ensure!(refused, "a framework could subscribe with role '{role}'");
        log.push(json!({"type": "(refused)"}));
    }
    Ok(())
}

pub(super) fn decline_revive(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    let decline = json!({"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 3600}});
    scheduler.call("DECLINE", json!({"decline": decline}))?;
    scheduler.offers.clear();
    ensure!(scheduler.wait("OFFERS", 2).is_none(), "what was declined for an hour was offered again");
    scheduler.call("REVIVE", json!({}))?;
    ensure!(scheduler.wait("OFFERS", 40).is_some(), "nothing was offered after REVIVE");
    scheduler.call("SUPPRESS", json!({"suppress": {"roles": ["*"]}}))?;
    scheduler.end()
}

pub(super) fn failover(target: &Target, log: &Log) -> Result<()> {
    let framework = Framework::default().with("failover_timeout", json!(60));
    let mut first = Scheduler::subscribe(&target.master, &framework, log)?;
    let second_log = Log::default();
    let again = framework.with_id(&first.framework_id);
    let second = Scheduler::subscribe(&target.master, &again, &second_log)?;
    ensure!(second.framework_id == first.framework_id, "another id after the failover");
    first.wait("ERROR", 40);
    ensure!(first.wait_closed(40), "the stream of the scheduler that was replaced stays open");
    log.push(json!({"type": "(second)"}));
    for entry in second_log.entries() {
        log.push(entry);
    }
    first.call("REVIVE", json!({}))?;
    second.end()
}

pub(super) fn shutdown_while_running(target: &Target, log: &Log) -> Result<()> {
    let mut scheduler = Scheduler::subscribe(&target.master, &Framework::default(), log)?;
    let offer = scheduler.offer()?;
    scheduler.accept(&offer["id"], &[launch(&[task(&offer, "t", "sleep 60")])])?;
    scheduler.running();
    scheduler.end()
}

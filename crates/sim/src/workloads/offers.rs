//! Offers that are not used.

use std::time::Duration;

use base::OfferId;
use master_core::SchedulerCall;

use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::scheduler::Scheduler;

/// Gives some or all offers back, for some time.
pub(super) fn decline(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let offer_ids: Vec<OfferId> = scheduler.offers.keys().take(scheduler.rng.index(4) + 1).cloned().collect();
    if offer_ids.is_empty() || !scheduler.subscribed() {
        return;
    }
    for id in &offer_ids {
        scheduler.offers.remove(id);
    }
    let refuse = Duration::from_secs(scheduler.rng.below(60));
    scheduler.call(fabric, SchedulerCall::Decline { offer_ids, refuse });
}

/// Wants no offers, or wants them again.
pub(super) fn suppress(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    let roles = Vec::new();
    let call = if scheduler.rng.chance(1, 3) {
        SchedulerCall::Suppress(roles)
    } else {
        SchedulerCall::Revive(roles)
    };
    scheduler.call(fabric, call);
}

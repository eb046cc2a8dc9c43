//! Schedulers come and go.

use master_core::SchedulerCall;

use crate::dice::Dice;
use crate::fabric::Fabric;
use crate::scheduler::Scheduler;

/// Hangs up, and comes back some turns later.
pub(super) fn leave(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    scheduler.disconnect(fabric);
    scheduler.away = u32::try_from(scheduler.rng.between(1, 40)).unwrap_or(1);
}

/// Another instance subscribes; the former one finds its stream ended.
pub(super) fn take_over(scheduler: &mut Scheduler) {
    if scheduler.subscribed() {
        scheduler.abandon_session();
    }
}

/// Ends the framework.
pub(super) fn tear_down(scheduler: &mut Scheduler, fabric: &mut Fabric) {
    if scheduler.subscribed() {
        scheduler.call(fabric, SchedulerCall::Teardown);
        scheduler.ending = true;
    }
}

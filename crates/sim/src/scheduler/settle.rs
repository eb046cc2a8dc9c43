//! When everything is to come to rest: a scheduler asks about its tasks, acknowledges, and takes all offers without using
//! them.

use master_core::SchedulerCall;

use super::Scheduler;
use crate::fabric::Fabric;

impl Scheduler {
    /// Its turn, while everything is to come to rest.
    pub(crate) fn settle(&mut self, fabric: &mut Fabric) {
        if self.is_choosy() {
            // It subscribes anew, and wants offers of all agents.
            return self.disconnect(fabric);
        }
        self.catch_up(fabric);
        if !self.revived && self.subscribed() {
            self.revived = true;
            self.call(fabric, SchedulerCall::Revive(Vec::new()));
        }
        self.ask_about_all(fabric);
        // It may have missed that a task is there again.
        self.call(fabric, SchedulerCall::Reconcile(Vec::new()));
    }
}

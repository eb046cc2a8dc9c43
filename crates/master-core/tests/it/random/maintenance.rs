//! Machines that are maintained while everything else goes on.

use std::time::Duration;

use master_core::{MachineId, OperatorCall, SchedulerCall, Unavailability, Window};

use super::world::{HOSTS, World};

fn machine(host: usize) -> MachineId {
    let name = HOSTS[host].0;
    MachineId { hostname: Some(name.into()), ip: Some(name.into()) }
}

impl World {
    /// Sometimes an operator changes the schedule or the mode of a machine, or a scheduler answers.
    pub(super) fn maintain(&mut self) {
        let host = self.below(HOSTS.len());
        let call = match self.below(16) {
            0 | 1 => {
                let unavailability =
                    Unavailability { start: i64::try_from(self.rng.below(3)).unwrap_or(0), duration: None };
                let hosts: Vec<usize> = (0..HOSTS.len()).filter(|_| self.below(3) > 0).collect();
                let window = |host: &usize| Window { machines: vec![machine(*host)], unavailability };
                OperatorCall::UpdateMaintenanceSchedule(hosts.iter().map(window).collect())
            }
            2 => OperatorCall::StartMaintenance(vec![machine(host)]),
            3..=5 => OperatorCall::StopMaintenance(vec![machine(host)]),
            6..=9 => return self.answer(),
            _ => return,
        };
        let starts = matches!(call, OperatorCall::StartMaintenance(_));
        if self.master.operator(call).is_ok() && starts {
            self.taken_down += 1;
        }
    }

    /// A scheduler answers one of its inverse offers.
    fn answer(&mut self) {
        let schedulers = self.schedulers.clone();
        let Some((scheduler, _)) = self.pick(&schedulers) else { return };
        let Some(framework) = self.master.core.framework(&scheduler.id) else { return };
        let open: Vec<_> = framework.inverse_offers.keys().cloned().collect();
        let Some(offer) = self.pick(&open) else { return };
        let refuse = Duration::from_secs(self.rng.below(3));
        let accepted = self.below(2) == 0;
        let call = SchedulerCall::AnswerInverseOffers { offer_ids: vec![offer], accepted, refuse };
        self.master.call(&scheduler, call);
        self.answered += 1;
    }
}

//! Maintenance of machines. An operator says in a schedule when which machines are not there; offers of their agents say so
//! too, and frameworks that use such an agent are asked to leave it by inverse offers, which they may accept or decline. When
//! the time has come the operator takes machines down: their agents are removed, and no agent of them is let in before they
//! are up again.
//!
//! The schedule is in the registry, with the mode of each machine; what frameworks have said is not, and the next master
//! asks them anew.

mod check;
mod inverse;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, FrameworkId, OfferId, Time};

pub(crate) use inverse::{answer, ask, discard_of_framework, forget, rescind, rescind_of_agent, revived};
pub use schedule::windows_of;
pub(crate) use schedule::{
    DOWN, agent_added, agent_removed, changed, drainable, is_down, leave_if_down, recovered, start, stop,
    update,
};

use crate::core::MasterCore;
use crate::types::{
    InverseOfferAnswer, MachineId, MachineMode, MaintenanceStatus, Unavailability, Window, WindowParts,
};

/// A machine in the schedule.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Machine {
    pub(crate) mode: MachineMode,
    pub(crate) unavailability: Unavailability,
}

/// An agent that will not be there, and who was asked to leave it.
#[derive(Debug)]
struct Asked {
    machine: MachineId,
    unavailability: Unavailability,
    /// Inverse offers that are not answered.
    offers: BTreeMap<FrameworkId, OfferId>,
    /// The newest answers.
    answers: BTreeMap<FrameworkId, InverseOfferAnswer>,
    /// Who does not want to be asked again before when.
    refused: BTreeMap<FrameworkId, Time>,
}

/// The schedule, and who was asked.
#[derive(Default, Debug)]
pub(crate) struct Maintenance {
    /// The schedule that is in force.
    windows: WindowParts,
    /// Its machines.
    machines: BTreeMap<MachineId, Machine>,
    /// Registered agents on them.
    agents: BTreeMap<AgentId, Asked>,
    /// Those of them where somebody may have to be asked.
    news: BTreeSet<AgentId>,
}

impl Maintenance {
    /// When an agent will not be there, if that is known.
    pub(crate) fn unavailability(&self, agent: &AgentId) -> Option<Unavailability> {
        self.agents.get(agent).map(|asked| asked.unavailability)
    }

    /// Somebody may have to be asked about an agent, with the next allocation.
    pub(crate) fn look_at(&mut self, agent: &AgentId) {
        if self.agents.contains_key(agent) {
            self.news.insert(agent.clone());
        }
    }

    fn look_at_all(&mut self) {
        self.news.extend(self.agents.keys().cloned());
    }
}

impl MasterCore {
    /// When which machines are to be maintained.
    #[must_use]
    pub fn maintenance_schedule(&self) -> Vec<Window> {
        schedule::windows_of(&self.maintenance.windows)
    }

    /// How the maintenance of machines stands.
    #[must_use]
    pub fn maintenance_status(&self) -> MaintenanceStatus {
        let mut answers: BTreeMap<&MachineId, Vec<(FrameworkId, InverseOfferAnswer)>> = BTreeMap::new();
        for asked in self.maintenance.agents.values() {
            let all = asked.answers.iter().map(|(framework, answer)| (framework.clone(), *answer));
            answers.entry(&asked.machine).or_default().extend(all);
        }
        let mut status = MaintenanceStatus::default();
        for (id, machine) in &self.maintenance.machines {
            match machine.mode {
                MachineMode::Draining => {
                    status.draining.push((id.clone(), answers.remove(id).unwrap_or_default()));
                }
                MachineMode::Down => status.down.push(id.clone()),
            }
        }
        status
    }
}

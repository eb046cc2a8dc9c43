//! What must always hold of inverse offers and machines.

use super::MachineMode;
use crate::check::{Broken, ensure};
use crate::core::MasterCore;
use crate::types::MachineId;

impl MasterCore {
    pub(crate) fn check_maintenance(&self) -> Result<(), Broken> {
        let mut open = 0;
        for (id, asked) in &self.maintenance.agents {
            let agent = self.agents.get(id);
            let machine = agent.map(|agent| MachineId::of_agent(&agent.pid, &agent.info));
            ensure(machine.as_ref() == Some(&asked.machine), || format!("{id} is not on its machine"))?;
            let scheduled = self.maintenance.machines.get(&asked.machine);
            ensure(scheduled.is_some_and(|it| it.unavailability == asked.unavailability), || {
                format!("{id} is to be away, but not its machine")
            })?;
            for (framework, offer) in &asked.offers {
                let found = self.frameworks.get(framework).and_then(|f| f.inverse_offers.get(offer));
                ensure(found.is_some_and(|found| found.agent_id == *id), || {
                    format!("inverse offer {offer} of {id} is unknown to {framework}")
                })?;
            }
            open += asked.offers.len();
        }
        let of_frameworks = self.frameworks.registered.values();
        let of_frameworks: usize = of_frameworks.map(|framework| framework.inverse_offers.len()).sum();
        ensure(open == of_frameworks, || {
            format!("{open} inverse offers, but {of_frameworks} of frameworks")
        })?;
        for (id, agent) in &self.agents.registered {
            let machine = MachineId::of_agent(&agent.pid, &agent.info);
            let scheduled = self.maintenance.machines.get(&machine);
            ensure(scheduled.is_some() == self.maintenance.agents.contains_key(id), || {
                format!("{id} does not know about its machine")
            })?;
            let down = scheduled.is_some_and(|machine| machine.mode == MachineMode::Down);
            ensure(!down || self.registry.leaving.contains_key(id), || {
                format!("{id} stays, but its machine is down")
            })?;
        }
        ensure(
            self.registry.queued() > 0 || self.registry.content.windows == self.maintenance.windows,
            || "the maintenance schedule is not as written".to_owned(),
        )
    }
}

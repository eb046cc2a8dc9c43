//! What must always hold between the master's state and the registry.

use crate::check::{Broken, ensure};
use crate::core::MasterCore;
use crate::types::AgentRecord;

impl MasterCore {
    pub(crate) fn check_registry(&self) -> Result<(), Broken> {
        let registry = &self.registry;
        for id in self.agents.registered.keys().chain(self.agents.recovered.keys()) {
            let admitted = matches!(registry.agent(id), Some(AgentRecord::Admitted { .. }));
            ensure(admitted || registry.leaving.contains_key(id), || {
                format!("{id} belongs to the cluster, but the registry does not say so")
            })?;
        }
        for id in self.agents.recovered.keys() {
            let elsewhere =
                self.agents.registered.contains_key(id) || self.agents.unreachable.contains_key(id);
            ensure(!elsewhere, || format!("{id} is both awaited and here or lost"))?;
        }
        for id in self.agents.gone.keys() {
            ensure(!self.agents.is_known(id), || format!("{id} is both gone and known"))?;
        }
        if registry.queued() == 0 {
            self.check_written()?;
        }
        Ok(())
    }

    /// What is so when everything is written.
    fn check_written(&self) -> Result<(), Broken> {
        let registry = &self.registry;
        let waits = registry.registering.len() + registry.reregistering.len() + registry.leaving.len();
        ensure(waits == 0, || "someone waits for the registry, but nothing is being written".to_owned())?;
        for (id, record) in &registry.content.agents {
            let agents = &self.agents;
            let right = match record {
                AgentRecord::Admitted { .. } => {
                    agents.registered.contains_key(id) || agents.recovered.contains_key(id)
                }
                AgentRecord::Unreachable { since, .. } => agents.unreachable.get(id) == Some(since),
                AgentRecord::Gone { since, .. } => agents.gone.get(id) == Some(since),
            };
            ensure(right, || format!("the registry says of {id}: {record:?}, and the master otherwise"))?;
            let (drain, deactivated) = record.treatment();
            let treated =
                agents.draining.get(id) == drain.as_ref() && agents.deactivated.contains(id) == deactivated;
            ensure(treated, || format!("{id} is not treated as the registry says"))?;
        }
        let lost = self.agents.unreachable.keys().chain(self.agents.gone.keys());
        for id in lost.chain(&self.agents.deactivated).chain(self.agents.draining.keys()) {
            ensure(registry.agent(id).is_some(), || format!("the registry does not know {id}"))?;
        }
        ensure(registry.content.quotas == self.allocation.quotas, || "quotas are not as written".to_owned())
    }
}

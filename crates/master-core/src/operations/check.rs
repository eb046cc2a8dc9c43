//! What must always hold of operations, and of what they make.

use resources::duplicate_persistence_id;

use super::unconfirmed::with_unconfirmed;
use crate::check::{Broken, ensure};
use crate::core::MasterCore;
use crate::types::Agent;

impl MasterCore {
    pub(crate) fn check_operations(&self, agent: &Agent) -> Result<(), Broken> {
        let id = &agent.id;
        for (uuid, operation) in &agent.operations {
            ensure(operation.uuid == *uuid && operation.agent_id == *id, || {
                format!("operation {uuid} is misfiled on {id}")
            })?;
            let Some(framework) = operation.framework_id.as_ref().and_then(|id| self.frameworks.get(id))
            else {
                continue;
            };
            ensure(framework.operations.get(uuid) == Some(id), || {
                format!("operation {uuid} on {id} is not among those of {}", framework.id)
            })?;
        }
        let counted = with_unconfirmed(&agent.confirmed, &agent.unconfirmed);
        ensure(agent.total.non_revocable() == counted, || {
            format!("{id} is said to have {} but has {counted} with what is under way", agent.total)
        })?;
        check_total(agent)
    }
}

/// Operations change what resources are for and make volumes of disks; they neither make nor lose any, and no volume is
/// there twice.
fn check_total(agent: &Agent) -> Result<(), Broken> {
    let id = &agent.id;
    let (has, had) = (agent.total.non_revocable(), agent.info.resources.non_revocable());
    ensure(has.quantities() == had.quantities(), || format!("operations made {has} of {id} out of {had}"))?;
    let twice = duplicate_persistence_id(agent.total.iter());
    ensure(twice.is_none(), || format!("{id} has volume {twice:?} twice"))?;
    let copies = agent.total.iter_with_copies().find(|(_, copies)| *copies != 1);
    ensure(copies.is_none(), || format!("{id} has a resource several times: {copies:?}"))
}

//! Containers that ended while no agent was there: their ends are known within moments, and the master hears of the tasks then.

use std::collections::{BTreeMap, BTreeSet};

use base::{ContainerId, Time};

use crate::checkpoint::Found;
use crate::core::AgentCore;

/// The containers whose ends are awaited.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    containers: BTreeSet<ContainerId>,
    /// Not longer.
    until: Time,
}

/// An earlier life has left these containers, and some have ended. As Mesos does, the agent does not tell its master what it knows
/// to be out of date; what takes longer than an executor may take to come back is not waited for.
pub(crate) fn await_ends(core: &mut AgentCore, now: Time, found: &BTreeMap<ContainerId, Found>) {
    let over = found.iter().filter(|(_, found)| matches!(found, Found::Ended | Found::Lost));
    let containers = over.map(|(id, _)| id.clone()).collect();
    core.registration.ends = Ends { containers, until: now + core.options.executor_reregistration_timeout };
}

/// Whether an end is awaited still.
pub(crate) fn is_awaited(core: &mut AgentCore, now: Time) -> bool {
    let Ends { containers, until } = &mut core.registration.ends;
    if now >= *until {
        containers.clear();
    }
    containers.retain(|id| core.containers.contains_key(id));
    !containers.is_empty()
}

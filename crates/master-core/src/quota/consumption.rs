//! How much a role takes, with all roles below it.

use resources::{Quantities, Resource, Role};

use crate::core::MasterCore;
use crate::types::Agent;

/// Whether `role` is `top` or below it.
pub(super) fn is_in(role: &Role, top: &Role) -> bool {
    role == top || role.is_strict_subrole_of(top)
}

fn reserved_in(resource: &Resource, role: &Role) -> bool {
    resource.reservation_role().is_some_and(|reserved| is_in(reserved, role))
}

/// What counts against its quota: all that its tasks and executors use, and all that is reserved for it beside.
pub(super) fn consumed(core: &MasterCore, role: &Role) -> Quantities {
    core.agents.registered.values().fold(Quantities::new(), |mut sum, agent| {
        sum += &consumed_of(agent, role);
        sum
    })
}

fn consumed_of(agent: &Agent, role: &Role) -> Quantities {
    let mut consumed = agent.total.filter(|resource| reserved_in(resource, role)).quantities();
    let mut allocated = Quantities::new();
    for used in agent.used.values() {
        consumed -= &used.filter(|resource| reserved_in(resource, role)).quantities();
        let of_role = |resource: &Resource| resource.allocation.as_ref().is_some_and(|to| is_in(to, role));
        allocated += &used.filter(of_role).quantities();
    }
    consumed += &allocated;
    consumed
}

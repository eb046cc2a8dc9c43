//! DECLINE, REVIVE and SUPPRESS.

use std::collections::BTreeSet;
use std::time::Duration;

use base::{FrameworkId, OfferId, Time};
use resources::Role;

use super::remove::take;
use crate::core::MasterCore;
use crate::maintenance;
use crate::output::Output;

pub(crate) fn decline(
    core: &mut MasterCore,
    now: Time,
    id: &FrameworkId,
    offer_ids: &[OfferId],
    refuse: Duration,
    out: &mut Vec<Output>,
) {
    core.metrics.messages_decline_offers += 1;
    for offer_id in offer_ids {
        match take(core, id, offer_id) {
            Some(offer) => {
                core.frameworks.count(id, |counts| counts.offers_declined += 1);
                core.allocation.decline(now, id, &offer.agent_id, &offer.resources, refuse);
            }
            None => core.drop("DECLINE", id, format!("offer {offer_id} is no longer valid"), out),
        }
    }
}

pub(crate) fn revive(core: &mut MasterCore, id: &FrameworkId, roles: &[Role], out: &mut Vec<Output>) {
    core.metrics.messages_revive_offers += 1;
    if let Err(foreign) = own_roles(core, id, roles) {
        let why = format!("revive role '{foreign}' is not one of the frameworks's subscribed roles");
        core.drop("REVIVE", id, why, out);
        return;
    }
    if let Some(framework) = core.frameworks.get_mut(id) {
        let revived: BTreeSet<_> = roles.iter().collect();
        framework.suppressed_roles.retain(|role| !revived.is_empty() && !revived.contains(role));
    }
    core.allocation.revive(id, roles);
    maintenance::revived(core, id);
}

pub(crate) fn suppress(core: &mut MasterCore, id: &FrameworkId, roles: &[Role], out: &mut Vec<Output>) {
    core.metrics.messages_suppress_offers += 1;
    if let Err(foreign) = own_roles(core, id, roles) {
        let why = format!("suppression role '{foreign}' is not one of the frameworks's subscribed roles");
        core.drop("SUPPRESS", id, why, out);
        return;
    }
    if let Some(framework) = core.frameworks.get_mut(id) {
        if roles.is_empty() {
            framework.suppressed_roles = framework.info.roles.clone();
        } else {
            framework.suppressed_roles.extend(roles.iter().cloned());
        }
    }
    core.allocation.suppress(id, roles);
}

/// One role that is not the framework's makes the whole call invalid.
fn own_roles(core: &MasterCore, id: &FrameworkId, roles: &[Role]) -> Result<(), Role> {
    let Some(framework) = core.frameworks.get(id) else { return Ok(()) };
    match roles.iter().find(|role| !framework.info.roles.contains(*role)) {
        Some(foreign) => Err(foreign.clone()),
        None => Ok(()),
    }
}
